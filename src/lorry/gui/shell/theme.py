"""Colours, fonts, icons and the application style, light and dark, from `resources/style`.

One `Theme` is made by whoever opens the window and handed down by constructor. It listens to the system's
colour scheme and to the user's choice, rebuilds palette, style sheet and icons, and emits `changed`; painting
code asks it for every colour at paint time. Main thread only.
"""

from __future__ import annotations

import json
import os
import re
import sys
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFont,
    QFontDatabase,
    QFontInfo,
    QFontMetrics,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QPushButton

from lorry.gui.shell.icons import IconSet

#: No text is smaller than this, whatever the system font is.
SMALLEST_PX = 11
_ICON_SIZES = (16, 20)
#: Added to the 4 px that Qt leaves between the icon and the word of a push button.
_ICON_GAP = 4
_TOKEN = re.compile(r"@(\w+)")


class Scheme(StrEnum):
    """The user's choice of appearance."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


#: style -> (factor of the system font's size, weight)
_STYLES: dict[str, tuple[float, QFont.Weight]] = {
    "display": (2.0, QFont.Weight.DemiBold),
    "title": (1.5, QFont.Weight.DemiBold),
    "subtitle": (1.15, QFont.Weight.DemiBold),
    "body": (1.0, QFont.Weight.Normal),
    "bodyMedium": (1.0, QFont.Weight.Medium),
    "bodyStrong": (1.0, QFont.Weight.DemiBold),
    "label": (0.92, QFont.Weight.Medium),
    "caption": (0.85, QFont.Weight.Normal),
    "mono": (0.92, QFont.Weight.Normal),
}

#: palette role -> token
_ROLES = {
    QPalette.ColorRole.Window: "window",
    QPalette.ColorRole.WindowText: "text",
    QPalette.ColorRole.Base: "surface",
    QPalette.ColorRole.AlternateBase: "sunken",
    QPalette.ColorRole.Text: "text",
    QPalette.ColorRole.Button: "surface",
    QPalette.ColorRole.ButtonText: "text",
    QPalette.ColorRole.BrightText: "onAccent",
    QPalette.ColorRole.PlaceholderText: "text2",
    QPalette.ColorRole.Highlight: "accent",
    QPalette.ColorRole.HighlightedText: "onAccent",
    QPalette.ColorRole.Accent: "accent",
    QPalette.ColorRole.Link: "accentText",
    QPalette.ColorRole.LinkVisited: "accentText",
    QPalette.ColorRole.ToolTipBase: "surface",
    QPalette.ColorRole.ToolTipText: "text",
    QPalette.ColorRole.Light: "surface",
    QPalette.ColorRole.Midlight: "line",
    QPalette.ColorRole.Mid: "border",
    QPalette.ColorRole.Dark: "control",
    QPalette.ColorRole.Shadow: "border",
}


class Theme(QObject):
    """The look of the whole application.

    Signals:
        changed: colours or fonts are different now; repaint, and take icons again.
    """

    changed = Signal()

    def __init__(self, resources: Path, parent: QObject | None = None) -> None:
        """`resources` is the folder that holds `style/` and `icons/`."""
        super().__init__(parent)
        tokens = json.loads((resources / "style" / "tokens.json").read_text("utf-8"))
        self._palettes = {
            name: {token: QColor(value) for token, value in colors.items()} for name, colors in tokens.items()
        }
        self._sheet = (resources / "style" / "app.qss").read_text("utf-8")
        self._icons = IconSet(resources / "icons")
        self._app_icon = resources / "icons" / "app-icon.svg"
        self._scheme = Scheme.SYSTEM
        self._fonts: dict[str, QFont] = {}
        hints = QGuiApplication.styleHints()
        self._is_dark = hints.colorScheme() == Qt.ColorScheme.Dark
        hints.colorSchemeChanged.connect(self._on_system_scheme_changed)

    @property
    def is_dark(self) -> bool:
        return self._is_dark

    @property
    def scheme(self) -> Scheme:
        """What the user chose."""
        return self._scheme

    def set_scheme(self, scheme: Scheme) -> None:
        """Follow the system, or stay light or dark."""
        self._scheme = scheme
        hints = QGuiApplication.styleHints()
        if scheme is Scheme.SYSTEM:
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if scheme is Scheme.DARK else Qt.ColorScheme.Light)
        self._refresh()

    def color(self, token: str) -> QColor:
        """The colour of a token of `tokens.json`.

        Raises:
            KeyError: there is no such token.
        """
        return self._palettes["dark" if self._is_dark else "light"][token]

    def font(self, style: str) -> QFont:
        """A font for a style: display, title, subtitle, body, bodyMedium, bodyStrong, label, caption or mono.

        Sizes are factors of the system font's; digits are tabular.

        Raises:
            KeyError: there is no such style.
        """
        font = self._fonts.get(style)
        if font is None:
            font = self._fonts[style] = self._make_font(style)
        return QFont(font)

    def pixmap(self, name: str, token: str, size: int, dpr: float, *, mirrored: bool = False) -> QPixmap:
        """An icon in a token's colour, `size` in device-independent pixels."""
        return self._icons.pixmap(name, self.color(token), size, dpr, mirrored=mirrored)

    def icon(self, name: str, tint: str = "text2", *, mirrored: bool = False, gap: int = 0) -> QIcon:
        """An icon for buttons and menus in the token `tint`, with its disabled look.

        `gap` is empty room at its trailing side. Take it again after `changed`, or use `bind_icon`.
        """
        icon = QIcon()
        ratios = {1.0, 2.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}
        for size in _ICON_SIZES:
            for dpr in sorted(ratios):
                normal = _widened(self.pixmap(name, tint, size, dpr, mirrored=mirrored), gap)
                icon.addPixmap(normal, QIcon.Mode.Normal)
                icon.addPixmap(normal, QIcon.Mode.Active)
                icon.addPixmap(normal, QIcon.Mode.Selected)
                disabled = self.pixmap(name, "disabled", size, dpr, mirrored=mirrored)
                icon.addPixmap(_widened(disabled, gap), QIcon.Mode.Disabled)
        return icon

    def app_icon(self) -> QIcon:
        """The icon of windows and task bars; the same in light and dark."""
        return QIcon(str(self._app_icon))

    def bind_icon(
        self, target: QAction | QAbstractButton, name: str, tint: str = "text2", *, mirrored: bool = False
    ) -> None:
        """Give `target` an icon and keep it in the theme's colours as long as the target lives."""
        self._release(target)
        _IconBinding(self, target, name, tint, mirrored)

    def unbind_icon(self, target: QAction | QAbstractButton) -> None:
        """Take the icon of `target` away again."""
        self._release(target)
        target.setIcon(QIcon())

    def apply(self, app: QApplication) -> None:
        """Give the application Fusion, our palette, fonts and style sheet; once, before windows are made."""
        app.setStyle("Fusion")
        self._refresh()

    def _release(self, target: QAction | QAbstractButton) -> None:
        for old in target.findChildren(_IconBinding, options=Qt.FindChildOption.FindDirectChildrenOnly):
            self.changed.disconnect(old.renew)
            old.setParent(None)
            old.deleteLater()

    def _on_system_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        self._refresh()

    def _refresh(self) -> None:
        system_is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        # Platforms without a theme of their own ignore setColorScheme: the user's choice is not read back.
        self._is_dark = self._scheme is Scheme.DARK or (self._scheme is Scheme.SYSTEM and system_is_dark)
        self._icons.clear()
        self._fonts.clear()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setFont(self.font("body"))
            app.setPalette(self._make_palette())
            app.setStyleSheet(self._make_sheet())
        self.changed.emit()

    def _make_font(self, style: str) -> QFont:
        factor, weight = _STYLES[style]
        kind = QFontDatabase.SystemFont.FixedFont if style == "mono" else QFontDatabase.SystemFont.GeneralFont
        font = QFontDatabase.systemFont(kind)
        general = QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont))
        font.setPointSizeF(general.pointSizeF() * factor)
        if QFontInfo(font).pixelSize() < SMALLEST_PX:
            font.setPixelSize(SMALLEST_PX)
        font.setWeight(weight)
        font.setFeature(QFont.Tag.fromString("tnum"), 1)
        return font

    def _make_palette(self) -> QPalette:
        palette = QPalette()
        for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled):
            for which, token in _ROLES.items():
                palette.setColor(group, which, self.color(token))
        role = QPalette.ColorRole
        for which in (role.WindowText, role.Text, role.ButtonText, role.PlaceholderText):
            palette.setColor(QPalette.ColorGroup.Disabled, which, self.color("disabled"))
        return palette

    def _make_sheet(self) -> str:
        height = QFontMetrics(self.font("body")).height()
        sizes = {
            # Content heights: the sheet adds the 1 px edge on both sides.
            "controlHeight": max(32, height + 12) - 2,
            "compactHeight": max(28, height + 10) - 2,
            "toolHeight": max(32, height + 12) - 2,
            "fieldFocusHeight": max(32, height + 12) - 4,
        }

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if name == "buttonLayout":
                return str(_button_layout())
            return f"{sizes[name]}px" if name in sizes else self.color(name).name()

        return _TOKEN.sub(value, self._sheet)


