"""How far a transfer is: bytes handed to the socket, bytes the server has acknowledged, rate and remaining time.

The transfer thread writes, any thread reads `snapshot()`; nothing here knows widgets or words.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from lorry.core.transfers import HISTORY_S, Progress

#: The rate is smoothed with this time constant (s), so that one slow second does not shake the estimate.
SMOOTHING_S = 20.0
#: No remaining time is given before this many seconds of sending, nor after this many without a byte.
SETTLE_S = 3.0
STALL_S = 5.0


class Meter:
    """Counters of one transfer. `sent` is what the socket took, `stored` what the server has acknowledged."""

    def __init__(
        self, size_bytes: int, clock: Callable[[], float] = time.monotonic, *, is_resumable: bool = False
    ) -> None:
        self._size = size_bytes
        self._is_resumable = is_resumable
        self._clock = clock
        self._lock = threading.Lock()
        self._sent = self._stored = 0
        self._moved = self._mark_bytes = 0
        self._rate = 0.0
        self._history: deque[float] = deque(maxlen=HISTORY_S)
        self._mark = self._last_byte = self._sending_since = clock()

    def start(self, stored_bytes: int = 0) -> None:
        """Go on with `stored_bytes` on the server. What is known of the speed stays, unless nothing moved for long."""
        with self._lock:
            now = self._clock()
            self._sent = self._stored = stored_bytes
            if now - self._last_byte > STALL_S:
                self._sending_since, self._mark, self._mark_bytes, self._rate = now, now, self._moved, 0.0
            self._last_byte = now

    def add_sent(self, count: int) -> None:
        """`count` more bytes were handed to the socket."""
        with self._lock:
            self._sent += count
            self._moved += count
            self._last_byte = self._clock()
            self._sample(self._last_byte)

    @property
    def is_all_sent(self) -> bool:
        """True when every byte was handed to the socket; the server may not have them yet."""
        return self._sent >= self._size

    @property
    def stored_bytes(self) -> int:
        """What the server has acknowledged."""
        return self._stored

    def set_stored(self, stored_bytes: int) -> None:
        """The server says it has `stored_bytes`."""
        with self._lock:
            self._stored = stored_bytes
            self._sent = max(self._sent, stored_bytes)

    def _sample(self, now: float) -> None:
        span = now - self._mark
        if span < 1.0:
            return
        current = (self._moved - self._mark_bytes) / span
        if self._rate:
            weight = 1.0 - math.exp(-span / SMOOTHING_S)
            self._rate += (current - self._rate) * weight
        else:
            self._rate = current
        for _ in range(min(int(span), HISTORY_S)):
            self._history.append(current)
        self._mark, self._mark_bytes = now, self._moved

    def snapshot(self) -> Progress:
        """The counters now. `rate_bps` is 0 and `remaining_s` None while nothing moves."""
        with self._lock:
            now = self._clock()
            self._sample(now)
            stalled = now - self._last_byte > STALL_S
            rate = 0.0 if stalled else self._rate
            remaining: float | None = None
            if rate > 0 and now - self._sending_since >= SETTLE_S:
                remaining = max(0.0, self._size - self._sent) / rate
            return Progress(
                size_bytes=self._size,
                sent_bytes=min(self._sent, self._size),
                stored_bytes=min(self._stored, self._size),
                rate_bps=rate,
                remaining_s=remaining,
                history_bps=tuple(self._history),
                is_resumable=self._is_resumable,
            )
