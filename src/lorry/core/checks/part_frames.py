"""What goes between the process that checks a file and those that check its parts: the job, frames, the result.

Frames are pickled: they go from our own processes to the one that started them, over a pipe that nobody else holds.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from lorry.core.checks.formats import RowKind
from lorry.core.checks.identities import RunTable
from lorry.core.checks.intake import Declared
from lorry.core.checks.reader import BlankLines
from lorry.core.checks.report import FindingLog
from lorry.core.checks.sample import Sample
from lorry.core.checks.statistics import Statistics

_HEADER = struct.Struct("<I")


class Job(msgspec.Struct):
    """A part of a file: bytes from `start` to `end`. `kind` is that of the rows before, None for the first part."""

    path: str
    start: int
    end: int
    kind: RowKind | None
    crlf_seen: bool
    declared_format: str | None
    max_findings_per_code: int


@dataclass(slots=True)
class PartResult:
    """What was found in a part. Lines and places are counted from its start."""

    log: FindingLog
    statistics: Statistics
    sample: Sample
    kind: RowKind | None
    format: str | None
    declared: Declared | None
    key_kinds: dict[str, dict[str, int]]
    other_kinds: dict[str, int]
    runs: RunTable
    blanks: BlankLines
    crlf_line: int
    blocks: list[tuple[int, int]]


def write_frame(out: BinaryIO, frame: Any) -> None:
    """Write one frame: its length, then the pickled object."""
    data = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
    out.write(_HEADER.pack(len(data)))
    out.write(data)
    out.flush()


def read_frame(source: BinaryIO) -> Any:
    """Read one frame; raises EOFError if the other process has ended."""
    header = source.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    data = source.read(_HEADER.unpack(header)[0])
    return pickle.loads(data)  # noqa: S301 - written by `write_frame` in a process we started
