"""Changing name and description of one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from lorry.core.errors import LorryError
from lorry.core.model import Dataset, DatasetDraft
from lorry.gui.shell.field import Field
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.text.error_text import describe, describe_draft_errors

if TYPE_CHECKING:
    from lorry.core.client import Client

_SIZE = QSize(440, 320)


class EditDialog(QDialog):
    """Closes itself once the server has taken the new words.

    Signals:
        saved(Dataset): the row as it is now.
    """

    saved = Signal(object)

    def __init__(
        self, client: Client, inbox: Inbox, theme: Theme, dataset: Dataset, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._client, self._inbox, self._dataset = client, inbox, dataset
        self.setWindowTitle("Edit dataset")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.name = QLineEdit(dataset.name)
        self.description = QPlainTextEdit(dataset.description or "")
        self.description.setTabChangesFocus(True)
        self._name_field = Field(theme, "Name", self.name)
        self._description_field = Field(theme, "Description", self.description, "optional", grows=True)
        self._problem = ThemedLabel(theme, "", "body", "error", wraps=True)
        self._problem.hide()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.save_button = buttons.addButton("Save", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save_button.setProperty("kind", "primary")
        self.save_button.setDefault(True)
        buttons.accepted.connect(self._save)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(16)
        column.addWidget(self._name_field)
        column.addWidget(self._description_field, 1)
        column.addWidget(self._problem)
        column.addWidget(buttons)
        self.resize(_SIZE.expandedTo(self.sizeHint()))
        self._ring = FocusRing(theme, self)
        self.name.textChanged.connect(self._check)
        self.name.selectAll()
        self._check()

    def _draft(self) -> DatasetDraft:
        return DatasetDraft(
            name=self.name.text(),
            description=self.description.toPlainText().strip() or None,
            file_name=self._dataset.file_name,
            file_size=self._dataset.file_size,
        )

    def _check(self) -> None:
        try:
            self._draft()
        except ValidationError as error:
            self._name_field.set_problem(describe_draft_errors(error).get("name", ""))
            self.save_button.setEnabled(False)
            return
        self._name_field.set_problem("")
        self.save_button.setEnabled(True)

    def _save(self) -> None:
        draft, dataset_id = self._draft(), self._dataset.id
        self.save_button.setEnabled(False)
        self._problem.hide()
        self._inbox.run(
            lambda: self._client.rename_dataset(dataset_id, draft.name, draft.description),
            self._on_saved,
            self._on_refused,
        )

    def _on_saved(self, dataset: Dataset) -> None:
        self.saved.emit(dataset)
        self.accept()

    def _on_refused(self, error: LorryError) -> None:
        self._problem.setText(describe(error).sentence)
        self._problem.show()
        self.save_button.setEnabled(True)
