"""Checks one part of a file of lines in a process of its own: ``python -m lorry.core.checks.part``.

Takes a job from stdin, one JSON line, and writes frames to stdout: progress, findings, the result, and the tables of
what was seen, bucket by bucket. Ends when stdin does. Only the process that started it (see `parts.py`) reads them.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from lorry.core.checks.intake import Intake
from lorry.core.checks.part_frames import Job, PartResult, write_frame
from lorry.core.checks.reader import LineCheck
from lorry.core.checks.report import FindingLog
from lorry.core.checks.verdict import tables_of

_PROGRESS_EVERY_S = 0.05


def check_part(job: Job, out: BinaryIO) -> None:
    """Check the part and write its frames."""
    is_first = job.kind is None
    log = FindingLog(
        job.max_findings_per_code, (lambda finding: write_frame(out, ("finding", finding))) if is_first else None
    )
    intake = Intake(log, declared_format=job.declared_format)
    if not is_first:
        intake.kind = job.kind
        intake.rows = 1
        intake.sample.is_full = True
    last = time.monotonic()

    def on_block(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_EVERY_S:
            last = now
            write_frame(out, ("progress", done - job.start))

    with Path(job.path).open("rb", buffering=0) as file:
        lines = LineCheck(file, job.start, intake, log, job.end, crlf_seen=job.crlf_seen)
        lines.run(on_block)
    intake.close_run()
    result = PartResult(
        log=log.detach(),
        statistics=intake.statistics,
        sample=intake.sample,
        kind=intake.kind,
        format=intake.format,
        declared=intake.declared,
        key_kinds=intake.key_kinds,
        other_kinds=intake.other_kinds,
        runs=intake.runs,
        blanks=lines.blanks,
        crlf_line=lines.crlf_line,
        blocks=lines.reader.blocks,
    )
    write_frame(out, ("result", result))
    for table in tables_of(intake):
        for bucket in table:
            write_frame(out, bucket)


def _first_line() -> bytes:
    # Nothing may stay in a buffer: the thread below reads the descriptor itself.
    line = b""
    while not line.endswith(b"\n") and (data := os.read(0, 1)):
        line += data
    return line


def _leave_with_starter() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main() -> int:
    """Do the job that stdin names."""
    job = msgspec.json.decode(_first_line(), type=Job)
    threading.Thread(target=_leave_with_starter, name="lorry-check-stdin", daemon=True).start()
    # Rows form no cycles; without the collector decoding is twice as fast (measured).
    gc.disable()
    check_part(job, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
