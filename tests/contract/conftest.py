"""Servers of the contract tests: each is started once, each SQL test rolls its own transaction back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.support.postgres import (
    SERVERS,
    Row,
    Server,
    Sql,
    bare_server,
    connect,
    embedded_server,
    transaction_with_users,
)
from tests.support.workspace import RunningServer, User, short_folder


@pytest.fixture(scope="session", params=SERVERS)
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A prepared PostgreSQL: the embedded one, and a bare PostgreSQL 15."""
    with embedded_server() if request.param == "embedded" else bare_server() as server:
        yield server


@pytest.fixture(scope="session")
def superuser(postgres_server: Server) -> Iterator[psycopg.Connection[Row]]:
    """One connection for all SQL tests on a server: connecting would be most of a test's time."""
    with connect(postgres_server) as connection:
        yield connection


@pytest.fixture
def sql(superuser: psycopg.Connection[Row]) -> Iterator[Sql]:
    """A transaction on that server with the users alice and bob, rolled back afterwards."""
    with transaction_with_users(superuser) as opened:
        yield opened


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
def bob(workspace_server: RunningServer) -> User:
    """Another fresh user."""
    return workspace_server.new_user()
