"""Runs the check process on a file and takes the memory of it and of the processes it starts, all together.

A sum of their proportional set sizes, read every 20 ms: pages that several share are counted once. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class CheckRun:
    """One check: wall seconds, CPU seconds of all processes, peak of their common memory in MB, and the report."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    report: dict[str, Any]


def run_check(path: Path, *, processes: int) -> CheckRun:
    """Check a file as the desktop program does."""
    command = [sys.executable, "-m", "lorry.core.checks.worker", str(path), "--processes", str(processes)]
    before = os.times()
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ended = threading.Event()
        peaks = [0.0]

        def watch() -> None:
            while not ended.wait(0.02):
                peaks[0] = max(peaks[0], sum(map(_proportional_kb, _family(process.pid))) / 1024)

        watcher = threading.Thread(target=watch, name="memory-watch")
        watcher.start()
        output = process.stdout.read()
        process.wait()
        ended.set()
        watcher.join()
    wall_s = time.monotonic() - began
    after = os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return CheckRun(wall_s, cpu_s, peaks[0], json.loads(output.splitlines()[-1])["report"])


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *map(int, children)]


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
