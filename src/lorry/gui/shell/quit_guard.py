"""Whether the window may close: asks first while uploads run, remembers the answer, and waits for last bytes.

An answer to the very last bytes of an upload that nobody hears costs the whole upload, so quitting waits a little.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.transfers import Phase, Transfer, TransferState
from lorry.gui.shell.inbox import Inbox, is_active
from lorry.gui.shell.quit_question import QuitQuestion
from lorry.gui.shell.theme import Theme

#: The last bytes get this long to be confirmed after the user wanted to quit (s).
LAST_BYTES_S = 5


class QuitGuard(QObject):
    """Asked by the window each time somebody wants to close it.

    Signals:
        confirmed(): the user wants to quit although uploads run, and nothing hinders it any more.
    """

    confirmed = Signal()

    def __init__(
        self, theme: Theme, inbox: Inbox, snapshot: Callable[[], tuple[Transfer, ...]], window: QWidget
    ) -> None:
        super().__init__(window)
        self._theme, self._snapshot, self._window = theme, snapshot, window
        self._is_confirmed = False
        self._question: QuitQuestion | None = None
        self._patience = QTimer(self, singleShot=True, interval=LAST_BYTES_S * 1000)
        self._patience.timeout.connect(self._quit)
        inbox.progressed.connect(self._on_progressed)

    @property
    def question(self) -> QuitQuestion | None:
        """The question on screen, or None."""
        return self._question

    @property
    def is_waiting(self) -> bool:
        """Whether it only waits for last bytes to be confirmed."""
        return self._patience.isActive()

    def may_close(self) -> bool:
        """True when nothing runs or the user has agreed; otherwise the question is on screen now."""
        running = sum(1 for transfer in self._snapshot() if is_active(transfer))
        if not running or self._is_confirmed:
            return True
        if self._question is None:
            self._question = QuitQuestion(self._theme, running, self._window)
            self._question.quit_wanted.connect(self._on_quit_wanted)
            self._question.finished.connect(self._on_finished)
            self._question.open()
        else:
            self._question.raise_()
        return False

    def _on_quit_wanted(self) -> None:
        if self._question is not None and not self.is_waiting and is_confirming(self._snapshot()):
            self._question.show_waiting(LAST_BYTES_S)
            self._patience.start()
        else:
            self._quit()

    def _on_progressed(self, transfers: tuple[Transfer, ...]) -> None:
        if self.is_waiting and not is_confirming(transfers):
            self._quit()

    def _quit(self) -> None:
        self._is_confirmed = True
        if self._question is not None:
            self._question.accept()
        self.confirmed.emit()

    def _on_finished(self, _code: int) -> None:
        self._patience.stop()
        question, self._question = self._question, None
        if question is not None:
            question.deleteLater()


def is_confirming(transfers: tuple[Transfer, ...]) -> bool:
    """Whether the server has just been given the last bytes of an upload and has not answered yet."""
    return any(
        transfer.state is TransferState.RUNNING and transfer.phase in (Phase.FINISHING, Phase.VERIFYING)
        for transfer in transfers
    )
