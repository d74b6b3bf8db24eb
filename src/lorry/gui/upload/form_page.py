"""The first page of the dialog: which file, and how the dataset is called, described and formatted.

It knows drafts and sentences, neither files nor the client: the dialog looks at the file and hands the result in.
"""

from __future__ import annotations

from pydantic import ValidationError
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lorry.core.model import NAME_MAX, DatasetDraft, DatasetFormat
from lorry.gui.shell.combo_box import ComboBox
from lorry.gui.shell.field import Field
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.gui.shell.verdict import VerdictBox
from lorry.gui.upload.drop_zone import DropZone
from lorry.gui.upload.file_band import FileBand
from lorry.gui.upload.footer import Footer
from lorry.text.error_text import ErrorText, describe_draft_errors
from lorry.text.format import format_label, size

_KINDS = {".jsonl": "JSON lines", ".json": "JSON document"}


class FormPage(QWidget):
    """Shows a drop zone until a usable file is known, then the fields.

    Signals:
        file_wanted: choose a file in a file dialog.
        submitted(DatasetDraft): upload it.
        skip_wanted, cancel_wanted: the buttons.
    """

    file_wanted = Signal()
    submitted = Signal(object)
    skip_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._file: DatasetDraft | None = None
        self._is_name_own = False
        self._is_starting = False
        self._build_fields(theme)
        self._build_footer(theme)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._build_drop_page(theme))
        self._pages.addWidget(self._build_fields_page(theme))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._pages, 1)
        column.addWidget(
            Footer([self.position_label, self.skip_button, self._reason], self.upload_button, self._cancel)
        )
        self.set_position(1, 1)
        self.show_empty()

    def _build_fields(self, theme: Theme) -> None:
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
        self._project = ElidedLabel()
        self.name_edit.textEdited.connect(self._on_name_edited)
        self.name_edit.textChanged.connect(self._check)
        self.description_edit.textChanged.connect(self._check)
        self.format_box.currentIndexChanged.connect(self._check)

    def _build_footer(self, theme: Theme) -> None:
        self.upload_button = push_button(theme, "Upload", kind="primary", icon="upload")
        self.upload_button.clicked.connect(self._on_upload_clicked)
        self._cancel = push_button(theme, "Cancel")
        self._cancel.clicked.connect(self.cancel_wanted)
        self.position_label = ThemedLabel(theme, "", "body", "second")
        self.skip_button = push_button(theme, "Skip", kind="flat")
        self.skip_button.clicked.connect(self.skip_wanted)
        self._reason = ThemedLabel(theme, "", "caption", "second", wraps=True)
        self._reason.setAlignment(Qt.AlignmentFlag.AlignTrailing | Qt.AlignmentFlag.AlignVCenter)
        self._reason.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def _build_drop_page(self, theme: Theme) -> QWidget:
        self.problem_box = VerdictBox(theme)
        self.drop_zone = DropZone(theme)
        self.drop_zone.file_wanted.connect(self.file_wanted)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(16)
        column.addWidget(self.problem_box)
        column.addWidget(self.drop_zone, 1)
        return page

    def _build_fields_page(self, theme: Theme) -> QWidget:
        another = push_button(theme, "Choose another file…")
        another.clicked.connect(self.file_wanted)
        self._band = FileBand(theme, another)
        line = QFrame()
        line.setProperty("kind", "line")

        target = QWidget()
        project = QHBoxLayout(target)
        project.setContentsMargins(0, 0, 0, 0)
        project.setSpacing(8)
        self._project_icon = IconView(theme, "database", "text2", 16)
        project.addWidget(self._project_icon)
        project.addWidget(self._project, 1)
        last_row = QHBoxLayout()
        last_row.setSpacing(24)
        last_row.addWidget(self.format_field, 1)
        last_row.addWidget(Field(theme, "Upload to", target, grows=True), 1)

        body = QVBoxLayout()
        body.setContentsMargins(20, 16, 20, 20)
        body.setSpacing(16)
        body.addWidget(self.name_field)
        body.addWidget(self.description_field, 1)
        body.addLayout(last_row)
        self._fields = page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._band)
        column.addWidget(line)
        column.addLayout(body, 1)
        return page

    @property
    def main_button(self) -> QPushButton:
        """What Ctrl+Return presses."""
        return self.upload_button if self._file else self.drop_zone.choose_button

    @property
    def reason(self) -> str:
        """Why Upload is disabled, as it stands beside the button."""
        return self._reason.text()

    @property
    def project(self) -> str:
        """Where the dataset goes, as shown."""
        return self._project.text

    def set_project(self, project: str, *, is_local: bool = False) -> None:
        """Where the dataset goes; `is_local`: to a server on this computer."""
        self._project.set_text(project)
        self._project_icon.show_icon("monitor" if is_local else "database", "text2")

    def set_position(self, number: int, count: int) -> None:
        """Which of several chosen files this is, counted from 1."""
        self.position_label.setText(f"File {number} of {count}")
        self.position_label.setVisible(count > 1)
        self.skip_button.setVisible(count > 1)

    def show_empty(self, problem: ErrorText | None = None) -> None:
        """No usable file: offer to drop or choose one, and say what was wrong with the last."""
        self._file = None
        self._end_starting()
        self.problem_box.setVisible(problem is not None)
        if problem is not None:
            self.problem_box.show_verdict("error", problem.what, problem.meaning)
        self._pages.setCurrentIndex(0)
        self._set_reason("Choose another file." if problem else "Choose a file first.")
        self.take_focus()

    def show_reading(self, file_name: str) -> None:
        """A file was chosen and is being looked at; what was typed stays."""
        self._file = None
        self._end_starting()
        self._band.show_file(file_name, "Reading…")
        self._pages.setCurrentIndex(1)
        self._set_reason("Reading the file…")

    def show_file(self, file: DatasetDraft) -> None:
        """The file can be uploaded. Its name suggests the dataset's unless the user has typed one."""
        self._file = file
        suffix = file.file_name[file.file_name.rfind(".") :].lower()
        self._band.show_file(file.file_name, f"{size(file.file_size)} · {_KINDS.get(suffix, 'JSON')}")
        if not self._is_name_own:
            self.name_edit.setText(file.name)
            self.format_box.setCurrentIndex(self.format_box.findData(file.format))
        self._pages.setCurrentIndex(1)
        self._check()
        self.take_focus()

    def show_problem(self, problem: ErrorText) -> None:
        """The upload could not be started; said beside the button."""
        self._end_starting()
        self._check()
        self.take_focus()
        self._reason.set_tone("error")
        self._reason.setText(problem.sentence)

    def show_starting(self) -> None:
        """The draft was handed in; the answer comes in a moment."""
        self._is_starting = True
        self._fields.setEnabled(False)
        self.skip_button.setEnabled(False)
        self._set_reason("Starting the upload…")
        # With the field disabled the focus would go to Cancel, and a second Return with it.
        self.setFocus()

    def take_focus(self) -> None:
        """Put the focus where the user goes on, and Return on the act that is next."""
        self.main_button.setDefault(True)
        if self._file is None:
            self.drop_zone.choose_button.setFocus()
        else:
            self.name_edit.setFocus()
            self.name_edit.selectAll()

    def _end_starting(self) -> None:
        self._is_starting = False
        self._fields.setEnabled(True)
        self.skip_button.setEnabled(True)

    def clear(self) -> None:
        """Forget what was typed, for the next file."""
        self._is_name_own = False
        self.name_edit.clear()
        self.description_edit.clear()
        self.name_field.set_problem("")

    def recall(self, draft: DatasetDraft) -> None:
        """Begin with what was typed for an upload that failed; the next file changes none of it."""
        self.name_edit.setText(draft.name)
        self.description_edit.setPlainText(draft.description or "")
        self.format_box.setCurrentIndex(self.format_box.findData(draft.format))
        self._is_name_own = True

    def draft(self) -> DatasetDraft:
        """What is typed, as a draft.

        Raises:
            pydantic.ValidationError: one entry per bad field.
        """
        file = self._file
        return DatasetDraft(
            name=self.name_edit.text(),
            description=self.description_edit.toPlainText().strip() or None,
            file_name=file.file_name if file else "",
            file_size=file.file_size if file else 0,
            format=DatasetFormat(self.format_box.currentData()),
        )

    def _on_name_edited(self, text: str) -> None:
        self._is_name_own = bool(text)

    def _on_upload_clicked(self) -> None:
        try:
            draft = self.draft()
        except ValidationError:
            self._check()
            return
        self.submitted.emit(draft)

    def _check(self) -> None:
        used = len(self.name_edit.text().strip())
        self.name_field.set_note(f"{used} of {NAME_MAX}", is_wrong=used > NAME_MAX)
        if self._file is None or self._is_starting:
            return
        problems: dict[str, str] = {}
        try:
            self.draft()
        except ValidationError as error:
            problems = describe_draft_errors(error)
        self.name_field.set_problem(problems.get("name", ""))
        file_problem = problems.get("file_size") or problems.get("file_name")
        self._set_reason(file_problem or ("Correct the name first." if problems else ""), is_ready=not problems)

    def _set_reason(self, reason: str, *, is_ready: bool = False) -> None:
        self._reason.set_tone("second")
        self._reason.setText(reason)
        self.upload_button.setEnabled(is_ready)
        self.upload_button.setToolTip(reason)
