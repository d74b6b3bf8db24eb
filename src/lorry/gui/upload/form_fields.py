"""The fields of the form: name, description, format, and where the dataset goes. They make the draft.

They know nothing of files but what a draft says, and nothing of checks but the format the file itself names.
"""

from __future__ import annotations

from pydantic import ValidationError
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from lorry.core.model import NAME_MAX, DatasetDraft, DatasetFormat
from lorry.gui.shell.combo_box import ComboBox
from lorry.gui.shell.field import Field
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel
from lorry.text.error_text import describe_draft_errors
from lorry.text.format import format_label


class FormFields(QWidget):
    """Signals: edited: something was typed or chosen. format_chosen(DatasetFormat): by the user."""

    edited = Signal()
    format_chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._is_name_own = False
        self._is_format_own = False
        self.name_edit = QLineEdit()
        self.name_edit.setPlaceholderText("Couples and money, conflict arcs")
        self.name_field = Field(theme, "Name", self.name_edit)
        self.description_edit = QPlainTextEdit()
        self.description_edit.setTabChangesFocus(True)
        self.description_edit.setMinimumHeight(64)
        self.description_field = Field(theme, "Description", self.description_edit, "optional", grows=True)
        self.format_box = ComboBox(theme)
        for dataset_format in DatasetFormat:
            self.format_box.addItem(format_label(dataset_format), dataset_format)
        self.format_field = Field(theme, "Format", self.format_box)
        self.format_note = ThemedLabel(theme, "", "caption", "second", wraps=True)
        self._project = ElidedLabel()
        self._project_icon = IconView(theme, "database", "text2", 16)
        self._build(theme)
        self.name_edit.textEdited.connect(self._on_name_edited)
        self.name_edit.textChanged.connect(self.edited)
        self.description_edit.textChanged.connect(self.edited)
        self.format_box.currentIndexChanged.connect(self.edited)
        self.format_box.activated.connect(self._on_format_activated)

    def _build(self, theme: Theme) -> None:
        target = QWidget()
        project = QHBoxLayout(target)
        project.setContentsMargins(0, 0, 0, 0)
        project.setSpacing(8)
        project.addWidget(self._project_icon)
        project.addWidget(self._project, 1)
        formats = QVBoxLayout()
        formats.setSpacing(4)
        formats.addWidget(self.format_field)
        formats.addWidget(self.format_note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(self.name_field)
        column.addWidget(self.description_field, 1)
        column.addLayout(formats)
        column.addWidget(Field(theme, "Upload to", target))
        self.format_note.hide()

    @property
    def project(self) -> str:
        """Where the dataset goes, as shown."""
        return self._project.text

    @property
    def chosen_format(self) -> DatasetFormat | None:
        """The format the user has chosen; None while the file's own or the usual one stands there."""
        return DatasetFormat(self.format_box.currentData()) if self._is_format_own else None

    def set_project(self, project: str, *, is_local: bool = False) -> None:
        """Where the dataset goes; `is_local`: to a server on this computer."""
        self._project.set_text(project)
        self._project_icon.show_icon("monitor" if is_local else "database", "text2")

    def suggest(self, draft: DatasetDraft) -> None:
        """What the file suggests, where the user has typed or chosen nothing."""
        if not self._is_name_own:
            self.name_edit.setText(draft.name)
        if not self._is_format_own:
            self._set_format(draft.format)

    def show_found_format(self, found: str | None) -> None:
        """The format the file names, or None; it is preselected unless the user has chosen one."""
        known = next((one for one in DatasetFormat if one == found), None)
        if known is not None and not self._is_format_own:
            self._set_format(known)
        self.format_note.setText(f"Found in the file: {format_label(found)}" if found else "")
        self.format_note.setVisible(bool(found))

    def clear(self) -> None:
        """Forget what was typed and chosen, for the next file."""
        self._is_name_own = self._is_format_own = False
        self.name_edit.clear()
        self.description_edit.clear()
        self.name_field.set_problem("")
        self.show_found_format(None)

    def recall(self, draft: DatasetDraft) -> None:
        """Begin with what was typed for an upload that failed; the next file changes none of it."""
        self.name_edit.setText(draft.name)
        self.description_edit.setPlainText(draft.description or "")
        self._set_format(draft.format)
        self._is_name_own = self._is_format_own = True

    def draft(self, file: DatasetDraft | None) -> DatasetDraft:
        """What is typed, as the draft of `file`.

        Raises:
            pydantic.ValidationError: one entry per bad field.
        """
        return DatasetDraft(
            name=self.name_edit.text(),
            description=self.description_edit.toPlainText().strip() or None,
            file_name=file.file_name if file else "",
            file_size=file.file_size if file else 0,
            format=DatasetFormat(self.format_box.currentData()),
        )

    def show_count(self) -> None:
        """How many letters of the name are used."""
        used = len(self.name_edit.text().strip())
        self.name_field.set_note(f"{used} of {NAME_MAX}", is_wrong=used > NAME_MAX)

    def mark_problems(self, file: DatasetDraft) -> str:
        """Mark the fields that are wrong; returns why the draft cannot be uploaded, "" when it can."""
        problems: dict[str, str] = {}
        try:
            self.draft(file)
        except ValidationError as error:
            problems = describe_draft_errors(error)
        self.name_field.set_problem(problems.get("name", ""))
        file_problem = problems.get("file_size") or problems.get("file_name")
        return file_problem or ("Correct the name first." if problems else "")

    def _set_format(self, dataset_format: DatasetFormat) -> None:
        self.format_box.setCurrentIndex(self.format_box.findData(dataset_format))

    def _on_name_edited(self, text: str) -> None:
        self._is_name_own = bool(text)

    def _on_format_activated(self) -> None:
        self._is_format_own = True
        self.format_chosen.emit(self.chosen_format)
