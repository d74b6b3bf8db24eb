"""What each answer of each service means: one table of real bodies, and the rules that hold for any answer."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.errors import (
    AuthError,
    ConflictError,
    ErrorCode,
    LorryError,
    NetworkError,
    ProtocolError,
    RejectedError,
    ServerError,
)
from lorry.core.remote.answers import error_from_answer, error_from_transport, is_expired_token

HOST = "project.example.org"
AUTH = "/auth/v1/token?grant_type=password"
REST = "/rest/v1/datasets"
RPC = "/rest/v1/rpc/confirm_dataset_upload"
SIGN = "/storage/v1/object/upload/sign/lora-datasets/u/d/f.jsonl"
PUT = f"{SIGN}?token=secret-token"
FUNCTION = "/functions/v1/validate-dataset"
ENDPOINTS = (AUTH, REST, RPC, SIGN, PUT, FUNCTION)

HTML = b"<!doctype html><html><body>Sign in to the network</body></html>"


def answer(
    path: str, status: int, body: object = b"", kind: str | None = "application/json", **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        named["content-type"] = kind
    return httpx.Response(
        status, headers=named, content=content, request=httpx.Request("POST", f"https://{HOST}{path}")
    )


def storage(status: str, error: str, message: str, code: str = "") -> dict[str, str]:
    return {"statusCode": status, "error": error, "message": message, "code": code}


def auth(code: str, message: str = "no") -> dict[str, str]:
    return {"code": code, "message": message}


def rest(code: str, message: str = "no", details: str | None = None) -> dict[str, str | None]:
    return {"code": code, "message": message, "details": details, "hint": None}


E = ErrorCode
TABLE: list[tuple[str, int, dict[str, Any], type[LorryError], ErrorCode]] = [
    # auth, in its three dialects
    (AUTH, 400, auth("invalid_credentials"), AuthError, E.WRONG_PASSWORD),
    (AUTH, 400, {"code": 400, "error_code": "invalid_credentials", "msg": "no"}, AuthError, E.WRONG_PASSWORD),
    (AUTH, 400, {"error": "invalid_grant", "error_description": "no"}, AuthError, E.WRONG_PASSWORD),
    (AUTH, 400, auth("email_not_confirmed"), AuthError, E.EMAIL_NOT_CONFIRMED),
    (AUTH, 422, auth("validation_failed"), AuthError, E.WRONG_PASSWORD),
    (AUTH, 429, auth("over_request_rate_limit"), AuthError, E.TOO_MANY_TRIES),
    (AUTH, 429, auth("something_new"), AuthError, E.TOO_MANY_TRIES),
    (AUTH, 400, auth("refresh_token_not_found"), AuthError, E.SESSION_ENDED),
    (AUTH, 400, auth("refresh_token_already_used"), AuthError, E.SESSION_ENDED),
    (AUTH, 403, auth("session_not_found"), AuthError, E.SESSION_ENDED),
    (AUTH, 400, auth("session_expired"), AuthError, E.SESSION_ENDED),
    (AUTH, 400, auth("user_banned"), AuthError, E.SESSION_ENDED),
    (AUTH, 500, auth("unexpected_failure"), ServerError, E.SERVER_BROKEN),
    (AUTH, 504, auth("request_timeout"), ServerError, E.SERVER_BROKEN),
    (AUTH, 401, {"message": "Invalid API key", "hint": "double check"}, RejectedError, E.FORBIDDEN),
    (AUTH, 403, auth("something_new"), RejectedError, E.FORBIDDEN),
    (AUTH, 400, auth("something_new"), ProtocolError, E.UNEXPECTED_ANSWER),
    # rest: SQLSTATEs, PGRST codes, and the reasons of our own functions
    (REST, 401, rest("PGRST301", "JWT expired"), AuthError, E.SESSION_ENDED),
    (REST, 401, rest("PGRST303", "JWT expired"), AuthError, E.SESSION_ENDED),
    (REST, 403, rest("42501", "new row violates row-level security policy"), RejectedError, E.FORBIDDEN),
    (REST, 401, rest("42501", "permission denied for table datasets"), RejectedError, E.FORBIDDEN),
    (REST, 409, rest("23505", "duplicate key"), ConflictError, E.ALREADY_EXISTS),
    (REST, 409, rest("23503", "violates foreign key"), ConflictError, E.ALREADY_EXISTS),
    (REST, 400, rest("23514", "violates check constraint"), RejectedError, E.INVALID_VALUE),
    (REST, 400, rest("22P02", "invalid input syntax for type uuid"), RejectedError, E.INVALID_VALUE),
    (REST, 404, rest("PGRST205", "Could not find the table"), RejectedError, E.PROJECT_NOT_PREPARED),
    (RPC, 404, rest("PGRST202", "Could not find the function"), RejectedError, E.PROJECT_NOT_PREPARED),
    (REST, 400, rest("PGRST204", "Could not find the column"), RejectedError, E.PROJECT_NOT_PREPARED),
    (REST, 406, rest("PGRST116", "The result contains 0 rows"), RejectedError, E.NOT_FOUND),
    (REST, 500, rest("57014", "canceling statement due to timeout"), ServerError, E.SERVER_BROKEN),
    (REST, 503, rest("PGRST001", "Could not connect with the database"), ServerError, E.SERVER_BUSY),
    (REST, 503, rest("PGRST002", "Could not query the schema cache"), ServerError, E.SERVER_BUSY),
    (REST, 504, rest("PGRST003", "Timed out acquiring connection"), ServerError, E.SERVER_BROKEN),
    (RPC, 404, rest("PT404", "Dataset not found", "dataset_not_found"), RejectedError, E.NOT_FOUND),
    (RPC, 409, rest("PT409", "deleted", "dataset_deleted"), RejectedError, E.NOT_FOUND),
    (RPC, 409, rest("PT409", "has not arrived", "object_missing"), RejectedError, E.OBJECT_MISSING),
    (RPC, 422, rest("PT422", "has 3 bytes", "object_size_mismatch"), RejectedError, E.OBJECT_DIFFERS),
    (RPC, 409, rest("PT409", "was replaced", "object_swapped"), RejectedError, E.OBJECT_DIFFERS),
    (RPC, 409, rest("PT409", "still in storage", "object_exists"), ConflictError, E.ALREADY_EXISTS),
    # storage: HTTP 400 for nearly everything, the real status is text in the body
    (SIGN, 400, storage("403", "Unauthorized", "new row violates row-level"), RejectedError, E.FORBIDDEN),
    (SIGN, 400, storage("404", "not_found", "Object not found"), RejectedError, E.NOT_FOUND),
    (SIGN, 400, storage("409", "Duplicate", "The resource already exists"), ConflictError, E.ALREADY_EXISTS),
    (PUT, 400, storage("409", "Duplicate", "The resource already exists"), ConflictError, E.ALREADY_EXISTS),
    (PUT, 400, storage("413", "Payload too large", "exceeded"), RejectedError, E.TOO_LARGE_FOR_PROJECT),
    (PUT, 400, storage("415", "invalid_mime_type", "not supported"), RejectedError, E.TYPE_REFUSED),
    (PUT, 400, storage("400", "InvalidKey", "Invalid key"), RejectedError, E.INVALID_VALUE),
    (PUT, 400, storage("400", "InvalidJWT", '"exp" claim timestamp check failed'), RejectedError, E.INVALID_VALUE),
    (SIGN, 400, storage("429", "too_many_requests", "slow down"), ServerError, E.SERVER_BUSY),
    (SIGN, 400, storage("500", "Internal", "no"), ServerError, E.SERVER_BROKEN),
    (SIGN, 503, storage("503", "SlowDown", "acquiring lock timeout"), ServerError, E.SERVER_BUSY),
    (PUT, 544, storage("544", "DatabaseTimeout", "no connection"), ServerError, E.SERVER_BUSY),
    (SIGN, 400, storage("418", "teapot", "no"), ProtocolError, E.UNEXPECTED_ANSWER),
    # functions
    (FUNCTION, 404, {"code": "NOT_FOUND", "message": "Requested function was not found"}, RejectedError, E.NOT_FOUND),
    (FUNCTION, 401, {"msg": "Invalid JWT"}, AuthError, E.SESSION_ENDED),
    (FUNCTION, 403, {"error": "no", "details": {}}, RejectedError, E.FORBIDDEN),
    (FUNCTION, 429, {"error": "busy"}, ServerError, E.SERVER_BUSY),
    (FUNCTION, 546, {"code": "WORKER_LIMIT", "message": "no"}, ServerError, E.SERVER_BROKEN),
    (FUNCTION, 503, {"code": "BOOT_ERROR", "message": "no"}, ServerError, E.SERVER_BUSY),
]


@pytest.mark.parametrize(("path", "status", "body", "kind", "code"), TABLE)
def test_an_error_body_has_one_meaning(
    path: str, status: int, body: dict[str, Any], kind: type[LorryError], code: ErrorCode
) -> None:
    error = error_from_answer(answer(path, status, body))
    assert error is not None
    assert (type(error), error.code) == (kind, code)
    # Nothing of the request's secrets may get into logs by way of an error.
    assert "secret-token" not in f"{error} {error.detail} {error.context}"


@pytest.mark.parametrize(("path", "status"), list(product(ENDPOINTS, (200, 201, 202))))
def test_json_is_a_success(path: str, status: int) -> None:
    bodies: tuple[object, ...] = ({"ok": True}, [], "text", None)
    for body in bodies:
        assert error_from_answer(answer(path, status, body)) is None
    assert error_from_answer(answer(path, status, {}, "application/vnd.pgrst.object+json; charset=utf-8")) is None


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_empty_success_is_one(path: str) -> None:
    assert error_from_answer(answer(path, 204, kind=None)) is None
    assert error_from_answer(answer(path, 201, kind=None)) is None


NOT_OURS = [
    (200, b"", None),
    (200, b"", "application/json"),
    (202, b"", None),
    (200, HTML, "text/html"),
    (200, HTML, None),
    (200, b"OK", "text/plain"),
    (200, b'{"half": [1, 2', "application/json"),
    (200, b"\xff\xfe", "application/json"),
    (200, b"[" * 200_000, "application/json"),
    (200, b'{"a": 1}', "text/html"),
    (301, b"", None),
    (302, HTML, "text/html"),
    (307, b"", None),
    (308, b"", None),
    (304, b"", None),
    (400, HTML, "text/html"),
    (403, HTML, "text/html"),
    (404, HTML, "text/html"),
    (407, HTML, "text/html"),
    (511, HTML, "text/html"),
]


@pytest.mark.parametrize(("path", "given"), list(product(ENDPOINTS, NOT_OURS[:-1])))
def test_somebody_elses_page_is_not_taken_for_the_server(path: str, given: tuple[int, bytes, str | None]) -> None:
    status, body, kind = given
    error = error_from_answer(answer(path, status, body, kind, location="https://elsewhere.example/"))
    assert isinstance(error, NetworkError)
    assert error.code is ErrorCode.NOT_THE_SERVER
    assert error.context["host"] == HOST
    assert error.retryable and not error.is_final


@pytest.mark.parametrize(
    ("path", "status", "kind", "code"),
    [
        (REST, 500, ServerError, E.SERVER_BROKEN),
        (REST, 502, ServerError, E.SERVER_BROKEN),
        (SIGN, 503, ServerError, E.SERVER_BUSY),
        (PUT, 504, ServerError, E.SERVER_BROKEN),
        (FUNCTION, 429, ServerError, E.SERVER_BUSY),
        (AUTH, 502, ServerError, E.SERVER_BROKEN),
        (AUTH, 429, AuthError, E.TOO_MANY_TRIES),
        (PUT, 413, RejectedError, E.TOO_LARGE_FOR_PROJECT),
    ],
)
def test_a_gateways_own_page_keeps_the_meaning_of_its_status(
    path: str, status: int, kind: type[LorryError], code: ErrorCode
) -> None:
    for body, content_type in ((HTML, "text/html"), (b"", None), (b"busy", "text/plain")):
        error = error_from_answer(answer(path, status, body, content_type))
        assert error is not None
        assert (type(error), error.code) == (kind, code)


def test_a_proxy_that_refuses_the_size_is_told_apart_from_the_project() -> None:
    by_proxy = error_from_answer(answer(PUT, 413, HTML, "text/html"))
    by_project = error_from_answer(answer(PUT, 400, storage("413", "Payload too large", "exceeded")))
    assert by_proxy is not None and by_project is not None
    assert (by_proxy.context.get("proxy"), by_project.context.get("proxy")) == (1, None)


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("7", 7, 7),
        (" 7 ", 7, 7),
        ("0", 1, 1),
        ("-5", 1, 1),
        ("1.5", 1.5, 1.5),
        ("86400", 900, 900),
        ("inf", 900, 900),
        (60, 55, 60),
        (-60, 1, 1),
        (7200, 900, 900),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_the_server_asks_for_is_kept_within_bounds(
    status: int, text: str | int, lowest: float, highest: float
) -> None:
    # A number stands for a date so many seconds from now.
    advice = text if isinstance(text, str) else http_date(text)
    error = error_from_answer(answer(REST, status, {"message": "busy"}, retry_after=advice))
    assert error is not None and error.retry_after_s is not None
    assert lowest <= error.retry_after_s <= highest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "nan",
        "Wed, 21 Oct 2026 07:28:00",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +9999999999999",
        "Wed, 99 Foo 2026 77:88:99 GMT",
        "1" * 400 + "e",
    ],
)
def test_a_wait_that_makes_no_sense_is_no_advice(text: str) -> None:
    error = error_from_answer(answer(REST, 503, {"message": "busy"}, retry_after=text))
    assert error is not None
    assert error.retry_after_s is None or 1 <= error.retry_after_s <= 900


@pytest.mark.parametrize(
    ("path", "status", "body", "is_expired"),
    [
        (REST, 401, rest("PGRST301", "JWT expired"), True),
        (REST, 401, rest("PGRST303", "JWT expired"), True),
        (FUNCTION, 401, {"msg": "Invalid JWT"}, True),
        (SIGN, 400, storage("403", "Unauthorized", '"exp" claim timestamp check failed'), True),
        (SIGN, 400, storage("403", "Unauthorized", "JWS Protected Header is invalid"), True),
        (SIGN, 400, storage("401", "Unauthorized", "invalid JWT"), True),
        (SIGN, 400, storage("403", "Unauthorized", "new row violates row-level security policy"), False),
        (SIGN, 400, storage("404", "not_found", "Object not found"), False),
        (SIGN, 400, storage("400", "InvalidJWT", '"exp" claim timestamp check failed'), False),
        (REST, 403, rest("42501", "no"), False),
        (REST, 200, [], False),
        (SIGN, 200, {}, False),
    ],
)
def test_only_a_refused_access_token_asks_for_another(path: str, status: int, body: object, is_expired: bool) -> None:
    assert is_expired_token(answer(path, status, body)) is is_expired


@pytest.mark.parametrize("real", ["", "²", "٤٠٤", "-1", "0", "99", "9" * 5000, "4e2", None, 404.0, [404], {}])
def test_a_real_status_that_is_none_leaves_the_status_of_the_answer(real: object) -> None:
    error = error_from_answer(answer(SIGN, 400, {"statusCode": real, "error": "x", "message": "no"}))
    assert error is not None
    assert error.code is ErrorCode.INVALID_VALUE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("statusCode", "status", "error", "error_code", "code", "message", "msg", "details", "hint")


@given(
    path=st.sampled_from(ENDPOINTS),
    status=st.integers(100, 599),
    body=st.dictionaries(st.sampled_from(NAMES), json_values)
    | st.builds(lambda text: {"statusCode": text}, st.text(alphabet="0123456789٤²", max_size=6) | st.just("9" * 5000)),
    retry_after=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)
def test_no_body_makes_anything_but_a_success_or_an_error_of_ours(
    path: str, status: int, body: dict[str, Any], retry_after: str
) -> None:
    given = answer(path, status, body, retry_after=retry_after)
    is_expired_token(given)
    error = error_from_answer(given)
    assert (error is None) == (200 <= status < 300)
    if error is not None:
        assert isinstance(error, LorryError)
        assert len(error.detail) <= 500
        assert error.retry_after_s is None or 1 <= error.retry_after_s <= 900


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def raised_by(cause: BaseException, error: httpx.HTTPError) -> httpx.HTTPError:
    """The error with another one as its cause, one level down, as httpx wraps them."""
    middle = httpx.TransportError("wrapped")
    middle.__cause__ = cause
    error.__cause__ = middle
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx.ConnectError("refused"), E.OFFLINE),
        (httpx.ConnectTimeout("slow"), E.OFFLINE),
        (httpx.ProxyError("407"), E.OFFLINE),
        (httpx.ReadTimeout("slow"), E.TIMEOUT),
        (httpx.WriteTimeout("slow"), E.TIMEOUT),
        (httpx.PoolTimeout("full"), E.TIMEOUT),
        (httpx.ReadError("reset"), E.CONNECTION_LOST),
        (httpx.WriteError("pipe"), E.CONNECTION_LOST),
        (httpx.RemoteProtocolError("no answer"), E.CONNECTION_LOST),
        (raised_by(socket.gaierror(-2, "unknown"), httpx.ConnectError("dns")), E.HOST_NOT_FOUND),
        (raised_by(tls_error("UNSUPPORTED_PROTOCOL"), httpx.ConnectError("tls")), E.TLS),
        (raised_by(tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), httpx.ConnectError("tls")), E.TLS),
        # A balancer without a server behind it, or a server that restarts, takes the connection and closes it.
        (raised_by(ssl.SSLEOFError(8, "EOF occurred"), httpx.ConnectError("tls")), E.OFFLINE),
        (raised_by(tls_error("WRONG_VERSION_NUMBER"), httpx.ReadError("tls")), E.CONNECTION_LOST),
        (raised_by(ssl.SSLCertVerificationError("expired"), httpx.ConnectError("tls")), E.TLS),
    ],
)
def test_a_failed_exchange_is_told_by_its_deepest_cause(error: httpx.HTTPError, code: ErrorCode) -> None:
    if isinstance(error.__cause__ and error.__cause__.__cause__, ssl.SSLCertVerificationError):
        error.__cause__.__cause__.verify_message = "certificate has expired"  # type: ignore[union-attr]
    mapped = error_from_transport(error, HOST)
    assert isinstance(mapped, NetworkError)
    assert (mapped.code, mapped.context) == (code, {"host": HOST})
    assert mapped.retryable
