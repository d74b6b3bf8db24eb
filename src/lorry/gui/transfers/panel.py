"""The transfers panel: header, table, and the sentence that stands there while there is nothing.

It follows the core's uploads by itself and tells when the first one came and the last one went. Main thread only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout, QWidget

from lorry.core.transfers import Transfer
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.gui.transfers.actions import TransferActions
from lorry.gui.transfers.delegate import row_height
from lorry.gui.transfers.header import HEIGHT, PanelHeader
from lorry.gui.transfers.model import LINGER_S, TransferTableModel
from lorry.gui.transfers.view import TransferTableView

if TYPE_CHECKING:
    from lorry.core.client import Client

#: Without a size of its own the panel is as high as its rows, up to this many.
_ROWS = 4


class TransfersPanel(QFrame):
    """Signals:
    filled(), emptied(): the first upload came, the last one went.
    rows_changed(): there are more or fewer rows.
    """

    filled = Signal()
    emptied = Signal()
    rows_changed = Signal()

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        theme: Theme,
        actions: TransferActions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "surface")
        self.setAccessibleName("Transfers")
        self._client, self._theme = client, theme
        self._was_empty = True
        self.model = TransferTableModel(self)
        self.table = TransferTableView(self.model, theme)
        self.table.set_menu(actions.row_menu(self))
        self.header = PanelHeader(theme, actions)
        self._note = ThemedLabel(theme, "Uploads you start appear here.", "body", "second")
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.table)
        self._pages.addWidget(self._note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._pages, 1)
        self._linger = QTimer(self, singleShot=True, interval=round(LINGER_S * 1000) + 50)
        self._linger.timeout.connect(self.refresh)
        inbox.progressed.connect(self._on_progressed)
        self.setMinimumHeight(HEIGHT + row_height(theme))
        self._on_progressed(())

    @property
    def is_empty(self) -> bool:
        return self.model.rowCount() == 0

    @property
    def natural_height(self) -> int:
        """As high as its rows, but neither empty nor large."""
        rows = min(_ROWS, max(1, self.model.rowCount()))
        return self.header.sizeHint().height() + rows * row_height(self._theme)

    def refresh(self) -> None:
        """Ask the client how its uploads stand."""
        self._on_progressed(self._client.snapshot())

    def _on_progressed(self, transfers: tuple[Transfer, ...]) -> None:
        rows_before = self.model.rowCount()
        self.model.set_transfers(transfers)
        self.header.show_transfers(self.model.transfers)
        self._pages.setCurrentIndex(1 if self.is_empty else 0)
        if self.model.lingers and not self._linger.isActive():
            self._linger.start()
        if rows_before != self.model.rowCount():
            self.rows_changed.emit()
        if self._was_empty != self.is_empty:
            self._was_empty = self.is_empty
            (self.emptied if self.is_empty else self.filled).emit()
