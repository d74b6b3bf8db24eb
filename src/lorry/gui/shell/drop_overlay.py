"""The veil over the window while files are dragged above it: how many would be uploaded, and what is left out."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from lorry.gui.datasets.badges import Badge
from lorry.gui.datasets.delegates import badge_width, paint_badge
from lorry.gui.shell.file_choice import FileChoice
from lorry.gui.shell.theme import Theme
from lorry.text.format import plural

VEIL = 0.93
FRAME_INSET, FRAME_WIDTH, FRAME_RADIUS = 12, 2, 8
MARK, BOX_PAD = 56, 32
PILL_GAP, PILL_HEIGHT = 16, 22


class DropOverlay(QWidget):
    """Covers its parent while shown; lets the mouse through, so that the parent keeps the drag."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = self._sentence = self._left_out = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        parent.installEventFilter(self)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def words(self) -> tuple[str, str, str]:
        """Title, sentence, and what is left out."""
        return self._title, self._sentence, self._left_out

    def show_choice(self, choice: FileChoice, project: str) -> None:
        """Cover the window with what a drop would do."""
        self._title = f"Drop {plural(len(choice.accepted), 'file')} to upload"
        self._sentence = f"To {project}. You can look at each one first." if project else ""
        self._left_out = choice.rejection
        self.setGeometry(self.window().rect())
        self.raise_()
        self.show()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self.window().rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        veil = theme.color("window")
        veil.setAlphaF(VEIL)
        painter.fillRect(self.rect(), veil)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.color("accentText"), FRAME_WIDTH, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([3, 2])
        painter.setPen(pen)
        inset = FRAME_INSET + FRAME_WIDTH / 2
        frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(frame, FRAME_RADIUS, FRAME_RADIUS)
        self._paint_words(painter)

    def _paint_words(self, painter: QPainter) -> None:
        theme = self._theme
        lines = [(self._title, "title", "text", 24), (self._sentence, "body", "text2", 8)]
        lines = [line for line in lines if line[0]]
        room = max(120, self.width() - 2 * (FRAME_INSET + BOX_PAD + 8))
        fonts = [(theme.font(style), text, token, gap) for text, style, token, gap in lines]
        widths = [min(room, QFontMetrics(font).horizontalAdvance(text)) for font, text, _, _ in fonts]
        pill = Badge("circle-minus", self._left_out, "idle")
        pill_width = min(room, badge_width(theme, pill)) if self._left_out else 0
        height = (PILL_GAP + PILL_HEIGHT if pill_width else 0) + MARK
        height += sum(gap + QFontMetrics(font).height() for font, _, _, gap in fonts)
        box = QRect(0, 0, max([MARK, pill_width, *widths]) + 2 * BOX_PAD, height + 2 * BOX_PAD)
        box.moveCenter(self.rect().center())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("window"))
        painter.drawRoundedRect(box, FRAME_RADIUS, FRAME_RADIUS)
        top = box.top() + BOX_PAD
        mark = theme.pixmap("mark", "accentText", MARK, self.devicePixelRatioF())
        painter.drawPixmap(box.center().x() - MARK // 2, top, mark)
        top += MARK
        for font, text, token, gap in fonts:
            metrics = QFontMetrics(font)
            top += gap
            painter.setFont(font)
            painter.setPen(theme.color(token))
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room)
            painter.drawText(
                QRect(box.left(), top, box.width(), metrics.height()),
                int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextSingleLine),
                shown,
            )
            top += metrics.height()
        if pill_width:
            area = QRect(box.center().x() - pill_width // 2, top + PILL_GAP, pill_width, PILL_HEIGHT)
            paint_badge(painter, theme, area, pill, pill.ground, self.layoutDirection())
