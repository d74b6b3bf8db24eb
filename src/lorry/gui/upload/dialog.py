"""The upload dialog: leads from a file to its verdict through three pages, for one file after the other.

Not modal: hiding it leaves the upload running, and `follow` shows a running one again. `FileFlow` leads
through the form; what the client is asked for here returns at once. Main thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QDialog, QStackedWidget, QVBoxLayout, QWidget

from lorry.core.errors import LorryError
from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Transfer, TransferState
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.question import Question
from lorry.gui.shell.theme import Theme
from lorry.gui.transfers.cancel_words import cancel_words
from lorry.gui.transfers.moved_file import MovedFile
from lorry.gui.upload.file_flow import FileFlow
from lorry.gui.upload.file_queue import dropped_paths
from lorry.gui.upload.form_page import FormPage
from lorry.gui.upload.page_sizes import PageSizes
from lorry.gui.upload.progress_page import ProgressPage
from lorry.gui.upload.result_page import ResultPage, is_result

if TYPE_CHECKING:
    from lorry.core.client import Client


class UploadDialog(QDialog):
    """Choose, name, upload, watch, judge.

    Signals:
        upload_started(UUID): a file was handed to the client.
        show_dataset(UUID): the user wants to see the dataset in the table.
        sign_in_wanted(): an upload waits for it.
    """

    upload_started = Signal(object)
    show_dataset = Signal(object)
    sign_in_wanted = Signal()

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client, self._inbox, self._theme = client, inbox, theme
        self._followed: UUID | None = None
        self._transfer: Transfer | None = None
        self._row: Dataset | None = None
        self._question: Question | None = None
        self.form_page = FormPage(theme)
        self._moved = MovedFile(client, inbox, self)
        self._flow = FileFlow(client, inbox, self.form_page, theme, self)
        self.progress_page = ProgressPage(theme)
        self.result_page = ResultPage(theme)
        self._pages = QStackedWidget()
        for page in (self.form_page, self.progress_page, self.result_page):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)

        self.setWindowTitle("Upload dataset")
        self.setAcceptDrops(True)
        self._sizes = PageSizes(self)
        QShortcut(QKeySequence("Ctrl+Return"), self, self._press_main)
        FocusRing(theme, self)
        self._connect()

    def _connect(self) -> None:
        self._flow.upload_started.connect(self.upload_started)
        self._flow.files_chosen.connect(self._take_files)
        self._flow.last_started.connect(self.follow)
        self._flow.ended.connect(self.close)
        self.form_page.cancel_wanted.connect(self.reject)
        self.progress_page.hide_wanted.connect(self.hide)
        self.progress_page.cancel_wanted.connect(self._cancel)
        self.progress_page.pause_wanted.connect(lambda: self._do(self._client.pause_upload))
        self.progress_page.resume_wanted.connect(lambda: self._do(self._client.resume_upload))
        self.progress_page.try_now_wanted.connect(lambda: self._do(lambda _id: self._client.go_on_now()))
        self.result_page.retry_wanted.connect(lambda: self._do(self._client.retry_upload))
        self.result_page.file_wanted.connect(self._ask_for_moved_file)
        self._moved.refused.connect(self.result_page.show_problem)
        self.result_page.choose_wanted.connect(self._choose_again)
        self.result_page.sign_in_wanted.connect(self.sign_in_wanted)
        self.result_page.show_wanted.connect(self._on_result_show_wanted)
        self.result_page.another_wanted.connect(self._upload_another)
        self.result_page.close_wanted.connect(self.close)
        self._inbox.progressed.connect(self._on_inbox_progressed)
        self._inbox.transfer_changed.connect(self._on_inbox_transfer_changed)
        self._inbox.transfer_removed.connect(self._on_inbox_transfer_removed)
        self._inbox.dataset_changed.connect(self._on_inbox_dataset_changed)

    def choose(self, paths: list[Path]) -> None:
        """Offer these files one after the other; none shows the empty form. Shows nothing by itself."""
        self._followed = self._transfer = self._row = None
        self._show_page(self.form_page)
        self._flow.start(paths)

    def follow(self, dataset_id: UUID) -> None:
        """Show an upload that waits, runs or has ended. Unknown ones leave the dialog as it is."""
        for transfer in self._client.snapshot():
            if transfer.dataset_id == dataset_id:
                self._flow.stop()
                if dataset_id != self._followed:
                    self._followed, self._row = dataset_id, None
                self._show_transfer(transfer)
                self._read_verdict(transfer)

    @property
    def followed(self) -> UUID | None:
        """The upload on screen, or None while a file is being chosen."""
        return self._followed

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer, or None."""
        return self._question or self._flow.gate.question

    def _show_transfer(self, transfer: Transfer) -> None:
        self._transfer = transfer
        if is_result(transfer):
            self._close_question()
            self.result_page.show_transfer(transfer)
            if self._row is not None and transfer.state is TransferState.DONE:
                # The verdict may have come before the news that the upload is done.
                self.result_page.show_dataset(self._row)
            self._show_page(self.result_page)
        else:
            self.progress_page.show_transfer(transfer)
            self._show_page(self.progress_page)
            self.progress_page.hide_button.setDefault(True)

    def _show_page(self, page: QWidget) -> None:
        self._pages.setCurrentWidget(page)
        self._sizes.show(is_form=page is self.form_page)

    def _on_inbox_progressed(self, transfers: tuple[Transfer, ...]) -> None:
        if not self.isVisible() or self._pages.currentWidget() is not self.progress_page:
            return
        for transfer in transfers:
            if transfer.dataset_id == self._followed:
                self._show_transfer(transfer)

    def _on_inbox_transfer_changed(self, transfer: Transfer) -> None:
        if transfer.dataset_id == self._followed:
            self._show_transfer(transfer)

    def _on_inbox_transfer_removed(self, dataset_id: UUID) -> None:
        if dataset_id == self._followed:
            self._close_question()
            self._followed = self._transfer = self._row = None
            self.close()

    def _on_inbox_dataset_changed(self, dataset: Dataset) -> None:
        if dataset.id != self._followed or dataset.status is DatasetStatus.UPLOADING:
            return
        self._row = dataset
        if self._transfer is not None and self._transfer.state is TransferState.DONE:
            self.result_page.show_dataset(dataset)

    def _read_verdict(self, transfer: Transfer) -> None:
        """A finished upload that is shown again may have its verdict since: ask for the row."""
        if transfer.state is TransferState.DONE:
            dataset_id = transfer.dataset_id
            self._inbox.run(
                lambda: self._client.get_dataset(dataset_id),
                self._on_inbox_dataset_changed,
                self._on_verdict_unread,
            )

    def _on_verdict_unread(self, _error: LorryError) -> None:
        """The page keeps what it shows; the next change of the row reaches it anyway."""

    def _cancel(self) -> None:
        """Give the upload up; asks first where the server already keeps a part."""
        if self._question is not None:
            return
        # As it stands now: what is on screen may be a tenth of a second old.
        now = [transfer for transfer in self._client.snapshot() if transfer.dataset_id == self._followed]
        if not any(transfer.progress.stored_bytes for transfer in now):
            self._give_up()
            return
        words = cancel_words(now)
        self._question = Question(self._theme, self, words.question, words.meaning, yes=words.yes, no=words.no)
        self._question.finished.connect(self._on_question_finished)
        self._question.open()

    def _give_up(self) -> None:
        if self._followed is not None:
            self.progress_page.show_cancelling()
            self._inbox.do(partial(self._client.cancel_upload, self._followed))

    def _on_question_finished(self, code: int) -> None:
        question, self._question = self._question, None
        if question is None:
            return
        question.deleteLater()
        if code == QDialog.DialogCode.Accepted:
            self._give_up()

    def _close_question(self) -> None:
        """What was asked is no longer a question: the upload has ended."""
        question, self._question = self._question, None
        if question is not None:
            question.close()
            question.deleteLater()

    def _take_files(self, paths: list[Path]) -> None:
        """Files were dropped or chosen: on the form they replace the one on screen, else they begin anew."""
        if self._pages.currentWidget() is self.form_page:
            self._flow.replace(paths)
        elif paths:
            self.choose(paths)

    def _do(self, call: Callable[[UUID], None]) -> None:
        """Ask the client for something about this upload; how it stands then comes by itself."""
        if self._followed is not None:
            self._inbox.do(partial(call, self._followed))

    def _choose_again(self) -> None:
        """Another file for the same dataset: what was typed is kept, what is left of the failed upload goes."""
        failed = self._transfer
        self.choose([])
        if failed is not None:
            self._inbox.do(partial(self._client.dismiss_upload, failed.dataset_id))
            self.form_page.recall(failed.draft)
        self._flow.choose_file()

    def _ask_for_moved_file(self) -> None:
        if self._transfer is not None:
            self._moved.ask(self._transfer)

    def _upload_another(self) -> None:
        self.choose([])
        self._flow.choose_file()

    def _on_result_show_wanted(self) -> None:
        if self._followed is not None:
            self.show_dataset.emit(self._followed)
        self.close()

    def _press_main(self) -> None:
        page = self._pages.currentWidget()
        if isinstance(page, FormPage | ProgressPage | ResultPage):
            page.main_button.click()

    def reject(self) -> None:
        """Cancel, Escape and the window's cross: the form is given up, a running upload is only hidden."""
        if self._pages.currentWidget() is self.form_page:
            self._flow.give_up()
        super().reject()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._followed is not None:
            self.follow(self._followed)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event) and self._pages.currentWidget() is not self.progress_page:
            self.form_page.drop_zone.set_target(True)
            event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.form_page.drop_zone.set_target(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.form_page.drop_zone.set_target(False)
        self._take_files(dropped_paths(event))
        event.acceptProposedAction()
