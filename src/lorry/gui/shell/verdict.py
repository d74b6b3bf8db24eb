"""The verdict box: soft ground, icon, one bold line, a caption. The same shape for error, warning, clean and busy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, restyle

_ICONS = {
    "ok": "circle-check",
    "warn": "triangle-alert",
    "error": "circle-x",
    "busy": "loader-circle",
    "idle": "clock",
    "accent": "info",
}


class VerdictBox(QFrame):
    """What came out, in two lines. `tone` is one of ok, warn, error, busy, idle, accent."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "verdict")
        self._icon = IconView(theme, "info", "text2", 22)
        self._what = ThemedLabel(theme, "", "bodyStrong", wraps=True)
        self._meaning = ThemedLabel(theme, "", "body", "second", wraps=True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._what)
        words.addWidget(self._meaning)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 14, 16, 14)
        row.setSpacing(12)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(words, 1)

    @property
    def words(self) -> str:
        """Both lines, as a screen reader says them."""
        return f"{self._what.text()} {self._meaning.text()}".strip()

    def show_verdict(self, tone: str, what: str, meaning: str = "") -> None:
        """Replace what the box says."""
        restyle(self, tone=tone)
        self._icon.show_icon(_ICONS[tone], "accentText" if tone == "accent" else tone)
        self._what.setText(what)
        self._meaning.setText(meaning)
        self._meaning.setVisible(bool(meaning))
        self.setAccessibleName(self.words)
