"""What the resumable client sends and what it makes of odd answers, without a socket."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.cancel import CancelToken
from lorry.core.config import ServerConfig
from lorry.core.errors import (
    Cancelled,
    CancelReason,
    ErrorCode,
    LorryError,
    NetworkError,
    OffsetConflictError,
    ProtocolError,
    SourceError,
)
from lorry.core.model import BUCKET, UploadTicket
from lorry.core.remote.tus import SIGNED_PATH, TusApi, TusProgress, TusState

ORIGIN = "https://project.example.org"
PATH = "user/dataset/pairs.jsonl"
TICKET = UploadTicket(
    UUID(int=1), f"{ORIGIN}/storage/v1/object/upload/sign/x?token=a.b-c_d", PATH, datetime.now(UTC) + timedelta(hours=1)
)
MIB = 1024 * 1024


def encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


ID = encoded(f"{BUCKET}/{PATH}/version-7")
Answer = Callable[[httpx.Request], httpx.Response]


def answer(status: int, **headers: str | int) -> httpx.Response:
    named = {"tus-resumable": "1.0.0"} | {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return httpx.Response(status, headers=named)


def api(answers: Answer | httpx.Response, seen: list[httpx.Request] | None = None, limit_s: float = 9.0) -> TusApi:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        made = answers if isinstance(answers, httpx.Response) else answers(request)
        if not made.is_closed:
            return made
        # As it comes from a socket: still to be read.
        return httpx.Response(made.status_code, headers=made.headers.raw, stream=httpx.ByteStream(made.content))

    config = ServerConfig.create(ORIGIN, "public-key")
    return TusApi(config, transport=httpx.MockTransport(respond), send_limit_s=limit_s)


def append(
    tus: TusApi, offset: int, blocks: list[bytes] | Iterator[bytes], count: int, *, is_last: bool = False
) -> TusProgress:
    return tus.append(TICKET, ID, offset, blocks, count, CancelToken(), lambda n: None, is_last=is_last)


def test_create_sends_what_storage_needs_and_the_ticket_alone() -> None:
    seen: list[httpx.Request] = []
    assert api(answer(201, location=f"{ORIGIN}{SIGNED_PATH}/{ID}"), seen).create(TICKET, 77, "application/json") == ID
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", ORIGIN + SIGNED_PATH)
    assert request.headers["x-signature"] == "a.b-c_d"
    assert request.headers["upload-length"] == "77"
    assert "authorization" not in request.headers
    assert "x-upsert" not in request.headers
    entries = dict(entry.split(" ") for entry in request.headers["upload-metadata"].split(","))
    assert {key: base64.b64decode(value).decode() for key, value in entries.items()} == {
        "bucketName": BUCKET,
        "objectName": PATH,
        "contentType": "application/json",
    }


@pytest.mark.parametrize(
    "location",
    [
        f"https://evil.example/storage/v1/upload/resumable/sign/{ID}",
        f"http://project.example.org:9/{ID}?x=1#y",
        f"/upload/resumable/{ID}",
        ID,
    ],
)
def test_only_the_last_segment_of_a_location_counts(location: str) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        is_create = request.method == "POST"
        return answer(201, location=location) if is_create else answer(200, upload_offset=0, upload_length=9)

    tus = api(respond, seen)
    assert tus.offset(TICKET, tus.create(TICKET, 9, "x/y")) == TusState(0, 9)
    assert {(request.url.scheme, request.url.host, request.url.port) for request in seen} == {
        ("https", "project.example.org", None)
    }
    assert seen[1].url.path == f"{SIGNED_PATH}/{ID}"


@pytest.mark.parametrize(
    "location",
    [
        "",
        f"{ORIGIN}{SIGNED_PATH}/",
        f"{ORIGIN}{SIGNED_PATH}/..",
        f"{ORIGIN}{SIGNED_PATH}/a%2Fb",
        f"{ORIGIN}{SIGNED_PATH}/" + "A" * 2049,
        f"{ORIGIN}{SIGNED_PATH}/{encoded(f'{BUCKET}/user/another/pairs.jsonl/7')}",
        "https://[bad",
    ],
)
def test_a_location_of_anything_else_is_refused(location: str) -> None:
    with pytest.raises(ProtocolError):
        api(answer(201, location=location)).create(TICKET, 9, "x/y")


def test_create_is_201_or_nothing() -> None:
    with pytest.raises(ProtocolError):
        api(answer(200, location=f"/{ID}")).create(TICKET, 9, "x/y")


@pytest.mark.parametrize("bad", ["", "a/b", "..", "a b", "http://evil.example", "x" * 2049])
def test_an_id_from_elsewhere_never_reaches_a_server(bad: str) -> None:
    seen: list[httpx.Request] = []
    tus = api(answer(204), seen)
    for call in (lambda: tus.offset(TICKET, bad), lambda: tus.terminate(TICKET, bad)):
        with pytest.raises(ProtocolError):
            call()
    assert seen == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"upload_offset": 10, "upload_length": 9}, ErrorCode.UPLOAD_GONE),
        ({"upload_offset": -1, "upload_length": 9}, ErrorCode.NOT_THE_SERVER),
        ({"upload_offset": 5}, ErrorCode.NOT_THE_SERVER),
        ({"upload_length": 5}, ErrorCode.NOT_THE_SERVER),
        ({"upload_offset": "1e3", "upload_length": 9999}, ErrorCode.NOT_THE_SERVER),
        ({"upload_offset": "9" * 5000, "upload_length": 9999}, ErrorCode.NOT_THE_SERVER),
    ],
)
def test_a_state_that_cannot_be(headers: dict[str, str | int], code: ErrorCode) -> None:
    with pytest.raises(LorryError) as met:
        api(answer(200, **headers)).offset(TICKET, ID)
    assert met.value.code is code


def test_append_sends_exactly_the_bytes_and_tells_each_block() -> None:
    seen: list[httpx.Request] = []
    blocks, told = [b"a" * MIB, b"b" * MIB, b"c" * 77], list[int]()
    size = sum(map(len, blocks))
    for is_last in (False, True):
        progress = api(answer(204, upload_offset=100 + size), seen).append(
            TICKET, ID, 100, blocks, size, CancelToken(), told.append, is_last=is_last
        )
        assert progress == TusProgress(100 + size, is_complete=False)
        request = seen.pop()
        assert (request.method, request.url.path) == ("PATCH", f"{SIGNED_PATH}/{ID}")
        assert request.content == b"".join(blocks)
        assert request.headers["content-length"] == str(size)
        assert request.headers["upload-offset"] == "100"
        assert request.headers["content-type"] == "application/offset+octet-stream"
        assert "transfer-encoding" not in request.headers
        assert sum(told) == size
        told.clear()


def test_the_last_answer_gets_two_minutes_at_least() -> None:
    seen: list[httpx.Request] = []
    tus = api(answer(204, upload_offset=1), seen)
    append(tus, 0, [b"x"], 1, is_last=True)
    assert seen[0].extensions["timeout"]["read"] >= 120


def test_asking_waits_longer_than_a_server_drains_its_lock() -> None:
    seen: list[httpx.Request] = []
    api(answer(200, upload_offset=1, upload_length=1), seen).offset(TICKET, ID)
    assert seen[0].extensions["timeout"]["read"] > 5


def test_the_word_of_the_server_that_the_object_is_stored() -> None:
    assert append(api(answer(204, upload_offset=5, tus_complete=1)), 0, [b"12345"], 5, is_last=True).is_complete


@pytest.mark.parametrize("told", ["", "abc", "-5", "0", "100", "106", "999999999999999999999", "1e2", "१०५"])
def test_an_offset_the_server_cannot_have_means_ask(told: str) -> None:
    raw = [(b"Tus-Resumable", b"1.0.0"), (b"Upload-Offset", told.encode())]
    with pytest.raises(OffsetConflictError) as met:
        append(api(httpx.Response(204, headers=raw)), 100, [b"12345"], 5)
    assert met.value.code is ErrorCode.OFFSET_CONFLICT


@given(st.integers(min_value=0, max_value=40), st.integers(min_value=1, max_value=20), st.integers(-5, 70))
def test_only_offsets_that_grow_and_were_sent_are_taken(old: int, count: int, told: int) -> None:
    try:
        progress = append(api(answer(204, upload_offset=told)), old, [b"x" * count], count)
    except OffsetConflictError:
        assert not old < told <= old + count
    else:
        assert progress.offset_bytes == told
        assert old < told <= old + count


@pytest.mark.parametrize(
    ("status", "is_last", "all_sent"), [(500, True, 1), (503, True, 1), (500, False, None), (409, True, None)]
)
def test_an_unknown_end_is_marked(status: int, is_last: bool, all_sent: int | None) -> None:
    """Only when the file's last byte may have arrived and the answer does not tell what became of it."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"tus-resumable": "1.0.0"}, text="Upload-Offset conflict")

    with pytest.raises(LorryError) as met:
        append(api(respond), 0, [b"x"], 1, is_last=is_last)
    assert met.value.context.get("all_sent") == all_sent


