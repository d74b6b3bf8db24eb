"""Uploads of real files to a real server: bytes, counters, what is left after cancelling and failing, and retry."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from supabase import create_client
from supabase.lib.client_options import SyncClientOptions
from tests.support.client import (
    Wire,
    holds_nothing,
    objects,
    open_core,
    open_wire,
    put_object,
    rows,
    service,
    transfer_of,
    wait_for_end,
)
from tests.support.datasets import Kind, make_dataset
from tests.support.fault_server import Before, FaultServer, Throttle
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

from lorry.core.cancel import CancelToken
from lorry.core.client import Client
from lorry.core.errors import ConflictError, ErrorCode, RejectedError, SourceError
from lorry.core.events import DatasetChanged, Event, TransferChanged, TransferRemoved
from lorry.core.model import Dataset, DatasetDraft, DatasetStatus, Phase, TransferState
from lorry.core.source import BLOCK_BYTES, SourceFile

MIB = 1024 * 1024
PUT = r"/object/upload/sign/.*token="
TRANSFER_THREADS = 2


@pytest.fixture
def client(alice: User, tmp_path: Path) -> Iterator[Client]:
    with open_core(alice, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    with FaultServer(workspace_server.url, seed=11) as server:
        yield server


@pytest.fixture
def slow(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Client]:
    """A client whose uploads crawl until the proxy is told otherwise."""
    proxy.on(PUT, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as opened:
        yield opened


@pytest.fixture
def wire(alice: User, tmp_path: Path) -> Iterator[Wire]:
    with open_wire(alice, tmp_path) as opened:
        yield opened


def good_file(path: Path, size_bytes: int = 20_000) -> Path:
    return make_dataset("conversation_lines", size_bytes, path).path


def big_file(path: Path, size_bytes: int = 30 * MIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


def start(client: Client, path: Path, **changed: object) -> UUID:
    draft = client.inspect_file(path)
    return client.upload(path, draft.model_copy(update=changed))


def await_verdict(client: Client, dataset_id: UUID, limit_s: float = 60) -> Dataset:
    def verdict() -> Dataset | None:
        dataset = client.get_dataset(dataset_id)
        return dataset if dataset.status in (DatasetStatus.READY, DatasetStatus.ERROR) else None

    dataset = wait_until(verdict, limit_s, "the verdict")
    assert isinstance(dataset, Dataset)
    return dataset


def download_elsewhere(user: User, storage_path: str) -> bytes:
    """The object through plain supabase-py, as anybody would."""
    with httpx.Client(trust_env=False, timeout=60) as http:
        options = SyncClientOptions(auto_refresh_token=False, httpx_client=http)
        other = create_client(user.server.url, user.server.anon_key, options)
        other.auth.sign_in_with_password({"email": user.email, "password": user.password})
        return other.storage.from_(BUCKET).download(storage_path)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_sending(client: Client, dataset_id: UUID, more_than_bytes: int = 0) -> bool:
    transfer = transfer_of(client, dataset_id)
    assert transfer is not None and transfer.error is None, transfer
    return transfer.phase is Phase.UPLOADING and transfer.progress.sent_bytes > more_than_bytes


def one_of_each(user: User) -> str:
    """Assert that the server holds one row and one object of the user, and return the object's path."""
    (row,) = rows(user.server, user_id=user.id)
    (folder,) = objects(user.server, user.id)
    (name,) = objects(user.server, f"{user.id}/{folder}")
    assert f"{user.id}/{folder}/{name}" == row["storage_path"]
    return str(row["storage_path"])


