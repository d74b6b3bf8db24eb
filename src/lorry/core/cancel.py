"""Telling running work to stop, from any thread, without waiting for it.

A token is set once. Work calls `check()` before every request and block and waits only through `wait()`;
whoever holds something that blocks (a socket) registers a callback that unblocks it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lorry.core.errors import Cancelled, CancelReason


class CancelToken:
    """A one-way switch with a reason. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._reason: CancelReason | None = None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def reason(self) -> CancelReason | None:
        """Why it was set, or None while work may go on."""
        return self._reason

    def cancel(self, reason: CancelReason) -> None:
        """Set the token; the first reason stays. Callbacks run on the calling thread."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            callbacks = list(self._callbacks)
        self._event.set()
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise Cancelled when the token is set."""
        if self._reason is not None:
            raise Cancelled(self._reason)

    def wait(self, seconds: float) -> None:
        """Sleep up to `seconds`, ending at once with Cancelled when the token is set."""
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Run `callback` if the token is set inside the block; at once if it already is."""
        with self._lock:
            already = self._reason is not None
            if not already:
                self._callbacks.append(callback)
        if already:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)
