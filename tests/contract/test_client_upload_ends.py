"""How uploads end other than well, on a real server: cancelled, failed, interrupted; what is left, and the way on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.support.client import (
    holds_nothing,
    open_core,
    rows,
    service,
    transfer_of,
    wait_for_end,
)
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import Before, Throttle, busy
from tests.support.uploads import BYTES, await_verdict, big_file, good_file, is_sending, one_of_each, sha256, start
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.errors import ConflictError, ErrorCode, RejectedError, SourceError
from lorry.core.events import TransferRemoved
from lorry.core.model import DatasetStatus
from lorry.core.transfers import RestartReason, Transfer, TransferState, WaitReason

MIB = 1024 * 1024


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


def confirmed(proxy: FaultServer) -> bool:
    """True when the client has told the server that an upload is complete."""
    return bool(proxy.seen("/rpc/confirm_dataset_upload"))


def stored(user: User) -> bytes:
    """The one object of a user."""
    with user.client() as http:
        return http.get(f"/storage/v1/object/{BUCKET}/{one_of_each(user)}").content


def waiting_for(client: Client, dataset_id: UUID, reason: WaitReason) -> Transfer | None:
    """The upload, while it waits for this."""
    transfer = transfer_of(client, dataset_id)
    is_so = transfer is not None and (transfer.state, transfer.waits_for) == (TransferState.WAITING, reason)
    return transfer if is_so else None


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


def test_cancelling_a_failed_upload_leaves_nothing(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    proxy.on(BYTES, busy(503))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, good_file(tmp_path / "a.jsonl"))
        failed = wait_for_end(client, dataset_id)
        assert failed.error is not None and failed.error.code is ErrorCode.SERVER_BUSY
        # It may still go on, so its row waits for it.
        assert [row["status"] for row in rows(alice.server, user_id=alice.id)] == ["uploading"]
        client.cancel_upload(dataset_id)
        was_removed(client, dataset_id)
        assert client.interrupted_count == 0
    assert holds_nothing(alice)


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


def test_a_file_that_changes_while_it_is_sent_leaves_nothing_and_starts_again_when_the_user_says_so(
    slow: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    path = make_dataset("conversation_lines", 8 * MIB, tmp_path / "a.jsonl").path
    dataset_id = start(slow, path)
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[0])
    proxy.clear()
    failed = wait_for_end(slow, dataset_id)
    assert isinstance(failed.error, SourceError)
    assert failed.error.code is ErrorCode.FILE_CHANGED
    wait_until(lambda: holds_nothing(alice), what="nothing left")
    assert not confirmed(proxy)
    slow.retry_upload(dataset_id)
    wait_until(lambda: wait_for_end(slow, dataset_id).state is TransferState.DONE, what="the second try")
    done = transfer_of(slow, dataset_id)
    assert done is not None and (done.restarted, done.error) == (RestartReason.CHANGED, None)
    (row,) = rows(alice.server, user_id=alice.id)
    assert (row["id"], row["file_size"]) == (str(dataset_id), path.stat().st_size)
    assert stored(alice) == path.read_bytes()


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
    proxy.on(BYTES, Throttle(2_000_000))
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
    proxy.on(BYTES, Throttle(2_000_000))
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, path)
        wait_until(lambda: is_sending(client, dataset_id), what="sending")
    proxy.clear()
    path.write_bytes(b"x" * 8 * MIB)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        client.resume_interrupted()
        failed = wait_for_end(client, dataset_id)
        assert failed.error is not None and failed.error.code is ErrorCode.FILE_CHANGED
        assert not confirmed(proxy)
        client.dismiss_upload(dataset_id)
        was_removed(client, dataset_id)
        assert client.interrupted_count == 0
    assert holds_nothing(alice)


def test_signing_out_stops_uploads_and_the_next_sign_in_takes_them_up(
    slow: Client, alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 20 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id, 7 * MIB), what="sending")
    slow.sign_out()
    stopped = wait_until(lambda: waiting_for(slow, dataset_id, WaitReason.SIGN_IN), what="a wait for the sign-in")
    assert stopped.error is not None and stopped.error.code is ErrorCode.NOT_SIGNED_IN
    quiet = len(proxy.requests)
    slow.go_on_now()
    slow.retry_upload(dataset_id)
    proxy.clear()
    slow.sign_in(alice.email, alice.password)
    done = wait_for_end(slow, dataset_id)
    assert done.state is TransferState.DONE, done.error
    assert "/auth/v1/" in proxy.requests[quiet].path, "something was asked while nobody was signed in"
    assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB
    assert one_of_each(alice)


def test_somebody_elses_uploads_stay_in_the_journal(
    slow: Client, alice: User, bob: User, proxy: FaultServer, tmp_path: Path
) -> None:
    mine = start(slow, big_file(tmp_path / "a.jsonl", 20 * MIB))
    wait_until(lambda: is_sending(slow, mine, 7 * MIB), what="sending")
    slow.sign_out()
    wait_until(lambda: waiting_for(slow, mine, WaitReason.SIGN_IN), what="a wait for the sign-in")
    slow.sign_in(bob.email, bob.password)
    assert slow.snapshot() == ()
    assert (slow.interrupted_count, slow.resume_interrupted()) == (0, [])
    proxy.clear()
    theirs = start(slow, good_file(tmp_path / "b.jsonl"))
    assert wait_for_end(slow, theirs).state is TransferState.DONE
    slow.sign_out()
    slow.sign_in(alice.email, alice.password)
    assert slow.resume_interrupted() == [mine]
    done = wait_for_end(slow, mine)
    assert done.state is TransferState.DONE, done.error
    assert done.resumed_at_bytes is not None and done.resumed_at_bytes >= 6 * MIB
    assert [row["id"] for row in rows(alice.server, user_id=alice.id)] == [str(mine)]
    assert [row["id"] for row in rows(bob.server, user_id=bob.id)] == [str(theirs)]


def test_two_clients_do_not_work_on_one_upload(slow: Client, alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl", 8 * MIB))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with open_core(alice, tmp_path / "home", url=proxy.url) as second:
        assert second.resume_interrupted() == []
        assert second.snapshot() == ()
    proxy.clear()
    assert wait_for_end(slow, dataset_id).state is TransferState.DONE
    assert one_of_each(alice)


def test_an_incomplete_upload_is_discarded_unless_another_lorry_is_at_it(
    slow: Client, alice: User, tmp_path: Path
) -> None:
    dataset_id = start(slow, big_file(tmp_path / "a.jsonl"))
    wait_until(lambda: is_sending(slow, dataset_id), what="sending")
    with open_core(alice, tmp_path / "home") as beside:  # the same home: another copy of Lorry
        with pytest.raises(ConflictError) as refused:
            beside.discard_dataset(dataset_id)
        assert refused.value.code is ErrorCode.BUSY_ELSEWHERE
        assert len(rows(alice.server, user_id=alice.id)) == 1
    with open_core(alice, tmp_path / "elsewhere") as elsewhere:
        elsewhere.discard_dataset(dataset_id)
        elsewhere.discard_dataset(dataset_id)
    wait_until(lambda: holds_nothing(alice), what="nothing left")


def test_a_dataset_that_is_complete_is_not_discarded(alice: User, tmp_path: Path) -> None:
    with open_core(alice, tmp_path / "home") as client:
        dataset_id = start(client, good_file(tmp_path / "a.jsonl"))
        assert wait_for_end(client, dataset_id).state is TransferState.DONE
        client.discard_dataset(dataset_id)
    assert len(rows(alice.server, user_id=alice.id)) == 1
