"""A question with two answers: what would happen in bold, what it means below, the harmless answer as the default."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button

_WIDTH = 400


class Question(QDialog):
    """Open it with `open()`; `accepted` means yes. Return and Escape mean no."""

    def __init__(self, theme: Theme, parent: QWidget, question: str, meaning: str, *, yes: str, no: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(yes)
        self.yes_button = push_button(theme, yes, kind="danger")
        self.yes_button.clicked.connect(self.accept)
        self.no_button = push_button(theme, no)
        self.no_button.clicked.connect(self.reject)
        self.no_button.setDefault(True)
        answers = QDialogButtonBox()
        answers.addButton(self.yes_button, QDialogButtonBox.ButtonRole.DestructiveRole)
        answers.addButton(self.no_button, QDialogButtonBox.ButtonRole.RejectRole)
        self.meaning = ThemedLabel(theme, meaning, "body", "second", wraps=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(4)
        column.addWidget(ThemedLabel(theme, question, "bodyStrong", wraps=True))
        column.addWidget(self.meaning)
        column.addSpacing(20)
        column.addWidget(answers)
        self.setAccessibleDescription(meaning)
        self.setFixedWidth(_WIDTH)
        self.resize(_WIDTH, column.totalHeightForWidth(_WIDTH))
        FocusRing(theme, self)
        self.no_button.setFocus()
