"""What is painted: rows and badges in light and dark, at one and two device pixels, without a warning from Qt."""

from __future__ import annotations

import json
import time

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from tests.gui.samples import MARKUP_NAME, dataset, page, transfer

from lorry.core.errors import ErrorCode, SourceError
from lorry.core.paths import resource_dir
from lorry.core.transfers import Phase, TransferState
from lorry.gui.datasets.badges import Badge
from lorry.gui.datasets.delegates import PAD, ROW_HEIGHT, badge_width, paint_badge
from lorry.gui.datasets.rows import Column
from lorry.gui.datasets.table_model import DatasetTableModel
from lorry.gui.datasets.table_view import NAME_MIN_WIDTH, DatasetTableView
from lorry.gui.shell.row_ground import STRIP
from lorry.gui.shell.theme import Scheme, Theme

#: Pairs of text and ground that must be readable (WCAG 2: 4.5 for text), and of graphics (3.0).
READABLE = [
    *[("text", ground) for ground in ("surface", "window", "selection", "selectionIdle", "sunken")],
    *[("text2", ground) for ground in ("surface", "window", "selection", "sunken")],
    *[(tone, f"{tone}Soft") for tone in ("ok", "warn", "error", "busy", "idle")],
    *[(tone, "surface") for tone in ("ok", "warn", "error", "busy", "idle", "accentText")],
    ("accentText", "accentSoft"),
    ("onAccent", "accent"),
    ("onAccent", "accentHover"),
    ("warn", "selection"),
]
VISIBLE = [("control", "surface"), ("control", "window"), ("barAck", "barTrack"), ("barPaused", "barTrack")]


def all_kinds() -> DatasetTableModel:
    """A model with every badge the table knows."""
    model = DatasetTableModel()
    model.set_page(
        page(
            [
                dataset("Validating", "validating"),
                dataset("Ready", counts={"warning": 2}),
                dataset("Errors", "error", counts={"error": 12}),
                dataset("Failed", "error"),
                dataset("Incomplete", "uploading"),
                dataset(MARKUP_NAME),
                dataset("שלום עולם.jsonl"),
            ]
        )
    )
    model.set_transfers(
        [
            transfer("Uploading", percent=62),
            transfer("Waiting", TransferState.WAITING, Phase.CHECKING),
            transfer("Finishing", phase=Phase.FINISHING),
            transfer("Given up", TransferState.FAILED, error=SourceError(ErrorCode.FILE_MISSING)),
        ]
    )
    return model


def show(qtbot: QtBot, theme: Theme, model: DatasetTableModel, width: int = 900) -> DatasetTableView:
    table = DatasetTableView(model, theme)
    qtbot.addWidget(table)
    table.resize(width, 700)
    table.show()
    return table


def picture(widget: QWidget, dpr: float) -> QImage:
    """The widget as it is painted at this device pixel ratio."""
    image = QImage(widget.size() * dpr, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(dpr)
    image.fill(QColor("magenta"))
    widget.render(image, QPoint())
    return image


def colors(image: QImage, area: QRect) -> set[str]:
    dpr = image.devicePixelRatio()
    return {
        image.pixelColor(int(x * dpr), int(y * dpr)).name()
        for x in range(area.left(), area.right() + 1)
        for y in range(area.top(), area.bottom() + 1)
    }


@pytest.mark.parametrize("dpr", [1.0, 1.25, 2.0])
@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK])
@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_every_row_is_painted_completely(
    qtbot: QtBot, theme: Theme, scheme: Scheme, dpr: float, direction: Qt.LayoutDirection
) -> None:
    theme.set_scheme(scheme)
    table = show(qtbot, theme, all_kinds())
    table.setLayoutDirection(direction)
    table.select_number(1)
    image = picture(table, dpr)
    for row in range(table.model().rowCount()):
        for column in Column:
            cell = table.visualRect(table.model().index(row, column))
            place = cell.translated(table.viewport().pos())
            ground = "selectionIdle" if row == 1 else "surface"
            corner = QRect(place.right() - 1, place.top() + 1, 1, 1)
            if row == 1 and (column == Column.NAME and direction == Qt.LayoutDirection.RightToLeft):
                assert colors(image, corner) == {theme.color("accent").name()}
            else:
                assert colors(image, corner) == {theme.color(ground).name()}, (row, column)
            assert len(colors(image, place)) > 2, f"nothing painted in row {row}, {column.name}"


