"""A real workspace server in a process of its own, and users on it.

`RunningServer` starts `python -m lorry.local_server` on a folder and stops it; `User` is one signed-up person
with the requests tests make most. Nothing here knows what a right answer is; the tests do.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

START_LIMIT_S = 30.0
# Loading the system's certificates for each client would take longer than the requests themselves.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
BUCKET = "lora-datasets"


@contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder with a path short enough for a socket below it."""
    with tempfile.TemporaryDirectory(prefix="lorry-ws-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "w"


@dataclass
class RunningServer:
    """A server process; `info` is what its ready notice said."""

    data_dir: Path
    process: subprocess.Popen[bytes]
    info: dict[str, str]
    seconds_to_ready: float
    log_path: Path

    @classmethod
    def start(cls, data_dir: Path, *arguments: str, environment: dict[str, str] | None = None) -> Self:
        """Start a server and wait for its notice; fails with its stderr when it ends without one."""
        log_path = data_dir.parent / f"{data_dir.name}.log"
        command = [sys.executable, "-m", "lorry.local_server"]
        began = time.monotonic()
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                # It ends with the test run, however that ends.
                [*command, "--data-dir", str(data_dir), "--json", "--exit-with-parent", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | (environment or {}),
            )
        assert process.stdout is not None
        guard = threading.Timer(START_LIMIT_S, process.kill)
        guard.start()
        line = process.stdout.readline()
        guard.cancel()
        if not line:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            raise AssertionError(f"no ready notice, status {process.returncode}: {log_path.read_text()[-4000:]}")
        return cls(data_dir, process, json.loads(line), time.monotonic() - began, log_path)

    @property
    def url(self) -> str:
        return self.info["url"]

    @property
    def anon_key(self) -> str:
        return self.info["anon_key"]

    @property
    def service_key(self) -> str:
        """The key only the server itself and tests hold."""
        return str(json.loads((self.data_dir / "secrets.json").read_text())["service_key"])

    def stop(self, how: int = signal.SIGTERM) -> float:
        """Send a signal and wait for the end; returns how many seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return time.monotonic() - began

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """An httpx client with the public key and, if given, a user's token."""
        named = {"apikey": self.anon_key, "Authorization": f"Bearer {token or self.anon_key}"}
        return self.bare_client(**{**named, **headers})

    def bare_client(self, **headers: str) -> httpx.Client:
        """An httpx client with no key and no token."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=_NO_CERTIFICATES)

    def new_user(self) -> User:
        """Sign a fresh person up."""
        email, password = f"{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(12)
        with self.client() as client:
            answer = client.post("/auth/v1/signup", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return User(self, email, password, answer.json())

    def log(self) -> str:
        """Everything the server wrote to stderr."""
        return self.log_path.read_text()


@dataclass
class User:
    """One signed-up person; `session` is the answer of the sign-up."""

    server: RunningServer
    email: str
    password: str
    session: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.session["user"]["id"])

    @property
    def token(self) -> str:
        return str(self.session["access_token"])

    def client(self, **headers: str) -> httpx.Client:
        """An httpx client signed in as this person."""
        return self.server.client(self.token, **headers)

    def dataset(self, size_bytes: int = 10, **columns: Any) -> dict[str, Any]:
        """The columns of a new dataset of this person; nothing is sent."""
        dataset_id = str(uuid4())
        return {
            "id": dataset_id,
            "name": f"set {dataset_id[:8]}",
            "storage_path": f"{self.id}/{dataset_id}/data.jsonl",
            "file_name": "data.jsonl",
            "file_size": size_bytes,
            **columns,
        }

    def insert(self, size_bytes: int = 10, **columns: Any) -> dict[str, Any]:
        """Insert a dataset row and return it."""
        with self.client(Prefer="return=representation") as client:
            answer = client.post("/rest/v1/datasets", json=self.dataset(size_bytes, **columns))
        assert answer.status_code == 201, answer.text
        return dict(answer.json()[0])

    def sign(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a signed upload address."""
        with self.client(**headers) as client:
            return client.post(f"/storage/v1/object/upload/sign/{BUCKET}/{path}")

    def upload(self, content: bytes, **columns: Any) -> dict[str, Any]:
        """Insert a row and put its bytes there; returns the row."""
        row = self.insert(len(content), **columns)
        address = self.sign(row["storage_path"]).json()["url"]
        with self.client() as client:
            answer = client.put(
                f"/storage/v1{address}", content=content, headers={"Content-Type": "application/x-ndjson"}
            )
        assert answer.status_code == 200, answer.text
        return row


def wait_until(condition: Callable[[], Any], limit_s: float = 20.0, what: str = "condition") -> Any:
    """Ask again until the answer is true; returns it, or fails after `limit_s`."""
    pause, deadline = threading.Event(), time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        pause.wait(0.02)
    raise AssertionError(f"{what} not reached within {limit_s} s")
