"""The first page of the dialog: which file, how the dataset is called, and what the check of the file says.

It knows drafts, reports and sentences, neither files nor the client: the dialog looks at the file, has it checked and
hands the result in.
"""

from __future__ import annotations

from pydantic import ValidationError
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from lorry.core.checked_file import CheckReport
from lorry.core.errors import LorryError
from lorry.core.model import DatasetDraft
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button, restyle
from lorry.gui.shell.verdict import VerdictBox
from lorry.gui.upload.check_panel import CheckPanel
from lorry.gui.upload.check_words import file_line
from lorry.gui.upload.drop_zone import DropZone
from lorry.gui.upload.file_band import FileBand
from lorry.gui.upload.footer import Footer
from lorry.gui.upload.form_fields import FormFields
from lorry.text.error_text import ErrorText

_KINDS = {".jsonl": "JSON lines", ".json": "JSON document"}
_FIELDS_WIDTH = (240, 330)


class FormPage(QWidget):
    """Shows a drop zone until a usable file is known, then the fields and beside them the check.

    Signals:
        file_wanted: choose a file in a file dialog.
        submitted(DatasetDraft): the main button was pressed and the draft is in order.
        skip_wanted, cancel_wanted: the buttons.
        check_wanted: check the file again, because the user wants to or has chosen another format.
    """

    file_wanted = Signal()
    submitted = Signal(object)
    skip_wanted = Signal()
    cancel_wanted = Signal()
    check_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._file: DatasetDraft | None = None
        self._is_starting = False
        #: The main act is to go past something: errors, or a check that has not ended.
        self._is_held = False
        self.check = CheckPanel(theme)
        self.fields = FormFields(theme)
        self.name_edit, self.name_field = self.fields.name_edit, self.fields.name_field
        self.description_edit, self.format_box = self.fields.description_edit, self.fields.format_box
        self.fields.edited.connect(self._check)
        self.fields.format_chosen.connect(self.check_wanted)
        self.check.again_wanted.connect(self.check_wanted)
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

    def _build_footer(self, theme: Theme) -> None:
        self.upload_button = push_button(theme, "Upload", kind="primary", icon="upload")
        self.upload_button.clicked.connect(self.submit)
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

        self.fields.setMinimumWidth(_FIELDS_WIDTH[0])
        self.fields.setMaximumWidth(_FIELDS_WIDTH[1])
        body = QHBoxLayout()
        body.setContentsMargins(20, 16, 20, 20)
        body.setSpacing(24)
        body.addWidget(self.fields, 3)
        body.addWidget(self.check, 7)
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
        return self.fields.project

    def set_project(self, project: str, *, is_local: bool = False) -> None:
        """Where the dataset goes; `is_local`: to a server on this computer."""
        self.fields.set_project(project, is_local=is_local)

    def set_position(self, number: int, count: int) -> None:
        """Which of several chosen files this is, counted from 1."""
        self.position_label.setText(f"File {number} of {count}")
        self.position_label.setVisible(count > 1)
        self.skip_button.setVisible(count > 1)

    def show_empty(self, problem: ErrorText | None = None) -> None:
        """No usable file: offer to drop or choose one, and say what was wrong with the last."""
        self._forget_file()
        self.problem_box.setVisible(problem is not None)
        if problem is not None:
            self.problem_box.show_verdict("error", problem.what, problem.meaning)
        self._pages.setCurrentIndex(0)
        self._set_reason("Choose another file." if problem else "Choose a file first.")
        self.take_focus()

    def show_reading(self, file_name: str) -> None:
        """A file was chosen and is being looked at; what was typed stays."""
        self._forget_file()
        self._band.show_file(file_name, "Reading…")
        self._pages.setCurrentIndex(1)
        self._set_reason("Reading the file…")

    def show_file(self, file: DatasetDraft) -> None:
        """The file can be uploaded. Its name suggests the dataset's unless the user has typed one."""
        self._file = file
        self._show_facts(None)
        self.fields.suggest(file)
        self._pages.setCurrentIndex(1)
        self._check()
        self.take_focus()

    def begin_check(self) -> None:
        """A check of the file starts; what an earlier one said does not hold any more."""
        self.check.clear()
        self._set_held(False)

    def show_report(self, report: CheckReport) -> None:
        """The check has ended: its verdict, and what it says about the file's layout and format."""
        self.fields.show_found_format(report.format)
        self._show_facts(report)
        self.check.show_report(report)
        self._set_held(report.errors > 0)

    def show_check_failure(self, error: LorryError) -> None:
        """The check came to nothing; the file can be uploaded all the same."""
        self.check.show_failure(error)
        self._set_held(False)

    def show_waiting(self, is_waiting: bool) -> None:
        """Whether the upload waits for the end of the check."""
        self.check.show_waiting(is_waiting)
        self._set_held(is_waiting)

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
        self._set_default()
        if self._file is None:
            self.drop_zone.choose_button.setFocus()
        else:
            self.name_edit.setFocus()
            self.name_edit.selectAll()

    def submit(self) -> None:
        """What the main button does: the draft goes out, or the fields say what is wrong with it."""
        try:
            draft = self.fields.draft(self._file)
        except ValidationError:
            self._check()
            return
        self.submitted.emit(draft)

    def clear(self) -> None:
        """Forget what was typed, for the next file."""
        self.fields.clear()

    def recall(self, draft: DatasetDraft) -> None:
        """Begin with what was typed for an upload that failed; the next file changes none of it."""
        self.fields.recall(draft)

    def draft(self) -> DatasetDraft:
        """What is typed, as a draft.

        Raises:
            pydantic.ValidationError: one entry per bad field.
        """
        return self.fields.draft(self._file)

    def _forget_file(self) -> None:
        self._file = None
        self._end_starting()
        self.fields.show_found_format(None)
        self.begin_check()

    def _show_facts(self, report: CheckReport | None) -> None:
        if self._file is not None:
            suffix = self._file.file_name[self._file.file_name.rfind(".") :].lower()
            facts = file_line(_KINDS.get(suffix, "JSON"), self._file.file_size, report)
            self._band.show_file(self._file.file_name, facts)

    def _set_held(self, is_held: bool) -> None:
        """Past errors or an unfinished check leads only an act that is not the screen's blue one, nor Return's."""
        self._is_held = is_held
        restyle(self.upload_button, kind="" if is_held else "primary")
        self._theme.bind_icon(self.upload_button, "upload", "text" if is_held else "onAccent")
        self.upload_button.setText("Upload anyway…" if is_held else "Upload")
        self._set_default()
        self._check()

    def _set_default(self) -> None:
        self.upload_button.setDefault(self._file is not None and not self._is_held)
        self.drop_zone.choose_button.setDefault(self._file is None)

    def _end_starting(self) -> None:
        self._is_starting = False
        self._fields.setEnabled(True)
        self.skip_button.setEnabled(True)

    def _check(self) -> None:
        self.fields.show_count()
        if self._file is None or self._is_starting:
            return
        problem = self.fields.mark_problems(self._file)
        self._set_reason(problem or self._waiting_reason, is_ready=not problem)

    @property
    def _waiting_reason(self) -> str:
        return "Starts as soon as the check has found no errors." if self.check.is_waiting else ""

    def _set_reason(self, reason: str, *, is_ready: bool = False) -> None:
        self._reason.set_tone("second")
        self._reason.setText(reason)
        self.upload_button.setEnabled(is_ready)
        self.upload_button.setToolTip(reason)