def test_a_request_without_bytes_is_never_sent() -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(ValueError, match="without bytes"):
        append(api(answer(204), seen), 5, [], 0, is_last=True)
    assert seen == []


def test_an_error_of_the_file_comes_through() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"x"
        raise SourceError(ErrorCode.FILE_CHANGED)

    with pytest.raises(SourceError):
        append(api(answer(204)), 0, blocks(), 2)


def test_a_cancel_between_blocks_stops_the_request() -> None:
    token = CancelToken()

    def blocks() -> Iterator[bytes]:
        yield b"x" * 10
        token.cancel(CancelReason.PAUSE)
        yield b"y" * 10

    with pytest.raises(Cancelled):
        api(answer(204, upload_offset=20)).append(TICKET, ID, 0, blocks(), 20, token, lambda n: None, is_last=True)


def test_sending_has_a_limit_below_that_of_the_server() -> None:
    with pytest.raises(NetworkError) as met:
        append(api(answer(204, upload_offset=2), limit_s=-1.0), 0, [b"x", b"y"], 2)
    assert met.value.code is ErrorCode.TIMEOUT


def test_an_endless_answer_is_not_the_servers() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"tus-resumable": "1.0.0"}, content=iter([b"x" * 60_000] * 3))

    with pytest.raises(NetworkError) as met:
        api(respond).terminate(TICKET, ID)
    assert met.value.code is ErrorCode.NOT_THE_SERVER


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (204, ""),
        (404, "The file for this url was not found\n"),
        (410, "The file for this url no longer exists\n"),
        (409, "The resource already exists"),
        (400, "Cannot terminate an already completed upload"),
    ],
)
def test_terminate_is_content_when_nothing_unfinished_is_left(status: int, text: str) -> None:
    api(httpx.Response(status, headers={"tus-resumable": "1.0.0"}, text=text)).terminate(TICKET, ID)


def test_no_secret_in_any_error() -> None:
    for respond in (answer(500), answer(400), httpx.Response(302, headers={"location": "https://evil.example"})):
        with pytest.raises(LorryError) as met:
            api(respond).offset(TICKET, ID)
        assert "a.b-c_d" not in f"{met.value!r} {met.value.detail} {met.value.context}"
