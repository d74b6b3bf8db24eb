"""How many bytes of a file the next request of a resumable upload carries. Pure: the clock is the caller's.

A large piece saves round trips, a small one loses less when the connection is cut. What was learnt holds for an origin,
so the caller keeps one `ChunkPolicy` per origin and hands it from transfer to transfer; being frozen it can be shared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Pieces are multiples of this; S3 behind a Storage server parks anything under 5 MiB and reads it again.
STEP_BYTES = 6 * 1024 * 1024
#: Proxies in front of projects refuse bodies above 100 MB.
MAX_CHUNK_BYTES = 96 * 1024 * 1024
#: A piece that took less than this (s) may be followed by one of twice the size.
FAST_S = 10.0
#: A Storage server gives a request up after 300 s; sending one stops after this (s).
PATCH_LIMIT_S = 240.0

#: Predicted time a piece may take (s): links get slower, so a quarter of the limit stays free.
_PREDICTED_MAX_S = 0.75 * PATCH_LIMIT_S
#: On a link too slow for one step within that time, pieces are multiples of this instead.
_SLOW_STEP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """What is known of one origin.

    Attributes:
        chunk_bytes: the size of a piece, as far as the server is concerned.
        rate_bps: bytes per second of the last piece, answer included; 0 while nothing was measured.
        ceiling_bytes: no piece is larger; a proxy on the way may accept less than most do.
    """

    chunk_bytes: int = STEP_BYTES
    rate_bps: float = 0.0
    ceiling_bytes: int = MAX_CHUNK_BYTES

    def next_bytes(self, offset_bytes: int, size_bytes: int) -> int:
        """Bytes the request at `offset_bytes` of a file of `size_bytes` shall carry; 0 at its end.

        The last piece has at most STEP_BYTES: a connection lost between the last byte and the answer costs the whole
        upload on some servers, and they need less time to answer a small one.
        """
        left = size_bytes - offset_bytes
        wanted = self.chunk_bytes
        if self.rate_bps:
            possible = int(self.rate_bps * _PREDICTED_MAX_S)
            if possible < STEP_BYTES:
                return min(left, max(_SLOW_STEP_BYTES, possible // _SLOW_STEP_BYTES * _SLOW_STEP_BYTES))
            wanted = min(wanted, possible // STEP_BYTES * STEP_BYTES)
        if left <= STEP_BYTES:
            return left
        return min(wanted, (left - 1) // STEP_BYTES * STEP_BYTES)

    def after_success(self, sent_bytes: int, took_s: float) -> ChunkPolicy:
        """The policy after the server took `sent_bytes` in one request of `took_s` seconds."""
        rate_bps = sent_bytes / max(took_s, 1e-6)
        chunk_bytes = self.chunk_bytes
        if took_s < FAST_S and sent_bytes >= chunk_bytes:
            chunk_bytes = min(self.ceiling_bytes, 2 * chunk_bytes)
        return replace(self, chunk_bytes=chunk_bytes, rate_bps=rate_bps)

    def after_fault(self, stored_bytes: int = 0, took_s: float = 0.0) -> ChunkPolicy:
        """The policy after a cut, a 413 or a 5xx: small pieces again.

        `stored_bytes` of the broken request that the server kept in `took_s` seconds tell the rate of a link that has
        become slow; a request that ended early tells nothing.
        """
        rate_bps = stored_bytes / took_s if took_s >= FAST_S and stored_bytes > 0 else self.rate_bps
        return replace(self, chunk_bytes=STEP_BYTES, rate_bps=rate_bps)

    def after_refusal(self, count_bytes: int) -> ChunkPolicy:
        """The policy after a proxy refused a request of `count_bytes`: small pieces, and never that large again."""
        ceiling_bytes = max(STEP_BYTES, count_bytes // 2 // STEP_BYTES * STEP_BYTES)
        return replace(self, chunk_bytes=STEP_BYTES, ceiling_bytes=min(self.ceiling_bytes, ceiling_bytes))
