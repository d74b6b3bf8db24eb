"""Large uploads are taken up where the server stopped: after a pause, a restart, an expiry, with a file that moved."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import holds_nothing, open_core, open_wire, rows, transfer_of, wait_for_end
from tests.support.fault_server import FaultServer
from tests.support.faults import CutAnswer, CutRequest, Stall, Throttle
from tests.support.kill_files import ExactFile, exact_file
from tests.support.uploads import BYTES, await_verdict, is_sending, one_of_each, sha256, start
from tests.support.workspace import BUCKET, RunningServer, User, short_folder, wait_until

from lorry.core.client import Client
from lorry.core.errors import ErrorCode, RejectedError, SourceError
from lorry.core.model import DatasetStatus
from lorry.core.remote.tus import TusState
from lorry.core.source import SourceFile
from lorry.core.transfers import RestartReason, Transfer, TransferState, UploadJob

MIB = 1024 * 1024
PATCH = ("/upload/resumable/sign/", "PATCH")
#: A pause has to stop the bytes within 300 ms; the machine may be busy with other tests.
PAUSE_LIMIT_S = 1.0
SLOW = Throttle(6_000_000)
LIFE_S = 3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ExactFile:
    return exact_file(tmp_path_factory.mktemp("resume"), "13MiB")


@pytest.fixture
def mine(file: ExactFile, tmp_path: Path) -> Path:
    """A copy of the file that a test may spoil."""
    return Path(shutil.copy2(file.path, tmp_path / "mine.jsonl"))


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    with FaultServer(workspace_server.url, seed=5) as server:
        yield server


@pytest.fixture(scope="module")
def forgetful() -> Iterator[RunningServer]:
    """A server that drops unfinished uploads after a while, and those whose last answer nobody waits for."""
    with short_folder() as folder:
        started = RunningServer.start(folder, "--tus-url-life-s", str(LIFE_S), "--tus-drop-unanswered")
        yield started
        started.stop()


def sent_bytes(proxy: FaultServer, since: int = 0) -> int:
    """What went over the line in pieces."""
    return sum(seen.body_bytes for seen in proxy.seen(*PATCH)[since:])


def is_paused(client: Client, dataset_id: UUID) -> bool:
    transfer = transfer_of(client, dataset_id)
    return transfer is not None and transfer.state is TransferState.PAUSED


def assert_whole(user: User, file: ExactFile) -> None:
    """One row, one object, the file's bytes and its checksums in the row."""
    path = one_of_each(user)
    with user.client() as http:
        assert sha256(http.get(f"/storage/v1/object/{BUCKET}/{path}").content) == file.sha256
    (row,) = rows(user.server, user_id=user.id)
    assert (row["file_size"], row["checksums"]["whole"]) == (file.size_bytes, file.sha256)


def assert_done(transfer: Transfer) -> None:
    assert (transfer.state, transfer.error) == (TransferState.DONE, None)


def interrupted(user: User, proxy: FaultServer, home: Path, path: Path, stop: Callable[[Client, UUID], object]) -> UUID:
    """An upload of which a run that has ended sent the first 6 MiB and part of the next piece."""
    proxy.on(BYTES, SLOW)
    with open_core(user, home, url=proxy.url) as client:
        dataset_id = start(client, path)
        wait_until(lambda: is_sending(client, dataset_id, 7 * MIB), what="sending")
        stop(client, dataset_id)
    proxy.clear()
    return dataset_id


def leave(_client: Client, _dataset_id: UUID) -> None:
    """The program just quits."""


def held_by_server(user: User, home: Path, url: str) -> TusState:
    """What the server holds of the one open upload of a profile. Raises RejectedError UPLOAD_GONE."""
    with open_wire(user, home, url=url) as wire, wire.remote.tus() as tus:
        job = open_job(user, home, url)
        ticket = wire.remote.objects.sign_upload(job.dataset_id, job.storage_path)
        return tus.offset(ticket, job.upload_id)


