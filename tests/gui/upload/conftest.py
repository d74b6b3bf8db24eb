"""What the tests of the upload dialog stand on: a real server, a proxy that can misbehave, a real client.

No part of the product is replaced: the client is opened as `app.py` opens it, and speaks to the server through the
proxy, so that a test can slow one request down or break it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tests.support.fault_server import FaultServer
from tests.support.workspace import RunningServer, User, short_folder

from lorry.app import open_client
from lorry.core.client import Client
from lorry.core.engine import Temper
from lorry.core.paths import Paths, resource_dir
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.dialog import UploadDialog


@pytest.fixture(scope="session")
def upload_server() -> Iterator[RunningServer]:
    """A workspace server in its own process, shared by these tests; each signs up its own user."""
    with short_folder() as folder:
        server = RunningServer.start(folder)
        yield server
        server.stop()


@pytest.fixture
def person(upload_server: RunningServer) -> User:
    """A fresh user."""
    return upload_server.new_user()


@pytest.fixture
def faults(upload_server: RunningServer) -> Iterator[FaultServer]:
    """The proxy between client and server; it behaves until told otherwise."""
    with FaultServer(upload_server.url) as proxy:
        yield proxy


@pytest.fixture
def signed_out_client(
    faults: FaultServer, upload_server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """A client nobody has signed in to."""
    monkeypatch.setenv("LORRY_URL", faults.url)
    monkeypatch.setenv("LORRY_KEY", upload_server.anon_key)
    with open_client(Paths(data_dir=tmp_path / "profile", log_dir=tmp_path / "log"), Temper()) as client:
        yield client


@pytest.fixture
def client(signed_out_client: Client, person: User) -> Client:
    """A client `person` is signed in to."""
    signed_out_client.sign_in(person.email, person.password)
    return signed_out_client


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    """The product's theme, applied."""
    theme = Theme(resource_dir())
    theme.apply(qapp)
    return theme


@pytest.fixture
def inbox(signed_out_client: Client, qapp: QApplication) -> Iterator[Inbox]:
    """The bridge into Qt, closed before the client is."""
    inbox = Inbox(signed_out_client)
    yield inbox
    inbox.close()


@pytest.fixture
def dialog(qtbot: QtBot, client: Client, inbox: Inbox, theme: Theme) -> UploadDialog:
    """An upload dialog on screen, with nothing chosen."""
    dialog = UploadDialog(client, inbox, theme)
    qtbot.addWidget(dialog)
    dialog.choose([])
    dialog.show()
    return dialog
