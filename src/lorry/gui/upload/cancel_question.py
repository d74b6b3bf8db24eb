"""The question before a running upload is thrown away."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from lorry.text.format import size


def ask_to_cancel(parent: QWidget, stored_bytes: int) -> QMessageBox:
    """A message box ready to `open()`; the button that cancels has the destructive role."""
    question = QMessageBox(parent)
    question.setWindowTitle("Cancel upload")
    question.setTextFormat(Qt.TextFormat.PlainText)
    question.setText("Cancel this upload?")
    question.setInformativeText(
        f"{size(stored_bytes)} already stored will be removed from the project. Your file stays."
        if stored_bytes
        else "What was sent so far is not kept. Your file stays."
    )
    keep = question.addButton("Keep uploading", QMessageBox.ButtonRole.RejectRole)
    cancel = question.addButton("Cancel upload", QMessageBox.ButtonRole.DestructiveRole)
    cancel.setProperty("kind", "danger")
    question.setDefaultButton(keep)
    question.setEscapeButton(keep)
    return question
