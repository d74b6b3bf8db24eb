"""Uploads an earlier run left open: takes them up again by itself after a sign-in, and says so.

Those another window is working on are left to it, those the user paused stay paused, and those that were being
cancelled are only cleared away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Signal

from lorry.core.errors import LorryError
from lorry.core.transfers import TransferState
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.text.error_text import damaged_journal, describe
from lorry.text.format import plural

if TYPE_CHECKING:
    from lorry.core.client import Client

_KEY, _DAMAGED = "interrupted", "damaged_journal"


class InterruptedUploads(QObject):
    """Looks once after each sign-in; the journal is read on a task thread.

    Signals:
        show_uploads(UUID): the user wants to see them, this one first.
    """

    show_uploads = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._client, self._inbox, self._notices = client, inbox, notices

    def take_up(self) -> None:
        """Queue them again and tell how many there are, or that nobody knows any more."""
        if self._client.damaged_journal is not None:
            words = damaged_journal(self._client.damaged_journal)
            self._notices.post(
                Notice(_DAMAGED, Urgency.TROUBLE, words.what, words.meaning, icon="triangle-alert", tone="warn")
            )
        self._inbox.run(self._client.resume_interrupted, self._on_resumed, self._on_failed)

    def forget(self) -> None:
        """They belong to somebody who is not signed in any more."""
        self._notices.withdraw(_KEY)
        self._notices.withdraw(_DAMAGED)

    def _on_resumed(self, dataset_ids: list[UUID]) -> None:
        if not dataset_ids:
            return
        self._inbox.watch_progress()
        held = (TransferState.PAUSED, TransferState.FAILED)
        still = {transfer.dataset_id for transfer in self._client.snapshot() if transfer.state in held}
        going_on = [dataset_id for dataset_id in dataset_ids if dataset_id not in still]
        if not going_on:
            return  # they stand in the panel as the user left them
        number, first_id = len(going_on), going_on[0]
        was, they = ("was", "It continues where it") if number == 1 else ("were", "They continue where they")
        self._notices.post(
            Notice(
                _KEY,
                Urgency.RESULT,
                f"{plural(number, 'upload')} {was} interrupted.",
                f"{they} stopped.",
                icon="history",
                action="Review",
                on_action=lambda: self.show_uploads.emit(first_id),
            )
        )

    def _on_failed(self, error: LorryError) -> None:
        words = describe(error)
        self._notices.post(Notice(_KEY, Urgency.TROUBLE, words.what, words.meaning, icon="circle-x", tone="error"))
