"""The threads that work on the queue of uploads.

Each upload runs on one `lorry-transfer-N` thread from start to confirmation; one that has to wait gives its thread to
the next. How one upload proceeds is decided in `upload.py` and `plan.py`, whether it is tried again in `retry.py`,
whose turn it is in `upload_queue.py`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from lorry.core.bandwidth import Bandwidth
from lorry.core.errors import (
    AuthError,
    Cancelled,
    CancelReason,
    ErrorCode,
    LorryError,
    NetworkError,
    SourceError,
    StoreError,
)
from lorry.core.events import Event
from lorry.core.live import Live, meter_for
from lorry.core.model import Dataset
from lorry.core.observer import Patience
from lorry.core.queue_control import QueueControl
from lorry.core.retry import PATIENCE_S, delay_before_retry
from lorry.core.sending import Journal, Remote
from lorry.core.transfers import Phase, TransferState, UploadJob, WaitReason
from lorry.core.upload import Report, Upload
from lorry.core.upload_queue import UploadQueue

log = logging.getLogger(__name__)

#: Joining all transfer threads at shutdown takes at most this long (s).
SHUTDOWN_S = 5.0
#: Refusals that a sign-in cures, and how long to wait when there is none (s).
_SIGN_IN_CURES = (ErrorCode.NOT_SIGNED_IN, ErrorCode.SESSION_ENDED)
_REFUSED_S = 60.0


@dataclass(frozen=True, slots=True)
class Temper:
    """How an engine takes failures.

    Attributes:
        dice: see `retry.delay_before_retry`.
        patience_s: an upload of which nothing arrived for this long stops.
        first_patience_s: the same for one of which the server has never heard.
        patience: how long it waits for an object whose bytes the server has.
    """

    dice: Callable[[float, float], float] = random.uniform
    patience_s: float = PATIENCE_S
    first_patience_s: float = PATIENCE_S
    patience: Patience = field(default_factory=Patience)


class Engine:
    """Works on `queue`; `control` is what users do to it, `bandwidth` what they allow it."""

    def __init__(
        self,
        remote: Remote,
        journal: Journal,
        emit: Callable[[Event], None],
        on_confirmed: Callable[[Dataset], None],
        temper: Temper,
    ) -> None:
        self.bandwidth = Bandwidth()
        self.queue = UploadQueue(emit, journal.release, self._have_threads)
        self.control = QueueControl(self.queue, journal)
        self._remote = remote
        self._journal = journal
        self._on_confirmed = on_confirmed
        self._temper = temper
        self._threads: list[threading.Thread] = []

    def submit(self, job: UploadJob, *, is_new: bool) -> bool:
        """Queue an upload; False when it is queued already, here or in another process, or has ended.

        Raises:
            StoreError: the intent cannot be written down, so nothing is started.
        """
        if not self._journal.claim(job.dataset_id):
            return False
        if is_new:
            try:
                self._journal.add(job)
            except StoreError:
                self._journal.release(job.dataset_id)
                raise
        else:
            kept = self._journal.find(job.dataset_id)
            if kept is None:  # another process has ended it meanwhile
                self._journal.release(job.dataset_id)
                return False
            job = kept
        live = Live(job, meter_for(job), began=not is_new, best_bytes=job.offset_bytes)
        if job.paused and not job.cancelling:
            live.state = TransferState.PAUSED
        self.queue.add(live)
        return True

    def close(self) -> None:
        """Stop everything, keeping it resumable, and wait up to SHUTDOWN_S for the threads. Harmless when repeated."""
        self.queue.close()
        deadline = time.monotonic() + SHUTDOWN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _have_threads(self) -> None:
        while len(self._threads) < self.queue.threads:
            thread = threading.Thread(target=self._work, name=f"lorry-transfer-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (live := self.queue.take()) is not None:
            try:
                self._attend(live)
            except Exception as error:
                # Whatever it was, this thread has to live on for the other uploads.
                log.exception("an upload ended in a way nobody expected")
                failure = LorryError(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}")
                self.queue.change(live, state=TransferState.FAILED, error=failure, is_rereading=False, upload=None)
            self.queue.wake()

    def _attend(self, live: Live) -> None:
        try:
            self._run(live)
        except Cancelled as cancelled:
            self._stopped(live, cancelled.reason)
        except LorryError as error:
            if live.token.reason is None:
                self._failed(live, error)
            else:
                self._stopped(live, live.token.reason)

    def _run(self, live: Live) -> None:
        live.token.check()
        upload = live.upload or self._upload_of(live)
        live.upload = upload
        try:
            dataset = upload.run()
        finally:
            with self.queue.lock:
                live.job = upload.job
        self._journal.remove(live.job.dataset_id)
        if dataset is None:
            self.queue.drop(live)
            return
        self._journal.release(live.job.dataset_id)
        self._on_confirmed(dataset)
        done = TransferState.DONE
        error = upload.validation_error
        live.is_given_up = False  # too late
        self.queue.change(live, state=done, phase=Phase.VALIDATING, dataset=dataset, error=error, upload=None)

    def _upload_of(self, live: Live) -> Upload:
        change = self.queue.change
        report = Report(
            phase=lambda phase: change(live, phase=phase),
            rereading=lambda is_rereading: change(live, is_rereading=is_rereading),
            resumed=lambda offset_bytes: change(live, resumed_at_bytes=offset_bytes),
            restarted=lambda reason: change(live, restarted=reason, resumed_at_bytes=None),
        )
        return Upload(
            live.job,
            self._remote,
            self._journal,
            self.bandwidth,
            live.token,
            live.meter,
            report,
            self._temper.patience,
        )

    def _stopped(self, live: Live, reason: CancelReason) -> None:
        if reason is CancelReason.CANCEL or live.is_given_up:
            self.control.give_up(live)
        elif reason is CancelReason.PAUSE:
            if live.goes_on:
                self.queue.line_up(live)
                return
            live.job = replace(live.job, paused=True)
            state = TransferState.PAUSED
            self.queue.change(live, state=state, error=None, retry_at=None, is_rereading=False, upload=None)
        elif reason is CancelReason.SIGNED_OUT:
            self.queue.line_up(live)

    def _failed(self, live: Live, error: LorryError) -> None:
        attempt, failing_for_s = live.count_failure()
        temper = self._temper
        patience_s = temper.patience_s if live.job.row_seen else temper.first_patience_s
        delay_s = delay_before_retry(error, attempt, failing_for_s, temper.dice, patience_s)
        log.info("upload %s: %s; again in %s s", live.job.dataset_id, error, delay_s)
        if delay_s is not None:
            kinds = {NetworkError: WaitReason.NETWORK, StoreError: WaitReason.DISK, SourceError: WaitReason.FILE}
            reason = next((kinds[kind] for kind in kinds if isinstance(error, kind)), WaitReason.SERVER)
            retry_at = time.monotonic() + delay_s
            self.queue.change(live, state=TransferState.WAITING, waits_for=reason, error=error, retry_at=retry_at)
        elif live.job.cancelling:
            self.queue.drop(live)  # what is left of it goes at the next start
        elif isinstance(error, AuthError) and error.code in _SIGN_IN_CURES:
            # Usually the session has ended, and a sign-in gives it its turn; else the server may think again.
            retry_at = time.monotonic() + _REFUSED_S
            waiting = TransferState.WAITING
            self.queue.change(live, state=waiting, waits_for=WaitReason.SIGN_IN, error=error, retry_at=retry_at)
        else:
            self._give_in(live, error)

    def _give_in(self, live: Live, error: LorryError) -> None:
        """The upload needs its user; what it made is removed if it is of no use any more."""
        is_final = error.is_final
        with suppress(StoreError):
            live.job = self._journal.note(live.job, last_error=error.code.value, starting_over=is_final)
        if is_final:
            clearing = self._upload_of(live)
            try:
                clearing.clear()
            except Cancelled:
                log.info("%s is cleared later", live.job.dataset_id)
            except LorryError as second:
                error.detail += f"; what was made could not be removed: {second}"
            with self.queue.lock:
                live.job = clearing.job
        if live.is_given_up:
            self.control.give_up(live)
            return
        self.queue.change(live, state=TransferState.FAILED, error=error, is_rereading=False, upload=None)
