"""The only place that turns transport failures, HTTP statuses and error bodies into LorryErrors.

Each service speaks its own dialect (seen on the real services):
- `/storage/v1/object/*` answers HTTP 400 for nearly everything, the real status is the text `statusCode` in the JSON;
- `/auth/v1/*` has `{"code", "message"}`, older servers `{"error_code", "msg"}` or `{"error", "error_description"}`;
- `/rest/v1/*` has `{"code", "message", "details", "hint"}` with an SQLSTATE or PGRST code;
- a page of HTML is a proxy, a captive portal or the wrong address, never the project.
The plain text of resumable uploads is read in `tus_answers.py`, with the same words.
"""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

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

#: A wait the server asks for is kept within these bounds (s).
RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 1.0, 900.0
#: Headers about the transport of a body that has been read already.
FRAMING = (b"content-encoding", b"transfer-encoding", b"content-length")
#: The answer to file bytes is a line of text, which comes at once.
_ANSWER_MAX_BYTES = 64 * 1024
_ANSWER_LIMIT_S = 30.0

#: Both sides speak TLS but have no version or cipher in common; other breaks of a TLS connection pass.
_TLS_REFUSALS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "HANDSHAKE_FAILURE", "NO_SHARED_CIPHER")
_NOT_JSON = object()
_STATUS = re.compile(r"[1-5][0-9]{2}")

_AUTH_CODES = {
    "invalid_credentials": ErrorCode.WRONG_PASSWORD,
    "invalid_grant": ErrorCode.WRONG_PASSWORD,
    "validation_failed": ErrorCode.WRONG_PASSWORD,
    "email_not_confirmed": ErrorCode.EMAIL_NOT_CONFIRMED,
    "over_request_rate_limit": ErrorCode.TOO_MANY_TRIES,
    "over_email_send_rate_limit": ErrorCode.TOO_MANY_TRIES,
    "refresh_token_not_found": ErrorCode.SESSION_ENDED,
    "refresh_token_already_used": ErrorCode.SESSION_ENDED,
    "session_not_found": ErrorCode.SESSION_ENDED,
    "session_expired": ErrorCode.SESSION_ENDED,
    "user_banned": ErrorCode.SESSION_ENDED,
}
_REST_CODES: dict[str, tuple[type[LorryError], ErrorCode]] = {
    "PT404": (RejectedError, ErrorCode.NOT_FOUND),
    "P0002": (RejectedError, ErrorCode.NOT_FOUND),
    "PGRST116": (RejectedError, ErrorCode.NOT_FOUND),
    "PGRST202": (RejectedError, ErrorCode.PROJECT_NOT_PREPARED),
    "PGRST204": (RejectedError, ErrorCode.PROJECT_NOT_PREPARED),
    "PGRST205": (RejectedError, ErrorCode.PROJECT_NOT_PREPARED),
    "PGRST103": (RejectedError, ErrorCode.INVALID_VALUE),
    "42501": (RejectedError, ErrorCode.FORBIDDEN),
    "23505": (ConflictError, ErrorCode.ALREADY_EXISTS),
}
#: The `detail` our own SQL functions give with their errors.
_REASONS: dict[str, tuple[type[LorryError], ErrorCode]] = {
    "dataset_not_found": (RejectedError, ErrorCode.NOT_FOUND),
    "dataset_deleted": (RejectedError, ErrorCode.NOT_FOUND),
    "object_missing": (RejectedError, ErrorCode.OBJECT_MISSING),
    "object_size_mismatch": (RejectedError, ErrorCode.OBJECT_DIFFERS),
    "object_swapped": (RejectedError, ErrorCode.OBJECT_DIFFERS),
    "checksums_differ": (RejectedError, ErrorCode.OBJECT_DIFFERS),
    "object_exists": (ConflictError, ErrorCode.ALREADY_EXISTS),
}
_STATUS_CODES: dict[int, tuple[type[LorryError], ErrorCode]] = {
    401: (AuthError, ErrorCode.SESSION_ENDED),
    403: (RejectedError, ErrorCode.FORBIDDEN),
    404: (RejectedError, ErrorCode.NOT_FOUND),
    408: (NetworkError, ErrorCode.TIMEOUT),
    409: (ConflictError, ErrorCode.ALREADY_EXISTS),
    413: (RejectedError, ErrorCode.TOO_LARGE_FOR_PROJECT),
    415: (RejectedError, ErrorCode.TYPE_REFUSED),
    429: (ServerError, ErrorCode.SERVER_BUSY),
    503: (ServerError, ErrorCode.SERVER_BUSY),
    544: (ServerError, ErrorCode.SERVER_BUSY),
}


def error_from_transport(error: httpx.HTTPError, host: str = "") -> NetworkError:
    """What a failed exchange means; walks the chain of causes, since httpx wraps DNS and TLS alike."""
    context: dict[str, str | int] = {"host": host} if host else {}
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkError(ErrorCode.TLS, cause.verify_message, context=context)
        if isinstance(cause, ssl.SSLError) and any(word in str(getattr(cause, "reason", "")) for word in _TLS_REFUSALS):
            return NetworkError(ErrorCode.TLS, str(cause), context=context)
        if isinstance(cause, socket.gaierror):
            return NetworkError(ErrorCode.HOST_NOT_FOUND, str(cause), context=context)
        cause = cause.__cause__ or cause.__context__
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return NetworkError(ErrorCode.OFFLINE, detail, context=context)
    if isinstance(error, httpx.TimeoutException):
        return NetworkError(ErrorCode.TIMEOUT, detail, context=context)
    return NetworkError(ErrorCode.CONNECTION_LOST, detail, context=context)


