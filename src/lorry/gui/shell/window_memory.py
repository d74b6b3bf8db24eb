"""What the window remembers between starts: place and size, both panels, columns, appearance.

Kept in the settings object the application hands in, as values JSON can hold. Whatever cannot be read is forgotten.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Protocol

from PySide6.QtCore import QByteArray, QSize
from PySide6.QtWidgets import QHeaderView, QMainWindow

from lorry.gui.shell.theme import Scheme

FIRST_SIZE = QSize(1280, 886)
MIN_SIZE = QSize(800, 560)
SCREEN_MARGIN = 48


class SettingsStore(Protocol):
    """Values by name; `get` returns the default for what was never set."""

    def get(self, key: str, default: Any = None) -> Any: ...

    def set(self, key: str, value: Any) -> None: ...


class WindowMemory:
    """Reads and writes the remembered values under `window.*`."""

    def __init__(self, settings: SettingsStore) -> None:
        self._settings = settings

    def restore_window(self, window: QMainWindow) -> None:
        """Place the window as last time, or in its first size; never larger than the screen."""
        window.setMinimumSize(MIN_SIZE)
        available = window.screen().availableSize() - QSize(SCREEN_MARGIN, SCREEN_MARGIN)
        window.resize(FIRST_SIZE.boundedTo(available).expandedTo(MIN_SIZE))
        geometry = self._bytes("window.geometry")
        if not geometry.isEmpty():
            window.restoreGeometry(geometry)

    def restore_columns(self, header: QHeaderView) -> None:
        """Column widths and order."""
        state = self._bytes("window.columns")
        if not state.isEmpty():
            header.restoreState(state)

    def save(self, window: QMainWindow, header: QHeaderView) -> None:
        """Remember place, size and columns."""
        self._settings.set("window.geometry", _text(window.saveGeometry()))
        self._settings.set("window.columns", _text(header.saveState()))

    @property
    def is_details_open(self) -> bool:
        return self._settings.get("window.details_open", True) is not False

    @property
    def details_width(self) -> int | None:
        """Pixels, or None when never changed."""
        return self._pixels("window.details_width")

    def save_details(self, is_open: bool, width: int) -> None:
        """Remember the panel; a closed one keeps the width it had."""
        self._settings.set("window.details_open", is_open)
        if is_open and width > 0:
            self._settings.set("window.details_width", width)

    @property
    def transfers_height(self) -> int | None:
        """Pixels, or None when never changed: then the panel is as high as its rows."""
        return self._pixels("window.transfers_height")

    def save_transfers_height(self, height: int) -> None:
        """Remember how high the user made the panel."""
        self._settings.set("window.transfers_height", height)

    @property
    def scheme(self) -> Scheme:
        """The appearance the user chose."""
        value = self._settings.get("window.scheme", Scheme.SYSTEM.value)
        return Scheme(value) if value in set(Scheme) else Scheme.SYSTEM

    def save_scheme(self, scheme: Scheme) -> None:
        self._settings.set("window.scheme", scheme.value)

    def _pixels(self, key: str) -> int | None:
        value = self._settings.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

    def _bytes(self, key: str) -> QByteArray:
        value = self._settings.get(key, "")
        if not isinstance(value, str):
            return QByteArray()
        try:
            return QByteArray(base64.b64decode(value, validate=True))
        except (ValueError, binascii.Error):
            return QByteArray()


def _text(value: QByteArray) -> str:
    return base64.b64encode(value.data()).decode("ascii")
