"""The upload dialog: leads from a file to its verdict through three pages, for one file after the other.

Not modal: hiding it leaves the upload running, and `follow` shows a running one again. Files are looked at on a task
thread; everything else it asks of the client returns at once. Main thread only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from lorry.core.errors import LorryError, SourceError
from lorry.core.model import Dataset, DatasetDraft, DatasetStatus, Transfer, TransferState
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.cancel_question import ask_to_cancel
from lorry.gui.upload.form_page import FormPage
from lorry.gui.upload.progress_page import ProgressPage
from lorry.gui.upload.result_page import ResultPage, is_result
from lorry.text.error_text import describe

if TYPE_CHECKING:
    from lorry.core.client import Client

_SIZE = QSize(656, 460)
_SCREEN_MARGIN = 48


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
        self._client, self._inbox = client, inbox
        self._paths: list[Path] = []
        self._index = 0
        self._folder = ""
        self._followed: UUID | None = None
        self._transfer: Transfer | None = None
        self._row: Dataset | None = None
        self._question: QMessageBox | None = None
        self.form_page = FormPage(theme)
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
        self.setMinimumSize(560, 420)
        available = self.screen().availableSize() - QSize(_SCREEN_MARGIN, _SCREEN_MARGIN)
        self.resize(_SIZE.expandedTo(self.sizeHint()).boundedTo(available))
        QShortcut(QKeySequence("Ctrl+Return"), self, self._press_main)
        FocusRing(theme, self)
        self._connect()

    def _connect(self) -> None:
        self.form_page.file_wanted.connect(self._choose_file)
        self.form_page.submitted.connect(self._on_form_submitted)
        self.form_page.skip_wanted.connect(self._next_file)
        self.form_page.cancel_wanted.connect(self.reject)
        self.progress_page.hide_wanted.connect(self.hide)
        self.progress_page.cancel_wanted.connect(self._ask_to_cancel)
        self.result_page.retry_wanted.connect(self._retry)
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
        self._paths, self._index = list(paths), 0
        self._followed = self._transfer = self._row = None
        account = self._client.account
        self.form_page.set_project(account.project if account else "")
        self.form_page.clear()
        self._pages.setCurrentWidget(self.form_page)
        if self._paths:
            self._offer()
        else:
            self.form_page.set_position(1, 1)
            self.form_page.show_empty()

    def follow(self, dataset_id: UUID) -> None:
        """Show an upload that waits, runs or has ended. Unknown ones leave the dialog as it is."""
        for transfer in self._client.snapshot():
            if transfer.dataset_id == dataset_id:
                if dataset_id != self._followed:
                    self._followed, self._row = dataset_id, None
                self._show_transfer(transfer)
                self._read_verdict(transfer)

    @property
    def followed(self) -> UUID | None:
        """The upload on screen, or None while a file is being chosen."""
        return self._followed

    def _offer(self) -> None:
        path = self._paths[self._index]
        self._folder = str(path.parent)
        self.form_page.set_position(self._index + 1, len(self._paths))
        self.form_page.show_reading(path.name or str(path))
        self._inbox.run(
            lambda: self._client.inspect_file(path),
            partial(self._on_file_inspected, path),
            partial(self._on_file_refused, path),
            receiver=self,
        )

    def _is_offered(self, path: Path) -> bool:
        """Whether the answer about `path` is still wanted: the user may have chosen another file since."""
        return self._followed is None and self._index < len(self._paths) and self._paths[self._index] == path

    def _on_file_inspected(self, path: Path, draft: DatasetDraft) -> None:
        if self._is_offered(path):
            self.form_page.show_file(draft)

    def _on_file_refused(self, path: Path, error: LorryError) -> None:
        if self._is_offered(path):
            self.form_page.show_empty(describe(error))

    def _on_form_submitted(self, draft: DatasetDraft) -> None:
        path = self._paths[self._index]
        self.form_page.show_starting()
        # The client opens the file once more and writes the intent down: not on this thread.
        self._inbox.run(
            lambda: self._client.upload(path, draft),
            partial(self._on_upload_queued, path),
            partial(self._on_upload_refused, path),
            receiver=self,
        )

    def _on_upload_queued(self, path: Path, dataset_id: UUID) -> None:
        self.upload_started.emit(dataset_id)
        self._inbox.watch_progress()
        if not self._is_offered(path):
            return
        if self._index + 1 < len(self._paths):
            self._next_file()
        else:
            self.follow(dataset_id)

    def _on_upload_refused(self, path: Path, error: LorryError) -> None:
        if not self._is_offered(path):
            return
        if isinstance(error, SourceError):
            self.form_page.show_empty(describe(error))
        else:
            self.form_page.show_problem(describe(error))

    def _next_file(self) -> None:
        self._index += 1
        if self._index >= len(self._paths):
            self.close()
            return
        self.form_page.clear()
        self._offer()

    def _choose_file(self) -> None:
        dialog = QFileDialog(self, "Choose datasets", self._folder)
        dialog.setNameFilters(["Datasets (*.jsonl *.json)", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._on_files_selected)
        dialog.open()

    def _on_files_selected(self, names: list[str]) -> None:
        self._replace_files([Path(name) for name in names])

    def _replace_files(self, paths: list[Path]) -> None:
        """Other files instead of the one on screen; those behind it in the row stay."""
        if self._pages.currentWidget() is not self.form_page:
            self.choose(paths)
        elif paths:
            self._paths[self._index : self._index + 1] = paths
            self._offer()

    def _show_transfer(self, transfer: Transfer) -> None:
        self._transfer = transfer
        if is_result(transfer):
            self._close_question()
            self.result_page.show_transfer(transfer)
            if self._row is not None and transfer.state is TransferState.DONE:
                # The verdict may have come before the news that the upload is done.
                self.result_page.show_dataset(self._row)
            self._pages.setCurrentWidget(self.result_page)
        else:
            self.progress_page.show_transfer(transfer)
            self._pages.setCurrentWidget(self.progress_page)
            self.progress_page.hide_button.setDefault(True)

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

    def _ask_to_cancel(self) -> None:
        if self._transfer is None or self._question is not None:
            return
        self._question = ask_to_cancel(self, self._transfer.progress.stored_bytes)
        self._question.finished.connect(self._on_question_finished)
        self._question.open()

    def _on_question_finished(self, _code: int) -> None:
        question, self._question = self._question, None
        if question is None:
            return
        question.deleteLater()
        is_yes = question.buttonRole(question.clickedButton()) is QMessageBox.ButtonRole.DestructiveRole
        if is_yes and self._followed is not None:
            self.progress_page.show_cancelling()
            self._client.cancel_upload(self._followed)

    def _close_question(self) -> None:
        """What was asked is no longer a question: the upload has ended."""
        question, self._question = self._question, None
        if question is not None:
            question.close()
            question.deleteLater()

    def _retry(self) -> None:
        if self._followed is not None:
            self._client.retry_upload(self._followed)
            self._inbox.watch_progress()
            self.follow(self._followed)

    def _choose_again(self) -> None:
        if self._followed is not None:
            self._client.dismiss_upload(self._followed)
        self._upload_another()

    def _upload_another(self) -> None:
        self.choose([])
        self._choose_file()

    def _on_result_show_wanted(self) -> None:
        if self._followed is not None:
            self.show_dataset.emit(self._followed)
        self.close()

    def _press_main(self) -> None:
        page = self._pages.currentWidget()
        if isinstance(page, FormPage | ProgressPage | ResultPage):
            page.main_button.click()

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
        self._replace_files(dropped_paths(event))
        event.acceptProposedAction()


def dropped_paths(event: QDropEvent) -> list[Path]:
    """The local files of a drag; addresses of the web are left out."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
