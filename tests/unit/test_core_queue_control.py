"""What users do to the queue: pause, go on, give up, start again; with a real journal and no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.queue_yard import ALICE, DONE, FAILED, PAUSED, PROJECT, RUNNING, WAITING, Yard, ids

from lorry.core.errors import CancelReason, ErrorCode, ServerError, SourceError
from lorry.core.events import TransferRemoved
from lorry.core.transfers import Phase, RestartReason, TransferState

LIMIT_BYTES = 10**9


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with closing(Yard(tmp_path)) as made:
        yield made


# -- pause and go on -----------------------------------------------------------------------------------------------


def test_a_waiting_upload_is_paused_at_once_and_stays_so(yard: Yard) -> None:
    a, b = yard.add("a"), yard.add("b")
    yard.control.pause(ids(a))
    assert (a.state, a.seen().waits_for) == (PAUSED, None)
    kept = yard.kept(a)
    assert kept is not None and kept.paused
    yard.open()
    yard.runs(b)
    yard.queue.hurry()
    yard.control.retry(max_bytes=LIMIT_BYTES)
    yard.runs(b)
    yard.control.resume(ids(a))
    yard.runs(a, b)
    kept = yard.kept(a)
    assert kept is not None and not kept.paused and not a.job.paused


def test_a_running_upload_is_told_to_stop_and_keeps_its_state_until_it_has(yard: Yard) -> None:
    a = yard.add("a")
    yard.open()
    yard.runs(a)
    yard.control.pause(ids(a))
    assert (a.token.reason, a.state) == (CancelReason.PAUSE, RUNNING)
    kept = yard.kept(a)
    assert kept is not None and kept.paused, "noted before it has stopped, should the program be killed now"


def test_changing_ones_mind_before_a_pause_has_happened(yard: Yard) -> None:
    a = yard.add("a")
    yard.open()
    yard.runs(a)
    yard.control.pause(ids(a))
    yard.control.resume(ids(a))
    assert a.goes_on
    kept = yard.kept(a)
    assert kept is not None and not kept.paused
    yard.control.pause(ids(a))
    assert not a.goes_on


@pytest.mark.parametrize("state", [DONE, FAILED, PAUSED])
def test_what_does_not_run_cannot_be_paused(yard: Yard, state: TransferState) -> None:
    a = yard.add("a")
    yard.end(a, state)
    yard.control.pause()
    assert a.state is state


def test_an_upload_that_is_complete_is_not_paused_while_its_validation_is_asked_for(yard: Yard) -> None:
    a = yard.add("a")
    yard.open()
    yard.runs(a)
    yard.queue.change(a, phase=Phase.VALIDATING)
    yard.control.pause()
    assert a.token.reason is None


def test_all_are_paused_and_go_on(yard: Yard) -> None:
    lives = [yard.add(name) for name in "abcd"]
    yard.open()
    yard.runs(*lives[:2])
    yard.control.pause()
    assert [live.token.reason for live in lives[:2]] == [CancelReason.PAUSE] * 2
    for live in lives[:2]:
        yard.end(live, PAUSED)
    yard.runs()
    assert all(job.paused for job in yard.journal.jobs(PROJECT, ALICE))
    yard.control.resume()
    yard.runs(*lives[:2])
    assert not any(job.paused for job in yard.journal.jobs(PROJECT, ALICE))
    assert all(live.token.reason is None for live in lives)


# -- giving up -----------------------------------------------------------------------------------------------------


def test_what_never_began_is_given_up_at_once(yard: Yard) -> None:
    a, b = yard.add("a"), yard.add("b")
    yard.control.cancel(ids(a))
    assert yard.names() == ["b"]
    assert yard.kept(a) is None
    assert yard.removed == ids(a)
    assert TransferRemoved(a.job.dataset_id) in yard.events
    assert b.state is WAITING


@pytest.mark.parametrize("state", [WAITING, PAUSED, FAILED])
def test_what_may_have_left_something_is_cleared_away_when_it_is_its_turn(yard: Yard, state: TransferState) -> None:
    a = yard.add("a", row_seen=True, paused=True)
    yard.end(a, state)
    yard.control.cancel(ids(a))
    kept = yard.kept(a)
    assert kept is not None and kept.cancelling and not kept.paused
    assert (a.state, a.seen().is_cancelling) == (WAITING, True)
    yard.control.pause()
    assert a.state is WAITING, "what was given up is not paused"
    yard.open()
    yard.runs(a)


def test_what_was_given_up_takes_no_place_of_those_at_work(yard: Yard) -> None:
    a, b, c, d = (yard.add(name, row_seen=True) for name in "abcd")
    yard.open()
    yard.runs(a, b)
    assert yard.queue.threads == 2
    yard.control.cancel(ids(d))
    yard.runs(a, b, d)
    assert (yard.queue.threads, c.state) == (3, WAITING)
    yard.end(a)
    yard.runs(b, c, d)
    yard.queue.drop(d)
    assert yard.queue.threads == 2


def test_a_running_upload_is_given_up_whatever_it_was_told_before(yard: Yard) -> None:
    a = yard.add("a")
    yard.open()
    yard.runs(a)
    yard.control.pause(ids(a))
    yard.control.cancel(ids(a))
    assert (a.is_given_up, a.seen().is_cancelling) == (True, True)
    kept = yard.kept(a)
    assert kept is not None and kept.cancelling, "noted at once, should the program be killed now"


def test_ended_uploads_are_only_taken_off_the_list(yard: Yard) -> None:
    a, b = yard.add("a"), yard.add("b")
    yard.end(a, DONE)
    yard.control.cancel()
    assert yard.names() == ["a"], "cancelling all leaves what has ended"
    yard.control.cancel(ids(a))
    assert yard.names() == []
    assert b.job.dataset_id in yard.removed
    yard.control.cancel([uuid4()])


# -- again ---------------------------------------------------------------------------------------------------------


def test_a_failed_upload_starts_again_with_nothing_remembered(yard: Yard) -> None:
    a = yard.add("a", last_error="server_busy", restarts=(1.0, 2.0, 3.0))
    yard.end(a, FAILED, error=ServerError(ErrorCode.SERVER_BUSY), resumed_at_bytes=5)
    a.attempts, a.failing_since = 9, 1.0
    yard.control.retry(max_bytes=LIMIT_BYTES)
    assert (a.state, a.error, a.attempts, a.failing_since) == (WAITING, None, 0, None)
    kept = yard.kept(a)
    assert kept is not None and (kept.last_error, kept.restarts) == ("", ())
    assert (a.seen().restarted, a.seen().resumed_at_bytes) == (None, None)


def test_a_changed_file_is_taken_as_it_is_now(yard: Yard) -> None:
    a = yard.add("a", row_seen=True, checksums={"whole": "00"})
    a.job.path.write_bytes(b"another content, and longer")
    yard.end(a, FAILED, error=SourceError(ErrorCode.FILE_CHANGED))
    yard.control.retry(ids(a), max_bytes=LIMIT_BYTES)
    kept = yard.kept(a)
    assert kept is not None and kept == a.job
    assert (kept.stamp.size_bytes, kept.draft.file_size, kept.starting_over, kept.checksums) == (27, 27, True, None)
    assert (a.state, a.seen().restarted) == (WAITING, RestartReason.CHANGED)
    assert a.seen().progress.size_bytes == 27


@pytest.mark.parametrize(("spoil", "code"), [("gone", "file_missing"), ("empty", "file_empty"), ("large", "too_large")])
def test_a_changed_file_that_cannot_be_taken_stays_failed_and_says_why(yard: Yard, spoil: str, code: str) -> None:
    a = yard.add("a")
    before = a.job
    if spoil == "gone":
        a.job.path.unlink()
    else:
        a.job.path.write_bytes(b"" if spoil == "empty" else b"x" * 100)
    yard.end(a, FAILED, error=SourceError(ErrorCode.FILE_CHANGED))
    yard.control.retry(ids(a), max_bytes=50)
    assert a.state is FAILED
    assert a.error is not None and code in a.error.code.value
    assert yard.kept(a) == before


def test_only_failed_uploads_are_tried_again(yard: Yard) -> None:
    a, b, c = (yard.add(name) for name in "abc")
    yard.end(a, DONE)
    yard.end(b, PAUSED)
    yard.control.retry(max_bytes=LIMIT_BYTES)
    assert (a.state, b.state, c.state) == (DONE, PAUSED, WAITING)


def test_a_file_at_another_place_keeps_what_was_sent_if_it_can_be_the_same(yard: Yard) -> None:
    a = yard.add("a", row_seen=True, upload_id="abc", offset_bytes=4, hashed_bytes=4, prefix_sha256="12")
    place = a.job.path.rename(yard.folder / "elsewhere.jsonl")
    yard.end(a, FAILED, error=SourceError(ErrorCode.FILE_MISSING))
    yard.control.relocate(a.job.dataset_id, place)
    kept = yard.kept(a)
    assert kept is not None and kept == a.job
    assert (kept.path, kept.upload_id, kept.starting_over, a.state) == (place, "abc", False, WAITING)
