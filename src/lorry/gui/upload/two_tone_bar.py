"""The progress bar that keeps two things apart: bytes the server has stored, and bytes that were only sent.

Painted in device-independent pixels; mirrored in right-to-left layouts. It never shows an unknown amount moving.
"""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lorry.gui.shell.theme import Theme
from lorry.text.format import size, size_of


class BarTone(Enum):
    """How the bar's bytes stand."""

    MOVING = "moving"
    STILL = "still"
    DONE = "done"


class TwoToneBar(QWidget):
    """Track, then sent, then stored on top; square inner ends inside the rounded track."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, height: int = 12) -> None:
        super().__init__(parent)
        self._theme, self._height = theme, height
        self._size_bytes = self._stored_bytes = self._sent_bytes = 0
        self._tone = BarTone.MOVING
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Upload progress")
        theme.changed.connect(self.update)

    def show_bytes(self, size_bytes: int, stored_bytes: int, sent_bytes: int, tone: BarTone) -> None:
        """Show the counters; `sent_bytes` includes the stored ones. STILL shows the stored bytes alone."""
        now = (size_bytes, stored_bytes, sent_bytes, tone)
        if now == (self._size_bytes, self._stored_bytes, self._sent_bytes, self._tone):
            return
        self._size_bytes, self._stored_bytes, self._sent_bytes, self._tone = now
        self.update()

    def describe(self) -> None:
        """Bring the words for screen readers up to date; once a second is enough."""
        self.setAccessibleDescription(
            f"{size_of(self._sent_bytes, self._size_bytes)} sent, {size(self._stored_bytes)} stored"
        )

    def segments(self) -> list[tuple[str, float]]:
        """What is painted over the track, in order: (colour token, share of the width from the start)."""
        return segments(self._size_bytes, self._stored_bytes, self._sent_bytes, self._tone)

    def sizeHint(self) -> QSize:
        return QSize(120, self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self._height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            painter.translate(self.width(), 0)
            painter.scale(-1, 1)
        track = QRectF(0, (self.height() - self._height) / 2, self.width(), self._height)
        paint_bar(painter, self._theme, track, self.segments())


def segments(size_bytes: int, stored_bytes: int, sent_bytes: int, tone: BarTone) -> list[tuple[str, float]]:
    """The parts over the track, the lowest first: (colour token, share of the width from the start)."""
    if not size_bytes:
        return []
    stored = min(1.0, stored_bytes / size_bytes)
    sent = min(1.0, max(sent_bytes, stored_bytes) / size_bytes)
    if tone is BarTone.DONE:
        return [("ok", 1.0)]
    if tone is BarTone.STILL:
        return [("barPaused", stored)]
    return [("barSent", sent), ("barAck", stored)]


def paint_bar(
    painter: QPainter, theme: Theme, track: QRectF, parts: list[tuple[str, float]], ground: str = "barTrack"
) -> None:
    """Paint track and parts from left to right; the caller mirrors the painter where that is wanted.

    `ground` is the token of the track: on a selected row it is `surface`, as badges have it.
    """
    shape = QPainterPath()
    shape.addRoundedRect(track, track.height() / 2, track.height() / 2)
    painter.fillPath(shape, theme.color(ground))
    for token, share in parts:
        # Intersecting paths, not a clip: clipping a rounded shape is not antialiased.
        part = QPainterPath()
        part.addRect(QRectF(track.x(), track.y(), track.width() * share, track.height()))
        painter.fillPath(shape.intersected(part), theme.color(token))
