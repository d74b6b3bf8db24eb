"""Asks where the file of a failed upload is now, and lets the upload go on with it.

The file is looked at on a task thread: a network drive may keep it waiting. Main thread only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lorry.core.transfers import Transfer
from lorry.gui.shell.inbox import Inbox

if TYPE_CHECKING:
    from lorry.core.client import Client


class MovedFile(QObject):
    """Signals:
    refused(LorryError): the file that was shown cannot take the place.
    """

    refused = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, window: QWidget) -> None:
        super().__init__(window)
        self._client, self._inbox, self._window = client, inbox, window

    def ask(self, transfer: Transfer) -> None:
        """Open the system's file dialog, without blocking."""
        dialog = QFileDialog(self._window, f"Where is {transfer.draft.file_name} now?", str(transfer.path.parent))
        dialog.setNameFilters(["Datasets (*.jsonl *.json)", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self._relocate(transfer.dataset_id, Path(name)))
        dialog.open()

    def _relocate(self, dataset_id: UUID, path: Path) -> None:
        self._inbox.run(
            lambda: self._client.relocate_upload(dataset_id, path),
            lambda _: self._inbox.watch_progress(),
            self.refused.emit,
            receiver=self,
        )
