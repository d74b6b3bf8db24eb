"""What the transfers table paints, in both themes and directions, and which of its places are buttons."""

from __future__ import annotations

from uuid import UUID

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QDragEnterEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tests.gui.samples import transfer

from lorry.core.errors import ErrorCode, SourceError
from lorry.core.transfers import Transfer, TransferState, WaitReason
from lorry.gui.shell.theme import Scheme, Theme
from lorry.gui.transfers.cells import Column
from lorry.gui.transfers.delegate import BUTTON, ROW_HEIGHT
from lorry.gui.transfers.model import TransferTableModel
from lorry.gui.transfers.view import TransferTableView

LEFT = Qt.MouseButton.LeftButton
ENTRIES = [
    transfer("Couples and money", percent=65, stored=62, rate_bps=6.1e6, remaining_s=28.0),
    transfer("Job-loss triage", TransferState.PAUSED, percent=40, stored=31),
    transfer("Tax-season worry", TransferState.WAITING, waits_for=WaitReason.TURN),
    transfer("Changed", TransferState.FAILED, stored=50, error=SourceError(ErrorCode.FILE_CHANGED)),
    transfer("Given up", percent=20, is_cancelling=True),
]


def shown(qtbot: QtBot, theme: Theme, entries: list[Transfer], width: int = 908) -> TransferTableView:
    model = TransferTableModel()
    table = TransferTableView(model, theme)
    model.setParent(table)
    qtbot.addWidget(table)
    model.set_transfers(entries)
    table.resize(width, 400)
    table.show()
    return table


def cell(table: TransferTableView, row: int, column: Column) -> QRect:
    return table.visualRect(table.model().index(row, column))


def colours(image: QImage, area: QRect) -> set[str]:
    dpr = image.devicePixelRatio()
    return {
        image.pixelColor(int(x * dpr), int(y * dpr)).name()
        for x in range(max(0, area.left()), area.right() + 1)
        for y in range(area.top(), area.bottom() + 1)
    }


@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK])
@pytest.mark.parametrize("width", [908, 470])
def test_every_cell_that_says_something_is_painted(
    qtbot: QtBot, theme: Theme, scheme: Scheme, direction: Qt.LayoutDirection, width: int
) -> None:
    theme.set_scheme(scheme)
    table = shown(qtbot, theme, ENTRIES, width)
    table.setLayoutDirection(direction)
    image = table.viewport().grab().toImage()
    assert table.rowHeight(0) == ROW_HEIGHT
    assert table.horizontalScrollBar().maximum() == 0
    assert table.isColumnHidden(Column.SPEED) == (width < 900)
    for row in range(len(ENTRIES)):
        for column in (Column.NAME, Column.PROGRESS):
            assert len(colours(image, cell(table, row, column).adjusted(4, 4, -4, -4))) > 2, (row, column)
    assert theme.color("barAck").name() in colours(image, cell(table, 0, Column.PROGRESS))
    assert theme.color("barSent").name() in colours(image, cell(table, 0, Column.PROGRESS))
    assert theme.color("barPaused").name() in colours(image, cell(table, 1, Column.PROGRESS))
    assert theme.color("barAck").name() not in colours(image, cell(table, 1, Column.PROGRESS))


