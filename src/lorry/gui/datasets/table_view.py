"""The dataset table as a widget: columns, header with the sort arrow, selection, keys, context menu.

It shows a `DatasetTableModel` and says what the user wants; it changes nothing itself.
"""

from __future__ import annotations

from uuid import UUID

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStyle, QTableView, QWidget

from lorry.gui.datasets.delegates import FIRST_PAD, PAD, RowDelegate, StatusDelegate, row_height
from lorry.gui.datasets.rows import HEADERS, NUMBER_COLUMNS, Column, Row
from lorry.gui.datasets.table_model import DatasetTableModel
from lorry.gui.shell.row_ground import selected_numbers
from lorry.gui.shell.theme import Theme

HEADER_HEIGHT = 30
NAME_MIN_WIDTH = 160
#: column -> (width, the widest usual text; the column is never narrower than it)
_WIDTHS = {
    Column.STATUS: (168, "Uploading 100 %          "),
    Column.FORMAT: (82, "Format"),
    Column.SIZE: (92, "1,000.0 MB"),
    Column.PAIRS: (78, "1,000,000"),
    Column.CREATED: (136, "Yesterday 00:00"),
}


class DatasetTableView(QTableView):
    """The table.

    Signals:
        opened(Row): double click or Return on a row.
        selection_changed(): other rows are selected, or none.
    """

    opened = Signal(object)
    selection_changed = Signal()

    def __init__(self, model: DatasetTableModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        self._menu: QMenu | None = None
        self.setModel(model)
        self.setAccessibleName("Datasets")
        self.setHorizontalHeader(SortHeader(theme, self))
        self.setItemDelegate(RowDelegate(theme, self))
        self.setItemDelegateForColumn(Column.STATUS, StatusDelegate(theme, self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().hide()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self.doubleClicked.connect(self._on_double_clicked)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())
        # The whole row is marked as the current one; left to itself Qt repaints a single cell.
        self.selectionModel().currentRowChanged.connect(lambda *_: self.viewport().update())
        model.modelReset.connect(self._on_model_reset)
        model.rowsInserted.connect(lambda *_: self._keep_current())
        theme.changed.connect(self._on_theme_changed)
        self._saved_selection: list[UUID] = []
        self._saved_current: UUID | None = None
        model.modelAboutToBeReset.connect(self._on_model_about_to_reset)
        self._set_up_columns()
        self._on_theme_changed()

    # What the window asks

    @property
    def selected_rows(self) -> list[Row]:
        """The selected rows, from top to bottom."""
        return [self._model.row(number) for number in selected_numbers(self)]

    @property
    def current_row(self) -> Row | None:
        """The row the keyboard stands on, if it is selected; else the only selected one."""
        numbers, index = selected_numbers(self), self.currentIndex()
        if index.isValid() and index.row() in numbers:
            return self._model.row(index.row())
        return self._model.row(numbers[0]) if len(numbers) == 1 else None

    def select(self, dataset_id: UUID) -> bool:
        """Make a dataset the only selected one and scroll to it; False when it is not on this page."""
        number = self._model.find(dataset_id)
        if number is None:
            return False
        self.select_number(number)
        return True

    def select_number(self, number: int) -> None:
        """Make the row at a place the only selected one. QTableView.selectRow finds none in right-to-left layouts."""
        index = self._model.index(number, Column.NAME)
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.scrollTo(index)

    def set_menu(self, menu: QMenu) -> None:
        """What the right mouse button and the menu key show."""
        self._menu = menu

    # What Qt calls

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            row = self.current_row
            if row is not None:
                self.opened.emit(row)
                return
        is_arrow = event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and not event.modifiers()
        if is_arrow and self.currentIndex().isValid() and not self.selectionModel().hasSelection():
            # The first arrow takes the row the keyboard stands on; from there it goes on.
            self.select_number(self.currentIndex().row())
            return
        if event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not event.modifiers() and self._model.rowCount():
            # Rows are what one moves between; left to itself Qt goes to the first or last cell of the row.
            self.select_number(0 if event.key() == Qt.Key.Key_Home else self._model.rowCount() - 1)
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Type-ahead looks at the name, whichever cell the keyboard stands on."""
        current = self.currentIndex()
        if current.isValid() and current.column() != Column.NAME:
            self.selectionModel().setCurrentIndex(
                current.siblingAtColumn(Column.NAME), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        super().keyboardSearch(search)

    def _set_up_columns(self) -> None:
        header = self.horizontalHeader()
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(48)
        header.sectionResized.connect(self._on_section_resized)
        metrics = QFontMetrics(self._theme.font("body"))
        for column in Column:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            if column is Column.NAME:
                continue
            width, sample = _WIDTHS[column]
            header.resizeSection(column, max(width, metrics.horizontalAdvance(sample) + 2 * PAD))

    def fit_name(self) -> None:
        """Give Name the room the other columns leave, but not less than its minimum: then the table scrolls."""
        header = self.horizontalHeader()
        others = sum(
            header.sectionSize(column)
            for column in Column
            if column is not Column.NAME and not header.isSectionHidden(column)
        )
        wanted = max(NAME_MIN_WIDTH, self.viewport().width() - others)
        if header.sectionSize(Column.NAME) != wanted:
            header.resizeSection(Column.NAME, wanted)

    def setColumnHidden(self, column: int, hide: bool) -> None:
        super().setColumnHidden(column, hide)
        self.fit_name()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_name()

    def _on_section_resized(self, section: int, _old: int, _new: int) -> None:
        if section != Column.NAME:
            self.fit_name()

    def _on_theme_changed(self) -> None:
        metrics = QFontMetrics(self._theme.font("body"))
        vertical = self.verticalHeader()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setMinimumSectionSize(row_height(metrics))
        vertical.setDefaultSectionSize(row_height(metrics))
        self.horizontalHeader().setFixedHeight(max(HEADER_HEIGHT, metrics.height() + 12))
        self.viewport().update()

    def _on_double_clicked(self, index: QModelIndex) -> None:
        self.opened.emit(self._model.row(index.row()))

    def _on_menu_requested(self, point: QPoint) -> None:
        if self._menu is not None and self.indexAt(point).isValid():
            self._menu.popup(self.viewport().mapToGlobal(point))

    def _on_model_about_to_reset(self) -> None:
        self._saved_selection = [row.dataset_id for row in self.selected_rows]
        index = self.currentIndex()
        self._saved_current = self._model.row(index.row()).dataset_id if index.isValid() else None

    def _on_model_reset(self) -> None:
        """Select again what was selected, where the new page still has it."""
        selection = self.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        for dataset_id in self._saved_selection:
            number = self._model.find(dataset_id)
            if number is not None:
                selection.select(self._model.index(number, 0), flags.Select | flags.Rows)
        current = self._model.find(self._saved_current) if self._saved_current else None
        if current is not None:
            selection.setCurrentIndex(self._model.index(current, Column.NAME), flags.NoUpdate)
        self._keep_current()
        self.selection_changed.emit()

    def _keep_current(self) -> None:
        """A table without a current row is silent to screen readers and dead to the arrow keys."""
        if not self.currentIndex().isValid() and self._model.rowCount():
            first = self._model.index(0, Column.NAME)
            self.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)


class SortHeader(QHeaderView):
    """A header that paints its words, and an arrow after the one the rows are ordered by (newest first)."""

    SORTED = Column.CREATED
    ARROW = 12

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        theme.changed.connect(self.viewport().update)

    def paintSection(self, painter: QPainter, rect: QRect, logical_index: int) -> None:
        column = Column(logical_index)
        theme = self._theme
        painter.save()
        painter.fillRect(rect, theme.color("sunken"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.color("border"))
        font = theme.font("body")
        metrics = QFontMetrics(font)
        left = FIRST_PAD if self.visualIndex(logical_index) == 0 else PAD
        area = rect.adjusted(left, 0, -PAD, -1)
        arrow = self.ARROW + 4 if column is self.SORTED else 0
        word = metrics.elidedText(HEADERS[column], Qt.TextElideMode.ElideRight, area.width() - arrow)
        painter.setFont(font)
        painter.setPen(theme.color("text2"))
        direction = self.layoutDirection()
        is_right = (column in NUMBER_COLUMNS) != (direction == Qt.LayoutDirection.RightToLeft)
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        flags = side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QStyle.visualRect(direction, rect, area), int(flags), word)
        if arrow:
            place = QRect(
                area.left() + metrics.horizontalAdvance(word) + 4,
                rect.center().y() - self.ARROW // 2 + 1,
                self.ARROW,
                self.ARROW,
            )
            dpr = self.devicePixelRatioF()
            pixmap = theme.pixmap("arrow-down", "text2", self.ARROW, dpr)
            painter.drawPixmap(QStyle.visualRect(direction, rect, place), pixmap)
        painter.restore()
