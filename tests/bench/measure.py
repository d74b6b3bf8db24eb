"""Runs a command to its end and takes the operating system's own account of it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: wall and CPU (user + system) seconds, peak memory in MB of the process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str

    def __str__(self) -> str:
        return f"wall {self.wall_s:6.2f} s   cpu {self.cpu_s:5.2f} s   peak {self.peak_mb:6.1f} MB"


class _PeakWatch(threading.Thread):
    """Reads a process's own high-water mark until it ends; `ru_maxrss` would also count the parent it came from."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="peak-watch")
        self.peak_mb = 0.0
        self._status = Path(f"/proc/{pid}/status")

    def run(self) -> None:
        pause = threading.Event()
        while not pause.wait(0.01):
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            marks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
            if not marks:
                return  # it has ended and waits to be reaped
            self.peak_mb = marks[0] / 1024


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Run:
    """Run `command`, which has to succeed."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | (environment or {})
    ) as process:
        assert process.stdout is not None
        watch = _PeakWatch(process.pid)
        watch.start()
        output = process.stdout.read().decode(errors="replace")
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began
    watch.join()
    assert process.returncode == 0, f"{command[0]} ended with {process.returncode}: {output[-2000:]}"
    return Run(wall_s, usage.ru_utime + usage.ru_stime, watch.peak_mb, output)
