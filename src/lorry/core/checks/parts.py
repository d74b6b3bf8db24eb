"""Shares the check of a large file of lines between two processes and puts their results together.

The file is cut at a line end near its middle; each half is checked by `part.py`. What depends on the rows before it is
either told to the second part, put right here, or a reason to check the file in one piece (`SplitFailedError`): then
nothing has been lost but time. Runs in the thread that called `check_file`.
"""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from lorry.core.checks.formats import FOREIGN_NAMES, RowKind, row_kind
from lorry.core.checks.identities import BUCKETS, Bucket, joined
from lorry.core.checks.intake import PART_BITS, Intake
from lorry.core.checks.part_frames import Job, PartResult, read_frame
from lorry.core.checks.reader import LineReader
from lorry.core.checks.report import Finding
from lorry.core.checks.rulebook import MAX_ROW_BYTES
from lorry.core.checks.verdict import Tables, Verdict

#: Starting two processes takes about 0.15 s.
MIN_SHARED_BYTES = 24 * 1024 * 1024
_HEAD_BYTES = 1024 * 1024
_POLL_S = 0.1


class SplitFailedError(Exception):
    """The file has to be checked in one piece."""


class _Part:
    """A running part: its frames arrive in `frames` until its result; the tables after it are read on demand."""

    def __init__(self, job: Job, index: int, frames: queue.SimpleQueue[tuple[int, str, Any]], seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lorry.core.checks.part"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Hashes of texts are compared between the parts.
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise SplitFailedError
        self._output: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._input: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._input.write(msgspec.json.encode(job) + b"\n")
        self._input.flush()
        self._index = index
        self._frames = frames
        self._thread = threading.Thread(target=self._read, name=f"lorry-check-part-{index}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while True:
                name, value = read_frame(self._output)
                self._frames.put((self._index, name, value))
                if name == "result":
                    return
        except Exception:  # whatever it is, the file can still be checked in one piece
            self._frames.put((self._index, "lost", None))

    def table(self) -> Iterator[Bucket]:
        """Read the next table."""
        for _ in range(BUCKETS):
            try:
                yield read_frame(self._output)
            except EOFError as error:
                raise OSError("a process of the check has ended") from error

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._thread.join()
        self._input.close()
        self._output.close()
        self._process.wait()


def check_in_parts(
    file: BinaryIO,
    path: Path,
    start: int,
    size: int,
    intake: Intake,
    on_block: Callable[[int], None],
) -> None:
    """Check the lines from `start` on and fill the intake and its log; raises SplitFailedError before it fills them."""
    cut = _cut(file, start, size)
    kind, has_crlf = _look_ahead(file, start)
    limit = intake.log.max_per_code
    jobs = [
        Job(str(path), start, cut, None, False, intake.declared_format, limit),
        Job(str(path), cut, size, kind, has_crlf, intake.declared_format, limit),
    ]
    frames: queue.SimpleQueue[tuple[int, str, Any]] = queue.SimpleQueue()
    seed = random.SystemRandom().randrange(1, 2**32)
    parts: list[_Part] = []
    try:
        for index, job in enumerate(jobs):
            parts.append(_Part(job, index, frames, seed))
        first, second = _results(frames, start, on_block, intake.log.on_finding)
        _require_agreement(first, second, kind)
        lines_before = first.statistics.lines
        _put_together(first, second, intake)
        reader = LineReader(file, start)
        for result, shift in ((first, 0), (second, lines_before)):
            for line, offset in result.blocks:
                reader.remember(line + shift, offset)
        tables = [joined(parts[0].table(), [parts[1].table()], [lines_before << PART_BITS]) for _ in Tables._fields]
        Verdict(intake, reader.row).finish(Tables(*tables))
    finally:
        for part in parts:
            part.close()


def _cut(file: BinaryIO, start: int, size: int) -> int:
    """Return the offset behind the first line end in the second half."""
    at = start + (size - start) // 2
    file.seek(at)
    while data := file.read(64 * 1024):
        found = data.find(b"\n")
        if found >= 0:
            cut = at + found + 1
            if cut >= size:
                break
            return cut
        at += len(data)
        if at > start + size // 2 + MAX_ROW_BYTES:
            break
    raise SplitFailedError


def _look_ahead(file: BinaryIO, start: int) -> tuple[RowKind, bool]:
    """Return the kind the first rows give the file, and whether a line end of them is CR LF."""
    file.seek(start)
    lines = file.read(_HEAD_BYTES).split(b"\n")[:-1]
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        kind = row_kind(row, None) if isinstance(row, dict) else "unknown"
        if kind not in ("metadata", "unknown"):
            if kind in FOREIGN_NAMES:
                break
            return kind, any(line.endswith(b"\r") for line in lines)
    raise SplitFailedError


def _results(
    frames: queue.SimpleQueue[tuple[int, str, Any]],
    start: int,
    on_block: Callable[[int], None],
    on_finding: Callable[[Finding], None] | None,
) -> tuple[PartResult, PartResult]:
    """Wait for both results and pass on what comes before them. `on_block` may raise to stop."""
    done = [0, 0]
    results: dict[int, PartResult] = {}
    while len(results) < len(done):
        try:
            index, name, value = frames.get(timeout=_POLL_S)
        except queue.Empty:
            on_block(start + sum(done))
            continue
        if name == "progress":
            done[index] = value
            on_block(start + sum(done))
        elif name == "finding" and on_finding is not None:
            on_finding(value)
        elif name == "result":
            results[index] = value
        elif name == "lost":
            raise SplitFailedError
    return results[0], results[1]


def _require_agreement(first: PartResult, second: PartResult, kind: RowKind) -> None:
    """Raise SplitFailedError if rows of the second part would have been seen otherwise after those of the first."""
    if first.kind != kind or not first.sample.is_full or second.declared is not None:
        raise SplitFailedError


def _put_together(first: PartResult, second: PartResult, intake: Intake) -> None:
    """Fill the intake and its log with both parts."""
    lines_before = first.statistics.lines
    shift = lines_before << PART_BITS
    for kind, where in second.other_kinds.items():
        if kind in first.other_kinds:
            second.log.drop("F14", where >> PART_BITS)
    if first.crlf_line and second.crlf_line:
        second.log.drop("F06", second.crlf_line)
    # The findings of the first part were passed on when they were made.
    intake.log.add_from(first.log, 0, is_news=False)
    intake.log.add_from(second.log, lines_before)
    intake.statistics = first.statistics
    intake.statistics.add(second.statistics)
    intake.sample = first.sample
    intake.kind, intake.format, intake.declared = first.kind, first.format, first.declared
    intake.key_kinds = first.key_kinds
    for key, kinds in second.key_kinds.items():
        known = intake.key_kinds.setdefault(key, {})
        for name, where in kinds.items():
            known.setdefault(name, where + shift)
    intake.runs = first.runs
    intake.runs.add_from(second.runs, shift)
    first.blanks.add(second.blanks, lines_before)
    first.blanks.report(intake.log)
