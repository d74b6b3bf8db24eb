"""The transfers panel in the real window, on the real client and server: what its buttons, keys and menus do."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from tests.gui.transfers.conftest import LONG_MS, SIZE, Place
from tests.support.client import holds_nothing, rows, transfer_of
from tests.support.workspace import User

from lorry.core.store.settings import Settings
from lorry.core.transfers import TransferState
from lorry.gui.transfers.cells import Column
from lorry.gui.upload.dialog import UploadDialog

KEY, ALT = Qt.Key, Qt.KeyboardModifier.AltModifier


def test_it_opens_with_the_first_upload_and_closes_with_the_last(place: Place) -> None:
    panel = place.window.transfers
    assert panel.isHidden()
    place.qtbot.keyClick(place.window, KEY.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert panel.isVisible()
    assert panel.is_empty
    place.qtbot.keyClick(place.window, KEY.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert panel.isHidden()
    dataset_id = place.upload("One", 1_000_000)
    place.qtbot.waitUntil(panel.isVisible, timeout=LONG_MS)
    assert place.window.commands.transfers.isChecked()
    place.wait_for(dataset_id, TransferState.DONE)
    place.qtbot.waitUntil(panel.isHidden, timeout=LONG_MS)
    assert not place.window.commands.transfers.isChecked()


def test_pause_by_click_and_resume_by_space(place: Place, user: User) -> None:
    dataset_id = place.upload("One")
    place.wait_until_stored(dataset_id)
    place.click(dataset_id, Column.ACTION)
    place.wait_for_row(dataset_id, "Paused")
    paused = transfer_of(place.client, dataset_id)
    assert paused is not None
    percent = paused.progress.stored_bytes * 100 // SIZE
    place.qtbot.waitUntil(
        lambda: place.window.listing.model.row(0).badge.word == f"Paused {percent} %", timeout=LONG_MS
    )
    assert place.window.transfers.model.line(0).note.startswith("Paused by you at ")
    assert place.window.transfers.header.counts == "1 paused"
    place.proxy.clear()
    place.window.transfers.table.select(dataset_id)
    place.press(KEY.Key_Space)
    place.wait_for(dataset_id, TransferState.DONE)
    (row,) = rows(user.server, user_id=user.id)
    assert row["id"] == str(dataset_id)


def test_cancel_asks_only_where_something_is_stored(place: Place, user: User) -> None:
    first, second = place.upload("One", 60_000_000), place.upload("Two")
    third = place.upload("Three")
    place.wait_until_stored(first)
    place.window.transfers.table.select(third)
    place.press(KEY.Key_Delete)
    assert place.window.transfer_desk.question is None
    place.qtbot.waitUntil(lambda: transfer_of(place.client, third) is None, timeout=LONG_MS)
    place.click(first, Column.CANCEL)
    question = place.window.transfer_desk.question
    assert question is not None
    assert question.meaning.text().endswith("already stored will be removed from the project. Your file stays.")
    question.no_button.click()
    assert transfer_of(place.client, first) is not None
    place.window.upload_commands.cancel_all.trigger()
    question = place.window.transfer_desk.question
    assert question is not None
    question.yes_button.click()
    place.qtbot.waitUntil(lambda: place.client.snapshot() == (), timeout=LONG_MS)
    place.qtbot.waitUntil(place.window.transfers.isHidden, timeout=LONG_MS)
    assert holds_nothing(user), second


def test_waiting_uploads_change_places_by_key(place: Place) -> None:
    place.window.upload_commands.workers[1].trigger()
    assert place.client.workers == 1
    names = ["One", "Two", "Three", "Four"]
    ids = {name: place.upload(name) for name in names}
    place.qtbot.waitUntil(lambda: place.order == names, timeout=LONG_MS)
    place.wait_for(ids["One"], TransferState.RUNNING)
    table = place.window.transfers.table
    table.select(ids["Four"])
    place.press(KEY.Key_Up, ALT)
    place.qtbot.waitUntil(lambda: place.order == ["One", "Two", "Four", "Three"], timeout=LONG_MS)
    place.press(KEY.Key_Up, ALT)
    place.qtbot.waitUntil(lambda: place.order == ["One", "Four", "Two", "Three"], timeout=LONG_MS)
    place.press(KEY.Key_Up, ALT)
    place.press(KEY.Key_Down, ALT)
    place.qtbot.waitUntil(lambda: place.order == ["One", "Two", "Four", "Three"], timeout=LONG_MS)
    assert table.selected_ids == [ids["Four"]]
    table.drop_wanted.emit([ids["Three"], ids["Four"]], ids["Two"])
    place.qtbot.waitUntil(lambda: place.order == ["One", "Three", "Four", "Two"], timeout=LONG_MS)
    notes = [place.window.transfers.model.line(number).note for number in (1, 2)]
    assert notes == ["Next in line", "Waiting for its turn"]


def test_all_can_be_paused_and_resumed(place: Place) -> None:
    ids = [place.upload(name) for name in ("One", "Two", "Three")]
    place.qtbot.waitUntil(lambda: len(place.order) == 3, timeout=LONG_MS)
    header = place.window.transfers.header
    place.qtbot.waitUntil(lambda: header.all_button.accessibleName() == "Pause all", timeout=LONG_MS)
    header.all_button.click()
    for dataset_id in ids:
        place.wait_for(dataset_id, TransferState.PAUSED)
    place.qtbot.waitUntil(lambda: header.all_button.accessibleName() == "Resume all", timeout=LONG_MS)
    place.proxy.clear()
    header.all_button.click()
    for dataset_id in ids:
        place.wait_for(dataset_id, TransferState.DONE)
    notices = place.window.notices
    place.qtbot.waitUntil(lambda: notices.shown is not None and notices.shown.key == "batch", timeout=LONG_MS)
    assert notices.shown is not None
    assert (notices.shown.lead, notices.shown.text) == ("3 of 3 uploaded.", "Validation in progress.")


def test_the_limit_holds_and_is_remembered(place: Place, tmp_path: Path) -> None:
    place.proxy.clear()
    commands, header = place.window.upload_commands, place.window.transfers.header
    commands.limits[1_000_000].trigger()
    assert place.client.bandwidth_limit_bps == 1_000_000
    assert header.speed.accessibleName() == "Speed: 1 MB/s"
    dataset_id = place.upload("One")
    place.qtbot.waitUntil(lambda: place.window.transfers.model.rowCount() == 1, timeout=LONG_MS)
    place.wait_for_row(dataset_id, "Uploading")
    commands.custom_limit.trigger()
    dialog = place.window.transfer_desk.limit_dialog
    assert dialog is not None
    dialog.edit.setText("fast")
    dialog.set_button.click()
    assert dialog.field.problem == "Give a number from 0.02 to 10,000."
    dialog.edit.setText("2,5")
    dialog.set_button.click()
    assert place.client.bandwidth_limit_bps == 2_500_000
    assert header.speed.accessibleName() == "Speed: 2.5 MB/s"
    assert commands.custom_limit.isChecked()
    settings = Settings(tmp_path / "settings.json")
    assert settings.get("transfers.limit_bps") == 2_500_000
    commands.limits[None].trigger()
    assert place.client.bandwidth_limit_bps is None
    place.wait_for(dataset_id, TransferState.DONE)


def test_return_shows_the_upload(place: Place) -> None:
    dataset_id = place.upload("One")
    place.qtbot.waitUntil(lambda: place.window.transfers.model.rowCount() == 1, timeout=LONG_MS)
    place.press(KEY.Key_Return)
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, UploadDialog) and one.isVisible()]
    assert [one.followed for one in dialogs] == [dataset_id]
    dialogs[0].close()


def test_f6_goes_from_area_to_area(place: Place) -> None:
    place.upload("One")
    place.qtbot.waitUntil(place.window.transfers.isVisible, timeout=LONG_MS)
    place.window.activateWindow()
    place.window.table.setFocus()
    seen = []
    for _ in range(4):
        place.window.commands.next_area.trigger()
        focus = place.window.focusWidget()
        areas = {"toolbar": place.window.toolbar, "table": place.window.listing.pane, "details": place.window.details,
                 "transfers": place.window.transfers}  # fmt: skip
        seen.append(next((name for name, area in areas.items() if focus and area.isAncestorOf(focus)), ""))
    assert "transfers" in seen
    assert "table" in seen
