"""The left side of the window: table and pager, or the reason why there is nothing to show."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from lorry.gui.datasets.empty_state import EmptyCase, EmptyState
from lorry.gui.datasets.pager import Pager
from lorry.gui.datasets.table_model import DatasetTableModel
from lorry.gui.datasets.table_view import DatasetTableView
from lorry.gui.shell.theme import Theme

#: A list that answers sooner than this never says "Loading".
LOADING_AFTER_MS = 300


class ListPane(QFrame):
    """Table, pager and empty state; which of them is seen is decided from outside."""

    def __init__(self, model: DatasetTableModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "surface")
        self.table = DatasetTableView(model, theme)
        self.pager = Pager(theme)
        self.empty = EmptyState(theme, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.pager)
        self.empty.raise_()
        self.empty.hide()

    def show_rows(self) -> None:
        """The table alone."""
        had_focus = self.empty.button.hasFocus()
        self.empty.hide()
        if had_focus:
            self.table.setFocus()

    def show_empty(self, case: EmptyCase, sentence: str = "") -> None:
        """The reason in place of the rows; the header stays only while filters hide everything."""
        self.empty.show_case(case, sentence)
        self.pager.hide()
        self._place()
        self.empty.show()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        top = self.table.horizontalHeader().height() if self.empty.case is EmptyCase.NO_MATCH else 0
        self.empty.setGeometry(self.rect().adjusted(0, top, 0, 0))
