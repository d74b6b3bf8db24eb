"""Says why the window cannot open, in a dialog of its own, since there is no window to say it in."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

from lorry.core.errors import LorryError
from lorry.core.paths import resource_dir
from lorry.gui.shell.open import application
from lorry.gui.shell.theme import Theme
from lorry.text.error_text import describe, details


def show_start_problem(error: LorryError) -> None:
    """Show the failure until the user closes the dialog; runs an event loop of its own."""
    Theme(resource_dir()).apply(application())
    text = describe(error)
    box = QMessageBox(QMessageBox.Icon.Critical, "Lorry", text.what)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(text.meaning)
    box.setDetailedText(details(error))
    box.exec()
