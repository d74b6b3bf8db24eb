"""A flat button that opens a menu: icon, words, and an arrow painted in the theme's colours."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QStyle, QToolButton, QWidget

from lorry.gui.shell.theme import Theme


class MenuButton(QToolButton):
    """A flat button with an icon, words and an arrow; it opens the menu of its actions."""

    ARROW, MARGIN = 16, 6

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setProperty("kind", "menu")
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        left, top = self.width() - self.ARROW - self.MARGIN, (self.height() - self.ARROW + 1) // 2
        place = QRect(left, top, self.ARROW, self.ARROW)
        pixmap = self._theme.pixmap("chevron-down", "text2", self.ARROW, self.devicePixelRatioF())
        painter.drawPixmap(QStyle.visualRect(self.layoutDirection(), self.rect(), place), pixmap)
