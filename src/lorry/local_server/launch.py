"""Opens the local workspace for an application: joins the server that runs, or starts one.

Imports none of the server's own packages, so an application without them can still ask. The server ends
with the last application that uses it. Called by the composition root; blocks for up to `START_TIMEOUT_S`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 2.0
EXIT_FAILED = 1
EXIT_IN_USE = 3
_POLL_S = 0.05
_NOTE = "workspace.json"


class WorkspaceError(Exception):
    """The workspace could not be opened: `reason` is a sentence, `log_path` the file with the details."""

    def __init__(self, reason: str, log_path: Path) -> None:
        super().__init__(f"{reason} Details are in {log_path}.")
        self.reason, self.log_path = reason, log_path


@dataclass
class _Hold:
    """An answer that stays unread and open: as long as it is, the server stays. Dropping `lines` would close it."""

    client: httpx.Client
    lines: Iterator[str]


@dataclass
class Workspace:
    """An open workspace: where it is and who signs in. Close it when the application ends."""

    url: str
    anon_key: str = field(repr=False)
    email: str
    password: str = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _hold: _Hold | None = field(default=None, repr=False)

    def close(self) -> None:
        """Let go of the server; it stops unless somebody else uses it. Calling it twice is harmless."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.client.close()
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            stays = (_get_json(self.url, "/health") or {}).get("holds", 0) > 0
            process.stdin.close()
            if stays:
                # It is the others' server from now on; this keeps Popen from warning about a child left running.
                process.returncode = 0
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_workspace(data_dir: Path, *, log_path: Path) -> Workspace:
    """Join the server of this folder or start it; two callers at once end up on one server.

    The server's stderr is appended to `log_path`. Raises WorkspaceError.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        joined = _join(data_dir)
        if joined is not None:
            return joined
        started = _start(data_dir, log_path, deadline)
        if started is not None:
            return started
        # Another process has the folder: it is starting (join it then) or stopping (start then).
        pause.wait(_POLL_S)
    raise WorkspaceError("Another program keeps the local workspace busy.", log_path)


def _join(data_dir: Path) -> Workspace | None:
    try:
        note = json.loads((data_dir / _NOTE).read_text("utf-8"))
        workspace = _workspace(note)
        pid = int(note["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # The port may belong to another program by now, and the number of the process too; both together do not.
    health = _get_json(workspace.url, "/health")
    if health is None or health.get("service") != "lorry-workspace" or health.get("pid") != pid:
        return None
    client = _connect(workspace.url)
    try:
        request = client.build_request("GET", "/workspace/hold", headers={"apikey": workspace.anon_key})
        answer = client.send(request, stream=True)
        lines = answer.iter_lines()
        if answer.status_code == 200 and next(lines, None) == "held":
            workspace._hold = _Hold(client, lines)
            return workspace
    except httpx.HTTPError:
        pass
    client.close()
    return None


def _workspace(described: dict[str, Any]) -> Workspace:
    return Workspace(
        url=str(described["url"]),
        anon_key=str(described["anon_key"]),
        email=str(described["email"]),
        password=str(described["password"]),
    )


def _start(data_dir: Path, log_path: Path, deadline: float) -> Workspace | None:
    """Start a server; None when another process has the folder."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "lorry.local_server", "--data-dir", str(data_dir)]
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, "--json", "--exit-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl+C in a terminal is the application's; the server follows when the application is gone.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    line = _read_line(process, deadline)
    if line is None:
        process.kill()
        process.wait()
        raise WorkspaceError(f"The local workspace did not start within {START_TIMEOUT_S:.0f} seconds.", log_path)
    try:
        workspace = _workspace(json.loads(line))
    except (ValueError, TypeError, KeyError):
        status = process.wait(STOP_TIMEOUT_S)
        _close_pipes(process)
    else:
        workspace._process = process
        return workspace
    if status == EXIT_IN_USE:
        return None
    raise WorkspaceError(f"The local workspace could not start (exit status {status}).", log_path)


def _read_line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The first line of stdout, empty if the process ended without one, None when time is up."""
    lines: list[bytes] = []
    stdout = process.stdout
    if stdout is None:
        return b""

    def read() -> None:
        lines.append(stdout.readline())
        stdout.close()

    reader = threading.Thread(target=read, name="lorry-workspace-start", daemon=True)
    reader.start()
    reader.join(max(0.0, deadline - time.monotonic()))
    return lines[0] if lines else None


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _connect(url: str) -> httpx.Client:
    # No proxy of the environment may come between this computer and itself.
    return httpx.Client(base_url=url, timeout=ANSWER_TIMEOUT_S, trust_env=False)


def _get_json(url: str, path: str) -> dict[str, Any] | None:
    try:
        with _connect(url) as client:
            document = client.get(path).json()
    except (httpx.HTTPError, ValueError):
        return None
    return document if isinstance(document, dict) else None