def test_a_selected_row_has_the_accent_strip_and_a_badge_on_surface(qtbot: QtBot, theme: Theme) -> None:
    table = show(qtbot, theme, all_kinds())
    row = 5
    table.select_number(row)
    image = picture(table, 1.0)
    name = table.visualRect(table.model().index(row, Column.NAME)).translated(table.viewport().pos())
    strip = QRect(name.left(), name.top(), STRIP, name.height() - 1)
    assert colors(image, strip) == {theme.color("accent").name()}
    status = table.visualRect(table.model().index(row, Column.STATUS)).translated(table.viewport().pos())
    inside = QRect(status.left() + PAD + 12, status.top() + 9, 2, 1)
    assert colors(image, inside) == {theme.color("surface").name()}


@pytest.mark.parametrize("dpr", [1.0, 2.0])
@pytest.mark.parametrize("tone", ["ok", "warn", "error", "busy", "idle", "accent"])
def test_a_badge_paints_its_icon_word_and_ground(qtbot: QtBot, theme: Theme, tone: str, dpr: float) -> None:
    badge = Badge("circle-check", "Uploading 62 %", tone)
    width = badge_width(theme, badge)
    image = QImage(int(width * dpr), int(22 * dpr), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(dpr)
    image.fill(theme.color("surface"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    assert paint_badge(painter, theme, QRect(0, 0, width, 22), badge, badge.ground) == width
    painter.end()
    ink, ground = theme.color(badge.ink), theme.color(badge.ground)
    assert ground.name() in colors(image, QRect(3, 10, 2, 2))
    icon = colors(image, QRect(6, 4, 14, 14))
    word = colors(image, QRect(25, 2, width - 34, 18))
    assert ink.name() in icon or len(icon) > 4
    assert any(abs(QColor(one).lightness() - ink.lightness()) < 40 for one in word)


def test_a_name_in_markup_is_painted_as_text(qtbot: QtBot, theme: Theme) -> None:
    """Rich text would turn it into a picture or bold letters; literal text is much wider than `bold`."""
    model = DatasetTableModel()
    model.set_page(page([dataset(MARKUP_NAME)]))
    table = show(qtbot, theme, model, width=1200)
    name = table.visualRect(model.index(0, Column.NAME)).translated(table.viewport().pos())
    image = picture(table, 1.0)
    width = table.fontMetrics().horizontalAdvance(MARKUP_NAME)
    assert width < name.width()
    end = QRect(name.left() + 16 + width - 40, name.top(), 40, name.height() - 1)
    assert len(colors(image, end)) > 2


def test_rows_are_36_high_and_name_keeps_160(qtbot: QtBot, theme: Theme) -> None:
    table = show(qtbot, theme, all_kinds(), width=400)
    assert table.rowHeight(0) == ROW_HEIGHT
    assert table.columnWidth(Column.NAME) == NAME_MIN_WIDTH
    assert table.horizontalScrollBar().maximum() > 0
    table.resize(1200, 700)
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    assert table.columnWidth(Column.NAME) > NAME_MIN_WIDTH


def test_painting_100_000_rows_costs_no_more_than_painting_100(qtbot: QtBot, theme: Theme) -> None:
    def seconds(rows: int) -> float:
        model = DatasetTableModel()
        template = [dataset(f"Row {number}") for number in range(100)]
        model.set_page(page([template[number % 100] for number in range(rows)]))
        table = show(qtbot, theme, model)
        table.scrollToBottom()
        picture(table, 1.0)
        rounds = []
        for _ in range(5):
            began = time.perf_counter()
            picture(table, 1.0)
            rounds.append(time.perf_counter() - began)
        return min(rounds)

    assert seconds(100_000) < 4 * seconds(100)


def luminance(color: QColor) -> float:
    channels = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
                for value in (color.redF(), color.greenF(), color.blueF())]  # fmt: skip
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2 contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_readable(scheme: str) -> None:
    tokens = json.loads((resource_dir() / "style" / "tokens.json").read_text("utf-8"))[scheme]
    pairs = [(ink, ground, 4.5) for ink, ground in READABLE] + [(ink, ground, 3.0) for ink, ground in VISIBLE]
    weak = {
        f"{ink} on {ground}": round(ratio, 2)
        for ink, ground, wanted in pairs
        if (ratio := contrast(QColor(tokens[ink]), QColor(tokens[ground]))) < wanted
    }
    assert weak == {}


def test_light_and_dark_know_the_same_tokens() -> None:
    tokens = json.loads((resource_dir() / "style" / "tokens.json").read_text("utf-8"))
    assert tokens["light"].keys() == tokens["dark"].keys()
