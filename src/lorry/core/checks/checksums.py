"""SHA-256 of the checked file and of its 32 MiB slices, in the shape a row's `checksums` takes.

Reads the file on its own, beside the checks: hashlib releases the interpreter, so a thread is enough.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

#: The database accepts no other size.
SLICE_BYTES = 32 * 1024 * 1024
_READ_BYTES = 512 * 1024


class Hashing:
    """Hashes a file in a thread of its own from `start` on; leaving the with-block ends it early."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._error: OSError | None = None
        self._result: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, name="lorry-check-hash", daemon=True)

    def __enter__(self) -> Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def checksums(self) -> dict[str, Any]:
        """Wait for the end and return ``{"algorithm", "whole", "slice_size", "slices"}``; raises OSError."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._hash()
        except OSError as error:
            self._error = error

    def _hash(self) -> None:
        whole = hashlib.sha256()
        # Within the first slice the hash of the whole is that of the slice: small files are hashed once.
        current = whole
        slices: list[str] = []
        in_slice = 0
        buffer = bytearray(_READ_BYTES)
        view = memoryview(buffer)
        with self._path.open("rb", buffering=0) as file:
            # 32 MiB are a multiple of the buffer, but a read may bring less than it asks for.
            while number := file.readinto(view[: min(_READ_BYTES, SLICE_BYTES - in_slice)]):
                whole.update(view[:number])
                if current is not whole:
                    current.update(view[:number])
                in_slice += number
                if in_slice == SLICE_BYTES:
                    slices.append(current.hexdigest())
                    current, in_slice = hashlib.sha256(), 0
                if self._stop.is_set():
                    return
        if in_slice:
            slices.append(current.hexdigest())
        self._result = {
            "algorithm": "sha256",
            "whole": whole.hexdigest(),
            "slice_size": SLICE_BYTES,
            "slices": slices,
        }
