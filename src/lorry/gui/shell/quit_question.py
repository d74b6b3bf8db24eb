"""The question before the window closes on running uploads."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button
from lorry.text.format import plural

_WIDTH = 400


class QuitQuestion(QDialog):
    """Open it with `open()`; `accepted` means quit. Return quits, because nothing is lost but time; Escape stays."""

    def __init__(self, theme: Theme, running: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Quit Lorry")
        verb, they = ("runs", "It starts") if running == 1 else ("run", "They start")
        self.question = ThemedLabel(theme, f"Quit while {plural(running, 'upload')} {verb}?", "bodyStrong", wraps=True)
        meaning = f"{they} again from the beginning when you open Lorry the next time."
        self.meaning = ThemedLabel(theme, meaning, "body", "second", wraps=True)
        self.quit_button = push_button(theme, "Quit and start again next time", kind="primary")
        self.quit_button.clicked.connect(self.accept)
        self.quit_button.setDefault(True)
        self.stay_button = push_button(theme, "Cancel")
        self.stay_button.clicked.connect(self.reject)
        buttons = QDialogButtonBox()
        buttons.addButton(self.quit_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(self.stay_button, QDialogButtonBox.ButtonRole.RejectRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(4)
        column.addWidget(self.question)
        column.addWidget(self.meaning)
        column.addStretch(1)
        column.addSpacing(20)
        column.addWidget(buttons)
        self.setAccessibleDescription(meaning)
        self.setMinimumWidth(_WIDTH)
        self._ring = FocusRing(theme, self)
        self.quit_button.setFocus()
