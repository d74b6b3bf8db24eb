"""Uploads that something came between: a connection that was gone for a while, and a window that was closed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from tests.gui.conftest import OpenMainWindow
from tests.support.client import open_core, rows, transfer_of
from tests.support.datasets import make_dataset
from tests.support.fault_server import CutAnswer, FaultServer, Throttle
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.engine import Temper
from lorry.core.transfers import TransferState, WaitReason

#: The parts of a resumable upload.
PARTS = r"/upload/resumable/"
#: No attempt would follow by itself within a test.
PATIENT = Temper(dice=lambda _low, _high: 3_600.0)
LONG_MS = 30_000


def test_an_upload_without_a_network_goes_on_at_once_when_the_user_says_so(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = make_dataset("conversation_lines", 40_000, tmp_path / "small.jsonl").path
    with (
        FaultServer(server.url) as proxy,
        open_core(user, tmp_path / "home", url=proxy.url, temper=PATIENT) as client,
    ):
        window = open_main_window(client)
        qtbot.waitUntil(lambda: window.listing.case is not None, timeout=LONG_MS)
        proxy.refuse()
        dataset_id = client.upload(path, client.inspect_file(path))
        qtbot.waitUntil(lambda: not window.standing.is_online, timeout=LONG_MS)
        qtbot.waitUntil(lambda: window.transfers.header.counts == "1 waiting for the network", timeout=LONG_MS)
        waiting = transfer_of(client, dataset_id)
        assert waiting is not None
        assert (waiting.state, waiting.waits_for) == (TransferState.WAITING, WaitReason.NETWORK)
        assert window.listing.model.row(0).badge.word == "Waiting"
        notice = window.notices.shown
        assert notice is not None
        assert notice.text.endswith("Uploads go on by themselves when the connection is back.")
        proxy.accept()
        assert notice.action == "Try now"
        qtbot.mouseClick(window.notices.findChild(QPushButton), Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: client.snapshot()[0].state is TransferState.DONE, timeout=LONG_MS)
        qtbot.waitUntil(lambda: window.standing.is_online, timeout=LONG_MS)
    assert [row["id"] for row in rows(server, user_id=str(user.id))] == [str(dataset_id)]


def test_an_upload_left_by_an_earlier_run_continues_and_is_told(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = make_dataset("conversation_lines", 30_000_000, tmp_path / "large.jsonl").path
    with FaultServer(server.url) as proxy, ExitStack() as opened:
        proxy.on(PARTS, Throttle(6_000_000), method="PATCH")
        with open_core(user, tmp_path / "home", url=proxy.url, temper=Temper()) as first:
            dataset_id = first.upload(path, first.inspect_file(path))
            wait_until(lambda: first.snapshot()[0].progress.stored_bytes > 0, what="a stored part")
        stored_bytes = first.snapshot()[0].progress.stored_bytes
        client = opened.enter_context(open_core(user, tmp_path / "home", url=proxy.url, temper=Temper()))
        window = open_main_window(client)
        notices = window.notices
        qtbot.waitUntil(lambda: notices.shown is not None and notices.shown.key == "interrupted", timeout=LONG_MS)
        assert notices.shown is not None
        assert (
            f"{notices.shown.lead} {notices.shown.text}" == "1 upload was interrupted. It continues where it stopped."
        )
        qtbot.mouseClick(window.notices.findChild(QPushButton), Qt.MouseButton.LeftButton)
        assert window.transfers.table.selected_ids == [dataset_id]
        qtbot.waitUntil(lambda: window.transfers.model.line(0).note.startswith("Resumed at "), timeout=LONG_MS)
        assert (window.transfers.model.transfer(0).resumed_at_bytes or 0) >= stored_bytes
        proxy.clear()
        qtbot.waitUntil(lambda: [row.badge.word for row in window.listing.model.rows] == ["Ready"], timeout=LONG_MS)
        assert window.listing.model.find(dataset_id) == 0
        assert client.interrupted_count == 0


def test_quitting_waits_for_the_last_bytes_to_be_confirmed(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = make_dataset("conversation_lines", 8_000_000, tmp_path / "large.jsonl").path
    with (
        FaultServer(server.url) as proxy,
        open_core(user, tmp_path / "home", url=proxy.url, temper=Temper()) as client,
    ):
        window = open_main_window(client)
        proxy.on(PARTS, Throttle(1_500_000), method="PATCH")
        client.upload(path, client.inspect_file(path))
        guard = window.quit_guard
        qtbot.waitUntil(lambda: client.snapshot()[0].phase == "finishing", timeout=LONG_MS)
        window.close()
        assert guard.question is not None
        guard.question.quit_button.click()
        assert guard.is_waiting
        assert guard.question.question.text() == "Waiting for the last bytes to be confirmed"
        assert not window.isHidden()
        qtbot.waitUntil(window.isHidden, timeout=LONG_MS)
        wait_until(lambda: client.snapshot()[0].state is TransferState.DONE, what="the end of the upload")


def test_a_part_whose_answer_got_lost_is_not_a_reason_to_ask_anybody(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = make_dataset("conversation_lines", 20_000_000, tmp_path / "large.jsonl").path
    with (
        FaultServer(server.url) as proxy,
        open_core(user, tmp_path / "home", url=proxy.url, temper=Temper()) as client,
    ):
        window = open_main_window(client)
        proxy.on(PARTS, CutAnswer(), method="PATCH", times=1)
        client.upload(path, client.inspect_file(path))
        seen: set[str] = set()
        window.transfers.model.dataChanged.connect(lambda *_: seen.add(window.transfers.model.line(0).phase))
        qtbot.waitUntil(lambda: client.snapshot()[0].state is TransferState.DONE, timeout=LONG_MS)
        assert "Waiting for the network" in seen
        assert "Failed" not in seen
