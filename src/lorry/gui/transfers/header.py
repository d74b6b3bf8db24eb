"""The header of the transfers panel: what runs in words and speed, how many at once, how fast, and all at once."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from lorry.core.transfers import Transfer, TransferState
from lorry.gui.shell.menu_button import MenuButton
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button
from lorry.gui.transfers.actions import TransferActions, limit_words
from lorry.gui.transfers.lines import RowAction, action_of, counts, total_rate

HEIGHT = 40
#: Under this width the buttons lose their words, not the counts.
NARROW_WIDTH = 640


class PanelHeader(QFrame):
    """Buttons trigger the actions they are given; what holds is shown by the `show_…` methods."""

    def __init__(self, theme: Theme, actions: TransferActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "panelHeader")
        self._theme, self._actions = theme, actions
        self._main: QAction = actions.pause_all
        self._speed_words = ""
        self._main_shown: tuple[QAction | None, bool] = (None, False)
        self._counts = ElidedLabel()
        self.at_once = MenuButton(theme)
        self.at_once.setMenu(actions.workers_menu(self))
        self.speed = MenuButton(theme)
        self.speed.setMenu(actions.speed_menu(self))
        for button in (self.at_once, self.speed):
            button.setProperty("compact", True)
        self.all_button = push_button(theme, "Pause all", kind="flat", icon="pause", tint="text2", compact=True)
        self.all_button.clicked.connect(lambda: self._main.trigger())
        self.more = QToolButton()
        self.more.setProperty("compact", True)
        self.more.setAccessibleName("More about all transfers")
        self.more.setToolTip("More")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(actions.all_menu(self))
        theme.bind_icon(self.more, "chevron-down")
        self._line = QFrame()
        self._line.setProperty("kind", "upright")
        self._title = ThemedLabel(theme, "Transfers", "bodyStrong")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 5, 8, 6)
        row.setSpacing(8)
        row.addWidget(self._title)
        row.addWidget(self._counts, 1)
        for widget in (self.at_once, self.speed, self._line, self.all_button, self.more):
            row.addWidget(widget)
        self.setMinimumHeight(HEIGHT)
        theme.changed.connect(self._renew)
        self._renew()
        self.show_workers(1)
        self.show_limit(None)

    @property
    def counts(self) -> str:
        """The words after the title."""
        return self._counts.text

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Count them anew, and offer what can be done with all of them."""
        words, rate = counts(transfers), total_rate(transfers)
        self._counts.set_text(f"{words} · {rate}" if rate else words)
        kinds = {action_of(transfer) for transfer in transfers}
        has_failed = any(transfer.state is TransferState.FAILED for transfer in transfers)
        actions = self._actions
        actions.pause_all.setEnabled(RowAction.PAUSE in kinds)
        actions.resume_all.setEnabled(RowAction.RESUME in kinds)
        actions.retry_all.setEnabled(has_failed)
        actions.cancel_all.setEnabled(any(transfer.state is not TransferState.DONE for transfer in transfers))
        offered = (actions.pause_all, actions.resume_all, actions.retry_all)
        self._offer(next((action for action in offered if action.isEnabled()), actions.pause_all))

    def show_workers(self, workers: int) -> None:
        """How many run at once."""
        self.at_once.setText(f"At once: {workers}")
        self.at_once.setToolTip("How many uploads run at once")
        self._actions.show_workers(workers)

    def show_limit(self, limit_bps: int | None) -> None:
        """How fast all of them together may send."""
        self._speed_words = f"Speed: {limit_words(limit_bps)}"
        self.speed.setAccessibleName(self._speed_words)
        self.speed.setToolTip(f"{self._speed_words}. Limit the speed of all uploads together")
        self._actions.show_limit(limit_bps)
        self._fit()

    def _offer(self, action: QAction) -> None:
        """Put another command for all uploads on the button."""
        self._main = action
        self.all_button.setEnabled(action.isEnabled())
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        is_narrow = self.width() < NARROW_WIDTH
        style = Qt.ToolButtonStyle
        self.speed.setText("" if is_narrow else self._speed_words)
        self.speed.setToolButtonStyle(style.ToolButtonIconOnly if is_narrow else style.ToolButtonTextOnly)
        if self._main_shown == (self._main, is_narrow):
            return
        self._main_shown = (self._main, is_narrow)
        actions = self._actions
        words = {
            actions.pause_all: ("Pause all", "pause"),
            actions.resume_all: ("Resume all", "play"),
            actions.retry_all: ("Retry all", "rotate-cw"),
        }
        text, icon = words[self._main]
        self.all_button.setAccessibleName(text)
        self.all_button.setToolTip(text)
        self.all_button.setText("" if is_narrow else text)
        # After the text: a button without one has no gap behind its icon.
        self._theme.bind_icon(self.all_button, icon)

    def _renew(self) -> None:
        self.speed.setIcon(self._theme.icon("gauge"))
        self._counts.setFont(self._theme.font("body"))
        palette = self._counts.palette()
        palette.setColor(self._counts.foregroundRole(), self._theme.color("text2"))
        self._counts.setPalette(palette)
