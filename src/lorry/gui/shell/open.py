"""Opens the window on a client and runs it until it is closed. The way in for the composition root."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from lorry import __version__
from lorry.core.paths import resource_dir
from lorry.gui.shell import last_resort
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.main_window import MainWindow
from lorry.gui.shell.quit_signals import quit_on_signals
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.window_memory import SettingsStore, WindowMemory

if TYPE_CHECKING:
    from lorry.core.client import Client


def open_window(client: Client, *, files: list[Path], settings: SettingsStore) -> int:
    """Show the main window, offer `files` for upload, and return the exit code when it was closed.

    Makes the QApplication unless there is one. Closing the client stays with the caller.
    """
    app = application()
    theme = Theme(resource_dir())
    theme.apply(app)
    theme.set_scheme(WindowMemory(settings).scheme)
    inbox = Inbox(client)
    window = MainWindow(client, inbox, theme, settings)

    def tell() -> None:
        inbox.post(lambda: window.notices.post(last_resort.notice()))

    with last_resort.unexpected_errors_to(tell), quit_on_signals():
        window.show()
        window.open_paths(files)
        # What the start has made stays. Looking through all of it for garbage stopped the window for 60-70 ms each
        # time while hundreds of uploads were queued, and 8-15 ms without it (two cores, November 2026).
        gc.collect()
        gc.freeze()
        code = app.exec()
        inbox.close()
    return code


def application() -> QApplication:
    """The application object, made if there is none."""
    existing = QCoreApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QCoreApplication.setApplicationName("Lorry")
    QCoreApplication.setApplicationVersion(__version__)
    QGuiApplication.setDesktopFileName("lorry")
    return QApplication(["lorry"])
