"""Labels for text that comes from files, users and servers: always plain text, never markup.

A label guesses rich text from tags by itself, and a tooltip does too; both would load pictures or hide text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from lorry.text.format import safe_name


class SafeLabel(QLabel):
    """A plain-text label that shows control and direction characters instead of obeying them."""

    def __init__(self, text: str = "", parent: QWidget | None = None, *, selectable: bool = False) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if selectable:
            flags = Qt.TextInteractionFlag
            self.setTextInteractionFlags(flags.TextSelectableByMouse | flags.TextSelectableByKeyboard)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText("\n".join(safe_name(line) for line in text.split("\n")))


class ElidedLabel(QWidget):
    """One line that is cut with an ellipsis where it does not fit; the whole text is its tooltip.

    Names are cut at the right, file names in the middle.
    """

    def __init__(self, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = mode
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """The whole text, as shown when there is room."""
        return self._text

    def set_text(self, text: str) -> None:
        self._text = safe_name(text)
        self.setAccessibleName(self._text)
        self.setToolTip(plain_tooltip(text))
        self.updateGeometry()
        self.update()

    def setFont(self, font: QFont | str | Sequence[str]) -> None:
        super().setFont(font)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 1, metrics.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        text = self.fontMetrics().elidedText(self._text, self._mode, self.width())
        # A name reads in its own direction; a file name from left to right, so that its suffix stays at the end.
        is_file_name = self._mode is Qt.TextElideMode.ElideMiddle
        direction = Qt.LayoutDirection
        painter.setLayoutDirection(direction.LeftToRight if is_file_name else direction.LayoutDirectionAuto)
        flag = Qt.AlignmentFlag
        side = flag.AlignRight if self.layoutDirection() is direction.RightToLeft else flag.AlignLeft
        painter.drawText(self.rect(), int(side | flag.AlignAbsolute | flag.AlignVCenter), text)


def plain_tooltip(text: str) -> str:
    """`text` as a tooltip that shows it literally; "" stays "" (no tooltip)."""
    return f"<span>{escape(safe_name(text))}</span>" if text else ""
