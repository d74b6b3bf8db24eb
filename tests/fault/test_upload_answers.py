"""Resumable uploads against answers no server should give, and some that servers do: locks, conflicts, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import QUICK, holds_nothing, open_core, put_object, rows, service, transfer_of, wait_for_end
from tests.support.fault_server import FaultServer
from tests.support.faults import Answer, Before, CutAnswer, Fault, Rewrite, Seen, busy
from tests.support.kill_files import ExactFile, exact_file
from tests.support.uploads import await_verdict, one_of_each, sha256, start
from tests.support.workspace import BUCKET, User, wait_until

from lorry.core.client import Client
from lorry.core.errors import ErrorCode
from lorry.core.model import DatasetStatus
from lorry.core.observer import Patience
from lorry.core.transfers import RestartReason, Transfer, TransferState

MIB = 1024 * 1024
TUS = "/upload/resumable/sign"
PATCH, HEAD, CREATE = (f"{TUS}/", "PATCH"), (f"{TUS}/", "HEAD"), (f"{TUS}$", "POST")
READ_BACK = ("/object/authenticated/", "GET")
VALIDATE = "/functions/v1/validate-dataset"
TEXT = {"Tus-Resumable": "1.0.0", "Content-Type": "text/plain"}
PROXY_PAGE = Answer(413, b"<html>413 Request Entity Too Large</html>", {"Content-Type": "text/html"})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ExactFile:
    return exact_file(tmp_path_factory.mktemp("answers"), "13MiB")


@pytest.fixture
def client(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Client]:
    """Patient with a server that says no for a while."""
    with open_core(alice, tmp_path / "home", url=proxy.url, temper=replace(QUICK, patience_s=30.0)) as opened:
        yield opened


def upload(client: Client, file: ExactFile, limit_s: float = 60.0) -> Transfer:
    return wait_for_end(client, start(client, file.path), limit_s)


def sizes(proxy: FaultServer) -> list[int]:
    """How many bytes each piece brought to the proxy."""
    return [seen.body_bytes for seen in proxy.seen(*PATCH)]


def assert_whole(user: User, file: ExactFile, ended: Transfer, restarted: RestartReason | None = None) -> None:
    assert (ended.state, ended.error, ended.restarted) == (TransferState.DONE, None, restarted)
    path = one_of_each(user)
    with user.client() as http:
        assert sha256(http.get(f"/storage/v1/object/{BUCKET}/{path}").content) == file.sha256
    (row,) = rows(user.server, user_id=user.id)
    assert row["checksums"]["whole"] == file.sha256


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("PATCH", Answer(423, b"The file is locked", TEXT)),
        ("HEAD", Answer(423, b"", TEXT)),
        ("PATCH", Answer(503, b"acquiring lock timeout", TEXT)),
        ("PATCH", busy(503)),
        ("PATCH", Answer(500, b"Something went wrong", TEXT)),
        ("PATCH", Answer(409, b"Upload-Offset header conflict", TEXT)),
        ("POST", busy(503)),
        ("POST", Answer(500, b"Something went wrong", TEXT)),
    ],
    ids=["locked", "locked HEAD", "lock timeout", "busy", "broken", "offset conflict", "busy create", "broken create"],
)
def test_a_server_that_cannot_now_is_asked_again(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile, method: str, answer: Answer
) -> None:
    if method == "HEAD":
        proxy.on(PATCH[0], CutAnswer(0), method="PATCH", times=1)  # else there is nothing to ask
    rule = proxy.on(TUS, answer, method=method, times=3, skip=0 if method != "PATCH" else 1)
    ended = upload(client, file)
    assert rule.used >= 4
    assert_whole(alice, file, ended)
    passed = [seen.body_bytes for seen in proxy.seen(*PATCH) if seen.fault != "Answer"]
    assert sum(passed) == file.size_bytes, "what had arrived was sent again"


@pytest.mark.parametrize("told", [None, "-1", "0", "999999999999999", "12 bytes", "6291456.0", ""])
def test_offsets_that_make_no_sense_are_not_believed(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile, told: str | None
) -> None:
    rule = proxy.on(PATCH[0], Rewrite(headers={"Upload-Offset": told}), method="PATCH")
    ended = upload(client, file)
    assert rule.used >= 3
    assert_whole(alice, file, ended)
    assert sum(sizes(proxy)) == file.size_bytes
    assert min(sizes(proxy)) > 0


def test_a_line_on_which_no_offset_ever_comes_back_takes_any_number_of_pieces(
    client: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    large = exact_file(tmp_path, "40MiB")
    proxy.on(PATCH[0], Rewrite(headers={"Upload-Offset": None}), method="PATCH")
    assert_whole(alice, large, upload(client, large))
    assert len(sizes(proxy)) >= 7 and sum(sizes(proxy)) == large.size_bytes


def test_a_proxy_that_refuses_large_pieces_gets_small_ones(
    client: Client, proxy: FaultServer, alice: User, tmp_path: Path
) -> None:
    large = exact_file(tmp_path, "40MiB")

    def narrow(seen: Seen) -> Fault | None:
        return PROXY_PAGE if seen.method == "PATCH" and seen.content_length > 8 * MIB else None

    proxy.set_weather(narrow)
    assert_whole(alice, large, upload(client, large))
    refused = [seen for seen in proxy.seen(*PATCH) if seen.fault]
    assert len(refused) == 1, "the size that was refused was tried again"
    assert sum(sizes(proxy)) == large.size_bytes + refused[0].body_bytes


def test_a_proxy_that_refuses_the_smallest_piece_is_told(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    proxy.on(PATCH[0], PROXY_PAGE, method="PATCH")
    ended = upload(client, file)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (TransferState.FAILED, ErrorCode.TOO_LARGE_FOR_PROJECT)
    assert "proxy" in ended.error.context
    assert holds_nothing(alice)


def test_an_upload_that_is_gone_in_the_middle_begins_again(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    proxy.on(PATCH[0], Answer(410, b"The file for this url no longer exists", TEXT), method="PATCH", skip=1, times=1)
    proxy.on(HEAD[0], Answer(404, b"The file for this url was not found", TEXT), method="HEAD", times=1)
    assert_whole(alice, file, upload(client, file), RestartReason.DROPPED)


def test_a_server_that_forgets_again_and_again_is_left_to_the_user(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    proxy.on(PATCH[0], Answer(410, b"The file for this url no longer exists", TEXT), method="PATCH", skip=1)
    proxy.on(HEAD[0], Answer(410, b"", TEXT), method="HEAD")
    # The second piece of each attempt is refused; the first one of the next too, by now.
    dataset_id = start(client, file.path)
    ended = wait_for_end(client, dataset_id)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (TransferState.FAILED, ErrorCode.UPLOAD_GONE)
    assert len(proxy.seen(*CREATE)) == 4, "the first time and three restarts"
    assert holds_nothing(alice)
    proxy.clear()
    client.retry_upload(dataset_id)
    done = wait_until(lambda: ended_well(client, dataset_id), 40, "the end")
    assert_whole(alice, file, done)


def ended_well(client: Client, dataset_id: UUID) -> Transfer | None:
    transfer = transfer_of(client, dataset_id)
    return transfer if transfer is not None and transfer.state is TransferState.DONE else None


def test_an_object_that_is_said_to_exist_but_never_appears(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    rule = proxy.on(PATCH[0], Answer(409, b"The resource already exists", TEXT), method="PATCH", skip=1, times=1)
    assert_whole(alice, file, upload(client, file), RestartReason.UNFINISHED)
    assert rule.used >= 2
    assert len(proxy.seen("/object/info/")) > 5, "it was given no time to appear"


def test_all_bytes_taken_but_no_object_is_waited_for_as_long_as_it_may_take(
    alice: User, proxy: FaultServer, tmp_path: Path, file: ExactFile
) -> None:
    """The server says the whole length again and again; many short looks are not a state that does not settle."""
    all_taken = Rewrite(headers={"Upload-Offset": str(file.size_bytes)})
    proxy.set_weather(lambda seen: all_taken if seen.method == "HEAD" and len(proxy.seen(*CREATE)) < 2 else None)
    proxy.on(PATCH[0], CutAnswer(0), method="PATCH", times=1)
    temper = replace(QUICK, patience=Patience(after_lost_answer_s=0.1, poll_s=0.02, object_s=4.0))
    with open_core(alice, tmp_path / "home", url=proxy.url, temper=temper) as client:
        assert_whole(alice, file, upload(client, file), RestartReason.UNFINISHED)
    assert len(proxy.seen(*HEAD)) > 20
    assert min(sizes(proxy)) > 0, "an empty request may end an upload whose bytes are lost"


def test_a_foreign_object_in_the_way_is_removed_and_the_file_sent_again(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    def intrude() -> None:
        (row,) = rows(alice.server, user_id=alice.id)
        put_object(alice.server, row["storage_path"], b"x" * file.size_bytes)

    proxy.on(PATCH[0], Before(intrude), method="PATCH", skip=1, times=1)
    ended = upload(client, file)
    assert_whole(alice, file, ended, RestartReason.DAMAGED)


def test_an_object_of_the_right_size_without_its_bytes_is_not_confirmed(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    missing = Answer(
        500, b'{"statusCode":"500","error":"InternalError","message":"no"}', {"Content-Type": "application/json"}
    )
    proxy.on(PATCH[0], CutAnswer(0), method="PATCH", skip=2, times=1)
    rule = proxy.on(READ_BACK[0], missing, method="GET", times=3)
    ended = upload(client, file)
    assert rule.used >= 3
    assert_whole(alice, file, ended, RestartReason.DAMAGED)
    confirmations = [n for n, seen in enumerate(proxy.requests) if "/rpc/confirm" in seen.path]
    removals = [
        n for n, seen in enumerate(proxy.requests) if (seen.method, seen.path.split("/")[-2]) == ("DELETE", "object")
    ]
    assert len(confirmations) == 1 and removals and removals[0] < confirmations[0]


def test_an_object_with_other_bytes_at_its_end_is_not_confirmed(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    def damage() -> None:
        (row,) = rows(alice.server, user_id=alice.id)
        stored = bytes_of(alice, row["storage_path"])
        with stored.open("r+b") as bytes_on_disk:
            bytes_on_disk.seek(-10, 2)
            bytes_on_disk.write(b"??")

    proxy.on(PATCH[0], CutAnswer(0), method="PATCH", skip=2, times=1)
    proxy.on(READ_BACK[0], Before(damage), method="GET", times=1)
    assert_whole(alice, file, upload(client, file), RestartReason.DAMAGED)


def bytes_of(user: User, path: str) -> Path:
    """The server's own file of an object."""
    with service(user.server) as http:
        version = http.get(f"/storage/v1/object/info/{BUCKET}/{path}").json()["version"]
    (stored,) = (user.server.data_dir / "objects" / "stored").rglob(f"*{version}*")
    return stored


