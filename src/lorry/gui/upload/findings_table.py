"""The table of a check's findings: sorting, keys, menu, copying. It shows a `FindingsModel` and changes nothing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from lorry.core.model import Finding
from lorry.gui.shell.row_ground import selected_numbers
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.findings_cells import (
    ARROW,
    ARROW_GAP,
    FIRST_PAD,
    ICON,
    ICON_GAP,
    PAD,
    FindingDelegate,
    FindingsHeader,
)
from lorry.gui.upload.findings_model import HEADERS, Column, FindingsModel

_HEADER_HEIGHT, _ROW_HEIGHT = 30, 32
#: A word that is given exactly its width is cut at some font sizes.
_SLACK = 4
#: The message keeps this much, or the advice and then the column number are left to the strip below.
_MESSAGE_WIDTH, _ADVICE_WIDTH = 220, 150
_SAMPLES = {
    Column.LEVEL: "Warning",
    Column.RULE: "R00",
    Column.LINE: "1,000,000",
    Column.COLUMN: "10,000",
}


class FindingsTable(QTableView):
    """Rows are what one moves between; there is always a current one.

    Signals:
        current_changed(Finding | None): another finding is the current one.
    """

    current_changed = Signal(object)

    def __init__(self, model: FindingsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        #: Where the user has gone, to stay there when findings are added; None while nobody has gone anywhere.
        self._chosen: Finding | None = None
        self._is_resetting = False
        self.setModel(model)
        self.setAccessibleName("Findings")
        self.setHorizontalHeader(FindingsHeader(theme, self))
        self.setItemDelegate(FindingDelegate(theme, self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().hide()
        self.horizontalHeader().setMinimumSectionSize(24)
        self.sortByColumn(Column.LEVEL, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self.selectionModel().currentRowChanged.connect(self._on_current_row_changed)
        model.modelAboutToBeReset.connect(self._on_model_about_to_reset)
        model.modelReset.connect(self._on_model_reset)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @property
    def current(self) -> Finding | None:
        """The finding the keyboard stands on."""
        index = self.currentIndex()
        return self._model.finding(index.row()) if index.isValid() else None

    def select_number(self, number: int) -> None:
        """Make one row the current and only selected one, and show it."""
        index = self._model.index(number, Column.LEVEL)
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.scrollTo(index)

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) finding; the ends are where it stops."""
        rows, index = self._model.rowCount(), self.currentIndex()
        if rows:
            self.select_number(min(rows - 1, max(0, index.row() + by if index.isValid() else 0)))

    def copy(self) -> None:
        """Put the selected rows on the clipboard, or all rows that are shown when at most one is selected."""
        chosen = selected_numbers(self)
        self.copy_rows(chosen if len(chosen) > 1 else list(range(self._model.rowCount())))

    def copy_rows(self, rows: list[int]) -> None:
        """Put these rows on the clipboard."""
        if rows:
            QGuiApplication.clipboard().setText(self._model.lines(rows))

    # What Qt calls

    def event(self, event: QEvent) -> bool:
        """Copying belongs to the table while the keyboard is here."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.matches(QKeySequence.StandardKey.Copy)
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_rows(selected_numbers(self))
            return
        if event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not event.modifiers() and self._model.rowCount():
            self.select_number(0 if event.key() == Qt.Key.Key_Home else self._model.rowCount() - 1)
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            # Return in a list must not start an upload.
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        metrics, header = QFontMetrics(self._theme.font("body")), self.horizontalHeader()
        widths = {}
        for column, sample in _SAMPLES.items():
            own = metrics.horizontalAdvance(sample) + _SLACK + (ICON + ICON_GAP if column is Column.LEVEL else 0)
            words = metrics.horizontalAdvance(HEADERS[column]) + ARROW + ARROW_GAP
            widths[column] = max(own, words) + PAD + (FIRST_PAD if column is Column.LEVEL else PAD)
        rest = self.viewport().width() - sum(widths.values())
        has_advice = rest >= _MESSAGE_WIDTH + _ADVICE_WIDTH
        has_column = rest >= _MESSAGE_WIDTH
        self.setColumnHidden(Column.ADVICE, not has_advice)
        self.setColumnHidden(Column.COLUMN, not has_column)
        rest += 0 if has_column else widths[Column.COLUMN]
        advice = max(_ADVICE_WIDTH, rest * 2 // 5) if has_advice else 0
        for column, width in {**widths, Column.MESSAGE: max(80, rest - advice), Column.ADVICE: advice}.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            if width:
                header.resizeSection(column, width)

    def _on_theme_changed(self) -> None:
        metrics = QFontMetrics(self._theme.font("body"))
        vertical = self.verticalHeader()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        height = max(_ROW_HEIGHT, metrics.height() + 12)
        vertical.setMinimumSectionSize(height)
        vertical.setDefaultSectionSize(height)
        self.horizontalHeader().setFixedHeight(max(_HEADER_HEIGHT, metrics.height() + 12))
        self.setMinimumHeight(self.horizontalHeader().height() + 2 * height)
        self._fit_columns()
        self.viewport().update()

    def _on_menu_requested(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction("Copy")
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.triggered.connect(lambda: self.copy_rows(selected_numbers(self)))
        menu.addAction("Copy all shown").triggered.connect(lambda: self.copy_rows(list(range(self._model.rowCount()))))
        order = menu.addMenu("Order by")
        for column in Column:
            self._add_order(order, column)
        menu.popup(self.viewport().mapToGlobal(point))

    def _add_order(self, menu: QMenu, column: Column) -> None:
        action = QAction(HEADERS[column], menu)
        action.setCheckable(True)
        header = self.horizontalHeader()
        is_sorted = header.sortIndicatorSection() == column
        action.setChecked(is_sorted)
        is_rising = header.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder
        order = Qt.SortOrder.DescendingOrder if is_sorted and is_rising else Qt.SortOrder.AscendingOrder
        action.triggered.connect(lambda: self.sortByColumn(column, order))
        menu.addAction(action)

    def _on_current_row_changed(self) -> None:
        # The whole row is marked as the current one; left to itself Qt repaints a single cell.
        self.viewport().update()
        if not self._is_resetting:
            self._chosen = self.current
            self.current_changed.emit(self.current)

    def _on_model_about_to_reset(self) -> None:
        self._is_resetting = True

    def _on_model_reset(self) -> None:
        """Stay where the user went, if it is still there; a table without a current row is silent to screen readers."""
        number = self._model.find(self._chosen) if self._chosen is not None else None
        if number is None:
            self._chosen = None
        if self._model.rowCount():
            self.select_number(number or 0)
        self._is_resetting = False
        self.current_changed.emit(self.current)
