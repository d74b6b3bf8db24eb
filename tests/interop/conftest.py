"""Deno and a workspace server for tests that drive our server with foreign software.

Deno keeps what it downloads in build/deno, or where DENO_DIR says, so that a second run needs no network.
In CI a missing Deno is a failure (see the skip rule of the root conftest).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.deno import deno_environment
from tests.support.workspace import RunningServer, short_folder

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parents[1]
LIMIT_S = 100

RunScript = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def workspace_server() -> Iterator[RunningServer]:
    """A workspace server in its own process for the tests of this folder."""
    with short_folder() as folder:
        server = RunningServer.start(folder)
        yield server
        server.stop()


def deno_folder() -> Path:
    """Where Deno keeps what it downloads."""
    return Path(os.environ.get("DENO_DIR", str(ROOT / "build" / "deno")))


@pytest.fixture(scope="session")
def deno() -> str:
    """The Deno program: beside this Python (the `deno` package puts it there), else on the PATH."""
    beside = Path(sys.executable).parent / ("deno.exe" if sys.platform == "win32" else "deno")
    found = str(beside) if beside.exists() else shutil.which("deno")
    if found is None:
        pytest.skip("Deno is not installed; `pip install -e .[dev]` brings it")
    return found


@pytest.fixture(scope="session")
def run_script(deno: str) -> RunScript:
    """Run a script of this folder with arguments as JSON on stdin; returns the JSON of its last line."""
    environment = deno_environment(deno_folder())

    def run(name: str, **arguments: Any) -> dict[str, Any]:
        ended = subprocess.run(
            [deno, "run", "--no-lock", "--no-config", "--quiet", "-A", str(SCRIPTS / name)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env=environment,
        )
        assert ended.returncode == 0, f"{name} failed:\n{ended.stdout}\n{ended.stderr}"
        return dict(json.loads(ended.stdout.strip().splitlines()[-1]))

    return run
