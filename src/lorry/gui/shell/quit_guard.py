"""Whether the window may close: asks first while uploads run, and remembers the answer."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from lorry.gui.shell.quit_question import QuitQuestion
from lorry.gui.shell.theme import Theme


class QuitGuard(QObject):
    """Asked by the window each time somebody wants to close it.

    Signals:
        confirmed(): the user wants to quit although uploads run.
    """

    confirmed = Signal()

    def __init__(self, theme: Theme, count_active: Callable[[], int], window: QWidget) -> None:
        """`count_active` says how many uploads run or wait."""
        super().__init__(window)
        self._theme, self._count_active, self._window = theme, count_active, window
        self._is_confirmed = False
        self._question: QuitQuestion | None = None

    @property
    def question(self) -> QuitQuestion | None:
        """The question on screen, or None."""
        return self._question

    def may_close(self) -> bool:
        """True when nothing runs or the user has agreed; otherwise the question is on screen now."""
        running = self._count_active()
        if not running or self._is_confirmed:
            return True
        if self._question is None:
            self._question = QuitQuestion(self._theme, running, self._window)
            self._question.finished.connect(self._on_finished)
            self._question.open()
        else:
            self._question.raise_()
        return False

    def _on_finished(self, code: int) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.deleteLater()
        if code == QDialog.DialogCode.Accepted:
            self._is_confirmed = True
            self.confirmed.emit()
