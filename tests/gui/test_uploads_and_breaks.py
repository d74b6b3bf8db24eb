"""Uploads that something came between: a connection that was gone for a while, and a window that was closed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from pytestqt.qtbot import QtBot
from tests.gui.conftest import OpenMainWindow
from tests.support.client import open_core, rows, wait_for_end
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer, Throttle
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.errors import NetworkError
from lorry.core.transfers import TransferState

PUT_FILE = r"/object/upload/sign/"
LONG_MS = 30_000


def test_an_upload_that_lost_the_connection_goes_on_by_itself_when_it_is_back(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "small.jsonl"
    make_dataset("conversation_lines", 40_000, path)
    with FaultServer(server.url) as proxy, open_core(user, tmp_path / "home", url=proxy.url) as client:
        window = open_main_window(client)
        qtbot.waitUntil(lambda: window.listing.case is not None, timeout=LONG_MS)
        proxy.refuse()
        dataset_id = client.upload(path, client.inspect_file(path))
        qtbot.waitUntil(lambda: not window.standing.is_online, timeout=LONG_MS)
        failed = wait_for_end(client, dataset_id)
        assert isinstance(failed.error, NetworkError)
        assert window.notices.shown is not None
        assert window.notices.shown.text.endswith("Uploads go on by themselves when the connection is back.")
        proxy.accept()
        window.commands.refresh.trigger()
        qtbot.waitUntil(lambda: client.snapshot()[0].state is TransferState.DONE, timeout=LONG_MS)
        assert window.standing.is_online
    assert [row["id"] for row in rows(server, user_id=str(user.id))] == [str(dataset_id)]


def test_an_upload_left_by_an_earlier_run_starts_again_and_is_told(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "large.jsonl"
    make_dataset("conversation_lines", 8_000_000, path)
    with FaultServer(server.url) as proxy, ExitStack() as opened:
        proxy.on(PUT_FILE, Throttle(500_000), method="PUT")
        with open_core(user, tmp_path / "home", url=proxy.url) as first:
            dataset_id = first.upload(path, first.inspect_file(path))
            wait_until(lambda: first.snapshot()[0].progress.sent_bytes > 0, what="sending")
        proxy.clear()
        proxy.on(PUT_FILE, Throttle(8_000_000), method="PUT")
        client = opened.enter_context(open_core(user, tmp_path / "home", url=proxy.url))
        window = open_main_window(client)
        notices = window.notices
        qtbot.waitUntil(lambda: notices.shown is not None and notices.shown.key == "interrupted", timeout=LONG_MS)
        assert notices.shown is not None
        assert f"{notices.shown.lead} {notices.shown.text}" == (
            "1 upload was interrupted. It starts again from the beginning."
        )
        qtbot.waitUntil(
            lambda: [row.badge.word for row in window.listing.model.rows] == ["Ready"],
            timeout=LONG_MS,
        )
        assert window.listing.model.find(dataset_id) == 0
        assert client.interrupted_count == 0
