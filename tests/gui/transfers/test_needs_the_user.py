"""Uploads that need their user: a changed or moved file, a sign-in; and what is said when a batch has ended."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton
from tests.gui.transfers.conftest import LONG_MS, Place
from tests.support.client import rows, transfer_of
from tests.support.datasets import make_dataset
from tests.support.workspace import User

from lorry.core.transfers import TransferState, WaitReason
from lorry.gui.transfers.cells import Column


def test_a_changed_file_starts_again_by_its_button(place: Place, user: User) -> None:
    dataset_id = place.upload("One")
    place.wait_until_stored(dataset_id)
    expected = make_dataset("pair_lines", 7_000_000, place.folder / "One.jsonl")
    place.wait_for_row(dataset_id, "Failed")
    line = place.window.transfers.model.line(0)
    assert line.action.word == "Start again"
    assert "changed while it was being uploaded" in line.note
    place.proxy.clear()
    place.window.transfers.table.select(dataset_id)
    place.qtbot.waitUntil(lambda: place.window.upload_commands.act.text() == "&Start again\tSpace", timeout=LONG_MS)
    place.window.upload_commands.act.trigger()
    place.wait_for(dataset_id, TransferState.DONE)
    place.qtbot.waitUntil(lambda: place.window.listing.model.row(0).badge.word == "Ready", timeout=LONG_MS)
    (row,) = rows(user.server, user_id=user.id)
    assert row["total_training_pairs"] == expected.training_pairs


def test_a_moved_file_is_shown_and_the_upload_goes_on(place: Place, user: User) -> None:
    dataset_id = place.upload("One")
    place.wait_until_stored(dataset_id)
    place.click(dataset_id, Column.ACTION)
    place.wait_for_row(dataset_id, "Paused")
    moved = (place.folder / "One.jsonl").rename(place.folder / "moved.jsonl")
    place.click(dataset_id, Column.ACTION)
    place.wait_for_row(dataset_id, "Failed")
    assert place.window.transfers.model.line(0).note == "File not found: One.jsonl."
    place.proxy.clear()
    place.window.upload_commands.act.trigger()
    (chooser,) = place.window.findChildren(QFileDialog)
    chooser.setDirectory(str(moved.parent))
    chooser.findChild(QLineEdit, "fileNameEdit").setText(moved.name)
    chooser.accept()
    place.wait_for(dataset_id, TransferState.DONE)
    done = transfer_of(place.client, dataset_id)
    assert done is not None
    assert (done.resumed_at_bytes or 0) > 0


def test_signing_out_keeps_uploads_and_signing_in_lets_them_go_on(place: Place, user: User) -> None:
    dataset_id = place.upload("One")
    place.wait_until_stored(dataset_id)
    place.window.commands.sign_out.trigger()
    place.wait_for(dataset_id, TransferState.WAITING)
    place.qtbot.waitUntil(lambda: place.window.transfers.header.counts == "1 waiting for your sign-in", timeout=LONG_MS)
    waiting = transfer_of(place.client, dataset_id)
    assert waiting is not None and waiting.waits_for is WaitReason.SIGN_IN
    assert place.window.transfers.model.line(0).note == "Waiting until you sign in"
    place.proxy.clear()
    place.client.sign_in(user.email, user.password)
    place.wait_for(dataset_id, TransferState.DONE)


def test_a_batch_is_one_notice_and_leads_to_what_failed(place: Place) -> None:
    first = place.upload("One")
    place.wait_until_stored(first)
    others = [place.upload(name, 50_000) for name in ("Two", "Three")]
    told: list[str] = []
    notices = place.window.notices
    place.window._inbox.progressed.connect(lambda _: told.append(notices.shown.lead if notices.shown else ""))
    for dataset_id in others:
        place.wait_for(dataset_id, TransferState.DONE)
    with (place.folder / "One.jsonl").open("ab") as file:
        file.write(b"x")
    place.wait_for_row(first, "Failed")
    place.qtbot.waitUntil(lambda: notices.shown is not None, timeout=LONG_MS)
    assert notices.shown is not None
    assert (notices.shown.lead, notices.shown.text) == ("2 of 3 uploaded.", "1 needs attention.")
    assert set(told) <= {"", "2 of 3 uploaded."}
    place.window.commands.transfers.setChecked(False)
    place.qtbot.mouseClick(notices.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert place.window.transfers.isVisible()
    assert place.window.transfers.table.selected_ids == [first]
