"""From chosen files to queued uploads: offers one file after the other on the form, has it checked, hands it in.

Looking at a file and handing it in happen on task threads: a network drive may keep either waiting. An answer that
comes after the user has gone on is dropped. Main thread only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lorry.core.checked_file import CheckedFile
from lorry.core.errors import ErrorCode, LorryError, SourceError
from lorry.core.model import DatasetDraft
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.check_run import CheckRun
from lorry.gui.upload.file_queue import FileQueue
from lorry.gui.upload.form_page import FormPage
from lorry.gui.upload.start_gate import StartGate
from lorry.text.error_text import describe

if TYPE_CHECKING:
    from lorry.core.client import Client


class FileFlow(QObject):
    """Drives a `FormPage`.

    Signals:
        upload_started(UUID): a file was handed to the client.
        last_started(UUID): it was the last one; nothing is left to offer.
        files_chosen(list[Path]): the user chose in the file dialog.
        ended(): the last file was skipped.
    """

    upload_started = Signal(object)
    last_started = Signal(object)
    files_chosen = Signal(object)
    ended = Signal()

    def __init__(self, client: Client, inbox: Inbox, page: FormPage, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._client, self._inbox, self._page, self._window = client, inbox, page, window
        self._files = FileQueue()
        self._folder = ""
        #: Counts what was put on the form; an answer to an older question is not wanted any more.
        self._turn = 0
        #: Turns whose upload was handed in and not answered yet: True when the user gave it up meanwhile.
        self._starting: dict[int, bool] = {}
        inbox.account_changed.connect(self._show_project)
        page.file_wanted.connect(self.choose_file)
        page.skip_wanted.connect(self._next)
        page.check_wanted.connect(self._start_check)
        self.check = CheckRun(client, inbox, self)
        self.check.progressed.connect(page.check.show_progress)
        self.check.found.connect(page.check.add_findings)
        self.check.ended.connect(self._on_check_ended)
        self.gate = StartGate(self.check, page, theme, window)
        self.gate.passed.connect(self._hand_in)

    def start(self, paths: list[Path]) -> None:
        """Offer these files from the first on; none shows the empty form."""
        self._show_project()
        self._page.clear()
        self._files.start(paths)
        self._offer()

    def replace(self, paths: list[Path]) -> None:
        """Other files instead of the one on the form; those behind it stay, and so does what was typed."""
        if paths:
            self._files.replace_current(paths)
            self._offer()

    def stop(self) -> None:
        """The form is left: answers on the way are not wanted any more, and neither is the check."""
        self._turn += 1
        self._end_check()

    def give_up(self) -> None:
        """The form is cancelled: answers are not wanted, and an upload that is just being handed in must not stay."""
        if self._turn in self._starting:
            self._starting[self._turn] = True
        self.stop()

    def choose_file(self) -> None:
        """Open the system's file dialog, without blocking."""
        dialog = QFileDialog(self._window, "Choose datasets", self._folder)
        dialog.setNameFilters(["Datasets (*.jsonl *.json)", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._on_dialog_files_selected)
        dialog.open()

    def _show_project(self) -> None:
        account = self._client.account
        self._page.set_project(account.project if account else "", is_local=account is not None and account.is_local)

    def _on_dialog_files_selected(self, names: list[str]) -> None:
        self.files_chosen.emit([Path(name) for name in names])

    def _offer(self) -> None:
        self.stop()
        self._page.set_position(*self._files.position)
        path = self._files.current
        if path is None:
            self._page.show_empty()
            return
        self._folder = str(path.parent)
        self._page.show_reading(path.name or str(path))
        self._inbox.run(
            lambda: self._client.inspect_file(path),
            partial(self._on_file_inspected, self._turn),
            partial(self._on_file_refused, self._turn),
            receiver=self,
        )

    def _on_file_inspected(self, turn: int, draft: DatasetDraft) -> None:
        if turn == self._turn:
            self._page.show_file(draft)
            self._start_check()

    def _on_file_refused(self, turn: int, error: LorryError) -> None:
        if turn == self._turn:
            self._end_check()
            self._page.show_empty(describe(error))

    def _start_check(self) -> None:
        path = self._files.current
        if path is not None:
            self.gate.begin()
            self._page.begin_check()
            self.check.start(path, self._page.fields.chosen_format)

    def _end_check(self) -> None:
        self.check.cancel()
        self.gate.begin()

    def _on_check_ended(self, outcome: CheckedFile | LorryError) -> None:
        if isinstance(outcome, CheckedFile):
            self._page.show_report(outcome.report)
            self.gate.judge(outcome)
        elif isinstance(outcome, SourceError) and outcome.code is not ErrorCode.FILE_CHANGED:
            self._look_again(outcome)
        else:
            self._on_check_failed(self._turn, outcome)

    def _look_again(self, error: SourceError) -> None:
        """The check could not read the file: the client says best why, or that it can be read now."""
        path = self._files.current
        if path is None:
            return
        self._inbox.run(
            lambda: self._client.inspect_file(path),
            partial(self._on_file_still_there, self._turn, error),
            partial(self._on_file_refused, self._turn),
            receiver=self,
        )

    def _on_file_still_there(self, turn: int, error: LorryError, _draft: DatasetDraft) -> None:
        self._on_check_failed(turn, error)

    def _on_check_failed(self, turn: int, error: LorryError) -> None:
        if turn == self._turn:
            self._page.show_check_failure(error)
            self.gate.judge(None)

    def _hand_in(self, draft: DatasetDraft, checked: CheckedFile | None) -> None:
        path = self._files.current
        if path is None or self._turn in self._starting:
            return
        self._page.show_starting()
        self._starting[self._turn] = False
        # The client opens the file once more and writes the intent down.
        self._inbox.run(
            lambda: self._client.upload(path, draft, checked),
            partial(self._on_upload_queued, self._turn),
            partial(self._on_upload_refused, self._turn),
            receiver=self,
        )

    def _on_upload_queued(self, turn: int, dataset_id: UUID) -> None:
        if self._starting.pop(turn):
            self._inbox.do(partial(self._client.cancel_upload, dataset_id))
            return
        self.upload_started.emit(dataset_id)
        self._inbox.watch_progress()
        if turn != self._turn:
            return
        if self._files.has_more:
            self._next()
        else:
            self.last_started.emit(dataset_id)

    def _on_upload_refused(self, turn: int, error: LorryError) -> None:
        del self._starting[turn]
        if turn != self._turn:
            return
        if isinstance(error, SourceError):
            self._end_check()
            self._page.show_empty(describe(error))
        else:
            self._page.show_problem(describe(error))

    def _next(self) -> None:
        if not self._files.has_more:
            self.stop()
            self.ended.emit()
            return
        self._files.advance()
        self._page.clear()
        self._offer()