@pytest.mark.parametrize("kind", ["conversation_lines", "pair_lines"])
@pytest.mark.parametrize(
    "size_bytes",
    [
        1_000,
        1_000_000,
        pytest.param(50_000_000, marks=pytest.mark.long),
        pytest.param(500_000_000, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_a_real_file_becomes_ready_and_comes_back_the_same(
    client: Client, alice: User, tmp_path: Path, kind: Kind, size_bytes: int
) -> None:
    made = make_dataset(kind, size_bytes, tmp_path / f"{kind}.jsonl")
    dataset_id = start(client, made.path)
    assert wait_for_end(client, dataset_id, 300).state is TransferState.DONE
    done = await_verdict(client, dataset_id, 300)
    assert (done.status, done.file_size) == (DatasetStatus.READY, made.size_bytes)
    assert done.total_training_pairs == made.training_pairs
    assert sha256(download_elsewhere(alice, one_of_each(alice))) == made.sha256


@pytest.mark.parametrize(
    "name",
    [
        "Übung für Anfänger.jsonl",
        "e\u0301tude.jsonl",
        "数据集 第一版.jsonl",
        "مجموعة بيانات التدريب.jsonl",
        "\u202etxt.exe\u202c.jsonl",
        "😀 emoji 👩\u200d🔬.jsonl",
        "a%2Fb ?#&=+.jsonl",
        "trailing dots....jsonl",
        "UPPER.JSONL",
        "x" * 240 + ".jsonl",
    ],
)
def test_any_file_name_makes_the_round_trip(client: Client, alice: User, tmp_path: Path, name: str) -> None:
    path = good_file(tmp_path / name, 2_000)
    dataset_id = start(client, path)
    assert wait_for_end(client, dataset_id).state is TransferState.DONE
    stored = client.get_dataset(dataset_id)
    assert stored.file_name == name
    assert stored.storage_path.isascii()
    assert download_elsewhere(alice, stored.storage_path) == path.read_bytes()


def test_the_client_reports_each_stage_in_order(client: Client, tmp_path: Path) -> None:
    path = good_file(tmp_path / "Financial_coaching-v2.jsonl")
    dataset_id = start(client, path)
    wait_for_end(client, dataset_id)
    events: list[Event] = []

    def verdict_came() -> bool:
        events.extend(client.drain())
        return any(isinstance(event, DatasetChanged) for event in events)

    wait_until(verdict_came, what="the verdict as an event")
    changes = [event.transfer for event in events if isinstance(event, TransferChanged)]
    phases = list(dict.fromkeys(change.phase for change in changes))
    assert phases == sorted(phases, key=list(Phase).index)
    assert {Phase.CHECKING, Phase.UPLOADING, Phase.VERIFYING, Phase.VALIDATING} <= set(phases)
    states = list(dict.fromkeys(change.state for change in changes))
    assert states == [TransferState.WAITING, TransferState.RUNNING, TransferState.DONE]
    (verdict,) = [event.dataset for event in events if isinstance(event, DatasetChanged)]
    assert (verdict.id, verdict.status, verdict.name) == (dataset_id, DatasetStatus.READY, "Financial coaching v2")
    progress = changes[-1].progress
    assert (progress.sent_bytes, progress.stored_bytes, progress.size_bytes) == (path.stat().st_size,) * 3
    client.dismiss_upload(dataset_id)
    assert client.snapshot() == ()
    assert client.get_dataset(dataset_id).status is DatasetStatus.READY


@pytest.mark.parametrize("size_bytes", [1, BLOCK_BYTES - 1, BLOCK_BYTES, 5 * BLOCK_BYTES + 12_345])
def test_the_bytes_are_counted_exactly(wire: Wire, alice: User, tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(os.urandom(size_bytes))
    row = alice.insert(size_bytes)
    ticket = wire.remote.objects.sign_upload(UUID(row["id"]), row["storage_path"])
    counts: list[int] = []
    with SourceFile.open(path) as source:
        wire.remote.put.send(ticket, source.blocks(), size_bytes, path.name, CancelToken(), counts.append)
    assert sum(counts) == size_bytes
    assert all(0 < count <= MIB for count in counts)
    info = wire.remote.objects.info(row["storage_path"])
    assert info is not None and info.size_bytes == size_bytes


def test_progress_only_grows_and_never_says_more_than_was_read(slow: Client, tmp_path: Path) -> None:
    path = big_file(tmp_path / "a.jsonl", 6 * MIB)
    dataset_id = start(slow, path)
    seen: list[int] = []

    def has_ended() -> bool:
        transfer = transfer_of(slow, dataset_id)
        assert transfer is not None
        seen.append(transfer.progress.sent_bytes)
        assert transfer.progress.percent <= 99
        return transfer.state is TransferState.DONE

    wait_until(has_ended, 30, "the end")
    assert seen == sorted(seen)
    assert seen[-1] == 6 * MIB
    assert len(set(seen)) > 3


def test_the_file_is_never_in_memory(wire: Wire, alice: User, tmp_path: Path) -> None:
    size_bytes = 64 * MIB
    path = big_file(tmp_path / "a.jsonl", size_bytes)
    row = alice.insert(size_bytes)
    ticket = wire.remote.objects.sign_upload(UUID(row["id"]), row["storage_path"])
    tracemalloc.start()
    try:
        with SourceFile.open(path) as source:
            wire.remote.put.send(ticket, source.blocks(), size_bytes, path.name, CancelToken(), lambda _count: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB


def test_an_object_that_is_there_is_never_replaced(wire: Wire, alice: User) -> None:
    row = alice.upload(b"first", name="kept")
    with pytest.raises(ConflictError) as caught:
        wire.remote.objects.sign_upload(UUID(row["id"]), row["storage_path"])
    assert caught.value.code is ErrorCode.ALREADY_EXISTS
    late = alice.insert(6)
    ticket = wire.remote.objects.sign_upload(UUID(late["id"]), late["storage_path"])
    put_object(alice.server, late["storage_path"], b"before")
    with pytest.raises(ConflictError):
        wire.remote.put.send(ticket, [b"after!"], 6, "a.jsonl", CancelToken(), lambda _count: None)
    with alice.client() as http:
        assert http.get(f"/storage/v1/object/{BUCKET}/{late['storage_path']}").content == b"before"


def test_several_uploads_run_two_at_a_time_in_their_order(slow: Client, proxy: FaultServer, tmp_path: Path) -> None:
    ids = [start(slow, big_file(tmp_path / f"{number}.jsonl", 2 * MIB)) for number in range(5)]
    wait_until(lambda: len(proxy.seen(PUT, "PUT")) == 2, what="two at work")
    states = [transfer.state for transfer in slow.snapshot()]
    assert [transfer.dataset_id for transfer in slow.snapshot()] == ids
    assert states.count(TransferState.RUNNING) == TRANSFER_THREADS
    assert states[2:] == [TransferState.WAITING] * 3
    proxy.clear()
    assert all(wait_for_end(slow, dataset_id).state is TransferState.DONE for dataset_id in ids)
    order = [seen.path.split("/")[-2] for seen in proxy.seen(PUT, "PUT")]
    assert sorted(order[:2]) == sorted(map(str, ids[:2])) and len(order) == 5


def was_removed(client: Client, dataset_id: UUID) -> None:
    wait_until(lambda: transfer_of(client, dataset_id) is None, 20, "removal")
    assert TransferRemoved(dataset_id) in client.drain()


def test_cancelling_a_running_upload_leaves_nothing(slow: Client, alice: User, tmp_path: Path) -> None:
    path = big_file(tmp_path / "a.jsonl")
    dataset_id = start(slow, path)
    wait_until(lambda: is_sending(slow, dataset_id, MIB), what="sending")
    assert rows(alice.server, user_id=alice.id)
    slow.cancel_upload(dataset_id)
    was_removed(slow, dataset_id)
    assert holds_nothing(alice)
    assert slow.interrupted_count == 0
    assert path.stat().st_size == 30 * MIB


def test_cancelling_a_waiting_upload_leaves_nothing(slow: Client, alice: User, tmp_path: Path) -> None:
    ids = [start(slow, big_file(tmp_path / f"{number}.jsonl")) for number in range(3)]
    wait_until(lambda: all(is_sending(slow, dataset_id) for dataset_id in ids[:2]), what="two at work")
    slow.cancel_upload(ids[2])
    assert transfer_of(slow, ids[2]) is None, "it does not wait for one of the two to end"
    for dataset_id in ids[:2]:
        slow.cancel_upload(dataset_id)
    wait_until(lambda: slow.snapshot() == (), 20, "removal")
    assert holds_nothing(alice)


def test_cancelling_a_failed_upload_leaves_nothing(client: Client, alice: User, tmp_path: Path) -> None:
    path = good_file(tmp_path / "a.jsonl")
    draft = client.inspect_file(path)
    dataset_id = client.upload(path, draft)
    path.unlink()
    failed = wait_for_end(client, dataset_id)
    if failed.state is TransferState.FAILED:
        assert failed.error is not None and failed.error.code is ErrorCode.FILE_MISSING
    client.cancel_upload(dataset_id)
    was_removed(client, dataset_id)
    assert client.interrupted_count == 0
    assert failed.state is TransferState.DONE or holds_nothing(alice)


def test_cancelling_twice_or_what_is_not_there_is_harmless(slow: Client, alice: User, tmp_path: Path) -> None:
    slow.cancel_upload(uuid4())
    slow.retry_upload(uuid4())
    slow.dismiss_upload(uuid4())
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl"))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    for _ in range(3):
        slow.cancel_upload(dataset_id)
    was_removed(slow, dataset_id)
    assert holds_nothing(alice)


def test_a_file_that_changes_while_it_is_sent_fails_and_leaves_nothing(
    slow: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    path = big_file(tmp_path / "a.jsonl", 8 * MIB)
    dataset_id = start(slow, path)
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with path.open("ab") as file:
        file.write(b"one more line\n")
    proxy.clear()
    failed = wait_for_end(slow, dataset_id)
    assert isinstance(failed.error, SourceError)
    assert failed.error.code is ErrorCode.FILE_CHANGED
    wait_until(lambda: holds_nothing(alice), what="nothing left")
    # The file is another one now: trying again tells so at once, choosing it again works.
    slow.retry_upload(dataset_id)
    wait_until(lambda: len([e for e in slow.drain() if isinstance(e, TransferChanged)]) >= 2, what="the retry")
    assert wait_for_end(slow, dataset_id).error is not None
    again = start(slow, path)
    assert wait_for_end(slow, again).state is TransferState.DONE


def test_a_row_removed_while_sending_fails_the_upload_and_leaves_no_object(
    slow: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with service(alice.server) as http:
        http.delete("/rest/v1/datasets", params={"id": f"eq.{dataset_id}"})
    proxy.clear()
    failed = wait_for_end(slow, dataset_id)
    assert isinstance(failed.error, RejectedError)
    assert failed.error.code is ErrorCode.NOT_FOUND
    assert not rows(alice.server, user_id=alice.id)


def test_a_dataset_deleted_elsewhere_while_sending_is_not_made_ready(
    slow: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    slow.delete_dataset(dataset_id)
    proxy.clear()
    failed = wait_for_end(slow, dataset_id)
    assert failed.error is not None and failed.error.code is ErrorCode.NOT_FOUND
    wait_until(lambda: holds_nothing(alice), what="nothing left")


def test_a_failed_upload_is_tried_again_with_the_same_dataset(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    def close_door() -> None:
        with service(alice.server) as http:
            http.patch("/rest/v1/datasets", params={"user_id": f"eq.{alice.id}"}, json={"deleted_at": "2026-01-01"})

    proxy.on("/object/upload/sign/[^?]*$", Before(close_door), method="POST", times=1)
    path = good_file(tmp_path / "a.jsonl")
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, path)
        failed = wait_for_end(client, dataset_id)
        assert failed.error is not None and failed.error.code is ErrorCode.FORBIDDEN
        assert holds_nothing(alice)
        assert (client.interrupted_count, len(client.snapshot())) == (0, 1)
        client.retry_upload(dataset_id)
        wait_until(lambda: wait_for_end(client, dataset_id).state is TransferState.DONE, what="the second try")
        assert await_verdict(client, dataset_id).status is DatasetStatus.READY
    assert one_of_each(alice)


def test_closing_the_program_keeps_an_upload_for_the_next_start(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    made = make_dataset("conversation_lines", 12_000_000, tmp_path / "a.jsonl")
    proxy.on(PUT, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, made.path, name="Kept name")
        wait_until(lambda: is_sending(client, dataset_id, MIB), what="sending")
    proxy.clear()
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        assert (client.interrupted_count, client.snapshot()) == (1, ())
        assert client.resume_interrupted() == [dataset_id]
        assert client.interrupted_count == 0
        assert client.resume_interrupted() == []
        assert wait_for_end(client, dataset_id).state is TransferState.DONE
        done = await_verdict(client, dataset_id)
        assert (done.status, done.name) == (DatasetStatus.READY, "Kept name")
    path = one_of_each(alice)
    with alice.client() as http:
        assert sha256(http.get(f"/storage/v1/object/{BUCKET}/{path}").content) == made.sha256


def test_a_file_replaced_between_two_starts_is_not_sent_in_its_place(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    path = big_file(tmp_path / "a.jsonl", 8 * MIB)
    proxy.on(PUT, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, path)
        wait_until(lambda: is_sending(client, dataset_id), what="sending")
    proxy.clear()
    path.write_bytes(b"x" * 8 * MIB)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.resume_interrupted()
        failed = wait_for_end(client, dataset_id)
        assert failed.error is not None and failed.error.code is ErrorCode.FILE_CHANGED
        client.dismiss_upload(dataset_id)
        was_removed(client, dataset_id)
        assert client.interrupted_count == 0
    assert holds_nothing(alice)


def test_signing_out_stops_uploads_and_keeps_them(
    slow: Client, alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    slow.sign_out()
    stopped = wait_for_end(slow, dataset_id)
    assert stopped.error is not None and stopped.error.code is ErrorCode.NOT_SIGNED_IN
    proxy.clear()
    slow.sign_in(alice.email, alice.password)
    slow.retry_upload(dataset_id)
    wait_until(lambda: wait_for_end(slow, dataset_id).state is TransferState.DONE, what="the second try")
    assert one_of_each(alice)


def test_two_clients_do_not_work_on_one_upload(slow: Client, alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with open_core(alice, tmp_path / "home", url=proxy.url) as second:
        assert second.resume_interrupted() == []
        assert second.snapshot() == ()
    proxy.clear()
    assert wait_for_end(slow, dataset_id).state is TransferState.DONE
    assert one_of_each(alice)


def test_a_draft_for_another_size_takes_the_size_of_the_file(client: Client, alice: User, tmp_path: Path) -> None:
    path = good_file(tmp_path / "a.jsonl")
    draft = DatasetDraft(name="Sized", file_name="a.jsonl", file_size=1)
    dataset_id = client.upload(path, draft)
    assert wait_for_end(client, dataset_id).state is TransferState.DONE
    assert rows(alice.server, id=str(dataset_id))[0]["file_size"] == path.stat().st_size


def test_wakes_come_from_other_threads_and_events_wait_to_be_drained(client: Client, tmp_path: Path) -> None:
    woken: set[str] = set()
    client.subscribe(lambda: woken.add(threading.current_thread().name))
    dataset_id = start(client, good_file(tmp_path / "a.jsonl"))
    wait_for_end(client, dataset_id)
    wait_until(lambda: any(isinstance(e, DatasetChanged) for e in client.drain()), what="the verdict")
    assert {"lorry-transfer-1", "lorry-watch"} <= woken
