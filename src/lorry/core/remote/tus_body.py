"""The bytes of one PATCH on their way to the socket: counted, cancellable, within a time limit.

Runs on a transfer thread, pulled by the HTTP client. At the very end of a file a cancel comes too late on purpose: some
servers delete an upload whose last answer nobody waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from lorry.core.cancel import CancelToken
from lorry.core.errors import ErrorCode, NetworkError
from lorry.core.remote.put import SocketGuard

#: Handed over in one go at the very end: before it a cancel may break the connection, after it not.
_TAIL_BYTES = 4096


class PatchBody:
    """The bytes of one PATCH on their way to the socket."""

    def __init__(
        self,
        blocks: Iterable[bytes],
        count_bytes: int,
        token: CancelToken,
        on_sent: Callable[[int], None],
        guard: SocketGuard | None,
        limit_s: float,
    ) -> None:
        """Take exactly `count_bytes` from `blocks` within `limit_s`; `guard` is given if they end the file."""
        #: The server cannot have more than this; the last block may still have been on its way.
        self.given_bytes = 0
        #: The last byte of the file may have reached the server.
        self.may_be_complete = False
        self._blocks = blocks
        self._count = count_bytes
        self._token = token
        self._on_sent = on_sent
        self._guard = guard
        self._limit_s = limit_s

    def __iter__(self) -> Iterator[bytes]:
        """The blocks; once.

        Raises:
            Cancelled: the token was set.
            NetworkError: TIMEOUT, the limit has passed.
        """
        deadline = time.monotonic() + self._limit_s
        for block in self._blocks:
            self._token.check()
            if time.monotonic() > deadline:
                raise NetworkError(ErrorCode.TIMEOUT, f"not sent within {self._limit_s:.0f} s")
            if self._guard is not None and self.given_bytes + len(block) >= self._count:
                yield from self._end(block, self._guard)
            else:
                yield from self._hand_over(block)

    def _end(self, block: bytes, guard: SocketGuard) -> Iterator[bytes]:
        yield from self._hand_over(block[:-_TAIL_BYTES])
        guard.let_finish()
        self._token.check()
        self.may_be_complete = True
        yield from self._hand_over(block[-_TAIL_BYTES:])

    def _hand_over(self, block: bytes) -> Iterator[bytes]:
        if block:
            self.given_bytes += len(block)
            yield block
            self._on_sent(len(block))
