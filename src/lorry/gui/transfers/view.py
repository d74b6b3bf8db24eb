"""The transfers table as a widget: columns that follow the width, keys, context menu, painted buttons.

It shows a `TransferTableModel` and says what the user wants; it changes nothing itself. Dragging rows is `reorder`.
"""

from __future__ import annotations

from uuid import UUID

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStyleOptionViewItem, QWidget

from lorry.gui.shell.row_ground import selected_numbers
from lorry.gui.shell.theme import Theme
from lorry.gui.transfers.cells import Column
from lorry.gui.transfers.delegate import BUTTON, LAST_PAD, TransferDelegate, row_height, speed_width
from lorry.gui.transfers.model import TransferTableModel
from lorry.gui.transfers.reorder import ReorderTable

#: Names and bars need this much together; below it the speed goes.
_LEAST_WIDTH = 420
_NAME_SHARE = 0.45
_BUTTONS = (Column.SPEED, Column.ACTION, Column.CANCEL)


class TransferTableView(ReorderTable):
    """The table of the panel.

    Signals:
        opened(UUID): Return or a double click.
        act_wanted(list[UUID]): the first button of these uploads, or Space.
        cancel_wanted(list[UUID]): the second button, or Delete.
        shift_wanted(int): Alt with an arrow: move the selected ones by this many places.
        drop_wanted(list[UUID], UUID | None): dragged in front of that upload, or behind all.
        selection_changed(): other rows are selected, or none.
    """

    opened = Signal(object)
    act_wanted = Signal(object)
    cancel_wanted = Signal(object)
    shift_wanted = Signal(int)
    selection_changed = Signal()

    def __init__(self, model: TransferTableModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(model, theme, parent)
        self._menu: QMenu | None = None
        self._delegate = TransferDelegate(theme, self)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Transfers")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setMouseTracking(True)
        self.horizontalHeader().hide()
        self.horizontalHeader().setMinimumSectionSize(0)
        self.verticalHeader().hide()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self.doubleClicked.connect(self._on_double_clicked)
        self._delegate.pressed.connect(self._on_button_pressed)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())
        self.selectionModel().currentRowChanged.connect(lambda *_: self.viewport().update())
        model.rowsInserted.connect(lambda *_: self._keep_current())
        model.rowsRemoved.connect(lambda *_: self._keep_current())
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @property
    def selected_ids(self) -> list[UUID]:
        """The selected uploads, from top to bottom; the current one when none is selected."""
        numbers = selected_numbers(self)
        if not numbers and self.currentIndex().isValid():
            numbers = [self.currentIndex().row()]
        return [self._model.transfer(number).dataset_id for number in numbers]

    def select(self, dataset_id: UUID) -> None:
        """Make an upload the only selected one; nothing happens when it is not there."""
        number = self._model.find(dataset_id)
        if number is not None:
            flags = QItemSelectionModel.SelectionFlag
            index = self._model.index(number, Column.NAME)
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def set_menu(self, menu: QMenu) -> None:
        """What the right mouse button and the menu key show."""
        self._menu = menu

    # Keys

    def event(self, event: QEvent) -> bool:
        """The keys of the panel win over the window's shortcuts (Delete) while the keyboard is here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_own_key(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._is_own_key(event):
            is_arrow = event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and not event.modifiers()
            if is_arrow and self.currentIndex().isValid() and not self.selectionModel().hasSelection():
                # The first arrow takes the row the keyboard stands on; from there it goes on.
                self.select(self._model.transfer(self.currentIndex().row()).dataset_id)
                return
            super().keyPressEvent(event)
            return
        chosen = self.selected_ids
        match event.key():
            case Qt.Key.Key_Up:
                self.shift_wanted.emit(-1)
            case Qt.Key.Key_Down:
                self.shift_wanted.emit(1)
            case _ if not chosen:
                return
            case Qt.Key.Key_Space:
                self.act_wanted.emit(chosen)
            case Qt.Key.Key_Delete:
                self.cancel_wanted.emit(chosen)
            case _:
                self.opened.emit(chosen[0])

    @staticmethod
    def _is_own_key(event: QKeyEvent) -> bool:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            return modifiers == Qt.KeyboardModifier.AltModifier
        own = (Qt.Key.Key_Space, Qt.Key.Key_Delete, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        return event.key() in own and modifiers == Qt.KeyboardModifier.NoModifier

    # The mouse

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        """A click on a painted button selects nothing."""
        if isinstance(event, QMouseEvent) and index.isValid() and self._is_button(index):
            return QItemSelectionModel.SelectionFlag.NoUpdate
        return super().selectionCommand(index, event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        self._hover(index if index.isValid() and index.column() in _BUTTONS else QModelIndex())
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(QModelIndex())
        super().leaveEvent(event)

    def _hover(self, index: QModelIndex) -> None:
        old = self._delegate.hovered
        if old is not None and old.isValid():
            if index.isValid() and old == QPersistentModelIndex(index):
                return
            self.update(self._model.index(old.row(), old.column()))
        self._delegate.hovered = QPersistentModelIndex(index) if index.isValid() else None
        if index.isValid():
            self.update(index)

    def _is_button(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        if index.column() not in _BUTTONS:
            return False
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        option.rect = self.visualRect(index)
        return self._delegate.is_button(option, index)

    def _on_button_pressed(self, index: QModelIndex) -> None:
        chosen = [self._model.transfer(index.row()).dataset_id]
        (self.cancel_wanted if index.column() == Column.CANCEL else self.act_wanted).emit(chosen)

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if not self._is_button(index):
            self.opened.emit(self._model.transfer(index.row()).dataset_id)

    def _on_menu_requested(self, point: QPoint) -> None:
        if self._menu is not None and self.indexAt(point).isValid():
            self._menu.popup(self.viewport().mapToGlobal(point))

    # Size

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        width, speed = self.viewport().width(), speed_width(self._theme)
        rest = width - 2 * BUTTON - LAST_PAD
        has_speed = rest - speed >= _LEAST_WIDTH
        self.setColumnHidden(Column.SPEED, not has_speed)
        rest -= speed if has_speed else 0
        name = round(rest * _NAME_SHARE)
        header = self.horizontalHeader()
        sizes = {
            Column.NAME: name,
            Column.PROGRESS: max(0, rest - name),
            Column.SPEED: speed,
            Column.ACTION: BUTTON,
            Column.CANCEL: BUTTON + LAST_PAD,
        }
        for column, size in sizes.items():
            header.resizeSection(column, size)

    def _on_theme_changed(self) -> None:
        vertical = self.verticalHeader()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setMinimumSectionSize(row_height(self._theme))
        vertical.setDefaultSectionSize(row_height(self._theme))
        self._fit_columns()
        self.viewport().update()

    def _keep_current(self) -> None:
        """A table without a current row is silent to screen readers and dead to the arrow keys."""
        if not self.currentIndex().isValid() and self._model.rowCount():
            first = self._model.index(0, Column.NAME)
            self.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
