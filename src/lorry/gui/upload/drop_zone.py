"""What the dialog shows before a file is chosen: a dashed area that takes files, and a button to choose one."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from lorry.core.model import MAX_FILE_BYTES
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.text.format import size

_RADIUS = 8


class DropZone(QWidget):
    """The dialog takes the drop itself; this shows where, and that it would be taken.

    Signals:
        file_wanted: the user wants to choose in a file dialog.
    """

    file_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._is_target = False
        self.choose_button = push_button(theme, "Choose a file…")
        self.choose_button.clicked.connect(self.file_wanted)
        centre = Qt.AlignmentFlag.AlignHCenter
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(4)
        column.addStretch(1)
        column.addWidget(IconView(theme, "file-braces", "control", 40), 0, centre)
        column.addSpacing(8)
        column.addWidget(ThemedLabel(theme, "Drop a .jsonl or .json file here", "subtitle"), 0, centre)
        limit = f"or choose one. Up to {size(MAX_FILE_BYTES)} a file."
        column.addWidget(ThemedLabel(theme, limit, "body", "second"), 0, centre)
        column.addSpacing(12)
        column.addWidget(self.choose_button, 0, centre)
        column.addStretch(1)
        theme.changed.connect(self.update)

    def set_target(self, is_target: bool) -> None:
        """Whether files that can be taken hover over the dialog."""
        self._is_target = is_target
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self._theme.color("accentText" if self._is_target else "control"))
        pen.setWidthF(2.0 if self._is_target else 1.0)
        pen.setDashPattern([6.0, 4.0] if not self._is_target else [4.0, 2.0])
        inset = pen.widthF() / 2
        painter.setPen(pen)
        painter.setBrush(self._theme.color("accentSoft" if self._is_target else "surface"))
        area = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(area, _RADIUS, _RADIUS)
