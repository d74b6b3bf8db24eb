"""How the parts of the main window share its room: table over transfers at the left, details at the right.

Opens and closes both panels, keeps the sizes the user gave them, and goes from one area to the next. Main thread only.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from lorry.gui.datasets.details import WIDTH, DetailsPanel
from lorry.gui.datasets.list_pane import ListPane
from lorry.gui.datasets.rows import Column
from lorry.gui.shell.actions import Actions
from lorry.gui.shell.notice_bar import NoticeBar
from lorry.gui.shell.window_memory import WindowMemory
from lorry.gui.transfers.panel import TransfersPanel

#: Under this width an open details panel hides Pairs and Created.
NARROW_WIDTH = 1000


class WindowLayout(QObject):
    """Puts the parts into `window`, which keeps them."""

    def __init__(
        self,
        window: QMainWindow,
        notices: NoticeBar,
        pane: ListPane,
        transfers: TransfersPanel,
        details: DetailsPanel,
        commands: Actions,
        memory: WindowMemory,
    ) -> None:
        super().__init__(window)
        self._window, self._notices, self._pane, self._table = window, notices, pane, pane.table
        self._transfers, self._details, self._commands, self._memory = transfers, details, commands, memory
        self._is_useful = True
        self.left = _splitter(Qt.Orientation.Vertical, pane, transfers)
        self.splitter = _splitter(Qt.Orientation.Horizontal, self.left, details)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(notices)
        column.addWidget(self.splitter, 1)
        window.setCentralWidget(centre)
        transfers.hide()
        self._restore()
        self._connect()

    def _restore(self) -> None:
        memory = self._memory
        memory.restore_window(self._window)
        memory.restore_columns(self._table.horizontalHeader())
        width = memory.details_width or WIDTH
        self.splitter.setSizes([max(1, self._window.width() - width - 1), width])
        self._commands.details.setChecked(memory.is_details_open)
        self._details.setVisible(memory.is_details_open)

    def _connect(self) -> None:
        commands, transfers = self._commands, self._transfers
        commands.details.toggled.connect(self._on_details_toggled)
        commands.transfers.toggled.connect(self._on_transfers_toggled)
        commands.next_area.triggered.connect(lambda: self._go(1))
        commands.former_area.triggered.connect(lambda: self._go(-1))
        self._details.closed.connect(lambda: commands.details.setChecked(False))
        # What opened by itself closes by itself.
        transfers.filled.connect(lambda: commands.transfers.setChecked(True))
        transfers.emptied.connect(lambda: commands.transfers.setChecked(False))
        transfers.rows_changed.connect(self._fit_transfers)
        self.left.splitterMoved.connect(self._on_left_moved)

    def show_details(self, *, is_useful: bool) -> None:
        """The details are there when they are wanted and there can be something to select."""
        self._is_useful = is_useful
        self._details.setVisible(self._commands.details.isChecked() and is_useful)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give up Pairs and Created where an open details panel leaves too little room."""
        is_narrow = self._window.width() < NARROW_WIDTH and not self._details.isHidden()
        for column in (Column.PAIRS, Column.CREATED):
            if self._table.isColumnHidden(column) != is_narrow:
                self._table.setColumnHidden(column, is_narrow)

    def save(self) -> None:
        """Remember everything the user arranged."""
        self._memory.save(self._window, self._table.horizontalHeader())
        width = 0 if self._details.isHidden() else self._details.width()
        self._memory.save_details(self._commands.details.isChecked(), width)

    def _on_details_toggled(self, is_open: bool) -> None:
        self._memory.save_details(is_open, 0 if is_open else self._details.width())
        self.show_details(is_useful=self._is_useful)

    def _on_transfers_toggled(self, is_open: bool) -> None:
        had_focus = self._transfers.isAncestorOf(self._window.focusWidget() or self._window)
        self._transfers.setVisible(is_open)
        if is_open:
            self._fit_transfers()
        elif had_focus:
            self._table.setFocus()

    def _on_left_moved(self, _place: int, _handle: int) -> None:
        self._memory.save_transfers_height(self._transfers.height())

    def _fit_transfers(self) -> None:
        """As high as the user made it, else as its rows; never more than half of the room."""
        if self._transfers.isHidden():
            return
        room = self.left.height()
        wanted = self._memory.transfers_height or self._transfers.natural_height
        height = max(self._transfers.minimumHeight(), min(wanted, room // 2))
        self.left.setSizes([room - height - self.left.handleWidth(), height])

    def _go(self, step: int) -> None:
        """Bring the keyboard to the next area that is there: toolbar, notice, table, details, transfers."""
        toolbar = next(bar for bar in self._window.children() if bar.objectName() == "toolbar")
        areas = [toolbar, self._notices, self._pane, self._details, self._transfers]
        shown = [area for area in areas if isinstance(area, QWidget) and area.isVisible()]
        here = self._window.focusWidget()
        at = next((n for n, area in enumerate(shown) if here is not None and area.isAncestorOf(here)), 0)
        for offset in range(1, len(shown)):
            target = _first_stop(shown[(at + step * offset) % len(shown)])
            if target is not None:
                target.setFocus(Qt.FocusReason.ShortcutFocusReason)
                return


def _splitter(orientation: Qt.Orientation, first: QWidget, second: QWidget) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setChildrenCollapsible(False)
    splitter.setHandleWidth(1)
    splitter.addWidget(first)
    splitter.addWidget(second)
    splitter.setStretchFactor(0, 1)
    return splitter


def _first_stop(area: QWidget) -> QWidget | None:
    """The table of an area, else the first widget in it that takes Tab."""
    stops = [
        widget
        for widget in area.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    return next((widget for widget in stops if widget.inherits("QTableView")), stops[0] if stops else None)
