"""Valid dataset files of an exact size, made once for all rounds of a test session."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.support.datasets import make_dataset

MIB = 1024 * 1024
#: One conversation fits; and what is sent in one request, is a byte over it, takes three, takes several.
SIZES = {
    "small": 900,
    "20KB": 20_000,
    "6MiB": 6 * MIB,
    "6MiB+1": 6 * MIB + 1,
    "13MiB": 13 * MIB,
    "27MiB": 27 * MIB + 12_345,
    "40MiB": 40 * MIB,
}


@dataclass(frozen=True, slots=True)
class ExactFile:
    """A file as it must be found on the server."""

    path: Path
    size_bytes: int
    sha256: str


def exact_file(folder: Path, name: str) -> ExactFile:
    """The file of the size that has this name; its last line ends in spaces, which JSON allows."""
    size, path = SIZES[name], folder / f"{name.replace('+', '-plus-')}.jsonl"
    made = make_dataset("conversation_lines", size - 1, path)
    with path.open("r+b") as file:
        file.seek(made.size_bytes - 1)
        file.write(b" " * (size - made.size_bytes) + b"\n")
    assert path.stat().st_size == size
    return ExactFile(path, size, hashlib.sha256(path.read_bytes()).hexdigest())
