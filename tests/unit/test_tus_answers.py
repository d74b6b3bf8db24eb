"""What the answers of resumable uploads mean: a table of bodies as servers send them, and rules for any answer."""

from __future__ import annotations

import base64
import json
from itertools import product

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.errors import AuthError, LorryError, NetworkError, OffsetConflictError, ProtocolError
from lorry.core.errors import ErrorCode as E
from lorry.core.model import BUCKET
from lorry.core.remote.tus_answers import error_from_tus_answer, object_version

TUS = {"tus-resumable": "1.0.0"}
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><html><body>Sign in to the network</body></html>"
URL = "https://project.example.org/storage/v1/upload/resumable/sign"


def answer(method: str, status: int, body: object = b"", headers: dict[str, str] | None = None) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    content = b"" if method == "HEAD" else content
    request = httpx.Request(method, URL if method == "POST" else f"{URL}/abc")
    return httpx.Response(status, headers=headers or {}, content=content, request=request)


def storage(status: str, message: str, error: str = "Unauthorized") -> dict[str, str]:
    return {"statusCode": status, "error": error, "message": message}


TABLE: list[tuple[str, int, object, dict[str, str], E]] = [
    # the two conflicts
    ("PATCH", 409, "Upload-Offset conflict\n", TUS, E.OFFSET_CONFLICT),
    ("PATCH", 409, "The resource already exists", TUS, E.ALREADY_EXISTS),
    ("POST", 409, "The resource already exists", TUS, E.ALREADY_EXISTS),
    ("PATCH", 409, storage("409", "The resource already exists", "Duplicate"), JSON, E.ALREADY_EXISTS),
    ("DELETE", 409, "The resource already exists", TUS, E.ALREADY_EXISTS),
    ("DELETE", 400, "Cannot terminate an already completed upload", TUS, E.ALREADY_EXISTS),
    ("PATCH", 413, "upload's size exceeded\n", TUS, E.OFFSET_CONFLICT),
    # gone
    *[(method, status, "gone\n", TUS, E.UPLOAD_GONE) for method, status in product(("HEAD", "PATCH"), (404, 410))],
    ("POST", 404, "Bucket not found", TUS, E.PROJECT_NOT_PREPARED),
    ("POST", 404, {"message": "no Route matched with those values"}, JSON, E.PROJECT_NOT_PREPARED),
    ("PATCH", 404, {"message": "no Route matched with those values"}, JSON, E.NOT_THE_SERVER),
    ("HEAD", 404, b"", {}, E.NOT_THE_SERVER),
    ("PATCH", 410, PAGE, HTML, E.NOT_THE_SERVER),
    # tickets
    ("PATCH", 400, '"exp" claim timestamp check failed', TUS, E.TICKET_EXPIRED),
    ("POST", 400, "Invalid Compact JWS", TUS, E.TICKET_EXPIRED),
    ("POST", 400, "Missing x-signature header", TUS, E.TICKET_EXPIRED),
    ("DELETE", 400, "Invalid signature", TUS, E.TICKET_EXPIRED),
    ("PATCH", 400, storage("403", '"exp" claim timestamp check failed'), JSON, E.TICKET_EXPIRED),
    ("PATCH", 400, storage("403", "Invalid Compact JWS"), JSON, E.TICKET_EXPIRED),
    ("HEAD", 400, b"", TUS, E.TICKET_EXPIRED),
    ("HEAD", 400, b"", JSON, E.TICKET_EXPIRED),
    ("HEAD", 400, b"", {}, E.NOT_THE_SERVER),
    # refusals
    ("POST", 403, "new row violates row-level security policy", TUS, E.FORBIDDEN),
    ("PATCH", 403, "new row violates row-level security policy", TUS, E.FORBIDDEN),
    ("PATCH", 400, storage("403", "new row violates row-level security policy"), JSON, E.FORBIDDEN),
    ("PATCH", 403, "blocked by policy", TUS, E.FORBIDDEN),
    ("POST", 413, "Maximum size exceeded\n", TUS, E.TOO_LARGE_FOR_PROJECT),
    ("PATCH", 413, PAGE, HTML, E.TOO_LARGE_FOR_PROJECT),
    ("POST", 415, "mime type application/x-ndjson is not supported", TUS, E.TYPE_REFUSED),
    ("POST", 400, "Invalid key: a~b", TUS, E.INVALID_VALUE),
    ("PATCH", 412, "Tus-Resumable Required\n", TUS, E.UNEXPECTED_ANSWER),
    ("PATCH", 400, "Invalid content-type\n", TUS, E.UNEXPECTED_ANSWER),
    # not now
    ("HEAD", 503, b"", TUS, E.SERVER_BUSY),
    ("PATCH", 503, "acquiring lock timeout", TUS, E.SERVER_BUSY),
    ("PATCH", 500, "failed to acquire lock before timeout", TUS, E.SERVER_BUSY),
    ("PATCH", 400, "Request aborted due to lock acquired", TUS, E.SERVER_BUSY),
    ("PATCH", 423, "locked", TUS, E.SERVER_BUSY),
    ("PATCH", 429, "slow down", {}, E.SERVER_BUSY),
    ("PATCH", 500, "Something went wrong with that request\n", TUS, E.SERVER_BROKEN),
    ("PATCH", 502, PAGE, HTML, E.SERVER_BROKEN),
    ("HEAD", 504, b"", {}, E.SERVER_BROKEN),
    # somebody else
    *[(method, 200, PAGE, HTML, E.NOT_THE_SERVER) for method in ("POST", "HEAD", "PATCH", "DELETE")],
    ("PATCH", 204, b"", {}, E.NOT_THE_SERVER),
    ("PATCH", 204, b"", {"tus-resumable": "0.2.2"}, E.NOT_THE_SERVER),
    ("PATCH", 307, b"", {"location": "https://elsewhere.example/x"}, E.NOT_THE_SERVER),
    ("POST", 403, PAGE, HTML, E.NOT_THE_SERVER),
]


