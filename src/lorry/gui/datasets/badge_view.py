"""A badge as a widget, painted like the one in the table."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lorry.gui.datasets.badges import Badge
from lorry.gui.datasets.delegates import BADGE_HEIGHT, badge_width, paint_badge
from lorry.gui.shell.theme import Theme


class BadgeView(QWidget):
    """Shows one badge; empty until it is given one."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._badge: Badge | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_badge(self, badge: Badge) -> None:
        self._badge = badge
        self.setAccessibleName(f"Status: {badge.word}")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        if self._badge is None:
            return QSize(0, BADGE_HEIGHT)
        height = max(BADGE_HEIGHT, self.fontMetrics().height() + 4)
        return QSize(badge_width(self._theme, self._badge), height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._badge is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        direction = self.layoutDirection()
        paint_badge(painter, self._theme, self.rect(), self._badge, self._badge.ground, direction)
