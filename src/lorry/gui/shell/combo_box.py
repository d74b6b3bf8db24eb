"""A combo box with its arrow painted in the theme's colours; the style sheet draws only the frame."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QStyle, QWidget

from lorry.gui.shell.theme import Theme

ARROW = 16
ARROW_MARGIN = 9
MIN_WIDTH = 120


class ComboBox(QComboBox):
    """Choose one of a few. The wheel only scrolls the page: it never changes a choice by accident."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("kind", "painted")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(max(hint.width(), MIN_WIDTH), hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        place = QRect(self.width() - ARROW - ARROW_MARGIN, (self.height() - ARROW + 1) // 2, ARROW, ARROW)
        token = "text2" if self.isEnabled() else "disabled"
        pixmap = self._theme.pixmap("chevron-down", token, ARROW, self.devicePixelRatioF())
        painter.drawPixmap(QStyle.visualRect(self.layoutDirection(), self.rect(), place), pixmap)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
