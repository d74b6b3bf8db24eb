"""How the cells of the dataset table are painted: ground, accent strip, line, text, badge.

Everything is painted here, nothing by style sheet rules (those cost several times as much per cell). Colours come from
the theme at paint time; geometry is in device-independent pixels and mirrored for right-to-left layouts.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lorry.gui.datasets.badges import Badge
from lorry.gui.datasets.rows import NUMBER_COLUMNS, Column, Row
from lorry.gui.datasets.table_model import Role
from lorry.gui.shell.row_ground import is_selected, paint_ground, visual
from lorry.gui.shell.theme import Theme
from lorry.text.format import MISSING, count

ROW_HEIGHT = 36
FIRST_PAD, PAD = 16, 12
BADGE_HEIGHT, BADGE_LEFT, BADGE_RIGHT, BADGE_ICON, BADGE_GAP = 22, 6, 9, 14, 5
WARNING_GAP = 12


class RowDelegate(QStyledItemDelegate):
    """Cells of text: name, format, size, pairs, created."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(option.rect.width(), row_height(option.fontMetrics))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(Role.ROW)
        column = Column(index.column())
        painter.save()
        # The words decide about their direction, the layout only about their side: "480.2 MB" stays in order.
        painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        paint_ground(painter, self._theme, option, index)
        self._paint_content(painter, option, row, column)
        painter.restore()

    def _paint_content(self, painter: QPainter, option: QStyleOptionViewItem, row: Row, column: Column) -> None:
        text = row.text(column)
        is_second = column in (Column.FORMAT, Column.CREATED) or text == MISSING
        left = FIRST_PAD if column is Column.NAME else PAD
        area = option.rect.adjusted(left, 0, -PAD, -1)
        self._paint_text(
            painter, option, area, text, "text2" if is_second else "text", is_number=column in NUMBER_COLUMNS
        )

    def _paint_text(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        area: QRect,
        text: str,
        token: str,
        *,
        is_number: bool = False,
    ) -> None:
        painter.setFont(option.font)
        painter.setPen(self._theme.color(token))
        shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        is_right = is_number != (option.direction == Qt.LayoutDirection.RightToLeft)
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        # A right-to-left name in a left-to-right table starts where the others do.
        flags = side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(visual(option, area), int(flags | Qt.TextFlag.TextSingleLine), shown)


class StatusDelegate(RowDelegate):
    """The badge, and the number of warnings behind a dataset that is ready."""

    def _paint_content(self, painter: QPainter, option: QStyleOptionViewItem, row: Row, column: Column) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = option.rect.adjusted(PAD, 0, -4, -1)
        ground = "surface" if is_selected(option) else row.badge.ground
        width = paint_badge(painter, self._theme, area, row.badge, ground, option.direction)
        if row.warnings:
            self._paint_warnings(painter, option, area.adjusted(width + WARNING_GAP, 0, 0, 0), row.warnings)

    def _paint_warnings(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, warnings: int) -> None:
        if area.width() < BADGE_ICON:
            return
        mark = QRect(area.left(), area.center().y() - BADGE_ICON // 2 + 1, BADGE_ICON, BADGE_ICON)
        dpr = painter.device().devicePixelRatio()
        painter.drawPixmap(visual(option, mark), self._theme.pixmap("triangle-alert", "warn", BADGE_ICON, dpr))
        words = area.adjusted(BADGE_ICON + 4, 0, 0, 0)
        self._paint_text(painter, option, words, count(warnings), "warn")


def badge_width(theme: Theme, badge: Badge) -> int:
    """How wide a badge wants to be."""
    words = QFontMetrics(theme.font("bodyMedium")).horizontalAdvance(badge.word)
    return BADGE_LEFT + BADGE_ICON + BADGE_GAP + words + BADGE_RIGHT


def paint_badge(
    painter: QPainter,
    theme: Theme,
    area: QRect,
    badge: Badge,
    ground: str,
    direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight,
) -> int:
    """Paint a badge at the leading edge of `area`, vertically centred; returns the width it took.

    `ground` is the token of its fill: the badge's own, or `surface` on a selected row.
    """
    font = theme.font("bodyMedium")
    metrics = QFontMetrics(font)
    height = max(BADGE_HEIGHT, metrics.height() + 4)
    width = min(badge_width(theme, badge), area.width())
    box = QRect(area.left(), area.top() + (area.height() - height + 1) // 2, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color(ground))
    painter.drawRoundedRect(QStyle.visualRect(direction, area, box), height / 2, height / 2)
    mark = QRect(box.left() + BADGE_LEFT, box.top() + (height - BADGE_ICON) // 2, BADGE_ICON, BADGE_ICON)
    dpr = painter.device().devicePixelRatio()
    painter.drawPixmap(QStyle.visualRect(direction, area, mark), theme.pixmap(badge.icon, badge.ink, BADGE_ICON, dpr))
    text_left = BADGE_LEFT + BADGE_ICON + BADGE_GAP
    words = box.adjusted(text_left, 0, -BADGE_RIGHT, 0)
    painter.setFont(font)
    painter.setPen(theme.color(badge.ink))
    shown = metrics.elidedText(badge.word, Qt.TextElideMode.ElideRight, words.width() + 1)
    side = Qt.AlignmentFlag.AlignRight if direction == Qt.LayoutDirection.RightToLeft else Qt.AlignmentFlag.AlignLeft
    flags = side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
    painter.drawText(QStyle.visualRect(direction, area, words), int(flags), shown)
    return width


def row_height(metrics: QFontMetrics) -> int:
    """36, or more where the system font is large."""
    return max(ROW_HEIGHT, metrics.height() + 16)
