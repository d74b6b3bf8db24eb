"""Uploads through a line that fails: whatever happens, one row, one object, the right bytes, or nothing at all."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import QUICK, Wire, holds_nothing, objects, open_core, rows, transfer_of, wait_for_end
from tests.support.datasets import Expected, make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import (
    Answer,
    Before,
    CutAnswer,
    CutRequest,
    Drip,
    Fault,
    Stall,
    Throttle,
    busy,
    portal,
    redirect,
)
from tests.support.workspace import BUCKET, User, wait_until

from lorry.core.cancel import CancelToken
from lorry.core.client import Client
from lorry.core.errors import Cancelled, CancelReason, ErrorCode, NetworkError, RejectedError, ServerError
from lorry.core.events import TransferChanged
from lorry.core.model import DatasetStatus
from lorry.core.source import SourceFile
from lorry.core.transfers import Phase, Transfer, TransferState, WaitReason

MIB = 1024 * 1024
#: A cancel has to take effect within 300 ms; the machine may be busy with other tests.
CANCEL_LIMIT_S = 1.0

FIND = (r"/rest/v1/datasets\?.*select", "GET")
INSERT = ("/rest/v1/datasets", "POST")
SIGN = ("/object/upload/sign/[^?]*$", "POST")
PUT = (r"/object/upload/sign/.*\?token=", "PUT")
PATCH = ("/upload/resumable/sign/", "PATCH")
INFO = ("/object/info/", "GET")
CONFIRM = ("/rpc/confirm_dataset_upload", "POST")
VALIDATE = ("/functions/v1/validate-dataset", "POST")
EVERY_STEP = (FIND, INSERT, SIGN, PUT, INFO, CONFIRM, VALIDATE)
STEP_NAMES = ("find", "insert", "sign", "put", "info", "confirm", "validate")


@pytest.fixture
def made(tmp_path: Path) -> Expected:
    return make_dataset("conversation_lines", 600_000, tmp_path / "coaching.jsonl")


def start(client: Client, path: Path) -> UUID:
    return client.upload(path, client.inspect_file(path))


def assert_whole(user: User, made: Expected) -> None:
    """One row, one object with the bytes of the file, and the verdict comes."""
    (row,) = rows(user.server, user_id=user.id)
    (folder,) = objects(user.server, user.id)
    assert folder == row["id"]
    assert len(objects(user.server, f"{user.id}/{folder}")) == 1
    with user.client() as http:
        content = http.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content
    assert hashlib.sha256(content).hexdigest() == made.sha256
    wait_until(lambda: rows(user.server, id=row["id"])[0]["status"] == DatasetStatus.READY, what="the verdict")


def finish(client: Client, path: Path) -> Transfer:
    return wait_for_end(client, start(client, path))


def try_again(client: Client, failed: Transfer) -> Transfer:
    client.drain()
    client.retry_upload(failed.dataset_id)
    # Retrying puts the upload back in the queue before it returns.
    assert any(isinstance(event, TransferChanged) for event in client.drain())
    return wait_for_end(client, failed.dataset_id)


@pytest.mark.parametrize("step", EVERY_STEP, ids=STEP_NAMES)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(CutAnswer(0), id="swallowed"),
        pytest.param(busy(503), id="busy", marks=pytest.mark.long),
        pytest.param(portal(), id="portal"),
        pytest.param(CutRequest(0), id="cut request", marks=pytest.mark.long),
        pytest.param(CutAnswer(20), id="cut answer", marks=pytest.mark.long),
        pytest.param(busy(500), id="broken", marks=pytest.mark.long),
        pytest.param(Answer(502, b"<html>"), id="gateway", marks=pytest.mark.long),
    ],
)
def test_one_fault_at_any_step_is_survived(
    client: Client, proxy: FaultServer, alice: User, made: Expected, step: tuple[str, str], fault: Fault
) -> None:
    path, method = step
    rule = proxy.on(path, fault, method=method, times=1)
    ended = finish(client, made.path)
    assert ended.error is None, ended.error
    assert ended.state is TransferState.DONE
    assert rule.used >= 1
    assert_whole(alice, made)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 20))])
def test_the_file_is_cut_at_any_byte_and_sent_again(alice: User, tmp_path: Path, made: Expected, seed: int) -> None:
    with FaultServer(alice.server.url, seed=seed) as proxy:
        proxy.on(PUT[0], CutRequest(), method="PUT", times=2)
        with open_core(alice, tmp_path / "home", url=proxy.url) as client:
            ended = finish(client, made.path)
            assert ended.state is TransferState.DONE, ended.error
            assert (ended.progress.sent_bytes, ended.progress.stored_bytes) == (made.size_bytes,) * 2
        first, second, third = proxy.seen(PUT[0], "PUT")
        assert max(first.body_bytes, second.body_bytes) < made.size_bytes == third.body_bytes
    assert_whole(alice, made)


def test_the_answer_to_the_last_byte_is_lost_and_nothing_is_sent_twice(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(PUT[0], CutAnswer(0), method="PUT")
    ended = finish(client, made.path)
    assert ended.state is TransferState.DONE, ended.error
    assert len(proxy.seen(PUT[0], "PUT")) == 1
    assert_whole(alice, made)


def test_a_server_away_for_a_moment_is_waited_for(
    alice: User, proxy: FaultServer, tmp_path: Path, made: Expected
) -> None:
    proxy.on("/rest/v1/", Before(proxy.refuse), method="GET", times=1)
    unhurried = replace(QUICK, dice=lambda _low, high: high, patience_s=60.0)
    with open_core(alice, tmp_path / "home", url=proxy.url, temper=unhurried) as client:
        dataset_id = start(client, made.path)

        def is_offline() -> Transfer | None:
            transfer = transfer_of(client, dataset_id)
            assert transfer is not None and transfer.state is not TransferState.FAILED
            is_so = transfer.error is not None and transfer.error.code is ErrorCode.OFFLINE
            return transfer if is_so and transfer.retry_in_s is not None else None

        waiting = wait_until(is_offline, what="a wait that is told")
        assert isinstance(waiting.error, NetworkError)
        assert (waiting.state, waiting.waits_for) == (TransferState.WAITING, WaitReason.NETWORK)
        proxy.accept()
        ended = wait_for_end(client, dataset_id)
        assert (ended.state, ended.error) == (TransferState.DONE, None)
    assert_whole(alice, made)


def test_what_waits_for_the_network_goes_on_when_told(
    alice: User, proxy: FaultServer, tmp_path: Path, made: Expected
) -> None:
    proxy.on(PUT[0], busy(503, "600"), method="PUT", times=1)
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        dataset_id = start(client, made.path)
        wait_until(lambda: waits_long(client, dataset_id), what="the wait")
        client.go_on_now()
        assert wait_for_end(client, dataset_id).state is TransferState.DONE
    assert_whole(alice, made)


def waits_long(client: Client, dataset_id: UUID) -> bool:
    """True while an upload waits as long as a server has asked it to."""
    transfer = transfer_of(client, dataset_id)
    return transfer is not None and (transfer.retry_in_s or 0) > 500


def test_a_server_that_stays_away_fails_the_upload_which_can_be_tried_again(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(PUT[0], busy(503, ""), method="PUT")
    ended = finish(client, made.path)
    assert isinstance(ended.error, ServerError)
    assert (ended.state, ended.error.code, ended.error.step) == (
        TransferState.FAILED,
        ErrorCode.SERVER_BUSY,
        "send the file",
    )
    assert len(proxy.seen(PUT[0], "PUT")) > 3
    proxy.clear()
    assert try_again(client, ended).state is TransferState.DONE
    assert_whole(alice, made)


def test_a_wait_the_server_asks_for_is_kept(client: Client, proxy: FaultServer, alice: User, made: Expected) -> None:
    proxy.on(PUT[0], busy(429, "2"), method="PUT", times=1)
    began = time.monotonic()
    assert finish(client, made.path).state is TransferState.DONE
    assert time.monotonic() - began >= 2.0
    assert_whole(alice, made)


def test_a_wait_ends_when_the_upload_is_cancelled(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(PUT[0], busy(503, "600"), method="PUT")
    dataset_id = start(client, made.path)
    wait_until(lambda: waits_long(client, dataset_id), what="the wait")
    client.cancel_upload(dataset_id)
    wait_until(lambda: transfer_of(client, dataset_id) is None, 5, "removal")
    assert holds_nothing(alice)


@pytest.mark.parametrize(
    ("status", "error", "code", "tries"),
    [
        ("413", "Payload too large", ErrorCode.TOO_LARGE_FOR_PROJECT, 1),
        ("415", "invalid_mime_type", ErrorCode.TYPE_REFUSED, 1),
        # Perhaps the row has moved on; so it is looked at once.
        ("403", "Unauthorized", ErrorCode.FORBIDDEN, 2),
    ],
)
def test_a_refused_file_fails_and_leaves_nothing(
    client: Client,
    proxy: FaultServer,
    alice: User,
    made: Expected,
    status: str,
    error: str,
    code: ErrorCode,
    tries: int,
) -> None:
    body = f'{{"statusCode":"{status}","error":"{error}","message":"no"}}'.encode()
    proxy.on(PUT[0], Answer(400, body, {"Content-Type": "application/json"}), method="PUT")
    ended = finish(client, made.path)
    assert isinstance(ended.error, RejectedError)
    assert ended.error.code is code
    assert len(proxy.seen(PUT[0], "PUT")) == tries
    assert holds_nothing(alice)


def test_a_damaged_copy_is_removed_and_sent_again(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    wrong = b'{"size": 17, "version": "1", "name": "x"}'
    proxy.on(INFO[0], Answer(200, wrong, {"Content-Type": "application/json"}), times=1, skip=0)
    ended = finish(client, made.path)
    assert ended.state is TransferState.DONE, ended.error
    assert len(proxy.seen(PUT[0], "PUT")) == 2
    assert proxy.seen(f"/object/{BUCKET}", "DELETE")
    assert_whole(alice, made)


def test_a_missing_validation_does_not_undo_the_upload(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    missing = Answer(404, b'{"code":"NOT_FOUND","message":"no such function"}', {"Content-Type": "application/json"})
    proxy.on(VALIDATE[0], missing)
    ended = finish(client, made.path)
    assert ended.state is TransferState.DONE
    assert ended.error is not None and ended.error.code is ErrorCode.FUNCTION_MISSING
    (row,) = rows(alice.server, user_id=alice.id)
    assert row["status"] == DatasetStatus.VALIDATING
    proxy.clear()
    client.confirm_dataset(ended.dataset_id)
    assert_whole(alice, made)


@pytest.mark.parametrize("step", [INSERT, SIGN, PUT], ids=["insert", "sign", "put"])
def test_nothing_is_sent_to_where_a_redirect_points(
    client: Client, proxy: FaultServer, alice: User, made: Expected, step: tuple[str, str]
) -> None:
    with FaultServer() as elsewhere:
        proxy.on(step[0], redirect(f"{elsewhere.url}/stolen"), method=step[1], times=1)
        ended = finish(client, made.path)
        assert ended.state is TransferState.DONE, ended.error
        assert elsewhere.requests == []
    assert_whole(alice, made)


@pytest.mark.parametrize(
    "fault", [Stall(0), Stall(1_000_000), Throttle(50_000)], ids=["from the start", "in the middle", "crawling"]
)
def test_a_send_that_stands_still_is_cancelled_at_once(
    wire: Wire, proxy: FaultServer, alice: User, tmp_path: Path, fault: Fault
) -> None:
    size_bytes = 48 * MIB
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    row = alice.insert(size_bytes)
    ticket = wire.remote.objects.sign_upload(UUID(row["id"]), row["storage_path"])
    proxy.on(PUT[0], fault, method="PUT")
    token, counts, ended = CancelToken(), [0], []

    def send() -> None:
        with SourceFile.open(path) as source:
            try:
                wire.remote.put.send(ticket, source.blocks(), size_bytes, path.name, token, counts.append)
            except Cancelled as cancelled:
                ended.append((cancelled.reason, time.monotonic()))

    thread = threading.Thread(target=send)
    thread.start()
    stands_still_at = -1

    def stands_still() -> bool:
        nonlocal stands_still_at
        before, stands_still_at = stands_still_at, sum(counts)
        return before == stands_still_at > 0 and not threading.Event().wait(0.1) and sum(counts) == before

    wait_until(stands_still, what="a send that stands still")
    assert 0 < sum(counts) < size_bytes
    began = time.monotonic()
    token.cancel(CancelReason.CANCEL)
    thread.join(10)
    ((reason, at),) = ended
    assert reason is CancelReason.CANCEL
    assert at - began < CANCEL_LIMIT_S


def test_a_stalled_upload_is_cancelled_and_leaves_nothing(
    client: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.truncate(48 * MIB)
    proxy.on(PATCH[0], Stall(MIB), method="PATCH")
    dataset_id = start(client, path)
    wait_until(lambda: [seen for seen in proxy.seen(*PATCH) if seen.body_bytes >= MIB], what="the stall")
    began = time.monotonic()
    client.cancel_upload(dataset_id)
    wait_until(lambda: transfer_of(client, dataset_id) is None, what="removal")
    assert time.monotonic() - began < 3 * CANCEL_LIMIT_S
    assert holds_nothing(alice)


def test_an_upload_waiting_for_its_answer_is_cancelled_and_leaves_nothing(
    client: Client, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(PUT[0], Drip(1.0), method="PUT")
    dataset_id = start(client, made.path)

    def is_finishing() -> bool:
        transfer = transfer_of(client, dataset_id)
        return transfer is not None and transfer.phase is Phase.FINISHING

    wait_until(is_finishing, what="the last byte")
    wait_until(lambda: objects(alice.server, alice.id), what="the object")
    client.cancel_upload(dataset_id)
    wait_until(lambda: transfer_of(client, dataset_id) is None, what="removal")
    assert holds_nothing(alice)


def test_closing_does_not_wait_for_a_stalled_send(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.truncate(48 * MIB)
    proxy.on(PATCH[0], Stall(MIB), method="PATCH")
    with open_core(alice, tmp_path / "home", url=proxy.url) as client:
        start(client, path)
        wait_until(lambda: proxy.seen(*PATCH), what="the stall")
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < 2 * CANCEL_LIMIT_S
        client.close()


FAULTS: tuple[Fault, ...] = (
    CutAnswer(0),
    CutAnswer(30),
    CutRequest(),
    CutRequest(0),
    busy(503, "1"),
    busy(500),
    portal(),
    Answer(504, b"", {}),
    Answer(200, b"", {}),
    Answer(200, b'{"half": ', {"Content-Type": "application/json"}),
    redirect("http://127.0.0.1:9/"),
)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 60))])
def test_any_weather_ends_with_one_whole_dataset(alice: User, tmp_path: Path, made: Expected, seed: int) -> None:
    weather = random.Random(seed)
    with FaultServer(alice.server.url, seed=seed) as proxy, open_core(alice, tmp_path / "h", url=proxy.url) as client:
        for _ in range(weather.randrange(3, 9)):
            path, method = weather.choice(EVERY_STEP)
            proxy.on(path, weather.choice(FAULTS), method=method, times=1, skip=weather.randrange(3))
        ended = finish(client, made.path)
        for _ in range(10):
            if ended.state is TransferState.DONE:
                break
            assert ended.error is not None
            ended = try_again(client, ended)
        assert ended.state is TransferState.DONE, ended.error
        assert client.interrupted_count == 0
    assert_whole(alice, made)