def read_answer(response: httpx.Response) -> bytes:
    """The body, which is a line of text; one that is long or drips is not the server's.

    Raises:
        NetworkError: NOT_THE_SERVER or TIMEOUT.
    """
    deadline = time.monotonic() + _ANSWER_LIMIT_S
    content = bytearray()
    for part in response.iter_raw():
        content += part
        if len(content) > _ANSWER_MAX_BYTES:
            raise NetworkError(ErrorCode.NOT_THE_SERVER, "the answer is too long")
        if time.monotonic() > deadline:
            raise NetworkError(ErrorCode.TIMEOUT, f"no whole answer in {_ANSWER_LIMIT_S:.0f} s")
    return bytes(content)


def error_from_answer(response: httpx.Response) -> LorryError | None:
    """The error a complete answer stands for, or None when it is a success we can use."""
    body = json_object(response)
    if response.is_success:
        # Only these two may be empty. An empty list is `[]`: taken for one, an empty page of a portal would say that
        # nothing is there.
        is_silent = not response.content and response.status_code in (201, 204)
        return None if is_silent or _parse(response) is not _NOT_JSON else not_the_server(response)
    if response.is_redirect or response.is_informational:
        return not_the_server(response)
    path = response.request.url.path
    status, code, message = _explain(path, response.status_code, body)
    detail = f"HTTP {response.status_code} {code or status}: {message}"[:500]
    retry_after_s = retry_after_of(response)
    if body is None and status < 500 and status not in (413, 429):
        return not_the_server(response)
    if path.startswith("/auth/v1/"):
        return _auth_error(status, code, detail, retry_after_s)
    if path.startswith("/rest/v1/"):
        known = _REASONS.get(str((body or {}).get("details"))) or _REST_CODES.get(code)
        if known:
            beyond_the_end: dict[str, str | int] = {"field": "page"} if code == "PGRST103" else {}
            return known[0](known[1], detail, context=beyond_the_end)
    if status == 400 and body is not None:
        return RejectedError(ErrorCode.INVALID_VALUE, detail, context={"reason": message})
    if status >= 500 and status not in _STATUS_CODES:
        return ServerError(ErrorCode.SERVER_BROKEN, detail, retry_after_s=retry_after_s)
    kind, error_code = _STATUS_CODES.get(status, (ProtocolError, ErrorCode.UNEXPECTED_ANSWER))
    context: dict[str, str | int] = {"proxy": 1} if status == 413 and body is None else {}
    return kind(error_code, detail, retry_after_s=retry_after_s, context=context)


def is_expired_token(response: httpx.Response) -> bool:
    """True when the server refused the access token itself, so that a fresh one may help."""
    path = response.request.url.path
    if path.startswith("/storage/v1/") and response.status_code == 400:
        status, _code, message = _explain(path, 400, json_object(response))
        lowered = message.lower()
        return status in (401, 403) and ("exp" in lowered.split('"') or "jwt" in lowered or "jws" in lowered)
    return response.status_code == 401


@contextmanager
def understanding(what: str) -> Iterator[None]:
    """Turn whatever a library raises over a successful answer of an unexpected shape into ProtocolError.

    Anything but a success has been raised before a library sees it, so what it stumbles over is the answer's shape.
    """
    try:
        yield
    except LorryError:
        raise
    except Exception as error:
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"{what}: {type(error).__name__}") from error


def _explain(path: str, status: int, body: dict[str, Any] | None) -> tuple[int, str, str]:
    """The real status, the service's error code and its message."""
    if body is None:
        return status, "", ""
    if path.startswith("/storage/v1/"):
        real = str(body.get("statusCode", ""))
        return (
            int(real) if _STATUS.fullmatch(real) else status,
            str(body.get("error", "")),
            str(body.get("message", "")),
        )
    code = body.get("error_code") or body.get("code") or body.get("error") or ""
    message = body.get("message") or body.get("msg") or body.get("error_description") or body.get("error") or ""
    return status, str(code), str(message)


def _auth_error(status: int, code: str, detail: str, retry_after_s: float | None) -> LorryError:
    if code in _AUTH_CODES:
        return AuthError(_AUTH_CODES[code], detail, retry_after_s=retry_after_s)
    if status == 429:
        return AuthError(ErrorCode.TOO_MANY_TRIES, detail, retry_after_s=retry_after_s)
    if status >= 500:
        return ServerError(ErrorCode.SERVER_BROKEN, detail, retry_after_s=retry_after_s)
    if status in (401, 403):
        return RejectedError(ErrorCode.FORBIDDEN, detail)
    return ProtocolError(ErrorCode.UNEXPECTED_ANSWER, detail)


def not_the_server(response: httpx.Response) -> NetworkError:
    """The error of an answer that the project cannot have given."""
    kind = response.headers.get("content-type", "no type")
    return NetworkError(
        ErrorCode.NOT_THE_SERVER,
        f"HTTP {response.status_code} with {kind} from {response.request.url.path}",
        context={"host": response.request.url.host},
    )


def _is_json(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "").split(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _parse(response: httpx.Response) -> Any:
    if not _is_json(response):
        return _NOT_JSON
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return _NOT_JSON


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The body as a JSON object, or None when it is anything else."""
    body = _parse(response)
    return body if isinstance(body, dict) else None


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds the answer asks to wait, within the bounds above, or None."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
