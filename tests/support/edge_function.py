"""The Edge Function `validate-dataset` served by a Deno process of its own, beside a workspace server.

The process gets what the platform gives a function: the project's address and keys in its environment. Settings make
its pieces of work small, so that files of a test take several invocations.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
from tests.support.workspace import RunningServer, wait_until

from lorry.core.paths import resource_dir

#: V8 collects late on a machine with much memory; the platform limits a function's heap, and so do these tests.
HEAP_LIMIT_MB = 80
FUNCTION = resource_dir() / "supabase" / "functions" / "validate-dataset" / "index.ts"
START_LIMIT_S = 60.0


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class EdgeFunction:
    """A running function process."""

    server: RunningServer
    url: str
    process: subprocess.Popen[str]
    _lines: list[str]

    def call(self, token: str, **body: Any) -> httpx.Response:
        """POST a body with a token."""
        with self.server.bare_client(Authorization=f"Bearer {token}") as client:
            return client.post(self.url, json=body)

    def outcomes(self) -> list[dict[str, Any]]:
        """What each invocation that did work said about it, so far."""
        return [json.loads(line) for line in list(self._lines) if line.startswith('{"dataset_id"')]

    def output(self) -> str:
        """Everything the process printed so far."""
        return "\n".join(self._lines)

    def cpu_s(self) -> float:
        """CPU seconds of the process so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory_bytes(self) -> int:
        """The most memory the process had at any time (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def kill(self) -> None:
        """End the process without a chance to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


class Calls:
    """A server that takes the function's calls to itself and does nothing, so that a test decides when it goes on."""

    def __init__(self) -> None:
        self.count = 0
        calls = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                calls.count += 1
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/validate-dataset"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@contextmanager
def edge_function(
    deno: str, environment: dict[str, str], server: RunningServer, *, next_url: str = "", **settings: object
) -> Iterator[EdgeFunction]:
    """Serve the function; `settings` such as `unit_bytes` are those of settings.ts, `next_url` is where it calls on."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/validate-dataset"
    process = subprocess.Popen(
        [
            *(deno, "run", "--no-lock", "--no-config", "--quiet", "--no-prompt"),
            *(f"--v8-flags=--max-heap-size={HEAP_LIMIT_MB}", "--allow-net", "--allow-env", str(FUNCTION)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **environment,
            "SUPABASE_URL": server.url,
            "SUPABASE_ANON_KEY": server.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": server.service_key,
            "VALIDATE_DATASET_URL": next_url or url,
            "DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}",
            **{f"VALIDATE_DATASET_{name.upper()}": str(value) for name, value in settings.items()},
        },
    )
    lines: list[str] = []

    def collect() -> None:
        assert process.stdout is not None
        lines.extend(line.rstrip("\n") for line in process.stdout)

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    function = EdgeFunction(server, url, process, lines)

    def answers() -> bool:
        assert process.poll() is None, f"the function ended: {function.output()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, START_LIMIT_S, "the function's port")
        yield function
    finally:
        process.kill()
        process.wait(20)
        reader.join(5)
        if process.stdout is not None:
            process.stdout.close()
