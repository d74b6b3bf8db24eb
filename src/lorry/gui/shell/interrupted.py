"""Uploads an earlier run left open: says how many after a sign-in, and takes them up again when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from lorry.core.errors import LorryError
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.text.error_text import describe
from lorry.text.format import plural

if TYPE_CHECKING:
    from lorry.core.client import Client

_KEY = "interrupted"


class InterruptedUploads(QObject):
    """Looks once after each sign-in; the journal is read on a task thread."""

    def __init__(self, client: Client, inbox: Inbox, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._client, self._inbox, self._notices = client, inbox, notices

    def look(self) -> None:
        """Count them, and offer to go on when there are any."""
        self._inbox.run(lambda: self._client.interrupted_count, self._on_counted, self._on_failed)

    def forget(self) -> None:
        """They belong to somebody who is not signed in any more."""
        self._notices.withdraw(_KEY)

    def _on_counted(self, number: int) -> None:
        if not number:
            return
        was, them = ("was", "it") if number == 1 else ("were", "them")
        self._notices.post(
            Notice(
                _KEY,
                Urgency.PROJECT,
                f"{plural(number, 'upload')} {was} interrupted.",
                f"Lorry can go on with {them} now.",
                icon="history",
                action="Resume",
                action_icon="play",
                on_action=self._resume,
            )
        )

    def _resume(self) -> None:
        self._notices.withdraw(_KEY)
        self._inbox.run(self._client.resume_interrupted, self._on_resumed, self._on_failed)

    def _on_resumed(self, _ids: object) -> None:
        self._inbox.watch_progress()

    def _on_failed(self, error: LorryError) -> None:
        words = describe(error)
        self._notices.post(Notice(_KEY, Urgency.TROUBLE, words.what, words.meaning, icon="circle-x", tone="error"))
