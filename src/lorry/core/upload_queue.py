"""The uploads of this run in their order, and whose turn it is.

Transfer threads take from it and tell it what became of an upload; what users do comes in through `queue_control.py`.
One lock guards it all; nothing here touches network or files.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

from lorry.core.errors import AuthError, CancelReason, ErrorCode
from lorry.core.events import Event, TransferChanged, TransferRemoved
from lorry.core.live import Live
from lorry.core.transfers import Transfer, TransferState, WaitReason

DEFAULT_WORKERS, MAX_WORKERS = 2, 4


class UploadQueue:
    """Thread-safe. `on_removed` is told each upload that leaves the list, `on_work` that there may be something to do.

    Attributes:
        lock: held while uploads are changed; reentrant, and what `take` waits on.
        lives: the uploads by id, in the order they are taken.
    """

    def __init__(
        self, emit: Callable[[Event], None], on_removed: Callable[[UUID], None], on_work: Callable[[], None]
    ) -> None:
        self.lock = threading.Condition()
        self.lives: dict[UUID, Live] = {}
        self.is_closed = False
        self._emit = emit
        self._on_removed = on_removed
        self._on_work = on_work
        self._workers = DEFAULT_WORKERS
        self._user_id: UUID | None = None

    @property
    def workers(self) -> int:
        """How many uploads run at once, 1 to MAX_WORKERS."""
        return self._workers

    @workers.setter
    def workers(self, number: int) -> None:
        with self.lock:
            self._workers = min(MAX_WORKERS, max(1, number))
            self.wake()

    @property
    def threads(self) -> int:
        """How many threads there is work for: one more while something is to be cleared away."""
        with self.lock:
            return self._workers + any(live.job.cancelling for live in self.lives.values())

    def add(self, live: Live) -> None:
        """Put an upload at the end."""
        with self.lock:
            self.lives[live.job.dataset_id] = live
            self.tell(live)
            self.wake()

    def take(self) -> Live | None:
        """Wait for an upload whose turn it is, mark it running and return it; None when the queue is closed."""
        with self.lock:
            while not self.is_closed:
                live, wait_s = self._next()
                if live is not None:
                    self.change(
                        live, state=TransferState.RUNNING, waits_for=None, retry_at=None, error=None, began=True
                    )
                    return live
                self.lock.wait(wait_s)
            return None

    def _next(self) -> tuple[Live | None, float | None]:
        """The upload whose turn it is, or how long until one may be (s).

        What was given up takes no place: clearing it away is short, and may not wait for hours of sending.
        """
        running = sum(live.state is TransferState.RUNNING and not live.job.cancelling for live in self.lives.values())
        is_full = running >= self._workers
        now, wait_s = time.monotonic(), None
        for live in self.lives.values():
            if live.state is not TransferState.WAITING:
                continue
            if live.waits_for is WaitReason.SIGN_IN and live.retry_at is None:
                continue
            if is_full and not live.job.cancelling:
                continue
            left_s = (live.retry_at or now) - now
            if left_s <= 0:
                return live, None
            wait_s = left_s if wait_s is None else min(wait_s, left_s)
        return None, wait_s

    def admit(self, user_id: UUID | None) -> None:
        """Somebody else is signed in, or nobody (None): only uploads of this user go on.

        The others wait for a sign-in; when another user comes they leave the list and stay in the journal.
        """
        with self.lock:
            self._user_id = user_id
            for live in list(self.lives.values()):
                if live.job.user_id == user_id:
                    if live.state is TransferState.WAITING and live.waits_for is WaitReason.SIGN_IN:
                        self.line_up(live)
                elif live.state is TransferState.RUNNING:
                    live.token.cancel(CancelReason.SIGNED_OUT)
                elif live.state is TransferState.WAITING:
                    self.line_up(live)
                elif user_id is not None:
                    self.drop(live)
            self.wake()

    def line_up(self, live: Live) -> None:
        """Have an upload wait for its turn, or for its user, with nothing remembered of earlier failures."""
        with self.lock:
            live.queue_up()
            if live.job.user_id != self._user_id:
                if self._user_id is not None:
                    self.drop(live)
                    return
                live.waits_for, live.error = WaitReason.SIGN_IN, AuthError(ErrorCode.NOT_SIGNED_IN)
            self.tell(live)
            self.wake()

    def hurry(self) -> None:
        """Give a turn at once to what waits for network or server, or has given up waiting for them."""
        with self.lock:
            for live in list(self.lives.values()):
                if live.retry_at is not None:
                    live.retry_at = time.monotonic()
                elif live.state is TransferState.FAILED and live.error is not None and live.error.retryable:
                    self.line_up(live)
            self.wake()

    def change(self, live: Live, **changes: object) -> None:
        """Set attributes of an upload and tell it, if anything is different now."""
        with self.lock:
            if any(getattr(live, name) != value for name, value in changes.items()):
                for name, value in changes.items():
                    setattr(live, name, value)
                self.tell(live)

    def tell(self, live: Live) -> None:
        """Let the front end know how an upload stands."""
        with self.lock:
            live.still = None
            if live.job.dataset_id in self.lives:
                self._emit(TransferChanged(live.seen()))

    def drop(self, live: Live) -> None:
        """Take an upload off the list."""
        with self.lock:
            if self.lives.pop(live.job.dataset_id, None) is None:
                return
            self._emit(TransferRemoved(live.job.dataset_id))
        self._on_removed(live.job.dataset_id)

    def snapshot(self) -> tuple[Transfer, ...]:
        """All uploads of this run that were not dismissed, in the order they are taken."""
        with self.lock:
            return tuple(live.seen() for live in self.lives.values())

    def wake(self) -> None:
        """Something may have got its turn."""
        with self.lock:
            if not self.is_closed and any(live.state is TransferState.WAITING for live in self.lives.values()):
                self._on_work()
            self.lock.notify_all()

    def close(self) -> None:
        """Nothing is taken any more, and what runs is told to stop."""
        with self.lock:
            self.is_closed = True
            lives = list(self.lives.values())
            self.lock.notify_all()
        for live in lives:
            live.token.cancel(CancelReason.SHUTDOWN)
