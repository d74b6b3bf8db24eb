"""Whether an upload may start: not before the check has ended, and not past errors unless the user says so.

Warnings never hold an upload up, nor does a check that came to nothing: the server checks every file. Main thread.
"""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from lorry.core.checked_file import CheckedFile
from lorry.core.model import DatasetDraft
from lorry.gui.shell.question import Question
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import restyle
from lorry.gui.upload.check_run import CheckRun
from lorry.gui.upload.form_page import FormPage
from lorry.text.format import plural

log = logging.getLogger(__name__)


class StartGate(QObject):
    """Stands between the form's main button and the client.

    Signals:
        passed(DatasetDraft, CheckedFile | None): hand it in.
    """

    passed = Signal(object, object)

    def __init__(self, check: CheckRun, page: FormPage, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._check, self._page, self._theme, self._window = check, page, theme, window
        self._checked: CheckedFile | None = None
        self._is_waiting = False
        self._draft: DatasetDraft | None = None
        self._question: Question | None = None
        page.submitted.connect(self._on_page_submitted)

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer, or None."""
        return self._question

    def begin(self) -> None:
        """Another file, or none, is on the form: nothing is known of it and nothing waits."""
        self._checked = None
        self._stop_waiting()

    def judge(self, checked: CheckedFile | None) -> None:
        """The check has ended, with a report or (None) without; an upload that waited for it goes on."""
        was_waiting = self._is_waiting
        self._checked = checked
        self._stop_waiting()
        if was_waiting and not self._errors:
            self._page.submit()

    @property
    def _errors(self) -> int:
        return self._checked.report.errors if self._checked else 0

    def _on_page_submitted(self, draft: DatasetDraft) -> None:
        if self._question is not None:
            return
        if self._check.is_running and not self._is_waiting:
            self._is_waiting = True
            self._page.show_waiting(True)
        elif self._check.is_running:
            self._ask(
                draft,
                "Upload without waiting for the check?",
                "The server checks the file too. If it finds errors, the dataset will not become ready.",
                no="Keep waiting",
            )
        elif self._errors:
            self._ask(
                draft,
                f"Upload a file with {plural(self._errors, 'error')}?",
                f"The server will find the same {'error' if self._errors == 1 else 'errors'} and the dataset "
                "will not become ready. Your choice is recorded.",
                no="Cancel",
            )
        else:
            self.passed.emit(draft, self._checked)

    def _ask(self, draft: DatasetDraft, question: str, meaning: str, *, no: str) -> None:
        self._draft = draft
        self._question = Question(self._theme, self._window, question, meaning, yes="Upload anyway", no=no)
        # Nothing is lost by it: it is not a dangerous act, only not the advised one.
        restyle(self._question.yes_button, kind="")
        self._question.finished.connect(self._on_question_finished)
        self._question.open()

    def _on_question_finished(self, code: int) -> None:
        question, self._question = self._question, None
        draft, self._draft = self._draft, None
        if question is None or draft is None:
            return
        question.deleteLater()
        if code != QDialog.DialogCode.Accepted:
            return
        found = f"{self._errors} errors" if self._checked else "the check had not ended"
        log.info("the user chose to upload anyway: %s", found)
        # It waits for nothing now: the end of the check must not start it a second time.
        self._stop_waiting()
        self.passed.emit(draft, self._checked)

    def _stop_waiting(self) -> None:
        """What was waited for or asked about has changed."""
        if self._is_waiting:
            self._is_waiting = False
            self._page.show_waiting(False)
        question, self._question, self._draft = self._question, None, None
        if question is not None:
            question.close()
            question.deleteLater()
