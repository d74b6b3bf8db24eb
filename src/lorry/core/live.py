"""One upload of this run as the engine keeps it: its job, its counters, where it stands in the queue.

Guarded by the engine's lock, except meter and token, which guard themselves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lorry.core.cancel import CancelToken
from lorry.core.chunks import STEP_BYTES
from lorry.core.errors import LorryError
from lorry.core.model import Dataset
from lorry.core.progress import Meter
from lorry.core.transfers import Phase, RestartReason, Transfer, TransferState, UploadJob, WaitReason
from lorry.core.upload import Upload


def meter_for(job: UploadJob) -> Meter:
    """Counters that begin with what the server was last seen to hold."""
    size_bytes = job.stamp.size_bytes
    meter = Meter(size_bytes, is_resumable=size_bytes > STEP_BYTES)
    meter.start(job.offset_bytes)
    return meter


@dataclass(slots=True, eq=False)
class Live:
    """See the module.

    Attributes:
        upload: kept from attempt to attempt with what it has hashed; None before the first and after a stop.
        began: an attempt has begun, in this run or an earlier one: the server may hold something of it.
        is_given_up: the user cancelled it, whatever it was told to do before.
        goes_on: the user wants it to go on although it has not stopped yet.
        still: what `seen` gives as long as nothing changes.
        attempts, failing_since, best_bytes: failures in a row without a byte arriving, since when, and from where.
    """

    job: UploadJob
    meter: Meter
    began: bool = False
    token: CancelToken = field(default_factory=CancelToken)
    state: TransferState = TransferState.WAITING
    phase: Phase = Phase.CHECKING
    error: LorryError | None = None
    waits_for: WaitReason | None = WaitReason.TURN
    retry_at: float | None = None
    dataset: Dataset | None = None
    is_rereading: bool = False
    resumed_at_bytes: int | None = None
    restarted: RestartReason | None = None
    upload: Upload | None = None
    is_given_up: bool = False
    goes_on: bool = False
    attempts: int = 0
    failing_since: float | None = None
    best_bytes: int = 0
    still: Transfer | None = None

    def seen(self) -> Transfer:
        """This upload as front ends see it; of one that stands still, the same object until it is told anew."""
        if self.still is not None:
            return self.still
        transfer = self._transfer()
        if self.state is not TransferState.RUNNING and self.retry_at is None:
            self.still = transfer
        return transfer

    def _transfer(self) -> Transfer:
        retry_in_s = max(0.0, self.retry_at - time.monotonic()) if self.retry_at is not None else None
        return Transfer(
            dataset_id=self.job.dataset_id,
            path=self.job.path,
            draft=self.job.draft,
            state=self.state,
            phase=self.phase,
            progress=self.meter.snapshot(),
            storage_path=self.job.storage_path,
            error=self.error,
            waits_for=self.waits_for if self.state is TransferState.WAITING else None,
            retry_in_s=retry_in_s,
            dataset=self.dataset,
            is_rereading=self.is_rereading,
            resumed_at_bytes=self.resumed_at_bytes,
            restarted=self.restarted,
            is_cancelling=self.is_given_up or self.job.cancelling,
        )

    def queue_up(self) -> None:
        """Wait for a turn, with nothing remembered of earlier failures."""
        self.token, self.upload = CancelToken(), None
        self.state, self.waits_for = TransferState.WAITING, WaitReason.TURN
        self.error = self.retry_at = self.failing_since = None
        self.attempts = 0
        self.is_rereading = self.goes_on = False

    def count_failure(self) -> tuple[int, float]:
        """One more failure. Returns how many in a row without a byte arriving, and for how long (s)."""
        now = time.monotonic()
        if self.meter.stored_bytes > self.best_bytes:
            self.attempts, self.failing_since = 0, None
        self.best_bytes = self.meter.stored_bytes
        self.attempts += 1
        self.failing_since = self.failing_since if self.failing_since is not None else now
        return self.attempts, now - self.failing_since
