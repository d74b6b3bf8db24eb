"""Several uploads at once: how many, how fast, in which order; and two programs that share a profile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import holds_nothing, open_core, rows, transfer_of, wait_for_end
from tests.support.fault_server import FaultServer
from tests.support.faults import Throttle, busy
from tests.support.uploads import BYTES, big_file, good_file, is_sending, start
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.transfers import TransferState, WaitReason

MIB = 1024 * 1024
CRAWLING = Throttle(500_000)


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    with FaultServer(workspace_server.url, seed=3) as server:
        yield server


@pytest.fixture
def client(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Client]:
    with open_core(alice, tmp_path / "home", url=proxy.url) as opened:
        yield opened


def running(client: Client) -> list[UUID]:
    """What is at work, in the order of the list."""
    return [entry.dataset_id for entry in client.snapshot() if entry.state is TransferState.RUNNING]


def sent_bytes(client: Client) -> list[int]:
    return [entry.progress.sent_bytes for entry in client.snapshot()]


def test_a_limit_holds_for_all_uploads_together(client: Client, proxy: FaultServer, tmp_path: Path) -> None:
    limit_bps, size_bytes = 3_000_000, 5 * MIB
    client.bandwidth_limit_bps = limit_bps
    ids = [start(client, big_file(tmp_path / f"{number}.jsonl", size_bytes)) for number in range(2)]
    wait_until(lambda: min(sent_bytes(client)) > 0, what="both at work")
    began, before = time.monotonic(), sum(sent_bytes(client))
    wait_until(lambda: max(sent_bytes(client)) >= 4 * MIB, what="most of them")
    took_s, counts = time.monotonic() - began, sent_bytes(client)
    # A busy machine may be slower than the limit, never faster: only a block may be ahead of it.
    assert sum(counts) - before <= limit_bps * took_s + MIB
    assert min(counts) / max(counts) > 0.5
    client.bandwidth_limit_bps = None
    assert all(wait_for_end(client, dataset_id).state is TransferState.DONE for dataset_id in ids)
    assert sum(seen.body_bytes for seen in proxy.seen(BYTES, "PUT")) == 2 * size_bytes


def test_a_limit_that_is_lifted_lets_the_rest_pass_at_once(client: Client, tmp_path: Path) -> None:
    client.bandwidth_limit_bps = 100_000  # nearly a minute and a half for this file
    dataset_id = start(client, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(client, dataset_id, 50_000), what="sending")
    began = time.monotonic()
    client.bandwidth_limit_bps = None
    assert wait_for_end(client, dataset_id).state is TransferState.DONE
    assert time.monotonic() - began < 20


def test_one_to_four_at_once_changed_while_they_run(client: Client, proxy: FaultServer, tmp_path: Path) -> None:
    proxy.on(BYTES, CRAWLING)
    client.workers = 1
    ids = [start(client, big_file(tmp_path / f"{number}.jsonl", 6 * MIB)) for number in range(6)]
    wait_until(lambda: running(client) == ids[:1], what="one at work")
    client.workers = 9
    assert client.workers == 4
    wait_until(lambda: running(client) == ids[:4], what="four at work")
    client.workers = 2
    client.cancel_upload(ids[0])
    client.cancel_upload(ids[1])
    wait_until(lambda: len(client.snapshot()) == 4, what="two of them removed")
    assert running(client) == ids[2:4], "those that run go on, and no other begins"
    proxy.clear()
    assert all(wait_for_end(client, dataset_id).state is TransferState.DONE for dataset_id in ids[2:])


def test_the_order_is_the_users_and_outlives_the_program(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    rule = proxy.on(BYTES, CRAWLING)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.workers = 1
        a, b, c, d = (start(client, big_file(tmp_path / f"{name}.jsonl", 2 * MIB)) for name in "abcd")
        wait_until(lambda: running(client) == [a] and rule.used, what="the first at work")
        client.move_upload(d, b)
        client.move_upload(b, None)
    proxy.clear()
    before = len(proxy.seen(BYTES, "PUT"))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.workers = 1
        assert client.resume_interrupted() == [a, d, c, b]
        assert all(wait_for_end(client, dataset_id).state is TransferState.DONE for dataset_id in (a, b, c, d))
    sent = [seen.path.split("/")[-2] for seen in proxy.seen(BYTES, "PUT")[before:]]
    assert sent == [str(dataset_id) for dataset_id in (a, d, c, b)]


def test_an_upload_that_waits_for_the_server_gives_its_place_to_the_next(
    client: Client, proxy: FaultServer, tmp_path: Path
) -> None:
    client.workers = 1
    proxy.on(BYTES, busy(503, "600"), times=1)
    first, second = (start(client, good_file(tmp_path / f"{name}.jsonl")) for name in "ab")
    assert wait_for_end(client, second).state is TransferState.DONE
    waiting = transfer_of(client, first)
    assert waiting is not None
    assert (waiting.state, waiting.waits_for) == (TransferState.WAITING, WaitReason.SERVER)
    assert waiting.retry_in_s is not None and waiting.retry_in_s > 500
    client.go_on_now()
    assert wait_for_end(client, first).state is TransferState.DONE


def test_all_are_paused_and_go_on(client: Client, proxy: FaultServer, tmp_path: Path) -> None:
    rule = proxy.on(BYTES, CRAWLING)
    ids = [start(client, big_file(tmp_path / f"{number}.jsonl", 8 * MIB)) for number in range(4)]
    wait_until(lambda: all(is_sending(client, dataset_id) for dataset_id in ids[:2]), what="two at work")
    client.pause_all()
    wait_until(lambda: {entry.state for entry in client.snapshot()} == {TransferState.PAUSED}, what="the pause")
    used = rule.used
    client.go_on_now()
    client.retry_all()
    assert {entry.state for entry in client.snapshot()} == {TransferState.PAUSED}
    assert rule.used == used
    proxy.clear()
    client.resume_all()
    assert all(wait_for_end(client, dataset_id).state is TransferState.DONE for dataset_id in ids)


def test_a_pause_that_is_taken_back_before_it_happened(client: Client, proxy: FaultServer, tmp_path: Path) -> None:
    proxy.on(BYTES, Throttle(4_000_000))
    dataset_id = start(client, big_file(tmp_path / "a.jsonl", 20 * MIB))
    wait_until(lambda: is_sending(client, dataset_id, 7 * MIB), what="sending")
    for _ in range(20):
        client.pause_upload(dataset_id)
        client.resume_upload(dataset_id)
    proxy.clear()
    done = wait_for_end(client, dataset_id)
    assert (done.state, done.error) == (TransferState.DONE, None)
    assert client.interrupted_count == 0


def test_giving_all_up_leaves_nothing(client: Client, alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    proxy.on(BYTES, CRAWLING)
    ids = [start(client, big_file(tmp_path / f"{number}.jsonl", 8 * MIB)) for number in range(4)]
    wait_until(lambda: all(is_sending(client, dataset_id) for dataset_id in ids[:2]), what="two at work")
    client.pause_upload(ids[1])
    client.cancel_all()
    wait_until(lambda: client.snapshot() == (), 30, "removal")
    assert client.interrupted_count == 0
    assert holds_nothing(alice)


@pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "running"])
def test_what_is_given_up_does_not_wait_for_the_uploads_at_work(
    client: Client, alice: User, proxy: FaultServer, tmp_path: Path, is_paused: bool
) -> None:
    proxy.on(BYTES, CRAWLING)
    first, second, third = (start(client, big_file(tmp_path / f"{name}.jsonl", 20 * MIB)) for name in "abc")
    wait_until(lambda: is_sending(client, first) and is_sending(client, second), what="two at work")
    if is_paused:
        client.pause_upload(first)
        wait_until(lambda: running(client) == [second, third], what="the third at work")
    else:
        client.workers = 1
    client.cancel_upload(first)
    wait_until(lambda: transfer_of(client, first) is None, what="removal")
    assert second in running(client)
    assert sorted(row["id"] for row in rows(alice.server, user_id=alice.id) if row["id"] == str(first)) == []
    client.cancel_all()
    wait_until(lambda: client.snapshot() == (), 30, "removal")


def test_a_cancel_cut_off_by_the_end_of_the_program_is_finished_by_the_next_start(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    proxy.on(BYTES, CRAWLING)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, big_file(tmp_path / "a.jsonl", 8 * MIB))
        wait_until(lambda: is_sending(client, dataset_id), what="sending")
        proxy.refuse()
        client.cancel_upload(dataset_id)
        wait_until(lambda: running(client) == [dataset_id], what="the removal")
    proxy.accept()
    proxy.clear()
    assert rows(alice.server, user_id=alice.id)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        assert client.resume_interrupted() == []
        wait_until(lambda: client.snapshot() == (), 30, "removal")
        assert client.interrupted_count == 0
    assert holds_nothing(alice)


def test_two_clients_on_one_profile_share_the_work_and_never_an_upload(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    proxy.on(BYTES, CRAWLING)
    with open_core(alice, home, url=proxy.url) as client:
        ids = [start(client, big_file(tmp_path / f"{number}.jsonl", MIB)) for number in range(6)]
        wait_until(lambda: len(running(client)) == 2, what="two at work")
    proxy.clear()
    with open_core(alice, home, url=proxy.url) as one, open_core(alice, home, url=proxy.url) as other:
        first, second = one.resume_interrupted(), other.resume_interrupted()
        assert (first, second) == (ids, [])
        assert other.resume_interrupted() == []
        assert all(wait_for_end(one, dataset_id).state is TransferState.DONE for dataset_id in ids)
        assert (one.interrupted_count, other.interrupted_count) == (0, 0)
        assert other.resume_interrupted() == []
    assert sorted(row["id"] for row in rows(alice.server, user_id=alice.id)) == sorted(map(str, ids))
