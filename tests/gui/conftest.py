"""What the tests of the window stand on: the theme, and the real client on a real workspace server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tests.support.client import open_core
from tests.support.workspace import RunningServer, User, short_folder

from lorry.core.client import Client
from lorry.core.engine import Temper
from lorry.core.paths import resource_dir
from lorry.core.store.settings import Settings
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.main_window import MainWindow
from lorry.gui.shell.theme import Scheme, Theme


@pytest.fixture(autouse=True)
def emptied_clipboard(qapp: QApplication) -> Iterator[None]:
    """What a test leaves there would be destroyed by Qt after Python has ended, which crashes the whole run."""
    yield
    qapp.clipboard().clear()


@pytest.fixture(scope="session")
def shared_theme(qapp: QApplication) -> Theme:
    """One theme for the session: applying it again to a hundred windows would be most of the time."""
    theme = Theme(resource_dir())
    theme.apply(qapp)
    return theme


@pytest.fixture
def theme(shared_theme: Theme) -> Iterator[Theme]:
    """The theme, light at the start of every test."""
    shared_theme.set_scheme(Scheme.LIGHT)
    yield shared_theme
    if shared_theme.scheme is not Scheme.LIGHT:
        shared_theme.set_scheme(Scheme.LIGHT)


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """A workspace server for all tests of the window; each signs up its own user."""
    with short_folder() as folder:
        running = RunningServer.start(folder)
        yield running
        running.stop()


@pytest.fixture
def user(server: RunningServer) -> User:
    """A fresh user without datasets."""
    return server.new_user()


@pytest.fixture
def client(user: User, tmp_path: Path) -> Iterator[Client]:
    """The program's client, signed in as that user."""
    with open_core(user, tmp_path / "home", temper=Temper()) as core:
        yield core


OpenMainWindow = Callable[..., MainWindow]


@pytest.fixture
def open_main_window(qtbot: QtBot, theme: Theme, tmp_path: Path) -> Iterator[OpenMainWindow]:
    """Opens main windows on a client and takes them down again, before the client is closed."""
    with ExitStack() as opened:

        def open_one(core: Client, settings: Settings | None = None) -> MainWindow:
            inbox = Inbox(core)
            window = MainWindow(core, inbox, theme, settings or Settings(tmp_path / "settings.json"))
            qtbot.addWidget(window, before_close_func=lambda _: inbox.close())
            opened.callback(inbox.close)
            window.show()
            return window

        yield open_one
