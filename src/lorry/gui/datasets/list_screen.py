"""The list as a whole: filters ask, the reader reads, the model holds, the pane shows rows or why there are none.

It follows the core's events by itself, so rows move through their states without the list being read again.
Main thread only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.errors import AuthError, LorryError, NetworkError
from lorry.core.model import DEFAULT_PAGE_SIZE, DatasetPage
from lorry.gui.datasets.empty_state import EmptyCase
from lorry.gui.datasets.filters import Filters
from lorry.gui.datasets.list_pane import LOADING_AFTER_MS, ListPane
from lorry.gui.datasets.reader import DatasetReader
from lorry.gui.datasets.table_model import DatasetTableModel
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.text.error_text import describe
from lorry.text.format import plural

if TYPE_CHECKING:
    from lorry.core.client import Client

#: Changes of rows within this long are one change to those who sum them up.
GATHER_MS = 100


class ListScreen(QObject):
    """Filters, model, reader and pane, connected.

    Signals:
        changed(): rows came, went or changed, or the reason for their absence did.
        answered(): the server answered a reading.
        failed(LorryError): a reading failed; the rows stay.
    """

    changed = Signal()
    answered = Signal()
    failed = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._client = client
        self._wanted: UUID | None = None
        self._is_connecting = client.account is None
        self._absence: LorryError | None = None
        self.filters = Filters(theme, DEFAULT_PAGE_SIZE, window)
        self.model = DatasetTableModel(self)
        self.pane = ListPane(self.model, theme, window)
        self.reader = DatasetReader(client, inbox, self.filters.query(), self)
        self._soon = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._soon.timeout.connect(self.changed)
        #: Uploads that were cancelled, until their rows are taken out together.
        self._gone: list[UUID] = []
        self._loading = QTimer(self, singleShot=True, interval=LOADING_AFTER_MS)
        self._loading.timeout.connect(self._show_state)
        self._connect(inbox)

    @property
    def case(self) -> EmptyCase | None:
        """Why no rows are shown; None when there are rows, or an answer is due any moment."""
        if self.model.rowCount():
            return None
        if self.reader.page is None:
            return self._case_before_rows()
        return EmptyCase.NO_MATCH if self.filters.is_filtering else EmptyCase.NO_DATASETS

    def connecting(self) -> None:
        """Whether anybody is signed in is not known yet; `start` follows."""
        self._is_connecting = True
        self._absence = None
        self._loading.start()
        self._show_state()

    def start(self, absence: LorryError | None = None) -> None:
        """Read for the first time, or for another user; `absence` is why nobody is signed in, if that was no choice."""
        self._is_connecting = False
        self._absence = absence
        self.reader.forget()
        self.model.clear()
        if self._client.account is not None:
            self._loading.start()
            self.model.set_transfers(self._client.snapshot())
            self.reader.ask(self.filters.query())
        self._show_state()

    def show_dataset(self, dataset_id: UUID) -> None:
        """Select a dataset; when filters or paging hide it, they are reset first."""
        if self.pane.table.select(dataset_id):
            self.pane.table.setFocus()
            return
        self._wanted = dataset_id
        if self.filters.is_filtering:
            self.filters.clear()
        else:
            self.reader.ask(self.filters.query())

    def _connect(self, inbox: Inbox) -> None:
        self.filters.changed.connect(self.reader.ask)
        self.pane.pager.page_requested.connect(lambda page: self.reader.ask(self.filters.query(page)))
        self.reader.shown.connect(self._on_page_shown)
        self.reader.failed.connect(self._on_read_failed)
        self.model.rowsInserted.connect(lambda *_: self._show_state())
        self.model.rowsRemoved.connect(lambda *_: self._show_state())
        self.model.dataChanged.connect(self._on_data_changed)
        inbox.progressed.connect(self.model.set_transfers)
        inbox.transfer_removed.connect(self._on_transfer_removed)
        inbox.dataset_changed.connect(self.model.put_dataset)
        inbox.dataset_gone.connect(self.model.remove)
        inbox.datasets_stale.connect(self.reader.read_soon)

    def _case_before_rows(self) -> EmptyCase | None:
        """Why there is nothing while no page was ever read; None while an answer is due any moment."""
        error = self.reader.error or self._absence
        is_absent = self._client.account is None and not self._is_connecting
        if isinstance(error, AuthError) or (error is None and is_absent):
            return EmptyCase.SIGNED_OUT
        if error is not None:
            return EmptyCase.OFFLINE if isinstance(error, NetworkError) else EmptyCase.FAILED
        return None if self._loading.isActive() else EmptyCase.LOADING

    def _on_page_shown(self, page: DatasetPage) -> None:
        self._loading.stop()
        self.model.set_page(page)
        self.pane.pager.set_page(page)
        self._show_state()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            if self.pane.table.select(wanted):
                self.pane.table.setFocus()
        self.answered.emit()

    def _on_read_failed(self, error: LorryError) -> None:
        self._loading.stop()
        self._show_state()
        self.failed.emit(error)

    def _on_transfer_removed(self, dataset_id: UUID) -> None:
        self._gone.append(dataset_id)
        if len(self._gone) == 1:
            QTimer.singleShot(0, self, self._remove_gone)

    def _remove_gone(self) -> None:
        gone, self._gone = self._gone, []
        self.model.remove(*gone)

    def _on_data_changed(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _show_state(self) -> None:
        case = self.case
        if case is None:
            self.pane.show_rows()
        else:
            self.pane.show_empty(case, self._sentence(case))
        self.filters.set_enabled(case not in (EmptyCase.NO_DATASETS, EmptyCase.SIGNED_OUT))
        self.changed.emit()

    def _sentence(self, case: EmptyCase) -> str:
        error = self.reader.error or self._absence
        if case is EmptyCase.FAILED and error is not None:
            return describe(error).sentence
        if case is not EmptyCase.NO_MATCH:
            return ""
        total = self.reader.total_unfiltered
        if total is None:
            return f"No dataset {self.filters.words()}."
        who = "The only dataset does not have" if total == 1 else f"None of {plural(total, 'dataset')} has"
        return f"{who}{self.filters.words().removeprefix('has')}."
