"""One writer for each resumable upload: a newcomer asks the holder to stop and waits for its turn.

Owns who holds which upload, and the two times the protocol gives: the holder drains, the newcomer gives up.
How a holder stops is its own affair. Lives in memory, as one process serves a workspace. Event loop thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

# Measured on the hosted service's own code: a holder is given 3 s, a newcomer waits 5 s.
DRAIN_S = 3.0
LOCK_WAIT_S = 5.0


class LockTimeoutError(Exception):
    """The holder did not end in time."""


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    ask_holder: Callable[[float], None] | None = None


class UploadLocks:
    """The holders and those who wait, by upload."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    def is_held(self, upload: str) -> bool:
        """Whether somebody works on this upload now."""
        return upload in self._turns

    def stop_all(self) -> None:
        """Ask every holder to end at once: the server is about to."""
        for turn in list(self._turns.values()):
            if turn.ask_holder is not None:
                turn.ask_holder(0.0)

    @asynccontextmanager
    async def hold(self, upload: str, on_stop: Callable[[float], None] | None = None) -> AsyncIterator[None]:
        """Be the only one on this upload; `on_stop` is given the seconds left when somebody else wants to be.

        Raises LockTimeoutError after LOCK_WAIT_S.
        """
        turn = self._turns.setdefault(upload, _Turn())
        turn.users += 1
        try:
            if turn.ask_holder is not None:
                turn.ask_holder(DRAIN_S)
            try:
                async with asyncio.timeout(LOCK_WAIT_S):
                    await turn.lock.acquire()
            except TimeoutError:
                raise LockTimeoutError from None
            turn.ask_holder = on_stop
            try:
                # Those who came while the last holder ended still wait.
                if turn.users > 1 and on_stop is not None:
                    on_stop(DRAIN_S)
                yield
            finally:
                turn.ask_holder = None
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[upload]
