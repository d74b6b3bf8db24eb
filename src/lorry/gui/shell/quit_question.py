"""The question before the window closes on running uploads, and the wait for the last bytes after it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button
from lorry.text.format import plural

_WIDTH = 400


class QuitQuestion(QDialog):
    """Open it with `open()`. Return quits, because nothing is lost; Escape stays.

    Signals:
        quit_wanted(): the blue button, each time.
    """

    quit_wanted = Signal()

    def __init__(self, theme: Theme, running: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Quit Lorry")
        verb, they = ("runs", "It continues where it") if running == 1 else ("run", "They continue where they")
        self.question = ThemedLabel(theme, f"Quit while {plural(running, 'upload')} {verb}?", "bodyStrong", wraps=True)
        meaning = f"{they} stopped when Lorry starts again."
        self.meaning = ThemedLabel(theme, meaning, "body", "second", wraps=True)
        self.quit_button = push_button(theme, "Quit and resume next time", kind="primary")
        self.quit_button.clicked.connect(self.quit_wanted)
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

    def show_waiting(self, seconds: int) -> None:
        """The user quits; the server is just confirming the last bytes of an upload."""
        self.question.setText("Waiting for the last bytes to be confirmed")
        self.meaning.setText(f"Lorry quits by itself then, at the latest in {seconds} s.")
        self.setAccessibleDescription(f"{self.question.text()}. {self.meaning.text()}")
        self.quit_button.setText("Quit now")
