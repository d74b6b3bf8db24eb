"""The question before the window closes on running uploads."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from lorry.text.format import plural


class QuitQuestion(QMessageBox):
    """Quit and resume next time, or stay. Opened without blocking; ask `wants_to_quit` when it is finished."""

    def __init__(self, running: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setIcon(QMessageBox.Icon.NoIcon)
        self.setWindowTitle("Lorry")
        verb, subject = ("runs", "It continues") if running == 1 else ("run", "They continue")
        stopped = "it" if running == 1 else "they"
        self.setText(f"Quit while {plural(running, 'upload')} {verb}?")
        self.setInformativeText(f"{subject} where {stopped} stopped when Lorry starts again.")
        self.quit_button: QPushButton = self.addButton("Quit and resume next time", QMessageBox.ButtonRole.AcceptRole)
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(self.quit_button)

    @property
    def wants_to_quit(self) -> bool:
        return self.clickedButton() is self.quit_button
