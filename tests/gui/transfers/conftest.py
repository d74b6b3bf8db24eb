"""The place of the panel's tests: the real window on the real client, with a proxy that lets parts through slowly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot
from tests.gui.conftest import OpenMainWindow
from tests.support.client import open_core, transfer_of
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer, Throttle
from tests.support.workspace import RunningServer, User

from lorry.core.client import Client
from lorry.core.engine import Temper
from lorry.core.transfers import TransferState
from lorry.gui.shell.main_window import MainWindow
from lorry.gui.transfers.cells import Column

PARTS = r"/upload/resumable/"
LONG_MS = 30_000
SIZE = 14_000_000


@dataclass
class Place:
    """The window, its client, and the proxy between client and server."""

    qtbot: QtBot
    window: MainWindow
    client: Client
    proxy: FaultServer
    folder: Path

    def upload(self, name: str, size_bytes: int = SIZE) -> UUID:
        """Queue a file that takes a while; parts are let through at 3 MB/s."""
        path = make_dataset("conversation_lines", size_bytes, self.folder / f"{name}.jsonl").path
        return self.client.upload(path, self.client.inspect_file(path).model_copy(update={"name": name}))

    def is_state(self, dataset_id: UUID, state: TransferState) -> bool:
        transfer = transfer_of(self.client, dataset_id)
        return transfer is not None and transfer.state is state

    def wait_for(self, dataset_id: UUID, state: TransferState) -> None:
        self.qtbot.waitUntil(lambda: self.is_state(dataset_id, state), timeout=LONG_MS)

    def wait_until_stored(self, dataset_id: UUID) -> None:
        def has_stored() -> bool:
            transfer = transfer_of(self.client, dataset_id)
            return transfer is not None and transfer.progress.stored_bytes > 0

        self.qtbot.waitUntil(has_stored, timeout=LONG_MS)

    def wait_for_row(self, dataset_id: UUID, phase: str) -> None:
        model = self.window.transfers.model

        def says() -> bool:
            number = model.find(dataset_id)
            return number is not None and model.line(number).phase == phase

        self.qtbot.waitUntil(says, timeout=LONG_MS)

    def click(self, dataset_id: UUID, column: Column) -> None:
        """Click the painted button of an upload."""
        table, number = self.window.transfers.table, self.window.transfers.model.find(dataset_id)
        assert number is not None
        place = table.visualRect(self.window.transfers.model.index(number, column)).topLeft() + QPoint(14, 26)
        self.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.window.transfers.table, key, modifier)

    @property
    def order(self) -> list[str]:
        return [transfer.draft.name for transfer in self.window.transfers.model.transfers]


@pytest.fixture
def place(
    qtbot: QtBot, user: User, server: RunningServer, open_main_window: OpenMainWindow, tmp_path: Path
) -> Iterator[Place]:
    with (
        FaultServer(server.url) as proxy,
        open_core(user, tmp_path / "home", url=proxy.url, temper=Temper()) as client,
    ):
        proxy.on(PARTS, Throttle(3_000_000), method="PATCH")
        window = open_main_window(client)
        qtbot.waitUntil(lambda: window.listing.case is not None, timeout=LONG_MS)
        yield Place(qtbot, window, client, proxy, tmp_path)
        client.cancel_all()
        window.close()