def test_the_bar_grows_from_the_leading_side(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)

    def is_at_left() -> bool:
        area, image = cell(table, 1, Column.PROGRESS), table.viewport().grab().toImage()
        half = area.adjusted(0, 0, -area.width() * 2 // 3, 0)
        return theme.color("barPaused").name() in colours(image, half)

    assert is_at_left()
    table.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert not is_at_left()


def test_a_click_on_a_painted_button_acts_on_that_row_and_selects_nothing(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)
    table.select(ENTRIES[2].dataset_id)
    acted: list[tuple[str, list[UUID]]] = []
    table.act_wanted.connect(lambda ids: acted.append(("act", ids)))
    table.cancel_wanted.connect(lambda ids: acted.append(("cancel", ids)))
    for row, column in ((0, Column.ACTION), (1, Column.ACTION), (1, Column.CANCEL), (3, Column.CANCEL)):
        qtbot.mouseClick(table.viewport(), LEFT, pos=cell(table, row, column).topLeft() + QPoint(14, 26))
    assert acted == [
        ("act", [ENTRIES[0].dataset_id]),
        ("act", [ENTRIES[1].dataset_id]),
        ("cancel", [ENTRIES[1].dataset_id]),
        ("cancel", [ENTRIES[3].dataset_id]),
    ]
    assert table.selected_ids == [ENTRIES[2].dataset_id]


def test_a_failed_row_has_its_word_as_a_button_where_there_is_room(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)
    acted: list[list[UUID]] = []
    table.act_wanted.connect(acted.append)
    qtbot.mouseClick(table.viewport(), LEFT, pos=cell(table, 3, Column.ACTION).center())
    assert acted == []
    qtbot.mouseClick(table.viewport(), LEFT, pos=cell(table, 3, Column.SPEED).topLeft() + QPoint(40, 26))
    assert acted == [[ENTRIES[3].dataset_id]]
    table.resize(470, 400)
    qtbot.waitUntil(lambda: table.isColumnHidden(Column.SPEED))
    qtbot.mouseClick(table.viewport(), LEFT, pos=cell(table, 3, Column.ACTION).topLeft() + QPoint(14, 26))
    assert len(acted) == 2


def test_what_is_being_cancelled_has_no_buttons(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)
    acted: list[object] = []
    table.act_wanted.connect(acted.append)
    table.cancel_wanted.connect(acted.append)
    for column in (Column.ACTION, Column.CANCEL, Column.SPEED):
        qtbot.mouseClick(table.viewport(), LEFT, pos=cell(table, 4, column).topLeft() + QPoint(14, 26))
    assert acted == []


def test_letting_go_elsewhere_is_no_click(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)
    acted: list[object] = []
    table.cancel_wanted.connect(acted.append)
    place = cell(table, 0, Column.CANCEL).topLeft() + QPoint(14, 26)
    qtbot.mousePress(table.viewport(), LEFT, pos=place)
    qtbot.mouseRelease(table.viewport(), LEFT, pos=cell(table, 1, Column.CANCEL).topLeft() + QPoint(14, 26))
    assert acted == []


def test_buttons_are_large_enough_to_hit() -> None:
    assert BUTTON >= 28


def test_a_selected_row_is_marked_and_its_bar_stands_on_surface(qtbot: QtBot, theme: Theme) -> None:
    table = shown(qtbot, theme, ENTRIES)
    table.select(ENTRIES[2].dataset_id)
    image = table.viewport().grab().toImage()
    strip = QRect(0, cell(table, 2, Column.NAME).top() + 2, 3, 40)
    assert colours(image, strip) == {theme.color("accent").name()}
    track = cell(table, 2, Column.PROGRESS)
    assert QColor(theme.color("surface")).name() in colours(image, track)


def test_a_row_dropped_between_others_lands_before_the_next_waiting_one(qtbot: QtBot, theme: Theme) -> None:
    waiting = [transfer(f"Set {number}", TransferState.WAITING, waits_for=WaitReason.TURN) for number in range(4)]
    table = shown(qtbot, theme, [ENTRIES[0], *waiting])
    dropped: list[tuple[list[UUID], UUID | None]] = []
    table.drop_wanted.connect(lambda ids, before: dropped.append((ids, before)))
    mime = QMimeData()
    mime.setData("application/x-lorry-upload", str(waiting[3].dataset_id).encode())
    for row, offset in ((0, 4), (2, 4), (4, ROW_HEIGHT - 4)):
        place = QPointF(60, table.rowViewportPosition(row) + offset)
        how = (Qt.DropAction.MoveAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
        enter = QDragEnterEvent(place.toPoint(), *how)
        QApplication.sendEvent(table.viewport(), enter)
        assert enter.isAccepted()
        QApplication.sendEvent(table.viewport(), QDragMoveEvent(place.toPoint(), *how))
        assert theme.color("accent").name() in colours(table.viewport().grab().toImage(), QRect(400, 0, 2, 300))
        QApplication.sendEvent(table.viewport(), QDropEvent(place, *how))
    assert dropped == [
        ([waiting[3].dataset_id], waiting[0].dataset_id),
        ([waiting[3].dataset_id], waiting[1].dataset_id),
        ([waiting[3].dataset_id], None),
    ]