def _button_layout() -> int:
    """The order of dialog buttons as `QDialogButtonBox.ButtonLayout`: Windows 0, macOS 1, KDE 2, GNOME and others 3.

    Qt falls back to the order of Windows on Linux desktops it has no theme for.
    """
    if sys.platform in ("win32", "darwin"):
        return 0 if sys.platform == "win32" else 1
    return 2 if "KDE" in os.environ.get("XDG_CURRENT_DESKTOP", "") else 3


class _IconBinding(QObject):
    """Renews the icon of its parent whenever the theme changes; goes when the parent goes."""

    def __init__(self, theme: Theme, target: QAction | QAbstractButton, name: str, token: str, mirrored: bool) -> None:
        super().__init__(target)
        self._theme, self._target = theme, target
        self._name, self._token, self._mirrored = name, token, mirrored
        theme.changed.connect(self.renew)
        self.renew()

    def renew(self) -> None:
        """Take the icon in the colours of now."""
        gap = 0
        if isinstance(self._target, QPushButton) and self._target.text():
            gap = _ICON_GAP
            self._target.setIconSize(QSize(_ICON_SIZES[0] + gap, _ICON_SIZES[0]))
        self._target.setIcon(self._theme.icon(self._name, self._token, mirrored=self._mirrored, gap=gap))


def _widened(pixmap: QPixmap, gap: int) -> QPixmap:
    if not gap:
        return pixmap
    dpr = pixmap.devicePixelRatio()
    wide = QPixmap(pixmap.width() + round(gap * dpr), pixmap.height())
    wide.setDevicePixelRatio(dpr)
    wide.fill(Qt.GlobalColor.transparent)
    painter = QPainter(wide)
    is_mirrored = QGuiApplication.layoutDirection() == Qt.LayoutDirection.RightToLeft
    painter.drawPixmap(gap if is_mirrored else 0, 0, pixmap)
    painter.end()
    return wide
