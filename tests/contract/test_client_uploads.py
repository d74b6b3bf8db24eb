"""Uploads of real files to a real server: bytes, counters, what is left after cancelling and failing, and retry."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from supabase import create_client
from supabase.lib.client_options import SyncClientOptions
from tests.support.client import (
    Wire,
    open_core,
    open_wire,
    put_object,
    rows,
    transfer_of,
    wait_for_end,
)
from tests.support.datasets import Kind, make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import Throttle
from tests.support.uploads import BYTES, await_verdict, big_file, good_file, one_of_each, sha256, start
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

from lorry.core.cancel import CancelToken
from lorry.core.client import Client
from lorry.core.errors import ConflictError, ErrorCode
from lorry.core.events import DatasetChanged, Event, TransferChanged
from lorry.core.model import DatasetDraft, DatasetStatus
from lorry.core.source import BLOCK_BYTES, SourceFile
from lorry.core.transfers import Phase, TransferState

MIB = 1024 * 1024
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
    proxy.on(BYTES, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as opened:
        yield opened


@pytest.fixture
def wire(alice: User, tmp_path: Path) -> Iterator[Wire]:
    with open_wire(alice, tmp_path) as opened:
        yield opened


def download_elsewhere(user: User, storage_path: str) -> bytes:
    """The object through plain supabase-py, as anybody would."""
    with httpx.Client(trust_env=False, timeout=60) as http:
        options = SyncClientOptions(auto_refresh_token=False, httpx_client=http)
        other = create_client(user.server.url, user.server.anon_key, options)
        other.auth.sign_in_with_password({"email": user.email, "password": user.password})
        return other.storage.from_(BUCKET).download(storage_path)


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


NAMES = [
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
]


def test_any_file_name_makes_the_round_trip(client: Client, alice: User, tmp_path: Path) -> None:
    paths = [make_dataset("conversation_lines", 2_000, tmp_path / name, seed=n).path for n, name in enumerate(NAMES)]
    uploads = [(start(client, path), path) for path in paths]
    for dataset_id, path in uploads:
        assert wait_for_end(client, dataset_id).state is TransferState.DONE
        stored = client.get_dataset(dataset_id)
        assert stored.file_name == path.name
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


def test_progress_only_grows_and_never_says_more_than_was_read(
    slow: Client, proxy: FaultServer, tmp_path: Path
) -> None:
    size_bytes = 12 * MIB  # more than the kernel's buffers swallow at once
    path = big_file(tmp_path / "a.jsonl", size_bytes)
    proxy.on(BYTES, Throttle(12_000_000))
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
    assert seen[-1] == size_bytes
    assert len(set(seen)) >= 3


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
    wait_until(lambda: len(proxy.seen(BYTES, "PUT")) == 2, what="two at work")
    states = [transfer.state for transfer in slow.snapshot()]
    assert [transfer.dataset_id for transfer in slow.snapshot()] == ids
    assert states.count(TransferState.RUNNING) == TRANSFER_THREADS
    assert states[2:] == [TransferState.WAITING] * 3
    proxy.clear()
    assert all(wait_for_end(slow, dataset_id).state is TransferState.DONE for dataset_id in ids)
    order = [seen.path.split("/")[-2] for seen in proxy.seen(BYTES, "PUT")]
    assert sorted(order[:2]) == sorted(map(str, ids[:2])) and len(order) == 5


def test_a_draft_for_another_size_takes_the_size_of_the_file(client: Client, alice: User, tmp_path: Path) -> None:
    path = good_file(tmp_path / "a.jsonl")
    draft = DatasetDraft(name="Sized", file_name="a.jsonl", file_size=1)
    dataset_id = client.upload(path, draft)
    assert wait_for_end(client, dataset_id).state is TransferState.DONE
    assert rows(alice.server, id=str(dataset_id))[0]["file_size"] == path.stat().st_size


def test_wakes_come_from_other_threads_and_events_wait_to_be_drained(client: Client, tmp_path: Path) -> None:
    woken: set[str] = set()
    client.subscribe(lambda: woken.add(threading.current_thread().name.rstrip("-0123456789")))
    dataset_id = start(client, good_file(tmp_path / "a.jsonl"))
    wait_for_end(client, dataset_id)
    wait_until(lambda: any(isinstance(e, DatasetChanged) for e in client.drain()), what="the verdict")
    assert {"lorry-transfer", "lorry-watch"} <= woken
