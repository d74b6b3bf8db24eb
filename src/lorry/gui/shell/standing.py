"""How things stand between this computer and the server, told by notices: offline, sign in again, other failures.

While the server cannot be reached it is asked again every 15 s; the rows on screen stay. Main thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QObject, QTimer, Signal

from lorry.core.errors import AuthError, ErrorCode, LorryError, NetworkError
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.text.error_text import describe
from lorry.text.format import plural

AGAIN_MS = 15_000
OFFLINE, SIGN_IN, TROUBLE = "offline", "sign_in", "list_failed"


class Standing(QObject):
    """Turns good and bad answers into notices and into trying again.

    Signals:
        retry_wanted(): ask the server again.
        try_now_wanted(): the user does not want to wait; uploads do not either.
        sign_in_wanted(): the user pressed Sign in.
        back_online(): the server answers after it could not be reached.
    """

    retry_wanted = Signal()
    try_now_wanted = Signal()
    back_online = Signal()
    sign_in_wanted = Signal()

    def __init__(self, notices: NoticeBar, uploads_kept: Callable[[], int], parent: QObject) -> None:
        """`uploads_kept` counts the uploads that wait for a sign-in."""
        super().__init__(parent)
        self._notices = notices
        self._uploads_kept = uploads_kept
        self._is_online = True
        self._timer = QTimer(self, interval=AGAIN_MS)
        self._timer.timeout.connect(self.retry_wanted)

    @property
    def is_online(self) -> bool:
        return self._is_online

    def on_answer(self) -> None:
        """The server answered as it should: nothing is wrong."""
        was_online, self._is_online = self._is_online, True
        self._timer.stop()
        for key in (OFFLINE, SIGN_IN, TROUBLE):
            self._notices.withdraw(key)
        if not was_online:
            self.back_online.emit()

    def on_failure(self, error: LorryError, read_at: datetime | None) -> None:
        """Reading failed; `read_at` is how old what is shown is, None when nothing is."""
        if isinstance(error, AuthError):
            self.on_no_account(error)
            return
        self._is_online = not isinstance(error, NetworkError)
        self._notices.withdraw(TROUBLE if not self._is_online else OFFLINE)
        self._notices.post(self._failure_notice(error) if self._is_online else self._offline_notice(read_at))
        if error.retryable:
            self._timer.start()
        else:
            self._timer.stop()

    def on_no_account(self, reason: LorryError | None) -> None:
        """Nobody is signed in. Without a reason it was never so or the user's choice, and the window says it itself."""
        if reason is not None and not isinstance(reason, AuthError):
            self.on_failure(reason, None)
            return
        self._is_online = True
        self._timer.stop()
        self._notices.withdraw(OFFLINE)
        self._notices.withdraw(TROUBLE)
        if reason is None or (reason.code is ErrorCode.NOT_SIGNED_IN and not self._uploads_kept()):
            self._notices.withdraw(SIGN_IN)
            return
        kept = self._uploads_kept()
        text = f"Your {plural(kept, 'upload')} {'is' if kept == 1 else 'are'} kept." if kept else ""
        self._notices.post(
            Notice(
                SIGN_IN,
                Urgency.SIGN_IN,
                "Please sign in again.",
                text,
                icon="triangle-alert",
                tone="warn",
                action="Sign in",
                on_action=self.sign_in_wanted.emit,
                is_closable=False,
            )
        )

    def _offline_notice(self, read_at: datetime | None) -> Notice:
        shown = f"Showing data from {read_at.astimezone():%H:%M}. " if read_at else ""
        return Notice(
            OFFLINE,
            Urgency.OFFLINE,
            "Offline.",
            f"{shown}Uploads go on by themselves when the connection is back.",
            icon="wifi-off",
            tone="idle",
            action="Try now",
            action_icon="rotate-cw",
            on_action=self.try_now_wanted.emit,
            is_closable=False,
        )

    def _failure_notice(self, error: LorryError) -> Notice:
        words = describe(error)
        return Notice(
            TROUBLE,
            Urgency.PROJECT,
            words.what,
            words.meaning,
            icon="circle-x",
            tone="error",
            action="Try again",
            action_icon="rotate-cw",
            on_action=self.retry_wanted.emit,
        )