@pytest.mark.parametrize(("method", "status", "body", "headers", "code"), TABLE)
def test_the_table(method: str, status: int, body: object, headers: dict[str, str], code: E) -> None:
    error = error_from_tus_answer(answer(method, status, body, headers))
    assert error is not None
    assert error.code is code


def test_a_success_of_the_protocol_is_none() -> None:
    assert error_from_tus_answer(answer("PATCH", 204, b"", TUS)) is None


def test_what_a_caller_does_next() -> None:
    """Ask again, renew, wait: the three answers that must not cost what was sent."""
    conflict = error_from_tus_answer(answer("PATCH", 409, "Upload-Offset conflict\n", TUS))
    assert isinstance(conflict, OffsetConflictError)
    assert (conflict.retryable, conflict.is_final) == (True, False)
    ticket = error_from_tus_answer(answer("HEAD", 400, b"", TUS))
    assert isinstance(ticket, AuthError)
    assert not ticket.is_final
    busy = error_from_tus_answer(answer("PATCH", 503, "busy", TUS | {"retry-after": "12"}))
    assert busy is not None
    assert (busy.retryable, busy.retry_after_s) == (True, 12.0)


def test_a_proxy_that_refuses_the_size_is_named() -> None:
    error = error_from_tus_answer(answer("PATCH", 413, PAGE, HTML))
    assert error is not None
    assert error.context["proxy"] == 1


@given(
    method=st.sampled_from(["POST", "HEAD", "PATCH", "DELETE"]),
    status=st.integers(min_value=200, max_value=599),
    body=st.one_of(st.binary(max_size=200), st.text(max_size=50), st.dictionaries(st.text(max_size=9), st.integers())),
    headers=st.sampled_from([{}, TUS, JSON, HTML, TUS | JSON, {"content-type": "application/json; charset=utf-16"}]),
)
def test_any_answer_means_something(method: str, status: int, body: object, headers: dict[str, str]) -> None:
    error = error_from_tus_answer(answer(method, status, body, headers))
    if "tus-resumable" in headers and 200 <= status < 300:
        assert error is None
        return
    assert isinstance(error, LorryError)
    if "tus-resumable" not in headers:
        assert error.code not in (E.UPLOAD_GONE, E.OFFSET_CONFLICT)
        assert status >= 400 or isinstance(error, NetworkError)


def upload_id(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


PATH = "user/dataset/pairs.jsonl"


@pytest.mark.parametrize("version", ["7", "ab", "2f5e8a04-5c1c-4c5e-9a43-0d4d1c1c9f55"])
def test_an_upload_id_tells_the_version_of_its_object(version: str) -> None:
    assert object_version(upload_id(f"{BUCKET}/{PATH}/{version}"), PATH) == version


@pytest.mark.parametrize(
    "bad",
    [
        upload_id(f"other/{PATH}/7"),
        upload_id(f"{BUCKET}/other/dataset/pairs.jsonl/7"),
        upload_id(f"{BUCKET}/{PATH}"),
        upload_id(f"{BUCKET}/{PATH}/"),
        upload_id(f"{BUCKET}/{PATH}/a/b"),
        "",
        "a",
        "//8",
        "é",
        base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
    ],
)
def test_an_upload_id_of_something_else_is_refused(bad: str) -> None:
    with pytest.raises(ProtocolError):
        object_version(bad, PATH)
