"""What stands in place of the rows when there are none: why, and the way on.

One widget for all cases; which case holds is decided by whoever reads the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lorry.gui.shell.safe_label import SafeLabel
from lorry.gui.shell.theme import Theme

GLYPH = 48
MARK = 64
TEXT_WIDTH = 560


class EmptyCase(StrEnum):
    """Why there are no rows."""

    LOADING = "loading"
    NO_DATASETS = "no_datasets"
    NO_MATCH = "no_match"
    OFFLINE = "offline"
    SIGNED_OUT = "signed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class _Look:
    icon: str
    title: str
    sentence: str
    action: str
    action_icon: str
    is_primary: bool = False


_LOOKS = {
    EmptyCase.LOADING: _Look("", "", "Loading datasets…", "", ""),
    EmptyCase.NO_DATASETS: _Look(
        "mark",
        "No datasets yet",
        "Drop .jsonl or .json files here, or choose them.",
        "Upload…",
        "upload",
        is_primary=True,
    ),
    EmptyCase.NO_MATCH: _Look("search-x", "No dataset matches", "", "Clear filters", "x"),
    EmptyCase.OFFLINE: _Look(
        "wifi-off",
        "Nothing to show offline",
        "This computer has not seen the datasets of this project yet.",
        "Try now",
        "rotate-cw",
    ),
    EmptyCase.SIGNED_OUT: _Look(
        "log-in", "You are signed out", "Sign in to see your datasets.", "Sign in", "log-in", is_primary=True
    ),
    EmptyCase.FAILED: _Look("triangle-alert", "The list could not be read", "", "Try again", "rotate-cw"),
}


class EmptyState(QFrame):
    """Glyph, title, sentence and at most one button.

    Signals:
        action_requested(EmptyCase): the button was pressed.
    """

    action_requested = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "surface")
        self._theme = theme
        self._case = EmptyCase.LOADING
        self._glyph = QLabel()
        self._title = SafeLabel()
        self._sentence = SafeLabel()
        self._sentence.setProperty("tone", "second")
        self._sentence.setWordWrap(True)
        self._sentence.setMaximumWidth(TEXT_WIDTH)
        for label in (self._glyph, self._title, self._sentence):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.button = QPushButton()
        self.button.clicked.connect(lambda: self.action_requested.emit(self._case))
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(self.button)
        row.addStretch()
        sentence_row = QHBoxLayout()
        sentence_row.addStretch()
        sentence_row.addWidget(self._sentence, 100)
        sentence_row.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 32, 32, 32)
        layout.setSpacing(0)
        layout.addStretch(9)
        layout.addWidget(self._glyph)
        layout.addSpacing(24)
        layout.addWidget(self._title)
        layout.addSpacing(8)
        layout.addLayout(sentence_row)
        layout.addSpacing(24)
        layout.addLayout(row)
        layout.addStretch(10)
        theme.changed.connect(self._on_theme_changed)
        self.show_case(EmptyCase.LOADING)

    @property
    def case(self) -> EmptyCase:
        return self._case

    @property
    def sentence(self) -> str:
        return self._sentence.text()

    def show_case(self, case: EmptyCase, sentence: str = "") -> None:
        """Show a case; `sentence` replaces or supplies its sentence."""
        look = _LOOKS[case]
        self._case = case
        self._title.setText(look.title)
        self._title.setVisible(bool(look.title))
        self._sentence.setText(sentence or look.sentence)
        self.button.setVisible(bool(look.action))
        if look.action:
            self.button.setText(look.action)
            self.button.setProperty("kind", "primary" if look.is_primary else "")
            self.button.style().unpolish(self.button)
            self.button.style().polish(self.button)
            self._theme.bind_icon(self.button, look.action_icon, "onAccent" if look.is_primary else "text")
        self._on_theme_changed()

    def _on_theme_changed(self) -> None:
        look = _LOOKS[self._case]
        self._title.setFont(self._theme.font("subtitle"))
        if look.icon:
            size = MARK if look.icon == "mark" else GLYPH
            pixmap = self._theme.pixmap(look.icon, "control", size, self.devicePixelRatioF())
            self._glyph.setPixmap(pixmap)
        else:
            self._glyph.setPixmap(QPixmap())
