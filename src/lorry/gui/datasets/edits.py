"""What can be done to datasets from the window: delete, undo that, discard, edit the name, validate again.

Each runs on a task thread and ends in a notice or a changed row. Deleting is reversible, so it never asks; discarding
is not, so it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.errors import LorryError
from lorry.core.model import Dataset
from lorry.gui.datasets.edit_dialog import EditDialog
from lorry.gui.datasets.rows import Row
from lorry.gui.datasets.table_model import DatasetTableModel
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.question import Question
from lorry.gui.shell.theme import Theme
from lorry.text.error_text import describe
from lorry.text.format import plural, safe_name

if TYPE_CHECKING:
    from lorry.core.client import Client


class DatasetEdits(QObject):
    """Acts on rows the window hands over.

    Signals:
        undo_changed(bool): whether there is a deletion to take back.
        refresh_wanted(): the list on screen may be wrong.
        failed(LorryError): something could not be done (also told by a notice unless it is about sign-in).
    """

    undo_changed = Signal(bool)
    refresh_wanted = Signal()
    failed = Signal(object)

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        theme: Theme,
        model: DatasetTableModel,
        notices: NoticeBar,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._client, self._inbox, self._theme = client, inbox, theme
        self._model, self._notices, self._window = model, notices, window
        self._deleted: tuple[UUID, ...] = ()

    @property
    def can_undo(self) -> bool:
        return bool(self._deleted)

    def delete(self, rows: Sequence[Row]) -> None:
        """Put datasets away; uploads that failed leave the list. Running uploads are not touched."""
        for row in rows:
            if row.is_local and row.transfer is not None and row.transfer.error is not None:
                self._client.dismiss_upload(row.dataset_id)
        wanted = tuple(row.dataset_id for row in rows if row.dataset is not None and not row.is_local)
        if not wanted:
            return
        for dataset_id in wanted:
            self._model.remove(dataset_id)

        def work() -> tuple[UUID, ...]:
            for dataset_id in wanted:
                self._client.delete_dataset(dataset_id)
            return wanted

        self._inbox.run(work, self._on_deleted, self._on_failed)

    def undo(self) -> None:
        """Bring back what was deleted last."""
        wanted, self._deleted = self._deleted, ()
        self.undo_changed.emit(False)
        self._notices.withdraw("deleted")

        def work() -> int:
            for dataset_id in wanted:
                self._client.restore_dataset(dataset_id)
            return len(wanted)

        if wanted:
            self._inbox.run(work, self._on_restored, self._on_failed)

    def forget(self) -> None:
        """Another user: nothing of the former can be undone."""
        self._deleted = ()
        self._notices.withdraw("deleted")
        self.undo_changed.emit(False)

    def edit(self, dataset: Dataset) -> EditDialog:
        """Open the dialog for name and description."""
        dialog = EditDialog(self._client, self._inbox, self._theme, dataset, self._window)
        dialog.saved.connect(self._model.put_dataset)
        dialog.open()
        return dialog

    def validate(self, dataset: Dataset) -> None:
        """Have the server check a dataset once more."""
        self._inbox.run(lambda: self._client.validate_again(dataset.id), self._on_validating, self._on_failed)

    def discard(self, dataset: Dataset) -> Question:
        """Ask, then remove an upload that was begun elsewhere and has not ended."""
        question = Question(
            self._theme,
            self._window,
            f"Discard {safe_name(dataset.name)}?",
            "Its upload was begun on another computer or by another copy of Lorry and has not ended. "
            "What is stored of it is removed for good; the file itself stays where it is.",
            yes="Discard",
            no="Keep",
        )
        question.accepted.connect(lambda: self._discard(dataset.id))
        question.open()
        return question

    def _discard(self, dataset_id: UUID) -> None:
        self._inbox.run(
            lambda: self._client.discard_dataset(dataset_id), lambda _none: self.refresh_wanted.emit(), self._on_failed
        )

    def _on_deleted(self, deleted: tuple[UUID, ...]) -> None:
        self._deleted = deleted
        self.undo_changed.emit(True)
        number = len(deleted)
        self._notices.post(
            Notice(
                "deleted",
                Urgency.UNDO,
                "Dataset deleted." if number == 1 else f"{plural(number, 'dataset')} deleted.",
                icon="undo-2",
                action="Undo",
                on_action=self.undo,
            )
        )

    def _on_restored(self, _number: int) -> None:
        self.refresh_wanted.emit()

    def _on_validating(self, dataset: Dataset) -> None:
        self._model.put_dataset(dataset)

    def _on_failed(self, error: LorryError) -> None:
        words = describe(error)
        self._notices.post(
            Notice("edit_failed", Urgency.RESULT, words.what, words.meaning, icon="circle-x", tone="error")
        )
        self.failed.emit(error)
        self.refresh_wanted.emit()
