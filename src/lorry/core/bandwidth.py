"""What all uploads of this program together may send a second, and the size of their requests.

Shared by the transfer threads. The limit lets bytes trickle: no socket is ever left without any for long, because
servers cut a request whose body stalls.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from lorry.core.cancel import CancelToken
from lorry.core.chunks import ChunkPolicy

#: Nothing slower: a request of the smallest piece has to end within its time limit.
MIN_LIMIT_BPS = 20_000
#: Under a limit, each hand-over to the socket lasts about this long (s).
_TRICKLE_S = 0.05
_PIECE_MIN_BYTES, _PIECE_MAX_BYTES = 1024, 256 * 1024


class Bandwidth:
    """A limit over all uploads, changed at any time, and what they have learnt about the server's requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limit_bps: int | None = None
        self._free_at = 0.0
        self._policy = ChunkPolicy()

    @property
    def limit_bps(self) -> int | None:
        """Bytes a second over all uploads, None for no limit. At least MIN_LIMIT_BPS."""
        return self._limit_bps

    @limit_bps.setter
    def limit_bps(self, limit_bps: int | None) -> None:
        with self._lock:
            self._limit_bps = None if limit_bps is None else max(MIN_LIMIT_BPS, limit_bps)
            self._free_at = 0.0

    def paced(self, blocks: Iterable[bytes], token: CancelToken) -> Iterator[bytes]:
        """The same bytes, cut and delayed so that all uploads together stay within the limit.

        Raises:
            Cancelled: the token was set while waiting.
        """
        for block in blocks:
            limit_bps = self._limit_bps
            if limit_bps is None:
                yield block
                continue
            view = memoryview(block)
            while view:
                size = min(_PIECE_MAX_BYTES, max(_PIECE_MIN_BYTES, int((self._limit_bps or limit_bps) * _TRICKLE_S)))
                piece = view[:size]
                view = view[size:]
                delay_s = self._reserve(len(piece))
                if delay_s > 0:
                    token.wait(delay_s)
                yield bytes(piece)

    def _reserve(self, count: int) -> float:
        """Take the next place in the stream and say how long to wait for it (s)."""
        with self._lock:
            if self._limit_bps is None:
                return 0.0
            now = self._clock()
            start = max(now, self._free_at)
            self._free_at = start + count / self._limit_bps
            return start - now

    def next_bytes(self, offset_bytes: int, size_bytes: int) -> int:
        """How many bytes the request at this offset shall carry, see `ChunkPolicy.next_bytes`."""
        with self._lock:
            policy, limit_bps = self._policy, self._limit_bps
        if limit_bps is not None:
            policy = replace(policy, rate_bps=min(policy.rate_bps or limit_bps, limit_bps))
        return policy.next_bytes(offset_bytes, size_bytes)

    def succeeded(self, sent_bytes: int, took_s: float) -> None:
        """A request of `sent_bytes` was taken in `took_s` seconds."""
        with self._lock:
            self._policy = self._policy.after_success(sent_bytes, took_s)

    def refused(self, count: int) -> None:
        """A proxy on the way refused a request for carrying `count` bytes."""
        with self._lock:
            self._policy = self._policy.after_refusal(count)

    def failed(self, stored_bytes: int = 0, took_s: float = 0.0) -> None:
        """A request was cut or refused after `took_s` seconds; the server kept `stored_bytes` of it."""
        with self._lock:
            self._policy = self._policy.after_fault(stored_bytes, took_s)
