"""How the cells of the transfers panel are painted, and which of them are buttons.

A row has two text lines, the phase over its bar, the speed, and two icon buttons; a failed one shows the word of its
button instead of a speed. Geometry is in device-independent pixels and mirrored for right-to-left layouts.
"""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QFontMetrics, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from lorry.gui.shell.row_ground import is_selected, paint_ground, visual
from lorry.gui.shell.theme import Theme
from lorry.gui.transfers.cells import Column
from lorry.gui.transfers.lines import Line, RowAction, bar_of
from lorry.gui.transfers.model import Role
from lorry.gui.upload.two_tone_bar import paint_bar

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 52
FIRST_PAD, PAD = 16, 12
STATE_ICON, BUTTON_ICON = 18, 16
BUTTON = 28
BAR, BAR_GAP = 8, 6
SPEED_PAD = 16
#: Free room after the last button, so that it stands under the menu arrow of the header.
LAST_PAD = 8
#: The widest usual words of a speed cell.
_RATE, _LEFT = "100.0 MB/s", "a few seconds left"


class TransferDelegate(QStyledItemDelegate):
    """Paints every column.

    Signals:
        pressed(QModelIndex): a painted button was clicked.
    """

    pressed = Signal(QModelIndex)

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        #: The cell the pointer is over and the one the mouse was pressed in.
        self.hovered: QPersistentModelIndex | None = None
        self._armed: QPersistentModelIndex | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(option.rect.width(), row_height(self._theme))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line = index.data(Role.LINE)
        painter.save()
        painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        paint_ground(painter, self._theme, option, index)
        match Column(index.column()):
            case Column.NAME:
                self._paint_name(painter, option, line)
            case Column.PROGRESS:
                self._paint_progress(painter, option, index, line)
            case Column.SPEED:
                if line.is_failed:
                    self._paint_word_button(painter, option, index, line.action.word)
                else:
                    self._paint_speed(painter, option, line)
            case Column.ACTION | Column.CANCEL:
                self._paint_icon_button(painter, option, index, line)
        painter.restore()

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """A press and a release inside the same painted button are a click."""
        if not isinstance(event, QMouseEvent) or event.button() != Qt.MouseButton.LeftButton:
            return False
        kinds = QEvent.Type
        if event.type() not in (kinds.MouseButtonPress, kinds.MouseButtonDblClick, kinds.MouseButtonRelease):
            return False
        is_inside = self._button_rect(option, index).contains(event.position().toPoint())
        if event.type() != kinds.MouseButtonRelease:
            self._armed = QPersistentModelIndex(index) if is_inside else None
            return is_inside
        armed, self._armed = self._armed, None
        if armed is None or not is_inside or armed != QPersistentModelIndex(index):
            return False
        self.pressed.emit(model.index(index.row(), index.column()))
        return True

    def is_button(self, option: QStyleOptionViewItem, index: Index) -> bool:
        """Whether the cell holds something to press now."""
        return not self._button_rect(option, index).isEmpty()

    # Cells

    def _paint_name(self, painter: QPainter, option: QStyleOptionViewItem, line: Line) -> None:
        rect = option.rect
        mark = QRect(rect.left() + FIRST_PAD, rect.center().y() - STATE_ICON // 2, STATE_ICON, STATE_ICON)
        dpr = painter.device().devicePixelRatio()
        painter.drawPixmap(visual(option, mark), self._theme.pixmap(line.icon, line.tint, STATE_ICON, dpr))
        name_font, note_font = self._theme.font("bodyMedium"), self._theme.font("caption")
        name_height, note_height = QFontMetrics(name_font).height(), QFontMetrics(note_font).height()
        left = FIRST_PAD + STATE_ICON + 14
        top = rect.top() + (rect.height() - 1 - name_height - 2 - note_height) // 2
        width = rect.width() - left - PAD
        name = QRect(rect.left() + left, top, width, name_height)
        note = QRect(rect.left() + left, top + name_height + 2, width, note_height)
        self._text(painter, option, name, line.name, name_font, "text")
        words = line.note
        if line.rate and not _has_speed_column(option):
            words = ", ".join(part for part in (line.rate, line.left) if part)
        self._text(painter, option, note, words, note_font, "error" if line.is_failed else "text2")

    def _paint_progress(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, line: Line) -> None:
        rect = option.rect
        amount_font = self._theme.font("caption")
        phase_font = self._theme.font("caption")
        phase_font.setWeight(QFont.Weight.Medium)
        height = QFontMetrics(amount_font).height()
        top = rect.top() + (rect.height() - 1 - height - BAR_GAP - BAR) // 2
        trail = 0 if _has_speed_column(option) else 8
        words = QRect(rect.left() + PAD, top, rect.width() - PAD - trail, height)
        amount_width = min(QFontMetrics(amount_font).horizontalAdvance(line.amount), words.width())
        self._text(painter, option, words, line.amount, amount_font, "text2", at_end=True)
        room = words.adjusted(0, 0, -amount_width - 8, 0)
        if room.width() > 0:
            self._text(painter, option, room, line.phase, phase_font, line.phase_tint)
        track = QRectF(visual(option, QRect(words.left(), top + height + BAR_GAP, words.width(), BAR)))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.direction == Qt.LayoutDirection.RightToLeft:
            painter.translate(2 * track.center().x(), 0)
            painter.scale(-1, 1)
        ground = "surface" if is_selected(option) else "barTrack"
        paint_bar(painter, self._theme, track, bar_of(index.data(Role.TRANSFER)), ground)

    def _paint_speed(self, painter: QPainter, option: QStyleOptionViewItem, line: Line) -> None:
        font = self._theme.font("body")
        area = option.rect.adjusted(SPEED_PAD, 0, -4, -1)
        if area.width() <= 0:
            return
        rate_width = max(QFontMetrics(font).horizontalAdvance(text) for text in (line.rate, _RATE))
        self._text(painter, option, QRect(area.left(), area.top(), rate_width, area.height()), line.rate, font, "text")
        self._text(painter, option, area.adjusted(rate_width + 10, 0, 0, 0), line.left, font, "text2")

    def _paint_word_button(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, word: str) -> None:
        box = self._button_rect(option, index)
        if box.isEmpty():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._theme.color("control"))
        painter.setBrush(self._theme.color("hover" if self._is_hovered(index) else "surface"))
        painter.drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setFont(self._theme.font("bodyMedium"))
        painter.setPen(self._theme.color("text"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextSingleLine), word)

    def _paint_icon_button(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, line: Line) -> None:
        box = self._button_rect(option, index)
        if box.isEmpty():
            return
        if self._is_hovered(index):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("surface" if is_selected(option) else "selectionIdle"))
            painter.drawRoundedRect(QRectF(box), 6, 6)
        icon = "x" if index.column() == Column.CANCEL else line.action.icon
        inset = (BUTTON - BUTTON_ICON) // 2
        dpr = painter.device().devicePixelRatio()
        pixmap = self._theme.pixmap(icon, "text2", BUTTON_ICON, dpr)
        painter.drawPixmap(box.left() + inset, box.top() + inset, pixmap)

    # Where and how

    def _button_rect(self, option: QStyleOptionViewItem, index: Index) -> QRect:
        """Where the button of a cell is, on screen; empty for a cell without one."""
        line: Line = index.data(Role.LINE)
        rect, column = option.rect, index.column()
        has_word = line.is_failed and line.action is not RowAction.NONE
        if column == Column.SPEED and has_word:
            word = QFontMetrics(self._theme.font("bodyMedium")).horizontalAdvance(line.action.word)
            height = max(BUTTON, QFontMetrics(self._theme.font("bodyMedium")).height() + 8)
            width = min(word + 20, rect.width() - SPEED_PAD)
            if width < BUTTON:
                return QRect()
            box = QRect(rect.left() + SPEED_PAD, rect.top() + (rect.height() - height) // 2, width, height)
            return visual(option, box)
        # Where there is room for the word, the icon would be the same button twice.
        is_word_only = line.is_failed and _has_speed_column(option)
        is_icon = (column == Column.CANCEL and not line.is_closing) or (
            column == Column.ACTION and line.action is not RowAction.NONE and not is_word_only
        )
        if not is_icon:
            return QRect()
        return visual(option, QRect(rect.left(), rect.top() + (rect.height() - BUTTON) // 2, BUTTON, BUTTON))

    def _is_hovered(self, index: Index) -> bool:
        return self.hovered is not None and self.hovered == QPersistentModelIndex(index)

    def _text(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        area: QRect,
        text: str,
        font: QFont,
        token: str,
        *,
        at_end: bool = False,
    ) -> None:
        if not text:
            return
        painter.setFont(font)
        painter.setPen(self._theme.color(token))
        shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        is_right = at_end != (option.direction == Qt.LayoutDirection.RightToLeft)
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        flags = side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        painter.drawText(visual(option, area), int(flags), shown)


def _has_speed_column(option: QStyleOptionViewItem) -> bool:
    """A narrow panel hides it."""
    return hasattr(option.widget, "isColumnHidden") and not option.widget.isColumnHidden(Column.SPEED)


def row_height(theme: Theme) -> int:
    """52, or more where the system font is large."""
    lines = QFontMetrics(theme.font("bodyMedium")).height() + QFontMetrics(theme.font("caption")).height()
    return max(ROW_HEIGHT, lines + 14)


def speed_width(theme: Theme) -> int:
    """How much room the speed and the remaining time want."""
    metrics = QFontMetrics(theme.font("body"))
    return SPEED_PAD + metrics.horizontalAdvance(_RATE) + 10 + metrics.horizontalAdvance(_LEFT) + 8