def test_bytes_damaged_on_the_server_after_the_upload_are_found_by_the_validation(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile
) -> None:
    def damage() -> None:
        (row,) = rows(alice.server, user_id=alice.id)
        assert row["checksums"]["whole"] == file.sha256 and len(row["checksums"]["slices"]) == 1
        stored = bytes_of(alice, row["storage_path"])
        content = stored.read_bytes()
        assert sha256(content) == file.sha256
        at = content.index(b"the")
        with stored.open("r+b") as bytes_on_disk:
            bytes_on_disk.seek(at)
            bytes_on_disk.write(b"tha")

    proxy.on(VALIDATE, Before(damage), times=1)
    ended = upload(client, file)
    assert ended.state is TransferState.DONE
    verdict = await_verdict(client, ended.dataset_id)
    assert verdict.status is DatasetStatus.ERROR
    assert not verdict.training_ready
    assert "stored bytes differ" in str(verdict.error_message)


@pytest.mark.parametrize(
    "location",
    [
        "{elsewhere}/storage/v1/upload/resumable/sign/{foreign}",
        "//evil.example/{foreign}",
        "{elsewhere}/../../etc",
        "{elsewhere}/",
        "not an address",
    ],
)
def test_an_address_of_something_else_is_refused_and_nobody_else_is_asked(
    client: Client, proxy: FaultServer, alice: User, file: ExactFile, location: str
) -> None:
    with FaultServer() as elsewhere:
        # The id of an upload to another path of the same bucket.
        foreign = "bG9yYS1kYXRhc2V0cy9zb21lYm9keS9lbHNlL3guanNvbmwvMQ"
        text = location.format(elsewhere=elsewhere.url, foreign=foreign)
        proxy.on(CREATE[0], Rewrite(headers={"Location": text}), method="POST")
        ended = upload(client, file)
        assert ended.error is not None
        assert (ended.state, ended.error.code) == (TransferState.FAILED, ErrorCode.UNEXPECTED_ANSWER)
        assert elsewhere.requests == []
    assert not proxy.seen(*PATCH)
    assert holds_nothing(alice)
