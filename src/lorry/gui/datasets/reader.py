"""Reads pages of the list on task threads and decides what the window shows for it: rows, why there are none, how old.

Late answers to old questions are dropped. A failed read leaves the rows that are shown; what failed is told by signal.
Main thread only.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from lorry.core.errors import LorryError
from lorry.core.model import DatasetPage, DatasetQuery
from lorry.gui.shell.inbox import Inbox

if TYPE_CHECKING:
    from lorry.core.client import Client

#: Several changes in a row (an upload makes three) are one reading.
GATHER_MS = 150


class DatasetReader(QObject):
    """Knows which page is wanted, which is shown, and whether a reading is under way.

    Signals:
        started(): a reading began.
        shown(DatasetPage): this page is the one to show now.
        failed(LorryError): the reading failed; the page shown before stays.
    """

    started = Signal()
    shown = Signal(object)
    failed = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, query: DatasetQuery, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client, self._inbox = client, inbox
        self._query = query
        self._page: DatasetPage | None = None
        self._asked = 0
        self._running = 0
        self._error: LorryError | None = None
        #: How many datasets there are without any filter, once known.
        self.total_unfiltered: int | None = None
        self._timer = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._timer.timeout.connect(self.read)

    @property
    def query(self) -> DatasetQuery:
        """What is wanted."""
        return self._query

    @property
    def page(self) -> DatasetPage | None:
        """What is shown; None before the first answer."""
        return self._page

    @property
    def error(self) -> LorryError | None:
        """Why the last reading failed; None after one that did not."""
        return self._error

    @property
    def is_reading(self) -> bool:
        return self._running > 0

    @property
    def read_at(self) -> datetime | None:
        """When the server told what is shown."""
        return self._page.read_at if self._page else None

    def ask(self, query: DatasetQuery) -> None:
        """Show another part of the list."""
        self._query = query
        self.read()

    def read(self, *, force: bool = False) -> None:
        """Read what is wanted; with `force` from the server even when the client thinks its copy is fresh."""
        self._timer.stop()
        self._asked += 1
        number, query = self._asked, self._query
        self._running += 1
        self.started.emit()

        def work() -> DatasetPage:
            return self._client.list_datasets(query, force=force)

        self._inbox.run(
            work,
            lambda page: self._on_read(number, page),
            lambda error: self._on_failed(number, error),
            receiver=self,
        )

    def read_soon(self) -> None:
        """Something changed on the server: read again in a moment."""
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Somebody else is, or nobody is, signed in: nothing that was read may stay."""
        self._asked += 1
        self._timer.stop()
        self._page = None
        self._error = None
        self.total_unfiltered = None

    def _on_read(self, number: int, page: DatasetPage) -> None:
        self._running -= 1
        if number != self._asked:
            return
        query = page.query
        if query.page > 1 and query.page > page.total_pages:
            # The last page emptied while it was looked at.
            self.ask(DatasetQuery(max(1, page.total_pages), query.limit, query.status, query.format, query.search))
            return
        if not (query.search or query.status or query.format):
            self.total_unfiltered = page.total
        self._error = None
        self._page = page
        self.shown.emit(page)

    def _on_failed(self, number: int, error: LorryError) -> None:
        self._running -= 1
        if number == self._asked:
            self._error = error
            self.failed.emit(error)
