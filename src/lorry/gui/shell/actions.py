"""The commands of the main window: their words, keys and menus. What they do is connected by the window.

A command stands in a menu or it does not exist: no key works that no menu shows.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from lorry.gui.shell.theme import Scheme, Theme

_SCHEME_WORDS = {Scheme.SYSTEM: "As the system", Scheme.LIGHT: "Light", Scheme.DARK: "Dark"}


class Actions(QObject):
    """One QAction per command, by name."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        key = QKeySequence.StandardKey
        self.upload = self._action("&Upload…", "upload", key.Open)
        self.paste = self._action("&Paste files", "", key.Paste)
        self.quit = self._action("&Quit", "", key.Quit)
        if self.quit.shortcut().isEmpty():
            self.quit.setShortcut(QKeySequence("Ctrl+Q"))
        self.quit.setMenuRole(QAction.MenuRole.QuitRole)
        self.sign_in = self._action("Sign &in…", "log-in")
        self.sign_out = self._action("Sign &out", "log-out")
        self.copy = self._action("&Copy rows", "copy", key.Copy)
        self.select_all = self._action("Select &all", "", key.SelectAll)
        self.find = self._action("&Find", "search", key.Find)
        self.undo = self._action("&Undo delete", "undo-2", key.Undo)
        self.refresh = self._action("&Refresh", "refresh-cw")
        self.refresh.setShortcuts([QKeySequence("F5"), QKeySequence("Ctrl+R")])
        self.details = self._action("&Details", "panel-right", "Ctrl+I")
        self.details.setCheckable(True)
        self.transfers = self._action("&Transfers", "panel-bottom", "Ctrl+J")
        self.transfers.setCheckable(True)
        self.next_area = self._action("Next &area", "", "F6")
        self.former_area = self._action("Pre&vious area", "", "Shift+F6")
        self.open = self._action("&Open details", "")
        self.edit = self._action("&Edit name…", "pencil", "F2")
        self.validate = self._action("&Validate again", "rotate-cw")
        self.delete = self._action("&Delete", "trash-2", key.Delete)
        self.discard = self._action("Disc&ard incomplete…", "x")
        self.about = self._action("&About Lorry", "info")
        self.about.setMenuRole(QAction.MenuRole.AboutRole)
        self.schemes = {scheme: self._action(word, "") for scheme, word in _SCHEME_WORDS.items()}
        group = QActionGroup(self)
        for scheme, action in self.schemes.items():
            action.setCheckable(True)
            action.setChecked(scheme is theme.scheme)
            group.addAction(action)

    def fill_menus(self, window: QMainWindow, transfers: QMenu) -> None:
        """Make the menu bar of `window`; `transfers` is the menu about uploads."""
        bar = window.menuBar()
        file_menu = bar.addMenu("&File")
        _fill(file_menu, self.upload, None, self.sign_in, self.sign_out, None, self.quit)
        _fill(bar.addMenu("&Edit"), self.undo, None, self.copy, self.paste, None, self.select_all, self.find)
        view = bar.addMenu("&View")
        _fill(view, self.refresh, None, self.transfers, self.details)
        view.addSeparator()
        _fill(view, self.next_area, self.former_area)
        view.addSeparator()
        _fill(view.addMenu("&Appearance"), *self.schemes.values())
        dataset = bar.addMenu("&Dataset")
        _fill(dataset, self.open, self.edit, self.validate, None, self.delete, self.discard)
        bar.addMenu(transfers)
        _fill(bar.addMenu("&Help"), self.about)

    def fill_row_menu(self, menu: QMenu) -> QMenu:
        """The menu of the right mouse button on rows."""
        _fill(menu, self.open, self.edit, self.validate, None, self.copy, None, self.delete, self.discard)
        return menu

    def _action(self, text: str, icon: str, shortcut: QKeySequence.StandardKey | str | None = None) -> QAction:
        action = QAction(text, self)
        if icon:
            self._theme.bind_icon(action, icon)
        if shortcut is not None:
            action.setShortcut(QKeySequence(shortcut))
        return action


def _fill(menu: QMenu, *actions: QAction | None) -> None:
    for action in actions:
        if action is None:
            menu.addSeparator()
        else:
            menu.addAction(action)
