"""The check process: ``python -m lorry.core.checks.worker FILE``, one file, results as JSON lines on stdout.

Prints ``{"progress": {"bytes", "total"}}`` at most ten times a second, with ``--findings`` also
``{"finding": {...}}`` for the first of each code as they are made, then ``{"report": {...}}``. Exit code 0 if the
file is clean, 1 with errors or warnings, 2 with ``{"error": text}`` if it could not be checked. SIGTERM stops it (exit
143), and with ``--stop-on-stdin-eof`` the end of stdin does, so that it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
import time
from collections import Counter
from typing import Any, NoReturn

import msgspec

from lorry.core.checks import Finding, check_file

_PROGRESS_EVERY_S = 0.1
#: Findings of a code that are shown before the report; it has the rest.
_SHOWN_AT_ONCE = 20
_STOPPED = 128 + signal.SIGTERM


def _write(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def _leave_at_once() -> NoReturn:
    # Nothing is held that would need closing, and the main thread may be deep in a decoder.
    os._exit(_STOPPED)


def _watch_stdin() -> None:
    while os.read(0, 4096):
        pass
    _leave_at_once()


def main(arguments: list[str] | None = None) -> int:
    """Check the file named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lorry.core.checks.worker")
    parser.add_argument("file")
    parser.add_argument("--format", default=None, help="the format chosen for the upload")
    parser.add_argument("--max-findings-per-code", type=int, default=1000)
    parser.add_argument("--known-checksum", action="append", default=[], help="SHA-256 of a file uploaded before")
    parser.add_argument("--findings", action="store_true", help="show findings as they are made")
    parser.add_argument("--processes", type=int, default=2 if (os.cpu_count() or 1) > 1 else 1)
    parser.add_argument("--stop-on-stdin-eof", action="store_true")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda _number, _frame: _leave_at_once())
    if options.stop_on_stdin_eof:
        threading.Thread(target=_watch_stdin, name="lorry-check-stdin", daemon=True).start()
    # Rows form no cycles; without the collector decoding is twice as fast (measured).
    gc.disable()
    last = 0.0

    def show_progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_EVERY_S or done == total:
            last = now
            _write({"progress": {"bytes": done, "total": total}})

    shown: Counter[str] = Counter()

    def show_finding(finding: Finding) -> None:
        shown[finding.code] += 1
        if shown[finding.code] <= _SHOWN_AT_ONCE:
            _write({"finding": finding.to_dict()})

    try:
        report = check_file(
            options.file,
            declared_format=options.format,
            on_progress=show_progress,
            max_findings_per_code=options.max_findings_per_code,
            known_checksums=frozenset(options.known_checksum),
            on_finding=show_finding if options.findings else None,
            # A program packed into one file cannot start its interpreter with another module.
            processes=1 if getattr(sys, "frozen", False) else options.processes,
        )
    except OSError as error:
        _write({"error": f"{error.strerror or error}: {options.file}"})
        return 2
    _write({"report": report.to_dict()})
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
