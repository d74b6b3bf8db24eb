"""The upload dialogs of the window: one for new files, one for each upload that is looked at.

Closing a dialog leaves its upload running; asking for it again brings the same dialog back. What holds all uploads up
is told here too: no connection, no room on the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.errors import LorryError
from lorry.core.transfers import Transfer, TransferState, WaitReason
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.dialog import UploadDialog
from lorry.text.error_text import describe

if TYPE_CHECKING:
    from lorry.core.client import Client

_HELD_UP = "held_up"


class UploadDesk(QObject):
    """Signals:
    show_dataset(UUID): select this dataset in the table.
    sign_in_wanted(): an upload waits until somebody signs in.
    cut_off(): an upload waits because the server cannot be reached.
    """

    show_dataset = Signal(object)
    sign_in_wanted = Signal()
    cut_off = Signal()

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, notices: NoticeBar, window: QWidget) -> None:
        super().__init__(window)
        self._client, self._inbox, self._theme = client, inbox, theme
        self._notices, self._window = notices, window
        self._dialogs: list[UploadDialog] = []
        inbox.transfer_changed.connect(self._on_transfer_changed)
        inbox.progressed.connect(self._on_progressed)

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

    def is_watched(self, dataset_id: UUID) -> bool:
        """Whether the dialog of an upload is on screen."""
        return any(dialog.isVisible() and dialog.followed == dataset_id for dialog in self._dialogs)

    def go_on(self) -> None:
        """There is reason to believe that it works now: uploads wait no longer."""
        self._inbox.do(self._client.go_on_now)

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

    def _on_transfer_changed(self, transfer: Transfer) -> None:
        if transfer.state is not TransferState.WAITING or transfer.error is None:
            return
        if transfer.waits_for is WaitReason.NETWORK:
            self.cut_off.emit()
        elif transfer.waits_for is WaitReason.DISK:
            self._tell_held_up(transfer.error)

    def _on_progressed(self, transfers: tuple[Transfer, ...]) -> None:
        if all(transfer.waits_for is not WaitReason.DISK for transfer in transfers):
            self._notices.withdraw(_HELD_UP)

    def _tell_held_up(self, error: LorryError) -> None:
        words = describe(error)
        self._notices.post(
            Notice(
                _HELD_UP,
                Urgency.TROUBLE,
                words.what,
                words.meaning,
                icon="circle-x",
                tone="error",
                action="Try again",
                action_icon="rotate-cw",
                on_action=self.go_on,
            )
        )


def _bring_up(dialog: UploadDialog) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
