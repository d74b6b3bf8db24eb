"""The upload dialogs of the window: one for new files, one for each upload that is looked at; and what they end in.

Closing a dialog leaves its upload running; asking for it again brings the same dialog back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.errors import NetworkError
from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Transfer, TransferState
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.dialog import UploadDialog
from lorry.text.error_text import describe
from lorry.text.format import plural, safe_name

if TYPE_CHECKING:
    from lorry.core.client import Client


_UPLOADED = "uploaded"
#: A notice is one line wherever that is possible; the whole name stands in the table.
_NAME_MAX = 48


class UploadDesk(QObject):
    """Opens dialogs and says how uploads ended.

    Signals:
        show_dataset(UUID): select this dataset in the table.
        sign_in_wanted(): an upload waits until somebody signs in.
        cut_off(): an upload gave up because the server cannot be reached.
    """

    show_dataset = Signal(object)
    sign_in_wanted = Signal()
    cut_off = Signal()

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, notices: NoticeBar, window: QWidget) -> None:
        super().__init__(window)
        self._client, self._inbox, self._theme = client, inbox, theme
        self._notices, self._window = notices, window
        self._dialogs: list[UploadDialog] = []
        #: The upload the notice speaks of.
        self._told: UUID | None = None
        inbox.transfer_changed.connect(self._on_transfer_changed)
        inbox.dataset_changed.connect(self._on_dataset_changed)

    def open_files(self, paths: list[Path]) -> UploadDialog:
        """Offer files for upload, one after the other; none opens the empty form."""
        dialog = self._idle_dialog()
        dialog.choose(paths)
        _bring_up(dialog)
        return dialog

    def follow(self, dataset_id: UUID) -> UploadDialog:
        """Show an upload of this computer."""
        dialog = next((d for d in self._dialogs if d.followed == dataset_id), None) or self._idle_dialog()
        dialog.follow(dataset_id)
        _bring_up(dialog)
        return dialog

    def go_on(self) -> None:
        """The server can be reached again: start the uploads that gave up because it could not."""
        for transfer in self._client.snapshot():
            if transfer.state is TransferState.FAILED and isinstance(transfer.error, NetworkError):
                self._client.retry_upload(transfer.dataset_id)

    def _idle_dialog(self) -> UploadDialog:
        for dialog in self._dialogs:
            if not dialog.isVisible() and not self._is_needed(dialog):
                return dialog
        dialog = UploadDialog(self._client, self._inbox, self._theme, self._window)
        dialog.show_dataset.connect(self.show_dataset)
        dialog.sign_in_wanted.connect(self.sign_in_wanted)
        self._dialogs.append(dialog)
        return dialog

    def _is_needed(self, dialog: UploadDialog) -> bool:
        """Whether a hidden dialog still belongs to an upload that is not over."""
        return any(
            transfer.dataset_id == dialog.followed and transfer.state is not TransferState.DONE
            for transfer in self._client.snapshot()
        )

    def _is_watched(self, dataset_id: UUID) -> bool:
        return any(dialog.isVisible() and dialog.followed == dataset_id for dialog in self._dialogs)

    def _on_transfer_changed(self, transfer: Transfer) -> None:
        dataset_id = transfer.dataset_id
        if transfer.state is TransferState.FAILED and isinstance(transfer.error, NetworkError):
            self.cut_off.emit()
        if transfer.state is TransferState.DONE:
            self._told = dataset_id
            self._tell_uploaded(dataset_id, "Validation in progress.", icon="circle-check", tone="ok")
        elif transfer.state is TransferState.FAILED and not self._is_watched(dataset_id):
            name = _short(transfer.draft.name)
            reason = describe(transfer.error).what if transfer.error else ""
            self._notices.post(
                Notice(
                    "upload_failed",
                    Urgency.RESULT,
                    f"“{name}” was not uploaded.",
                    reason,
                    icon="circle-x",
                    tone="error",
                    action="Show",
                    on_action=lambda: self._show_failed(dataset_id),
                )
            )

    def _on_dataset_changed(self, dataset: Dataset) -> None:
        """The verdict: what the notice says of it is not so any more."""
        shown = self._notices.shown
        if dataset.id != self._told or shown is None or shown.key != _UPLOADED:
            return
        name = _short(dataset.name)
        if dataset.status is DatasetStatus.READY:
            self._tell_uploaded(dataset.id, f"“{name}” is ready.", icon="circle-check", tone="ok")
        elif dataset.status is DatasetStatus.ERROR:
            errors = dataset.finding_counts.get("error", 0)
            text = f"The server found {plural(errors, 'error')} in “{name}”." if errors else f"“{name}” is not usable."
            self._tell_uploaded(dataset.id, text, icon="circle-x", tone="error")

    def _tell_uploaded(self, dataset_id: UUID, text: str, *, icon: str, tone: str) -> None:
        self._notices.post(
            Notice(
                _UPLOADED,
                Urgency.RESULT,
                "Uploaded.",
                text,
                icon=icon,
                tone=tone,
                action="Show dataset",
                on_action=lambda: self.show_dataset.emit(dataset_id),
            )
        )

    def _show_failed(self, dataset_id: UUID) -> None:
        self.follow(dataset_id)


def _bring_up(dialog: UploadDialog) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()


def _short(name: str) -> str:
    safe = safe_name(name)
    return safe if len(safe) <= _NAME_MAX else f"{safe[: _NAME_MAX - 1].rstrip()}…"
