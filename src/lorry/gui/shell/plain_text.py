"""Text of users and servers that may be long and without a single space: wraps anywhere, grows, can be selected.

A label cannot break a file name of 200 letters; it would widen the panel or cut the name.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPalette, QTextDocument, QTextOption
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

from lorry.gui.shell.theme import Theme
from lorry.text.format import safe_name


class PlainText(QTextEdit):
    """Read-only plain text, as high as its lines; copying gives exactly what is shown."""

    def __init__(self, theme: Theme, style: str = "body", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._style = theme, style
        self.setProperty("kind", "plain")
        self.setReadOnly(True)
        self.setAcceptRichText(False)
        self.setUndoRedoEnabled(False)
        self.setAcceptDrops(False)
        self.setTabChangesFocus(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.document().setDocumentMargin(0)
        # A document of its own to measure with: laying out the shown one for another width would move its lines.
        self._measure = QTextDocument(self)
        self._measure.setDocumentMargin(0)
        self._measure.setDefaultTextOption(self.document().defaultTextOption())
        self.viewport().setAutoFillBackground(False)
        theme.changed.connect(self._renew)
        self._renew()

    @property
    def text(self) -> str:
        """What is shown."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Show `text`, with control and direction characters made visible; line breaks stay."""
        safe = "\n".join(safe_name(line) for line in text.split("\n"))
        if safe != self.toPlainText():
            self.setPlainText(safe)
            self._measure.setPlainText(safe)
            self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        self._measure.setTextWidth(width)
        return max(self.fontMetrics().height(), math.ceil(self._measure.size().height()))

    def sizeHint(self) -> QSize:
        width = self.width()
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    def _renew(self) -> None:
        font = self._theme.font(self._style)
        self.setFont(font)
        self.document().setDefaultFont(font)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Text, self._theme.color("text"))
        self.setPalette(palette)
        self._measure.setDefaultFont(font)
        self.updateGeometry()