def open_job(user: User, home: Path, url: str) -> UploadJob:
    """The one job in the journal of a profile nobody has open."""
    from lorry.core.store.journal import Journal

    journal = Journal(home / "journal.db")
    (job,) = journal.jobs(url, UUID(user.id))
    journal.close()
    return job


# -- pause -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Stall(MIB), SLOW], ids=["stalled", "slow"])
def test_a_pause_stops_the_bytes_at_once_and_nothing_is_lost(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile, fault: Stall | Throttle
) -> None:
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        proxy.on(PATCH[0], fault, method="PATCH", skip=1)
        dataset_id = start(client, file.path)
        wait_until(lambda: len(proxy.seen(*PATCH)) > 1 and proxy.seen(*PATCH)[1].body_bytes >= MIB, what="the piece")
        began = time.monotonic()
        client.pause_upload(dataset_id)
        wait_until(lambda: is_paused(client, dataset_id), what="the pause")
        assert time.monotonic() - began < PAUSE_LIMIT_S
        asked = len(proxy.requests)
        proxy.clear()
        client.go_on_now()
        client.retry_upload(dataset_id)
        assert is_paused(client, dataset_id)
        client.resume_upload(dataset_id)
        assert_done(wait_for_end(client, dataset_id))
        assert not [seen for seen in proxy.requests[:asked] if "confirm" in seen.path]
    # The broken piece may have to be sent again, the first one not.
    assert sent_bytes(proxy) <= 2 * file.size_bytes - 6 * MIB
    assert_whole(alice, file)


def test_a_paused_upload_stays_paused_after_a_restart(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile
) -> None:
    def pause(client: Client, dataset_id: UUID) -> None:
        client.pause_upload(dataset_id)
        wait_until(lambda: is_paused(client, dataset_id), what="the pause")

    dataset_id = interrupted(alice, proxy, tmp_path / "home", file.path, pause)
    before = len(proxy.seen(*PATCH))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        assert client.resume_interrupted() == [dataset_id]
        other = start(client, Path(shutil.copy(file.path, tmp_path / "other.jsonl")))
        assert_done(wait_for_end(client, other))
        assert is_paused(client, dataset_id)
        assert {seen.path for seen in proxy.seen(*PATCH)[:before]}.isdisjoint(
            seen.path for seen in proxy.seen(*PATCH)[before:]
        )
        client.resume_all()
        done = wait_for_end(client, dataset_id)
        assert_done(done)
        assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB


def test_a_paused_upload_is_given_up_without_a_trace(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile
) -> None:
    proxy.on(BYTES, SLOW)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, file.path)
        wait_until(lambda: is_sending(client, dataset_id, 7 * MIB), what="sending")
        client.pause_upload(dataset_id)
        wait_until(lambda: is_paused(client, dataset_id), what="the pause")
        client.cancel_upload(dataset_id)
        wait_until(lambda: transfer_of(client, dataset_id) is None, what="removal")
        assert client.interrupted_count == 0
    assert holds_nothing(alice)


# -- the next start ----------------------------------------------------------------------------------------------------


def test_the_next_start_sends_only_what_is_missing(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile
) -> None:
    home = tmp_path / "home"
    dataset_id = interrupted(alice, proxy, home, file.path, leave)
    held = held_by_server(alice, home, proxy.url)
    before = len(proxy.seen(*PATCH))
    with open_core(alice, home, url=proxy.url) as client:
        began = time.monotonic()
        assert client.resume_interrupted() == [dataset_id]
        wait_until(lambda: len(proxy.seen(*PATCH)) > before, what="the first byte")
        assert time.monotonic() - began < 5.0
        done = wait_for_end(client, dataset_id)
        assert_done(done)
        assert (done.resumed_at_bytes, done.restarted) == (held.offset_bytes, None)
        assert held.offset_bytes >= 6 * MIB
        assert sent_bytes(proxy, before) == file.size_bytes - held.offset_bytes
        assert await_verdict(client, dataset_id).status is DatasetStatus.READY
    assert_whole(alice, file)


