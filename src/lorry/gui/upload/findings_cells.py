"""How the findings table is painted: cells with the level's icon and word, and a header with the sort arrow."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from lorry.gui.shell.row_ground import paint_ground, visual
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.findings_model import HEADERS, LEVELS, NUMBER_COLUMNS, Column

FIRST_PAD, PAD = 16, 10
ICON, ICON_GAP = 16, 6
ARROW, ARROW_GAP = 12, 4


class FindingDelegate(QStyledItemDelegate):
    """One cell. The words decide about their direction, the layout only about their side."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        column, text = Column(index.column()), str(index.data())
        theme = self._theme
        painter.save()
        painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        paint_ground(painter, theme, option, index)
        area = option.rect.adjusted(FIRST_PAD if column is Column.LEVEL else PAD, 0, -PAD, -1)
        token = "text2" if column in (Column.RULE, Column.ADVICE) else "text"
        if column is Column.LEVEL:
            icon, token, _word = next(look for look in LEVELS.values() if look[2] == text)
            mark = QRect(area.left(), area.center().y() - ICON // 2 + 1, ICON, ICON)
            pixmap = theme.pixmap(icon, token, ICON, painter.device().devicePixelRatio())
            painter.drawPixmap(visual(option, mark), pixmap)
            area.setLeft(area.left() + ICON + ICON_GAP)
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color(token))
        shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(visual(option, area), int(_side(column, option.direction)), shown)
        painter.restore()


class FindingsHeader(QHeaderView):
    """Words, with an arrow after the one the rows are ordered by: down means largest or last first."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setSectionsClickable(True)
        self.setHighlightSections(False)
        theme.changed.connect(self.viewport().update)

    def paintSection(self, painter: QPainter, rect: QRect, logical_index: int) -> None:
        theme, column = self._theme, Column(logical_index)
        painter.save()
        painter.fillRect(rect, theme.color("sunken"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.color("border"))
        direction = self.layoutDirection()
        area = rect.adjusted(FIRST_PAD if column is Column.LEVEL else PAD, 0, -PAD, -1)
        is_sorted = self.isSortIndicatorShown() and self.sortIndicatorSection() == logical_index
        room = ARROW + ARROW_GAP if is_sorted else 0
        font = theme.font("body")
        painter.setFont(font)
        metrics = painter.fontMetrics()
        word = metrics.elidedText(HEADERS[column], Qt.TextElideMode.ElideRight, area.width() - room)
        painter.setPen(theme.color("text2"))
        words = area.adjusted(0, 0, -room, 0) if column in NUMBER_COLUMNS else area
        painter.drawText(QStyle.visualRect(direction, rect, words), int(_side(column, direction)), word)
        if is_sorted:
            width = metrics.horizontalAdvance(word)
            left = area.right() - ARROW + 1 if column in NUMBER_COLUMNS else area.left() + width + ARROW_GAP
            where = QRect(left, rect.center().y() - ARROW // 2 + 1, ARROW, ARROW)
            is_rising = self.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder
            pixmap = theme.pixmap("arrow-up" if is_rising else "arrow-down", "text2", ARROW, self.devicePixelRatioF())
            painter.drawPixmap(QStyle.visualRect(direction, rect, where), pixmap)
        painter.restore()


def _side(column: Column, direction: Qt.LayoutDirection) -> Qt.AlignmentFlag:
    flags = Qt.AlignmentFlag
    is_right = (column in NUMBER_COLUMNS) != (direction is Qt.LayoutDirection.RightToLeft)
    side = flags.AlignRight if is_right else flags.AlignLeft
    return side | flags.AlignAbsolute | flags.AlignVCenter
