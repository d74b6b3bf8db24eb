"""The commands about uploads: their words, keys and menus. What they do is connected by `desk`.

The keys after the tabs are those the table itself listens to: they belong to it alone, so they are no window shortcuts.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from lorry.gui.shell.theme import Theme
from lorry.text.format import rough_size

#: At most this many uploads at once.
MOST_WORKERS = 4
#: The limits offered, bytes a second; None is no limit.
LIMITS = (None, 10_000_000, 5_000_000, 1_000_000)


class TransferActions(QObject):
    """One QAction per command, by name."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self.show = self._action("&Show upload\tReturn", "")
        self.act = self._action("&Pause\tSpace", "pause")
        self.cancel = self._action("&Cancel upload…\tDel", "x")
        self.up = self._action("Move &up\tAlt+Up", "arrow-up")
        self.down = self._action("Move &down\tAlt+Down", "arrow-down")
        self.copy_details = self._action("Copy d&etails", "copy")
        self.pause_all = self._action("P&ause all", "pause")
        self.resume_all = self._action("&Resume all", "play")
        self.retry_all = self._action("Re&try all", "rotate-cw")
        self.cancel_all = self._action("Ca&ncel all…", "x")
        self.hide = self._action("&Hide the panel\tCtrl+J", "")
        self.workers = {number: self._action(f"&{number}", "") for number in range(1, MOST_WORKERS + 1)}
        self.limits = {limit: self._action(limit_words(limit).capitalize(), "") for limit in LIMITS}
        self.custom_limit = self._action("&Custom…", "")
        _exclusive(self, *self.workers.values())
        _exclusive(self, *self.limits.values(), self.custom_limit)

    def bar_menu(self, parent: QWidget) -> QMenu:
        """The menu of the menu bar."""
        menu = QMenu("&Transfers", parent)
        self._fill_row(menu)
        menu.addSeparator()
        self._fill_all(menu)
        menu.addSeparator()
        menu.addMenu(self.workers_menu(menu))
        menu.addMenu(self.speed_menu(menu))
        return menu

    def row_menu(self, parent: QWidget) -> QMenu:
        """The menu of the right mouse button."""
        menu = QMenu(parent)
        self._fill_row(menu)
        return menu

    def all_menu(self, parent: QWidget) -> QMenu:
        """The menu at the end of the panel's header."""
        menu = QMenu(parent)
        self._fill_all(menu)
        menu.addSeparator()
        menu.addAction(self.hide)
        return menu

    def workers_menu(self, parent: QWidget) -> QMenu:
        """How many uploads run at once."""
        menu = QMenu("Uploads at &once", parent)
        menu.addActions(list(self.workers.values()))
        return menu

    def speed_menu(self, parent: QWidget) -> QMenu:
        """How fast all of them together may send."""
        menu = QMenu("Speed &limit", parent)
        menu.addActions(list(self.limits.values()))
        menu.addSeparator()
        menu.addAction(self.custom_limit)
        return menu

    def show_limit(self, limit_bps: int | None) -> None:
        """Mark the limit that holds."""
        self.limits.get(limit_bps, self.custom_limit).setChecked(True)
        is_own = limit_bps not in self.limits
        self.custom_limit.setText(f"&Custom: {limit_words(limit_bps)}…" if is_own else "&Custom…")

    def show_workers(self, workers: int) -> None:
        """Mark how many run at once."""
        if workers in self.workers:
            self.workers[workers].setChecked(True)

    def _fill_row(self, menu: QMenu) -> None:
        menu.addActions([self.show, self.act])
        menu.addSeparator()
        menu.addActions([self.up, self.down])
        menu.addSeparator()
        menu.addActions([self.copy_details, self.cancel])

    def _fill_all(self, menu: QMenu) -> None:
        menu.addActions([self.pause_all, self.resume_all, self.retry_all, self.cancel_all])

    def _action(self, text: str, icon: str) -> QAction:
        action = QAction(text, self)
        if icon:
            self._theme.bind_icon(action, icon)
        return action


def limit_words(limit_bps: int | None) -> str:
    """As "no limit", "5 MB/s"."""
    if limit_bps is None:
        return "no limit"
    return f"{rough_size(limit_bps).replace('.0 ', ' ')}/s"


def _exclusive(parent: QObject, *actions: QAction) -> None:
    group = QActionGroup(parent)
    for action in actions:
        action.setCheckable(True)
        group.addAction(action)
