"""The dataset list as this computer knows it, and the watch over datasets the server is validating.

A page is fresh for 60 seconds unless something changed it; a failed read is tried once more. Rows in 'validating' are
asked for on one thread, slower and slower, and not at all when there are none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from lorry.core.cancel import CancelToken
from lorry.core.errors import AuthError, Cancelled, CancelReason, ErrorCode, LorryError, during
from lorry.core.events import DatasetChanged, DatasetGone, Event
from lorry.core.model import Dataset, DatasetPage, DatasetQuery, DatasetStatus
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi

log = logging.getLogger(__name__)

FRESH_S = 60.0
_RETRY_READ_S = 0.5
_POLL_FIRST_S, _POLL_MAX_S, _POLL_GROWTH = 0.4, 10.0, 1.4
#: A validation that says nothing for this long (s) has probably died; asking again is harmless.
_ASK_AGAIN_S = 600.0


class DatasetList:
    """Reads pages through a small cache. Thread-safe."""

    def __init__(self, api: DatasetsApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._pages: dict[DatasetQuery, tuple[float, DatasetPage]] = {}
        self._generation = 0

    def read(self, query: DatasetQuery, *, force: bool = False) -> DatasetPage:
        """The page, from the server unless a fresh one is at hand.

        Raises:
            LorryError: the second read failed too.
        """
        with self._lock:
            kept = self._pages.get(query)
            generation = self._generation
        if kept and not force and self._clock() - kept[0] < FRESH_S:
            return kept[1]
        page = self._read_twice(query)
        with self._lock:
            if generation == self._generation:
                self._pages[query] = (self._clock(), page)
        return page

    def forget(self) -> None:
        """Something changed on the server: no page is fresh any more."""
        with self._lock:
            self._pages.clear()
            self._generation += 1

    def _read_twice(self, query: DatasetQuery) -> DatasetPage:
        with during("read the list of datasets"):
            try:
                return self._api.list(query)
            except LorryError as error:
                if not error.retryable:
                    raise
                log.info("reading the list again: %s", error)
            threading.Event().wait(_RETRY_READ_S)
            return self._api.list(query)


@dataclass(slots=True)
class _Watched:
    since: float
    next_at: float
    delay_s: float = _POLL_FIRST_S


class ValidationWatch:
    """Follows datasets in 'validating' until they are 'ready' or 'error' and tells each change."""

    def __init__(
        self,
        datasets: DatasetsApi,
        functions: FunctionsApi,
        emit: Callable[[Event], None],
        on_change: Callable[[], None],
    ) -> None:
        self._datasets = datasets
        self._functions = functions
        self._emit = emit
        self._on_change = on_change
        self._lock = threading.Condition()
        self._watched: dict[UUID, _Watched] = {}
        self._token = CancelToken()
        self._thread: threading.Thread | None = None

    def add(self, dataset: Dataset) -> None:
        """Follow a dataset if it is being validated; adding it again changes nothing."""
        if dataset.status is not DatasetStatus.VALIDATING:
            return
        now = time.monotonic()
        with self._lock:
            if self._token.reason or dataset.id in self._watched:
                return
            self._watched[dataset.id] = _Watched(since=now, next_at=now + _POLL_FIRST_S)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="lorry-watch", daemon=True)
                self._thread.start()
            self._lock.notify()

    def clear(self) -> None:
        """Nobody is signed in any more."""
        with self._lock:
            self._watched.clear()

    def close(self) -> None:
        """Stop; waits at most for one request under way."""
        with self._lock:
            self._token.cancel(CancelReason.SHUTDOWN)
            self._lock.notify()
            thread = self._thread
        if thread is not None:
            thread.join(1.0)

    def _watch(self) -> None:
        while True:
            with self._lock:
                while not self._token.reason and (wait_s := self._wait_s()) > 0:
                    self._lock.wait(wait_s if self._watched else None)
                if self._token.reason:
                    return
                now = time.monotonic()
                due = [key for key, entry in self._watched.items() if entry.next_at <= now]
            for dataset_id in due:
                try:
                    self._ask(dataset_id)
                except Cancelled:
                    return

    def _wait_s(self) -> float:
        if not self._watched:
            return 1.0
        return min(entry.next_at for entry in self._watched.values()) - time.monotonic()

    def _ask(self, dataset_id: UUID) -> None:
        self._token.check()
        try:
            row = self._datasets.find(dataset_id)
        except LorryError as error:
            if isinstance(error, AuthError) and error.code in (ErrorCode.NOT_SIGNED_IN, ErrorCode.SESSION_ENDED):
                self._forget(dataset_id)
                return
            log.info("the state of %s is not known: %s", dataset_id, error)
            self._later(dataset_id)
            return
        if row is not None and row.status is DatasetStatus.VALIDATING:
            self._later(dataset_id)
            return
        self._forget(dataset_id)
        self._on_change()
        self._emit(DatasetChanged(row) if row is not None else DatasetGone(dataset_id))

    def _later(self, dataset_id: UUID) -> None:
        now = time.monotonic()
        with self._lock:
            entry = self._watched.get(dataset_id)
            if entry is None:
                return
            entry.delay_s = min(_POLL_MAX_S, entry.delay_s * _POLL_GROWTH)
            entry.next_at = now + entry.delay_s
            ask_again = now - entry.since > _ASK_AGAIN_S
            if ask_again:
                entry.since = now
        if ask_again:
            try:
                self._functions.validate(dataset_id)
            except LorryError as error:
                log.info("the validation of %s was not started again: %s", dataset_id, error)

    def _forget(self, dataset_id: UUID) -> None:
        with self._lock:
            self._watched.pop(dataset_id, None)
