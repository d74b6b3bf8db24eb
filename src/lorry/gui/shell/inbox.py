"""The only place where threads meet Qt: events of the core, results of tasks, and the progress timer.

Other threads put things on a queue and post at most one queued call; the main thread empties the queue and emits typed
signals or calls back. Progress is asked for every 100 ms, and only while an upload is active. Owns the
threads `lorry-task-1..4`, which do what may take time (sign in, refresh, looking at files): the main thread
never waits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QElapsedTimer, QMetaObject, QObject, Qt, QTimer, Signal, Slot
from shiboken6 import isValid

from lorry.core.errors import Cancelled, ErrorCode, LorryError
from lorry.core.events import (
    AccountChanged,
    DatasetChanged,
    DatasetGone,
    DatasetsStale,
    Event,
    FileChecked,
    FileFindings,
    TransferChanged,
    TransferRemoved,
)
from lorry.core.transfers import Phase, Transfer, TransferState, WaitReason

if TYPE_CHECKING:
    from lorry.core.client import Client

T = TypeVar("T")
TASK_THREADS = 4
PROGRESS_MS = 100
#: How often uploads are looked at that only wait: their countdowns are whole seconds.
WAITING_MS = 1_000
_log = logging.getLogger(__name__)


class Inbox(QObject):
    """Carries events and results onto the main thread. Any thread may `wake` and `post`; the rest is for the main one.

    Signals:
        transfer_changed(Transfer), transfer_removed(UUID), dataset_changed(Dataset), dataset_gone(UUID),
        datasets_stale(), account_changed(AccountChanged): the core's events, in order.
        file_findings(UUID, tuple[Finding, ...]): what a check has found since the last time, in one batch.
        file_checked(UUID, CheckedFile | LorryError): a check has ended.
        progressed(tuple[Transfer, ...]): all transfers, every 100 ms while one of them is active, and once after
            any of them changed or left. One that has not changed is the same object as the last time.
    """

    transfer_changed = Signal(object)
    transfer_removed = Signal(object)
    dataset_changed = Signal(object)
    dataset_gone = Signal(object)
    datasets_stale = Signal()
    account_changed = Signal(object)
    file_findings = Signal(object, object)
    file_checked = Signal(object, object)
    progressed = Signal(object)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._lock = threading.Lock()
        self._is_posted = False
        self._is_closed = False
        self._results: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._orders: deque[Callable[[], None]] = deque()
        self._is_ordering = False
        self._threads: list[threading.Thread] = []
        #: As they were last shown, and since when.
        self._transfers: tuple[Transfer, ...] = ()
        self._told = QElapsedTimer()
        self._timer = QTimer(self, interval=PROGRESS_MS)
        self._timer.timeout.connect(self._on_tick)
        client.subscribe(self.wake)
        # Events may have waited before anybody listened, and uploads may already run.
        self.wake()
        self.watch_progress()

    def wake(self) -> None:
        """Something waits: empty the queues soon, on the main thread. Any thread, as often as it likes."""
        with self._lock:
            if self._is_posted or self._is_closed:
                return
            self._is_posted = True
            QMetaObject.invokeMethod(self, "_deliver", Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], T],
        on_done: Callable[[T], None],
        on_error: Callable[[LorryError], None],
        *,
        receiver: QObject | None = None,
    ) -> None:
        """Do `work` on a task thread, then call `on_done` with its result or `on_error`, on the main thread.

        Neither is called when the work was cancelled, the inbox closed, or the receiver is gone by then. The receiver
        is the object `on_done` is a method of, unless another is named.
        """
        owner = receiver or getattr(on_done, "__self__", None)

        def deliver(answer: Callable[[], None]) -> None:
            if not isinstance(owner, QObject) or isValid(owner):
                answer()

        def task() -> None:
            try:
                result = work()
            except Cancelled:
                return
            except LorryError as error:
                failure = error
            except Exception as error:
                _log.exception("a task failed")
                failure = LorryError(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}")
            else:
                self._results.put(lambda: deliver(lambda: on_done(result)))
                self.wake()
                return
            self._results.put(lambda: deliver(lambda: on_error(failure)))
            self.wake()

        if self._is_closed:
            return
        if len(self._threads) < TASK_THREADS:
            self._start_thread()
        self._tasks.put(task)

    def do(self, order: Callable[[], None]) -> None:
        """Have `order` done on a task thread, one after the other in the order they came, and show what came of it.

        For what the user wants with uploads: the client writes such wishes to the disk, which may take a while.
        """
        with self._lock:
            self._orders.append(order)
            if self._is_ordering or self._is_closed:
                return
            self._is_ordering = True
        self.run(self._obey, lambda _: None, lambda _: None, receiver=self)

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` run on the main thread soon. Any thread."""
        self._results.put(call)
        self.wake()

    def watch_progress(self) -> None:
        """Look at the transfers until none is active; called by itself when one starts."""
        if not self._is_closed and (not self._timer.isActive() or self._timer.interval() != PROGRESS_MS):
            self._timer.start(PROGRESS_MS)

    def close(self) -> None:
        """Stop delivering. Threads end after the task they are at; being daemons they hold nobody up. Repeatable."""
        with self._lock:
            self._is_closed = True
        self._timer.stop()
        for _ in self._threads:
            self._tasks.put(None)
        self._threads.clear()

    def _start_thread(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"lorry-task-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not self._is_closed:
                task()

    def _obey(self) -> None:
        while True:
            with self._lock:
                if not self._orders:
                    self._is_ordering = False
                    return
                order = self._orders.popleft()
            try:
                order()
            except Exception:
                # One that fails must not keep those behind it from being done.
                _log.exception("what the user wanted with an upload was not done")
            self.post(self._tell_soon)

    def _tell_soon(self) -> None:
        """Show how all uploads stand: at once, or with the next tick when hundreds change one after the other."""
        if not self._told.isValid() or self._told.hasExpired(PROGRESS_MS):
            self._tell()
        self.watch_progress()

    def _tell(self) -> tuple[Transfer, ...]:
        self._told.start()
        self._transfers = _with_old_ones(self._client.snapshot(), self._transfers)
        self.progressed.emit(self._transfers)
        return self._transfers

    @Slot()
    def _deliver(self) -> None:
        with self._lock:
            self._is_posted = False
            if self._is_closed:
                return
        events = _with_merged_findings(self._client.drain())
        for event in events:
            self._emit(event)
        if any(isinstance(event, TransferChanged | TransferRemoved) for event in events):
            self._tell_soon()
        try:
            while not self._results.empty() and not self._is_closed:
                self._results.get()()
        finally:
            # A callback with a bug goes to the excepthook; the results behind it still arrive.
            if not self._results.empty():
                self.wake()

    def _emit(self, event: Event) -> None:
        match event:
            case TransferChanged(transfer):
                self.transfer_changed.emit(transfer)
                if is_active(transfer):
                    self.watch_progress()
            case TransferRemoved(dataset_id):
                self.transfer_removed.emit(dataset_id)
            case DatasetChanged(dataset):
                self.dataset_changed.emit(dataset)
            case DatasetGone(dataset_id):
                self.dataset_gone.emit(dataset_id)
            case DatasetsStale():
                self.datasets_stale.emit()
            case AccountChanged():
                self.account_changed.emit(event)
            case FileFindings(check_id, findings):
                self.file_findings.emit(check_id, findings)
            case FileChecked(check_id, outcome):
                self.file_checked.emit(check_id, outcome)

    def _on_tick(self) -> None:
        transfers = self._tell()
        if any(is_running(transfer) for transfer in transfers):
            return
        if any(is_active(transfer) for transfer in transfers):
            self._timer.setInterval(WAITING_MS)
        else:
            self._timer.stop()


def is_running(transfer: Transfer) -> bool:
    """Whether bytes or steps of it move on this computer now."""
    return transfer.state is TransferState.RUNNING and transfer.phase is not Phase.VALIDATING


def is_active(transfer: Transfer) -> bool:
    """Whether it goes on by itself: it runs, or waits for its turn, the network or the server."""
    if transfer.state is TransferState.WAITING:
        return transfer.waits_for is not WaitReason.SIGN_IN
    return is_running(transfer)


def _with_old_ones(now: tuple[Transfer, ...], before: tuple[Transfer, ...]) -> tuple[Transfer, ...]:
    """`now`, with the objects of `before` where nothing changed: hundreds that only wait are compared once, here."""
    if [id(one.dataset_id) for one in now] == [id(one.dataset_id) for one in before]:
        return tuple(old if old == new else new for new, old in zip(now, before, strict=True))
    known = {one.dataset_id: one for one in before}
    return tuple(old if (old := known.get(new.dataset_id)) == new and old else new for new in now)


def _with_merged_findings(events: list[Event]) -> list[Event]:
    """`events`, with findings of one check that follow each other as one event: they come by the hundred."""
    merged: list[Event] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, FileFindings) and isinstance(last, FileFindings) and event.check_id == last.check_id:
            merged[-1] = FileFindings(event.check_id, last.findings + event.findings)
        else:
            merged.append(event)
    return merged
