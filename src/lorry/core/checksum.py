"""SHA-256 of a file and of its 32 MiB slices, made while the bytes pass on their way to the server.

Runs on a transfer thread. Reading is left to the caller; the result is what the `checksums` column of a row takes and
what the validation compares the stored object with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lorry.core.cancel import CancelToken
from lorry.core.errors import ErrorCode, SourceError

#: The database accepts no other size.
SLICE_BYTES = 32 * 1024 * 1024


class FileHasher:
    """Hashes a file of `size_bytes` from its start, each byte once, however often a piece of it is sent.

    With `expected`, checksums made of the same file before, each slice is compared as it is complete, and the whole
    needs no hash of its own: equal slices make an equal whole. That halves the work.
    """

    def __init__(self, size_bytes: int, expected: Mapping[str, Any] | None = None) -> None:
        self._size = size_bytes
        self._expected = dict(expected) if expected and expected.get("slice_size") == SLICE_BYTES else None
        self._position = 0
        self._whole = hashlib.sha256()
        #: Within the first slice this is the hash of the whole, so that small files are hashed only once.
        self._slice = self._whole
        self._slices: list[str] = []

    @property
    def position_bytes(self) -> int:
        """How much of the file has been hashed."""
        return self._position

    @property
    def slices(self) -> tuple[str, ...]:
        """Hex digests of the slices that are complete."""
        return tuple(self._slices)

    @property
    def prefix_sha256(self) -> str:
        """Hex digest of the first `position_bytes`; noted with an offset it proves later that they are the same.

        "" where the expected checksums prove it.
        """
        return "" if self._expected else self._whole.copy().hexdigest()

    def add(self, block: bytes, at_bytes: int) -> None:
        """Hash a block that starts at `at_bytes` of the file; what was hashed before is passed over.

        Raises:
            ValueError: bytes in between were never seen, or the block reaches beyond the file.
            SourceError: FILE_CHANGED, a slice is not the expected one.
        """
        if at_bytes > self._position or at_bytes + len(block) > self._size:
            raise ValueError(f"{len(block)} bytes at {at_bytes}, but {self._position} of {self._size} are known")
        view = memoryview(block)[self._position - at_bytes :]
        while view:
            part = view[: SLICE_BYTES - self._position % SLICE_BYTES]
            self._slice.update(part)
            if self._slice is not self._whole and not self._expected:
                self._whole.update(part)
            self._position += len(part)
            view = view[len(part) :]
            if self._position % SLICE_BYTES == 0 or self._position == self._size:
                self._end_slice()

    def _end_slice(self) -> None:
        self._slices.append(self._slice.hexdigest())
        self._slice = hashlib.sha256()
        number = len(self._slices)
        if self._expected and list(self._expected["slices"])[:number] != self._slices:
            raise SourceError(ErrorCode.FILE_CHANGED, f"slice {number} is not the one that was checked")

    def passing(self, blocks: Iterable[bytes], at_bytes: int) -> Iterator[bytes]:
        """The blocks as they come, the first of them at `at_bytes`, each hashed before it is given on."""
        for block in blocks:
            self.add(block, at_bytes)
            at_bytes += len(block)
            yield block

    def prime(
        self,
        blocks: Iterable[bytes],
        token: CancelToken,
        known_slices: Sequence[str] = (),
        known_prefix_sha256: str = "",
    ) -> None:
        """Hash the part of the file that the server already has, read again from its start.

        Args:
            blocks: the file from `position_bytes` on, as far as it was sent.
            token: checked before each block.
            known_slices: digests noted when the part was sent, in their order.
            known_prefix_sha256: digest noted for exactly the bytes that `blocks` brings the hash to.

        Raises:
            SourceError: FILE_CHANGED, a digest differs; the bytes sent are not those of this file any more.
            Cancelled: the token was set.
        """
        for block in blocks:
            token.check()
            self.add(block, self._position)
            both = min(len(known_slices), len(self._slices))
            if list(known_slices[:both]) != self._slices[:both]:
                raise SourceError(ErrorCode.FILE_CHANGED, "a slice that was sent has another checksum now")
        # With expected checksums there is no hash of the prefix: they were noted after it, and prove it slice by slice.
        if known_prefix_sha256 and not self._expected and known_prefix_sha256 != self.prefix_sha256:
            raise SourceError(ErrorCode.FILE_CHANGED, "the part that was sent has another checksum now")

    def checksums(self) -> dict[str, object]:
        """The row's `checksums`: algorithm, whole, slice_size, slices.

        Raises:
            ValueError: the file has not passed to its end.
        """
        if self._position != self._size:
            raise ValueError(f"only {self._position} of {self._size} bytes were hashed")
        return self._expected or {
            "algorithm": "sha256",
            "whole": self._whole.hexdigest(),
            "slice_size": SLICE_BYTES,
            "slices": list(self._slices),
        }
