"""The bar under the toolbar that says one thing at a time.

Several notices may hold at once; the most urgent is shown. Results and Undo leave after ten seconds unless the pointer
or the keyboard is on them; what stays true (offline, sign in) stays until it is withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from lorry.gui.shell.safe_label import SafeLabel
from lorry.gui.shell.theme import Theme

HIDE_MS = 10_000


class Urgency(IntEnum):
    """Which notice wins, the smallest first."""

    TROUBLE = 0
    SIGN_IN = 1
    PROJECT = 2
    OFFLINE = 3
    RESULT = 4
    UNDO = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say. A later notice with the same `key` replaces it; `tone` names the ground."""

    key: str
    urgency: Urgency
    lead: str
    text: str = ""
    icon: str = "info"
    tone: str = "accent"
    action: str = ""
    action_icon: str = ""
    on_action: Callable[[], None] | None = None
    is_closable: bool = True

    @property
    def is_passing(self) -> bool:
        """Whether it leaves by itself."""
        return self.urgency >= Urgency.RESULT


class NoticeBar(QFrame):
    """Shows the most urgent of the notices that hold; hidden while there is none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, hide_ms: int = HIDE_MS) -> None:
        super().__init__(parent)
        self.setProperty("kind", "notice")
        self.setAccessibleName("Notice")
        self._theme = theme
        self._notices: dict[str, Notice] = {}
        self._shown: Notice | None = None
        self._timer = QTimer(self, singleShot=True, interval=hide_ms)
        self._timer.timeout.connect(self._on_time_up)
        self._icon = QLabel()
        self._lead = SafeLabel()
        self._text = SafeLabel(selectable=True)
        self._text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._text.setWordWrap(True)
        self._action = QPushButton()
        self._action.setProperty("compact", True)
        self._action.clicked.connect(self._on_action_clicked)
        self._close = QToolButton()
        self._close.setProperty("compact", True)
        self._close.setAccessibleName("Close the notice")
        self._close.setToolTip("Close")
        theme.bind_icon(self._close, "x")
        self._close.clicked.connect(self._on_close_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 5, 12, 6)
        layout.setSpacing(0)
        layout.addWidget(self._icon)
        layout.addSpacing(10)
        layout.addWidget(self._lead)
        layout.addSpacing(4)
        layout.addWidget(self._text, 1)
        layout.addSpacing(8)
        layout.addWidget(self._action)
        layout.addSpacing(4)
        layout.addWidget(self._close)
        self.setMinimumHeight(40)
        theme.changed.connect(self._paint_again)
        self.hide()

    @property
    def shown(self) -> Notice | None:
        """The notice on screen."""
        return self._shown

    def post(self, notice: Notice) -> None:
        """Say something, or say it anew. A passing notice replaces any other passing one."""
        if notice.is_passing:
            for key in [key for key, other in self._notices.items() if other.is_passing]:
                del self._notices[key]
        self._notices[notice.key] = notice
        self._choose()

    def withdraw(self, key: str) -> None:
        """What this notice said is no longer so."""
        if self._notices.pop(key, None) is not None:
            self._choose()

    def _choose(self) -> None:
        best = min(self._notices.values(), key=lambda notice: notice.urgency, default=None)
        if best == self._shown:
            return
        self._shown = best
        self._timer.stop()
        if best is None:
            self.hide()
            return
        self._lead.setText(best.lead)
        self._text.setText(best.text)
        self._action.setVisible(bool(best.action))
        self._action.setText(best.action)
        if best.action_icon:
            self._theme.bind_icon(self._action, best.action_icon, "text")
        else:
            self._theme.unbind_icon(self._action)
        self._close.setVisible(best.is_closable)
        self.setProperty("tone", best.tone)
        self._paint_again()
        self.show()
        self._announce(best)
        if best.is_passing:
            self._timer.start()

    def _paint_again(self) -> None:
        self.style().unpolish(self)
        self.style().polish(self)
        self._lead.setFont(self._theme.font("bodyStrong"))
        if self._shown is not None:
            tint = "accentText" if self._shown.tone == "accent" else self._shown.tone
            self._icon.setPixmap(self._theme.pixmap(self._shown.icon, tint, 16, self.devicePixelRatioF()))

    def _announce(self, notice: Notice) -> None:
        words = f"{notice.lead} {notice.text}".strip()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _on_time_up(self) -> None:
        if self.underMouse() or self._has_focus():
            self._timer.start()
        elif self._shown is not None:
            self.withdraw(self._shown.key)

    def _has_focus(self) -> bool:
        focus = QApplication.focusWidget()
        return focus is not None and self.isAncestorOf(focus)

    def _on_action_clicked(self) -> None:
        notice = self._shown
        if notice is None:
            return
        if notice.is_passing:
            self.withdraw(notice.key)
        if notice.on_action is not None:
            notice.on_action()

    def _on_close_clicked(self) -> None:
        if self._shown is not None:
            self.withdraw(self._shown.key)
