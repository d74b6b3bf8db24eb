"""Thousands of seeded hostile files: every one ends in a sound report, and memory stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_MEMORY_BYTES = 300_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="the process's memory is read with the resource module")
@pytest.mark.parametrize(
    ("seed", "files"),
    [(1, 400), pytest.param(2, 50_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)
def test_hostile_files_end_in_sound_reports(seed: int, files: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.check_fuzz", str(seed), str(files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert result["files"] == files
    assert result["peak_bytes"] < MAX_MEMORY_BYTES
    # The files are hostile in many ways, not all broken in the same.
    assert len(result["codes"]) > 40
