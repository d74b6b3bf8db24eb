"""The speed of the last 60 seconds as one line. Painted; time runs from left to right in every layout direction."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from lorry.gui.shell.theme import Theme
from lorry.text.format import rate

#: The axis: one sample a second, the newest at the right.
_SECONDS = 60
_PLOT_HEIGHT = 44
_GAP = 4
_LINE_WIDTH = 1.5


def axis_top(highest_bps: float) -> float:
    """The next 1, 2, 4, 6, 8 or 10 times a power of ten above `highest_bps`; 1 kB/s at least."""
    if highest_bps <= 1_000:
        return 1_000.0
    power = 10.0 ** math.floor(math.log10(highest_bps))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= highest_bps * (1 - 1e-9))


class SpeedLine(QWidget):
    """Two grid lines, a base line, and the line itself; the top grid line carries its value."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._history: tuple[float, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Speed")
        self.show_history(())
        theme.changed.connect(self._on_theme_changed)

    def show_history(self, history_bps: tuple[float, ...]) -> None:
        """Up to 60 one-second rates in bytes a second, oldest first; the last one is now."""
        self._history = history_bps[-_SECONDS:]
        if self._history:
            words = f"now {rate(self._history[-1])}, highest {rate(max(self._history))} in the last 60 seconds"
        else:
            words = "nothing measured yet"
        self.setAccessibleDescription(words)
        self.update()

    def sizeHint(self) -> QSize:
        caption = self._caption_height()
        return QSize(240, caption + _GAP + _PLOT_HEIGHT + _GAP + caption)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        painter.setFont(self._theme.font("caption"))
        caption = self._caption_height()
        plot = QRectF(0, caption + _GAP, self.width(), self.height() - 2 * (caption + _GAP))
        top_bps = axis_top(max(self._history, default=0.0))
        self._paint_frame(painter, plot, top_bps, caption)
        self._paint_line(painter, plot, top_bps)

    def _paint_frame(self, painter: QPainter, plot: QRectF, top_bps: float, caption: int) -> None:
        for share, token in ((0.0, "grid"), (0.5, "grid"), (1.0, "control")):
            y = round(plot.top() + plot.height() * share)
            painter.fillRect(QRectF(plot.left(), y, plot.width(), 1), self._theme.color(token))
        painter.setPen(self._theme.color("text2"))
        above = QRectF(plot.left(), plot.top() - _GAP - caption, plot.width(), caption)
        below = QRectF(plot.left(), plot.bottom() + _GAP, plot.width(), caption)
        middle = Qt.AlignmentFlag.AlignVCenter
        if self._history:
            painter.drawText(above, middle | Qt.AlignmentFlag.AlignRight, rate(top_bps).replace(".0 ", " "))
        painter.drawText(below, middle | Qt.AlignmentFlag.AlignLeft, "60 s ago")
        painter.drawText(below, middle | Qt.AlignmentFlag.AlignRight, "now")

    def _paint_line(self, painter: QPainter, plot: QRectF, top_bps: float) -> None:
        if len(self._history) < 2:
            return
        step = plot.width() / (_SECONDS - 1)
        first = plot.right() - step * (len(self._history) - 1)
        line = QPolygonF(
            [
                QPointF(first + step * i, plot.bottom() - plot.height() * min(1.0, value / top_bps))
                for i, value in enumerate(self._history)
            ]
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self._theme.color("plot"), _LINE_WIDTH)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline(line)

    def _caption_height(self) -> int:
        return QFontMetrics(self._theme.font("caption")).height()

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()
