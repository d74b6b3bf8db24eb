"""Icons as pixmaps in any colour, size and device pixel ratio, made from the SVG files in `resources/icons`.

QSvgRenderer does not take `currentColor` from a palette, so the colour is written into the SVG text; the
pixmaps are cached until the theme changes. Main thread only.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap, QTransform
from PySide6.QtSvg import QSvgRenderer

#: Drawn with the full 2-unit stroke up to this size (badges); larger icons look heavy with it.
BADGE_SIZE = 14
_DEFAULT_STROKE = 'stroke-width="2"'
_THIN_STROKE = 'stroke-width="1.75"'


class IconSet:
    """The icon files of one folder, tinted on demand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources: dict[str, str] = {}
        self._pixmaps: dict[tuple[str, int, int, float, bool], QPixmap] = {}

    def pixmap(self, name: str, color: QColor, size: int, dpr: float, *, mirrored: bool = False) -> QPixmap:
        """The icon `name` (file name without suffix) as a square of `size` device-independent pixels.

        Raises:
            FileNotFoundError: there is no such icon.
        """
        key = (name, color.rgba(), size, dpr, mirrored)
        pixmap = self._pixmaps.get(key)
        if pixmap is None:
            pixmap = self._pixmaps[key] = self._render(name, color, size, dpr, mirrored)
        return pixmap

    def clear(self) -> None:
        """Forget the pixmaps (after the colours changed)."""
        self._pixmaps.clear()

    def _render(self, name: str, color: QColor, size: int, dpr: float, mirrored: bool) -> QPixmap:
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = (self._folder / f"{name}.svg").read_text("utf-8")
        text = source.replace("currentColor", color.name())
        if size > BADGE_SIZE:
            text = text.replace(_DEFAULT_STROKE, _THIN_STROKE)
        pixels = max(1, round(size * dpr))
        pixmap = QPixmap(pixels, pixels)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(color.alphaF())
        QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(0, 0, pixels, pixels))
        painter.end()
        if mirrored:
            pixmap = pixmap.transformed(QTransform.fromScale(-1, 1))
        pixmap.setDevicePixelRatio(dpr)
        return pixmap
