"""Selected and current rows: which they are, and the ground of a row: fill, line, accent strip, the keyboard's edges.

Shared by every table of the window, so that selection and focus look the same in all of them.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyleOptionViewItem

from lorry.gui.shell.theme import Theme

STRIP = 3


def paint_ground(
    painter: QPainter,
    theme: Theme,
    option: QStyleOptionViewItem,
    index: QModelIndex | QPersistentModelIndex,
) -> None:
    """Paint the ground of one cell; what stands on it comes after."""
    rect = option.rect
    painter.fillRect(rect, _fill(theme, option))
    line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
    painter.fillRect(line, theme.color("line"))
    selected = is_selected(option)
    if selected and index.column() == _first_column(option):
        strip = QRect(rect.left(), rect.top(), STRIP, rect.height())
        painter.fillRect(visual(option, strip), theme.color("accent"))
    if not selected and _is_keyboard_here(option, index):
        # Tab, and Ctrl with the arrows, move without selecting; the place must still be seen.
        edge = theme.color("accentText")
        painter.fillRect(QRect(rect.left(), rect.top(), rect.width(), 1), edge)
        painter.fillRect(line, edge)


def selected_numbers(table: QAbstractItemView) -> list[int]:
    """The numbers of the selected rows of a table that selects whole rows, in order.

    From the ranges: QItemSelectionModel.selectedRows asks the model several times for every row.
    """
    ranges = table.selectionModel().selection().toList()
    return sorted({number for one in ranges for number in range(one.top(), one.bottom() + 1)})


def is_selected(option: QStyleOptionViewItem) -> bool:
    """Whether the cell belongs to a selected row."""
    return bool(option.state & QStyle.StateFlag.State_Selected)


def visual(option: QStyleOptionViewItem, rect: QRect) -> QRect:
    """`rect` of a cell, mirrored in right-to-left layouts."""
    return QStyle.visualRect(option.direction, option.rect, rect)


def _fill(theme: Theme, option: QStyleOptionViewItem) -> QColor:
    if not is_selected(option):
        return theme.color("surface")
    has_focus = bool(option.state & QStyle.StateFlag.State_Active) and option.widget.hasFocus()
    return theme.color("selection" if has_focus else "selectionIdle")


def _is_keyboard_here(option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> bool:
    """Whether the row of `index` is the current one of a table that is used with the keyboard."""
    table = option.widget
    if not isinstance(table, QAbstractItemView) or not table.hasFocus() or table.currentIndex().row() != index.row():
        return False
    by_keyboard = table.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
    return by_keyboard or table.selectionModel().hasSelection()


def _first_column(option: QStyleOptionViewItem) -> int:
    """The column that stands first on screen; columns can be moved."""
    header = option.widget.horizontalHeader() if hasattr(option.widget, "horizontalHeader") else None
    return header.logicalIndex(0) if header is not None else 0
