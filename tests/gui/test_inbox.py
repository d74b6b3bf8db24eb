"""The bridge from threads into Qt: results and errors arrive on the main thread, in order, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from lorry.core.client import Client
from lorry.core.errors import Cancelled, CancelReason, ErrorCode, LorryError, NetworkError
from lorry.gui.shell.inbox import TASK_THREADS, Inbox


class Receiver(QObject):
    """Notes what arrives and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[object] = []
        self.errors: list[LorryError] = []
        self.threads: set[threading.Thread] = set()

    def on_done(self, result: object) -> None:
        self.results.append(result)
        self.threads.add(threading.current_thread())

    def on_error(self, error: LorryError) -> None:
        self.errors.append(error)
        self.threads.add(threading.current_thread())


@pytest.fixture
def inbox(client: Client, qapp: object) -> Iterator[Inbox]:
    made = Inbox(client)
    yield made
    made.close()


def test_results_arrive_on_the_main_thread(inbox: Inbox, qtbot: QtBot) -> None:
    receiver = Receiver()
    workers: set[str] = set()
    for number in range(50):

        def work(number: int = number) -> int:
            workers.add(threading.current_thread().name)
            return number

        inbox.run(work, receiver.on_done, receiver.on_error)
    qtbot.waitUntil(lambda: len(receiver.results) == 50)
    assert sorted(receiver.results) == list(range(50))  # type: ignore[type-var]
    assert receiver.threads == {threading.main_thread()}
    assert workers <= {f"lorry-task-{number}" for number in range(1, TASK_THREADS + 1)}


def test_errors_arrive_as_they_are(inbox: Inbox, qtbot: QtBot) -> None:
    receiver = Receiver()
    failure = NetworkError(ErrorCode.TIMEOUT)

    def work() -> None:
        raise failure

    inbox.run(work, receiver.on_done, receiver.on_error)
    qtbot.waitUntil(lambda: receiver.errors == [failure])


@pytest.mark.expects_log("a task failed")
def test_a_bug_in_a_task_becomes_an_internal_error(inbox: Inbox, qtbot: QtBot) -> None:
    receiver = Receiver()
    inbox.run(lambda: 1 // 0, receiver.on_done, receiver.on_error)
    qtbot.waitUntil(lambda: len(receiver.errors) == 1)
    assert receiver.errors[0].code is ErrorCode.INTERNAL


def test_nothing_arrives_for_cancelled_work_or_a_receiver_that_is_gone(inbox: Inbox, qtbot: QtBot) -> None:
    gone, here = Receiver(), Receiver()
    release = threading.Event()

    def cancelled() -> None:
        raise Cancelled(CancelReason.CANCEL)

    def late() -> str:
        release.wait(10)
        return "late"

    inbox.run(cancelled, here.on_done, here.on_error)
    inbox.run(late, gone.on_done, gone.on_error)
    results = gone.results
    gone.deleteLater()
    with qtbot.waitSignal(gone.destroyed):
        pass
    release.set()
    inbox.run(lambda: "last", here.on_done, here.on_error)
    qtbot.waitUntil(lambda: here.results == ["last"])
    assert results == []
    assert here.errors == []


def test_a_closed_inbox_delivers_nothing_and_takes_nothing(inbox: Inbox, qtbot: QtBot) -> None:
    receiver = Receiver()
    release = threading.Event()
    began = threading.Event()

    def work() -> int:
        began.set()
        release.wait(10)
        return 1

    inbox.run(work, receiver.on_done, receiver.on_error)
    assert began.wait(10)
    inbox.close()
    inbox.close()
    release.set()
    inbox.run(lambda: 2, receiver.on_done, receiver.on_error)
    for thread in threading.enumerate():
        if thread.name.startswith("lorry-task-"):
            thread.join(10)
    qtbot.wait(0)
    assert receiver.results == []


def test_posts_from_many_threads_all_run_on_the_main_one(inbox: Inbox, qtbot: QtBot) -> None:
    seen: list[threading.Thread] = []

    def post() -> None:
        for _ in range(100):
            inbox.post(lambda: seen.append(threading.current_thread()))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    qtbot.waitUntil(lambda: len(seen) == 400)
    assert set(seen) == {threading.main_thread()}
