"""The body of a PATCH as blocks that end when they must: complete, cut off, asked to stop, or too long.

Owns reading from the connection; unlike Starlette's own stream it never loses what the server has read of a
body that was cut off, and can be told to end. Writing is `upload_body`'s. Event loop thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum

from starlette.requests import Request


class BodyEnd(StrEnum):
    """Why there are no more blocks."""

    COMPLETE = "complete"
    CUT = "cut"
    STOPPED = "stopped"
    TOO_LONG = "too_long"


class PatchBody:
    """The bytes of one request; `end` is valid once `blocks` has ended."""

    def __init__(self, request: Request) -> None:
        self.end = BodyEnd.COMPLETE
        self._receive = request.receive
        self._deadline_s: float | None = None
        self._waiting: asyncio.Timeout | None = None

    def stop_in(self, delay_s: float) -> None:
        """Let the blocks end after `delay_s`, unless they are to end before."""
        deadline_s = asyncio.get_running_loop().time() + delay_s
        if self._deadline_s is None or deadline_s < self._deadline_s:
            self._deadline_s = deadline_s
            if self._waiting is not None:
                self._waiting.reschedule(deadline_s)

    async def blocks(self, room_bytes: int | None) -> AsyncIterator[bytes]:
        """The bytes as they come, `room_bytes` at most."""
        total_bytes, more = 0, True
        while more:
            block, more = await self._next()
            total_bytes += len(block)
            if room_bytes is not None and total_bytes > room_bytes:
                self.end = BodyEnd.TOO_LONG
                return
            if block:
                yield block

    async def is_cut_within(self, window_s: float) -> bool:
        """Whether the sender goes away within `window_s` after its body."""
        if self.end is BodyEnd.CUT:
            return True
        try:
            async with asyncio.timeout(window_s):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def _next(self) -> tuple[bytes, bool]:
        try:
            if self._deadline_s is not None and asyncio.get_running_loop().time() >= self._deadline_s:
                raise TimeoutError
            async with asyncio.timeout_at(self._deadline_s) as self._waiting:
                message = await self._receive()
        except TimeoutError:
            self.end = BodyEnd.STOPPED
            return b"", False
        finally:
            self._waiting = None
        if message["type"] == "http.disconnect":
            self.end = BodyEnd.CUT
            return self._left_unread(), False
        return message.get("body", b""), message.get("more_body", False)

    def _left_unread(self) -> bytes:
        """What uvicorn has read of a cut body and would drop: its `receive` is a method of what holds it."""
        left = getattr(getattr(self._receive, "__self__", None), "body", b"")
        return bytes(left) if isinstance(left, bytes | bytearray) else b""
