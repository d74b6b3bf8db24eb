"""A real server with a proxy in front that misbehaves on command, and a client behind the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.client import Wire, open_core, open_wire
from tests.support.fault_server import FaultServer
from tests.support.workspace import RunningServer, User, short_folder

from lorry.core.client import Client


@pytest.fixture(scope="session")
def workspace_server() -> Iterator[RunningServer]:
    """A workspace server in its own process, shared by the tests of the session; each signs up its own users."""
    with short_folder() as folder:
        server = RunningServer.start(folder)
        yield server
        server.stop()


@pytest.fixture
def alice(workspace_server: RunningServer) -> User:
    """A fresh user."""
    return workspace_server.new_user()


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    """A proxy that behaves until told otherwise."""
    with FaultServer(workspace_server.url, seed=20261122) as server:
        yield server


@pytest.fixture
def wire(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Wire]:
    """The parts below the client, behind the proxy."""
    with open_wire(alice, tmp_path, url=proxy.url) as opened:
        yield opened


@pytest.fixture
def client(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Client]:
    """A signed-in client behind the proxy."""
    with open_core(alice, tmp_path / "home", url=proxy.url) as opened:
        yield opened
