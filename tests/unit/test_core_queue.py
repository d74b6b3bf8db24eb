"""Whose turn it is: order, waits, users, the end; with a real journal and no network."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.queue_yard import ALICE, BOB, DONE, FAILED, PAUSED, PROJECT, RUNNING, WAITING, Yard, ids
from tests.support.workspace import wait_until

from lorry.core.errors import AuthError, CancelReason, ErrorCode, NetworkError, RejectedError, ServerError
from lorry.core.events import TransferChanged, TransferRemoved
from lorry.core.live import Live
from lorry.core.transfers import Phase, WaitReason
from lorry.core.upload_queue import DEFAULT_WORKERS, MAX_WORKERS


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with closing(Yard(tmp_path)) as made:
        yield made


# -- turns ---------------------------------------------------------------------------------------------------------


def test_uploads_are_taken_in_their_order_two_at_a_time(yard: Yard) -> None:
    lives = [yard.add(name) for name in "abcd"]
    yard.open()
    yard.runs(*lives[:2])
    assert [live.state for live in lives] == [RUNNING, RUNNING, WAITING, WAITING]
    assert [live.waits_for for live in lives] == [None, None, WaitReason.TURN, WaitReason.TURN]
    yard.end(lives[1])
    yard.runs(lives[0], lives[2])
    yard.end(lives[0])
    yard.runs(lives[2], lives[3])
    assert yard.taken == lives


def test_more_and_fewer_at_once_while_they_run(yard: Yard) -> None:
    lives = [yard.add(name) for name in "abcdef"]
    assert (yard.queue.workers, DEFAULT_WORKERS, MAX_WORKERS) == (2, 2, 4)
    yard.queue.workers = 1
    yard.open()
    yard.runs(lives[0])
    yard.queue.workers = 4
    yard.runs(*lives[:4])
    yard.queue.workers = 2
    assert not any(live.token.reason for live in lives), "what runs goes on"
    yard.end(lives[0])
    yard.end(lives[1])
    yard.runs(*lives[2:4])
    yard.end(lives[2])
    yard.runs(lives[3], lives[4])
    for number, workers in ((-3, 1), (0, 1), (5, 4), (100, 4)):
        yard.queue.workers = number
        assert yard.queue.workers == workers


def test_an_upload_is_taken_by_one_thread_only(yard: Yard) -> None:
    yard.queue.workers = 4
    lives = [yard.add(f"file-{number}") for number in range(40)]
    taken: list[Live] = []

    def work() -> None:
        while (live := yard.queue.take()) is not None:
            taken.append(live)
            yard.end(live)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(live.state is DONE for live in lives), 10, "all")
    yard.queue.close()
    for thread in threads:
        thread.join(5)
    assert sorted(map(id, taken)) == sorted(map(id, lives))


def test_moving_changes_the_order_and_the_journal(yard: Yard) -> None:
    a, b, c, d = (yard.add(name) for name in "abcd")
    yard.control.move(d.job.dataset_id, b.job.dataset_id)
    assert yard.names() == ["a", "d", "b", "c"]
    yard.control.move(a.job.dataset_id, None)
    assert yard.names() == ["d", "b", "c", "a"]
    yard.control.move(b.job.dataset_id, b.job.dataset_id)
    yard.control.move(uuid4(), a.job.dataset_id)
    assert yard.names() == ["d", "b", "c", "a"]
    yard.control.move(c.job.dataset_id, uuid4())  # in front of one that has gone: last
    assert yard.names() == ["d", "b", "a", "c"]
    assert [job.dataset_id for job in yard.journal.jobs(PROJECT, ALICE)] == ids(d, b, a, c)
    yard.open()
    yard.runs(d, b)


def test_what_waits_for_the_network_does_not_hold_up_the_others(yard: Yard) -> None:
    yard.queue.workers = 1
    a, b, c = (yard.add(name) for name in "abc")
    yard.open()
    yard.runs(a)
    offline = NetworkError(ErrorCode.OFFLINE)
    yard.end(a, WAITING, waits_for=WaitReason.NETWORK, error=offline, retry_at=time.monotonic() + 600)
    yard.runs(b)
    transfer = a.seen()
    assert transfer.waits_for is WaitReason.NETWORK and transfer.error is offline
    assert transfer.retry_in_s == pytest.approx(600, abs=10)
    yard.queue.hurry()
    yard.end(b)
    yard.runs(a)  # it is first in the order and may be tried again
    assert (a.error, a.retry_at, c.state) == (None, None, WAITING)


def test_a_wait_ends_by_itself(yard: Yard) -> None:
    a = yard.add("a")
    yard.queue.change(a, waits_for=WaitReason.SERVER, retry_at=time.monotonic() + 0.05)
    yard.open()
    yard.runs(a)


def test_hurry_gives_a_turn_to_what_has_given_up_on_network_or_server_only(yard: Yard) -> None:
    yard.queue.workers = 4
    lives = [yard.add(name) for name in "abc"]
    errors = [NetworkError(ErrorCode.TIMEOUT), ServerError(ErrorCode.SERVER_BUSY), RejectedError(ErrorCode.FORBIDDEN)]
    for live, error in zip(lives, errors, strict=True):
        yard.end(live, FAILED, error=error)
    yard.queue.hurry()
    assert [live.state for live in lives] == [WAITING, WAITING, FAILED]


# -- users ---------------------------------------------------------------------------------------------------------


def test_signed_out_everything_waits_for_the_sign_in(yard: Yard) -> None:
    lives = a, b, c, d = [yard.add(name) for name in "abcd"]
    yard.end(d, PAUSED)
    yard.open()
    yard.runs(a, b)
    yard.queue.admit(None)
    assert [live.token.reason for live in (a, b)] == [CancelReason.SIGNED_OUT] * 2
    for live in (a, b):
        yard.queue.line_up(live)
    yard.queue.hurry()
    assert [live.state for live in lives] == [WAITING, WAITING, WAITING, PAUSED]
    for live in (a, b, c):
        assert live.waits_for is WaitReason.SIGN_IN
        assert isinstance(live.error, AuthError) and live.error.code is ErrorCode.NOT_SIGNED_IN
    yard.runs()
    yard.queue.admit(ALICE)
    yard.runs(a, b)
    assert (c.waits_for, c.error, d.state) == (WaitReason.TURN, None, PAUSED)


def test_somebody_elses_uploads_leave_the_list_and_stay_in_the_journal(yard: Yard) -> None:
    a, b, c = (yard.add(name) for name in "abc")
    yard.queue.workers = 1
    yard.end(b, PAUSED)
    yard.open()
    yard.runs(a)
    yard.queue.admit(BOB)
    assert a.token.reason is CancelReason.SIGNED_OUT
    yard.queue.line_up(a)
    assert yard.names() == []
    assert sorted(yard.removed) == sorted(ids(a, b, c)), "others may work on them now"
    assert [job.dataset_id for job in yard.journal.jobs(PROJECT, ALICE)] == ids(a, b, c)
    theirs = yard.add("theirs", BOB)
    yard.runs(theirs)


# -- the end -------------------------------------------------------------------------------------------------------


def test_a_closed_queue_gives_nothing_and_stops_what_runs(yard: Yard) -> None:
    a, b, c = (yard.add(name) for name in "abc")
    yard.open()
    yard.runs(a, b)
    yard.queue.close()
    yard.queue.close()
    assert {live.token.reason for live in (a, b)} == {CancelReason.SHUTDOWN}
    assert yard.queue.take() is None
    yard.end(a)
    yard.queue.wake()
    assert c.state is WAITING
    assert len(yard.journal.jobs(PROJECT, ALICE)) == 3


def test_front_ends_are_told_each_change_once(yard: Yard) -> None:
    a = yard.add("a")
    told = len(yard.events)
    yard.queue.change(a, phase=Phase.UPLOADING)
    yard.queue.change(a, phase=Phase.UPLOADING)
    (event,) = yard.events[told:]
    assert isinstance(event, TransferChanged) and event.transfer.phase is Phase.UPLOADING
    yard.queue.drop(a)
    yard.queue.drop(a)
    yard.queue.change(a, phase=Phase.FINISHING)
    assert yard.events[told + 1 :] == [TransferRemoved(a.job.dataset_id)]


def test_failures_in_a_row_are_counted_anew_when_bytes_have_arrived(tmp_path: Path) -> None:
    with closing(Yard(tmp_path)) as yard:
        a = yard.add("a")
        assert [a.count_failure()[0] for _ in range(3)] == [1, 2, 3]
        a.meter.set_stored(5)
        assert [a.count_failure()[0] for _ in range(2)] == [1, 2]
        a.meter.set_stored(5)
        assert a.count_failure()[0] == 3
        a.job = replace(a.job, offset_bytes=7)
        a.queue_up()
        assert a.count_failure()[0] == 1
