"""Theme: fonts, icons that follow the colours, the style sheet without a token left over."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QFontInfo, QIcon
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from lorry.core.paths import resource_dir
from lorry.gui.shell.theme import SMALLEST_PX, Scheme, Theme

STYLES = ("display", "title", "subtitle", "body", "bodyMedium", "bodyStrong", "label", "caption", "mono")
ICONS = sorted(path.stem for path in (resource_dir() / "icons").glob("*.svg"))


@pytest.mark.parametrize("style", STYLES)
def test_no_font_is_smaller_than_11_px(theme: Theme, style: str) -> None:
    assert QFontInfo(theme.font(style)).pixelSize() >= SMALLEST_PX


def test_sizes_are_ordered(theme: Theme) -> None:
    sizes = [theme.font(style).pointSizeF() for style in ("display", "title", "subtitle", "body")]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("name", ICONS)
def test_every_icon_paints_something_at_every_ratio(theme: Theme, name: str) -> None:
    for dpr in (1.0, 1.25, 2.0):
        pixmap = theme.pixmap(name, "text", 16, dpr)
        assert (pixmap.width(), pixmap.devicePixelRatio()) == (round(16 * dpr), dpr)
        image = pixmap.toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(image.width()) for y in range(image.height()))


def test_the_style_sheet_knows_every_token_it_names(theme: Theme, qapp: QApplication) -> None:
    assert not re.findall(r"@\w+", qapp.styleSheet())
    assert "#" in qapp.styleSheet()


def test_a_bound_icon_follows_the_colours_and_can_be_replaced(qtbot: QtBot, theme: Theme) -> None:
    button = QPushButton()
    qtbot.addWidget(button)

    def ink() -> str:
        image = button.icon().pixmap(16, 16).toImage()
        return max(
            (image.pixelColor(x, y) for x in range(16) for y in range(16)), key=lambda color: color.alpha()
        ).name()

    theme.bind_icon(button, "circle-check", "text")
    theme.bind_icon(button, "circle-check", "error")
    assert ink() == theme.color("error").name()
    light = ink()
    theme.set_scheme(Scheme.DARK)
    assert ink() == theme.color("error").name() != light
    theme.unbind_icon(button)
    theme.set_scheme(Scheme.LIGHT)
    assert button.icon().isNull()


def test_a_disabled_icon_has_its_own_colour(theme: Theme) -> None:
    icon = theme.icon("circle-check", "text")
    normal = icon.pixmap(16, 16, QIcon.Mode.Normal).toImage()
    disabled = icon.pixmap(16, 16, QIcon.Mode.Disabled).toImage()
    assert normal != disabled


def test_changing_the_scheme_tells_everybody_once(qtbot: QtBot, theme: Theme) -> None:
    told: list[bool] = []
    theme.changed.connect(lambda: told.append(theme.is_dark))
    theme.set_scheme(Scheme.DARK)
    assert told
    assert told[-1] is True


def test_a_theme_does_not_hold_dead_buttons(qtbot: QtBot, theme: Theme) -> None:
    for _ in range(20):
        button = QPushButton()
        theme.bind_icon(button, "upload", "text")
        del button
    theme.set_scheme(Scheme.DARK)
