"""The queue of uploads and the threads that work on it.

Up to `workers` uploads run at once, each on one `lorry-transfer-N` thread from start to confirmation. Front ends read
`snapshot()` and are told changes of state through `emit`; byte counts are never events. How one upload proceeds is
decided in `upload.py` and `plan.py`, whether it is tried again in `retry.py`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from lorry.core.cancel import CancelToken
from lorry.core.errors import AuthError, Cancelled, CancelReason, ErrorCode, LorryError
from lorry.core.events import Event, TransferChanged, TransferRemoved
from lorry.core.model import Dataset
from lorry.core.progress import Meter
from lorry.core.retry import delay_before_retry
from lorry.core.transfers import Phase, Transfer, TransferState, UploadJob
from lorry.core.upload import Journal, Remote, Upload, take_back

log = logging.getLogger(__name__)

#: Joining all transfer threads at shutdown takes at most this long (s).
SHUTDOWN_S = 5.0


@dataclass(slots=True, eq=False)
class _Live:
    """One upload of this run. Guarded by the engine's lock, except meter and token, which guard themselves."""

    job: UploadJob
    meter: Meter
    #: An attempt has begun, in this run or (for a resumed one) in an earlier one.
    started: bool = False
    token: CancelToken = field(default_factory=CancelToken)
    state: TransferState = TransferState.WAITING
    phase: Phase = Phase.CHECKING
    error: LorryError | None = None
    retry_at: float | None = None
    dataset: Dataset | None = None

    def transfer(self) -> Transfer:
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
            retry_in_s=retry_in_s,
            dataset=self.dataset,
        )


