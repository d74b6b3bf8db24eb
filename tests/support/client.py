"""The real client, composed as the program composes it, against any address; and the program itself as a process.

`open_core` gives a `Client` signed in as a user of a `RunningServer`, `Program` starts commands of `lorry`. What the
server holds is read past the client, with the service key.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import httpx
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

from lorry.app import open_client
from lorry.core.client import Client
from lorry.core.config import ServerConfig
from lorry.core.engine import Temper
from lorry.core.observer import Patience
from lorry.core.paths import Paths
from lorry.core.remote.credentials import MemoryOnly
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi
from lorry.core.remote.http import ApiClient
from lorry.core.remote.objects import ObjectsApi
from lorry.core.remote.put import SignedPut
from lorry.core.remote.session import SessionKeeper
from lorry.core.remote.tus import TusApi
from lorry.core.sending import Remote
from lorry.core.transfers import Transfer, TransferState

#: There is no TLS here, and loading certificates for each client takes longer than most tests.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
#: Gives up and waits as the program does, only sooner.
QUICK = Temper(
    dice=lambda low, _high: low / 10,
    patience_s=3.0,
    patience=Patience(after_lost_answer_s=1.0, poll_s=0.2, object_s=5.0),
)


def settings_of(user: User, url: str = "") -> dict[str, str]:
    """The environment variables that make Lorry this user on this server, or on a proxy in front of it."""
    return {
        "LORRY_URL": url or user.server.url,
        "LORRY_KEY": user.server.anon_key,
        "LORRY_EMAIL": user.email,
        "LORRY_PASSWORD": user.password,
    }


@contextmanager
def open_core(
    user: User, home: Path, *, url: str = "", is_signed_in: bool = True, temper: Temper = QUICK
) -> Iterator[Client]:
    """The client of the program, with its own files in `home`."""
    paths = Paths.from_environment({"LORRY_HOME": str(home)})
    with patch.dict(os.environ, settings_of(user, url)), open_client(paths, temper) as client:
        if is_signed_in:
            client.connect()
        yield client


@dataclass(frozen=True, slots=True)
class Wire:
    """The parts below the client: what talks HTTP for one user."""

    config: ServerConfig
    http: ApiClient
    session: SessionKeeper
    remote: Remote


@contextmanager
def open_wire(user: User, home: Path, *, url: str = "", is_signed_in: bool = True) -> Iterator[Wire]:
    """Session and remote parts without queue and journal."""
    config = ServerConfig.create(url or user.server.url, user.server.anon_key)
    with ApiClient(config) as http:
        session = SessionKeeper(config, http, MemoryOnly(), home / "session.lock")
        http.use_tokens(session)
        remote = Remote(
            DatasetsApi(config, http),
            ObjectsApi(config, http),
            FunctionsApi(config, http),
            SignedPut(config),
            lambda: TusApi(config),
        )
        if is_signed_in:
            session.sign_in(user.email, user.password)
        yield Wire(config, http, session, remote)


def transfer_of(client: Client, dataset_id: UUID) -> Transfer | None:
    """How an upload stands, None when it is off the list."""
    return next((entry for entry in client.snapshot() if entry.dataset_id == dataset_id), None)


def wait_for_end(client: Client, dataset_id: UUID, limit_s: float = 60.0) -> Transfer:
    """Wait until an upload is done or has failed."""

    def ended() -> Transfer | None:
        transfer = transfer_of(client, dataset_id)
        return transfer if transfer and transfer.state in (TransferState.DONE, TransferState.FAILED) else None

    ended_transfer = wait_until(ended, limit_s, "end of the upload")
    assert isinstance(ended_transfer, Transfer)
    return ended_transfer


def rows(server: RunningServer, **equal: str) -> list[dict[str, Any]]:
    """The dataset rows with these values, whosever they are."""
    with service(server) as http:
        answer = http.get("/rest/v1/datasets", params={name: f"eq.{value}" for name, value in equal.items()})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def objects(server: RunningServer, prefix: str) -> list[str]:
    """The names below a prefix of the bucket, one level deep."""
    with service(server) as http:
        answer = http.post(f"/storage/v1/object/list/{BUCKET}", json={"prefix": prefix, "limit": 1000})
    assert answer.status_code == 200, answer.text
    return [entry["name"] for entry in answer.json()]


def put_object(server: RunningServer, path: str, content: bytes) -> None:
    """Put bytes at a path past every rule, as the service."""
    with service(server) as http:
        signed = http.post(f"/storage/v1/object/upload/sign/{BUCKET}/{path}")
        assert signed.status_code == 200, signed.text
        headers = {"Content-Type": "application/x-ndjson"}
        answer = http.put(f"/storage/v1{signed.json()['url']}", content=content, headers=headers)
    assert answer.status_code == 200, answer.text


def remove_object(server: RunningServer, path: str) -> None:
    """Remove an object as the service."""
    with service(server) as http:
        answer = http.request("DELETE", f"/storage/v1/object/{BUCKET}", json={"prefixes": [path]})
    assert answer.status_code == 200, answer.text


def holds_nothing(user: User) -> bool:
    """True when the server has neither a row nor an object of this user."""
    return not rows(user.server, user_id=user.id) and not objects(user.server, user.id)


def service(server: RunningServer) -> httpx.Client:
    """An httpx client with the service key: past every rule."""
    headers = {"apikey": server.service_key, "Authorization": f"Bearer {server.service_key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False, verify=_NO_CERTIFICATES)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed: one object on one line."""
        lines = self.stdout.splitlines()
        assert len(lines) == 1, f"one line expected: {self.stdout!r} {self.stderr!r}"
        return dict(json.loads(lines[0]))

    @property
    def complaint(self) -> str:
        """The one sentence on stderr of a command that did not work."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("lorry: ")]
        assert len(lines) == 1, f"one sentence expected: {self.stderr!r}"
        return lines[0].removeprefix("lorry: ")


@dataclass(frozen=True)
class Program:
    """`lorry` as a process, with settings and a profile folder of its own."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *words: str | Path, limit_s: float = 90.0, settings: Mapping[str, str] | None = None, **more: str
    ) -> Ended:
        """Run one command to its end; `settings` and `more` are environment variables."""
        process = self.start(*words, **(settings or {}), **more)
        stdout, stderr = process.communicate(timeout=limit_s)
        return Ended(process.returncode, stdout, stderr)

    def run_together(self, *commands: tuple[str | Path, ...], **more: str) -> list[Ended]:
        """Run several commands side by side and give their ends in the same order."""
        with ThreadPoolExecutor(len(commands)) as pool:
            return list(pool.map(lambda words: self.run(*words, settings=more), commands))

    def start(self, *words: str | Path, **more: str) -> subprocess.Popen[str]:
        """Start a command and leave it running; `more` are environment variables."""
        return subprocess.Popen(
            [sys.executable, "-m", "lorry", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LORRY_HOME": str(self.home), **self.settings, **more},
        )


def program_of(user: User, home: Path, *, url: str = "") -> Program:
    """The program, signed in as this user."""
    return Program(home, settings_of(user, url))