def test_quitting_does_not_wait_for_uploads(alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile) -> None:
    proxy.on(BYTES, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.workers = 4
        copies = [Path(shutil.copy(file.path, tmp_path / f"{number}.jsonl")) for number in range(4)]
        ids = [start(client, path) for path in copies]
        wait_until(lambda: all(is_sending(client, dataset_id) for dataset_id in ids), what="four at work")
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < 2.0
    with open_core(alice, tmp_path / "home", url=proxy.url, is_signed_in=True) as client:
        assert client.interrupted_count == 4


def test_an_upload_the_server_has_dropped_begins_again_and_says_so(
    forgetful: RunningServer, tmp_path: Path, file: ExactFile
) -> None:
    user, home = forgetful.new_user(), tmp_path / "home"
    with FaultServer(forgetful.url) as proxy:
        dataset_id = interrupted(user, proxy, home, file.path, leave)

        def is_gone() -> bool:
            try:
                held_by_server(user, home, proxy.url)
            except RejectedError as error:
                return error.code is ErrorCode.UPLOAD_GONE
            return False

        wait_until(is_gone, what="the expiry")
        with open_core(user, home, url=proxy.url) as client:
            client.resume_interrupted()
            done = wait_for_end(client, dataset_id)
            assert_done(done)
            assert (done.restarted, done.resumed_at_bytes) == (RestartReason.DROPPED, None)
    assert_whole(user, file)


def test_a_lost_last_answer_after_which_the_server_drops_everything(
    forgetful: RunningServer, tmp_path: Path, file: ExactFile
) -> None:
    user = forgetful.new_user()
    with FaultServer(forgetful.url) as proxy, open_core(user, tmp_path / "home", url=proxy.url) as client:
        last = file.size_bytes - 12 * MIB
        proxy.on(PATCH[0], CutRequest(last, in_order=True), method="PATCH", skip=2, times=1)
        done = wait_for_end(client, start(client, file.path))
        assert_done(done)
        assert [seen.body_bytes for seen in proxy.seen(*PATCH)][:3] == [6 * MIB, 6 * MIB, last]
        assert done.restarted is RestartReason.DROPPED
        assert min(seen.body_bytes for seen in proxy.seen(*PATCH)) > 0
    assert_whole(user, file)


def test_a_lost_last_answer_after_which_the_object_is_there(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile
) -> None:
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        proxy.on(PATCH[0], CutAnswer(0), method="PATCH", skip=2, times=1)
        done = wait_for_end(client, start(client, file.path))
        assert_done(done)
        assert done.restarted is None
        assert proxy.seen("/object/authenticated/", "GET"), "its bytes were not read back"
    assert sent_bytes(proxy) == file.size_bytes
    assert_whole(alice, file)


# -- the file ----------------------------------------------------------------------------------------------------------


def spoil(path: Path, at: int) -> None:
    """Change a byte so that size and time stay as they were."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(b"x" if byte != b"x" else b"y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size and path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("at", [0, 3 * MIB, 6 * MIB - 1])
def test_other_bytes_behind_the_same_size_and_time_are_noticed(
    alice: User, proxy: FaultServer, tmp_path: Path, mine: Path, at: int
) -> None:
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    spoil(mine, at)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.resume_interrupted()
        failed = wait_for_end(client, dataset_id)
        assert isinstance(failed.error, SourceError)
        assert (failed.error.code, failed.error.context["file_name"]) == (ErrorCode.FILE_CHANGED, mine.name)
        assert not proxy.seen("/rpc/confirm_dataset_upload")
        assert holds_nothing(alice)
        client.retry_upload(dataset_id)
        done = wait_until(lambda: ended_well(client, dataset_id), 40, "the second try")
        assert done.restarted is RestartReason.CHANGED
    assert_whole(alice, ExactFile(mine, mine.stat().st_size, sha256(mine.read_bytes())))


def ended_well(client: Client, dataset_id: UUID) -> Transfer | None:
    transfer = transfer_of(client, dataset_id)
    return transfer if transfer is not None and transfer.state is TransferState.DONE else None


def missing(client: Client, dataset_id: UUID) -> Transfer:
    """The upload, once it has told that its file is not there."""
    client.resume_interrupted()
    failed = wait_for_end(client, dataset_id)
    assert failed.error is not None and failed.error.code is ErrorCode.FILE_MISSING
    return failed


def test_a_file_that_is_away_for_a_while_goes_on_where_it_was(
    alice: User, proxy: FaultServer, tmp_path: Path, mine: Path, file: ExactFile
) -> None:
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    away = mine.rename(tmp_path / "away.jsonl")
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        missing(client, dataset_id)
        client.retry_upload(dataset_id)
        missing(client, dataset_id)
        away.rename(mine)
        client.retry_upload(dataset_id)
        done = wait_until(lambda: ended_well(client, dataset_id), 40, "the end")
        assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB
    assert_whole(alice, file)


@pytest.mark.parametrize("is_copy", [False, True], ids=["renamed", "copied"])
def test_a_file_that_has_moved_goes_on_from_its_new_place(
    alice: User, proxy: FaultServer, tmp_path: Path, mine: Path, file: ExactFile, is_copy: bool
) -> None:
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    place = tmp_path / "elsewhere.jsonl"
    if is_copy:
        shutil.copy2(mine, place)
        mine.unlink()
    else:
        mine.rename(place)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        missing(client, dataset_id)
        client.relocate_upload(dataset_id, place)
        done = wait_until(lambda: ended_well(client, dataset_id), 40, "the end")
        assert done.path == place
        assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB
    assert_whole(alice, file)


def test_another_file_of_the_same_size_and_time_is_not_taken_for_the_one_that_moved(
    alice: User, proxy: FaultServer, tmp_path: Path, mine: Path
) -> None:
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    place = mine.rename(tmp_path / "elsewhere.jsonl")
    spoil(place, 17)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        missing(client, dataset_id)
        client.relocate_upload(dataset_id, place)
        failed = wait_until(lambda: has_changed(client, dataset_id), 40, "the refusal")
        assert failed.state is TransferState.FAILED
        assert not proxy.seen("/rpc/confirm_dataset_upload")
    assert holds_nothing(alice)


def has_changed(client: Client, dataset_id: UUID) -> Transfer | None:
    transfer = transfer_of(client, dataset_id)
    is_so = transfer is not None and transfer.error is not None and transfer.error.code is ErrorCode.FILE_CHANGED
    return transfer if is_so else None


@pytest.mark.parametrize("change", ["longer", "shorter", "none"])
def test_a_file_that_cannot_be_it_is_refused_and_what_was_sent_is_kept(
    alice: User, proxy: FaultServer, tmp_path: Path, mine: Path, file: ExactFile, change: str
) -> None:
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    away, place = mine.rename(tmp_path / "away.jsonl"), tmp_path / "elsewhere.jsonl"
    if change != "none":
        shutil.copy2(away, place)
        os.truncate(place, file.size_bytes + (1 if change == "longer" else -1))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        missing(client, dataset_id)
        with pytest.raises(SourceError):
            client.relocate_upload(dataset_id, place)
        missing(client, dataset_id)
        client.relocate_upload(dataset_id, away)
        done = wait_until(lambda: ended_well(client, dataset_id), 40, "the end")
        assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB
    assert_whole(alice, file)


def test_the_file_is_only_read(alice: User, proxy: FaultServer, tmp_path: Path, mine: Path) -> None:
    mine.chmod(0o444)
    before = mine.stat()
    dataset_id = interrupted(alice, proxy, tmp_path / "home", mine, leave)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.resume_interrupted()
        assert_done(wait_for_end(client, dataset_id))
    after = mine.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (before.st_mtime_ns, before.st_ino, before.st_mode)
    with SourceFile.open(mine) as source:
        assert source.stamp.mtime_ns == before.st_mtime_ns