class Engine:
    """Owns the queue. All methods return at once and may be called from any thread, except `close`."""

    def __init__(
        self,
        remote: Remote,
        journal: Journal,
        emit: Callable[[Event], None],
        on_confirmed: Callable[[Dataset], None],
        *,
        workers: int = 2,
    ) -> None:
        self._remote = remote
        self._journal = journal
        self._emit = emit
        self._on_confirmed = on_confirmed
        self._workers = workers
        self._lock = threading.Condition()
        self._queue: deque[_Live] = deque()
        self._live: dict[UUID, _Live] = {}
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closing = False

    def submit(self, job: UploadJob, *, is_new: bool) -> bool:
        """Queue an upload; False when another process is working on it.

        Raises:
            StoreError: the intent cannot be written down, so nothing is started.
        """
        if not self._journal.claim(job.dataset_id):
            return False
        if is_new:
            self._journal.add(job)
        live = _Live(job, Meter(job.stamp.size_bytes), started=not is_new)
        if job.cancelling:
            live.token.cancel(CancelReason.CANCEL)
        self._enqueue(live)
        return True

    def cancel(self, dataset_id: UUID) -> None:
        """Give an upload up and remove what it made; a finished one only leaves the list."""
        with self._lock:
            live = self._live.get(dataset_id)
            if live is None:
                return
            if live.state is TransferState.DONE:
                self._drop(live)
                return
            if live in self._queue and not live.started and not live.job.row_seen:
                # Nothing was ever asked of the server, so nothing has to wait for a free thread to be removed.
                self._queue.remove(live)
                self._journal.remove(dataset_id)
                self._drop(live)
                return
            was_failed = live.state is TransferState.FAILED
        live.token.cancel(CancelReason.CANCEL)
        if was_failed:
            live.token = CancelToken()
            live.token.cancel(CancelReason.CANCEL)
            self._enqueue(live)

    def retry(self, dataset_id: UUID) -> None:
        """Start a failed upload again. Raises StoreError."""
        with self._lock:
            live = self._live.get(dataset_id)
            if live is None or live.state is not TransferState.FAILED:
                return
            live.token, live.error, live.retry_at = CancelToken(), None, None
            live.meter.start()
        self._enqueue(live)

    def stop_all(self, reason: CancelReason) -> None:
        """Stop what runs or waits without giving it up; each ends FAILED and can be retried."""
        with self._lock:
            lives = list(self._live.values())
        for live in lives:
            live.token.cancel(reason)

    def snapshot(self) -> tuple[Transfer, ...]:
        """All uploads of this run that were not dismissed, in the order they were added."""
        with self._lock:
            return tuple(live.transfer() for live in self._live.values())

    def close(self) -> None:
        """Stop everything, keeping it resumable, and wait up to SHUTDOWN_S for the threads. Harmless when repeated."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
            threads = list(self._threads)
        self.stop_all(CancelReason.SHUTDOWN)
        deadline = time.monotonic() + SHUTDOWN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _enqueue(self, live: _Live) -> None:
        with self._lock:
            if self._closing:
                return
            live.state = TransferState.WAITING
            self._live[live.job.dataset_id] = live
            self._queue.append(live)
            if self._idle < len(self._queue) and len(self._threads) < self._workers:
                name = f"lorry-transfer-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._lock.notify()
            transfer = live.transfer()
        self._emit(TransferChanged(transfer))

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._queue and not self._closing:
                    self._lock.wait()
                self._idle -= 1
                if self._closing:
                    return
                live = self._queue.popleft()
                live.started = True
            try:
                self._run(live)
            except Cancelled as cancelled:
                self._cancelled(live, cancelled.reason)
            except LorryError as error:
                self._fail(live, error)
            except Exception as error:
                log.exception("an upload ended in a way nobody expected")
                self._fail(live, LorryError(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}"))

    def _run(self, live: _Live) -> None:
        attempt = 0
        while True:
            live.token.check()
            self._change(live, state=TransferState.RUNNING, retry_at=None)
            upload = Upload(
                live.job,
                self._remote,
                self._journal,
                live.token,
                live.meter,
                lambda phase: self._change(live, phase=phase),
            )
            try:
                dataset = upload.run()
                break
            except LorryError as error:
                attempt += 1
                delay_s = delay_before_retry(error, attempt, random.uniform)
                if delay_s is None:
                    raise
                log.info("%s: trying again in %.1f s", error, delay_s)
                self._change(live, error=error, retry_at=time.monotonic() + delay_s)
                live.token.wait(delay_s)
            finally:
                live.job = upload.job
        self._journal.remove(live.job.dataset_id)
        self._journal.release(live.job.dataset_id)
        self._on_confirmed(dataset)
        self._change(
            live,
            state=TransferState.DONE,
            phase=Phase.VALIDATING,
            dataset=dataset,
            error=upload.validation_error,
            retry_at=None,
        )

    def _cancelled(self, live: _Live, reason: CancelReason) -> None:
        if reason is CancelReason.CANCEL:
            self._give_up(live)
        elif reason is CancelReason.SIGNED_OUT:
            self._change(live, state=TransferState.FAILED, error=AuthError(ErrorCode.NOT_SIGNED_IN))

    def _give_up(self, live: _Live) -> None:
        cleaning = CancelToken()
        with self._lock:
            live.token = cleaning
            late = live.meter.is_all_sent
        try:
            live.job = self._journal.note(live.job, cancelling=True)
            take_back(self._remote, live.job, cleaning, may_arrive_late=late)
            self._journal.remove(live.job.dataset_id)
        except Cancelled:
            log.info("stopped while removing %s; the next start goes on with it", live.job.dataset_id)
        except LorryError as error:
            log.info("%s is removed at the next start: %s", live.job.dataset_id, error)
        with self._lock:
            self._drop(live)

    def _drop(self, live: _Live) -> None:
        self._live.pop(live.job.dataset_id, None)
        self._journal.release(live.job.dataset_id)
        self._emit(TransferRemoved(live.job.dataset_id))

    def _fail(self, live: _Live, error: LorryError) -> None:
        log.info("upload %s failed: %s", live.job.dataset_id, error)
        try:
            live.job = self._journal.note(live.job, last_error=error.code.value)
            if error.is_final:
                self._undo(live, error)
        except LorryError as second:
            error.detail += f"; and then {second}"
        self._change(live, state=TransferState.FAILED, error=error, retry_at=None)

    def _undo(self, live: _Live, error: LorryError) -> None:
        """Leave nothing half-made behind; Retry starts from the beginning with the same ids."""
        try:
            take_back(self._remote, live.job, CancelToken())
        except LorryError as second:
            error.detail += f"; what was made could not be removed: {second}"
            return
        live.job = self._journal.note(live.job, row_seen=False)

    def _change(self, live: _Live, **changes: object) -> None:
        with self._lock:
            if all(getattr(live, name) == value for name, value in changes.items()):
                return
            for name, value in changes.items():
                setattr(live, name, value)
            transfer = live.transfer()
        self._emit(TransferChanged(transfer))
