"""The two shades of the bar in words and numbers: what the server has stored, and what was only sent."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.text.format import size

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


class Legend(QWidget):
    """Each shade is named only while it is on screen."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._stored = (_Swatch(theme, "barAck"), ThemedLabel(theme, "", "caption", "second"))
        self._sent = (_Swatch(theme, "barSent"), ThemedLabel(theme, "", "caption", "second"))
        for part in (self._stored, self._sent):
            row.addWidget(part[0])
            row.addWidget(part[1])
            row.addSpacing(10)
        row.addStretch(1)
        self.setMinimumHeight(16)

    @property
    def words(self) -> list[str]:
        """What is named now."""
        return [label.text() for swatch, label in (self._stored, self._sent) if not swatch.isHidden()]

    def show_bytes(self, stored_bytes: int, sent_bytes: int) -> None:
        """`sent_bytes` includes the stored ones."""
        waiting = max(0, sent_bytes - stored_bytes)
        self._stored[1].setText(f"stored by the server, {size(stored_bytes)}")
        self._sent[1].setText(f"sent, not yet confirmed, {size(waiting)}")
        for part, is_shown in ((self._stored, stored_bytes > 0), (self._sent, waiting > 0)):
            for widget in part:
                widget.setVisible(is_shown)
