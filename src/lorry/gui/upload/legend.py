"""The two shades of the bar in words and numbers: what the server has stored, and what was only sent."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.text.format import size_so_far

_SWATCH = 10


class _Swatch(QWidget):
    """A small square in a colour of the bar."""

    def __init__(self, theme: Theme, token: str) -> None:
        super().__init__()
        self._theme, self._token = theme, token
        self.setFixedSize(_SWATCH, _SWATCH)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._theme.color(self._token))
        painter.setBrush(self._theme.color(self._token))
        painter.drawRoundedRect(QRectF(0.5, 0.5, _SWATCH - 1, _SWATCH - 1), 2, 2)


class _Entry(QWidget):
    """A swatch and its words."""

    def __init__(self, theme: Theme, token: str) -> None:
        super().__init__()
        self.label = ThemedLabel(theme, "", "caption", "second")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(_Swatch(theme, token))
        row.addWidget(self.label)


class Legend(QWidget):
    """Each shade is named only while it is on screen."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        self._stored = _Entry(theme, "barAck")
        self._sent = _Entry(theme, "barSent")
        row.addWidget(self._stored)
        row.addWidget(self._sent)
        row.addStretch(1)
        self.setMinimumHeight(16)
        self.show_bytes(0, 0, 0)

    @property
    def words(self) -> list[str]:
        """What is named now."""
        return [entry.label.text() for entry in (self._stored, self._sent) if not entry.isHidden()]

    def show_bytes(self, size_bytes: int, stored_bytes: int, sent_bytes: int) -> None:
        """`sent_bytes` includes the stored ones. Rounded as the figure above the bar, which both add up to."""
        waiting = max(0, sent_bytes - stored_bytes)
        self._stored.label.setText(f"stored by the server, {size_so_far(stored_bytes, size_bytes)}")
        self._sent.label.setText(f"sent, not yet confirmed, {size_so_far(waiting, size_bytes)}")
        self._stored.setVisible(stored_bytes > 0)
        self._sent.setVisible(waiting > 0)
