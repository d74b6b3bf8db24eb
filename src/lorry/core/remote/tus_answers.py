"""What the answers of resumable uploads mean (tus 1.0.0, and what a Storage server adds to it).

The HTTP status is the real one and the body plain text, except for the server's own checks before the protocol, which
answer JSON as everywhere in Storage. Two answers share 409 and are told apart by their text. An answer to the protocol
carries `Tus-Resumable`; without it a proxy or a portal spoke, and its 404 must not cost an upload.
"""

from __future__ import annotations

import base64
import binascii
import re

import httpx

from lorry.core.errors import (
    AuthError,
    ConflictError,
    ErrorCode,
    LorryError,
    OffsetConflictError,
    ProtocolError,
    RejectedError,
    ServerError,
)
from lorry.core.model import BUCKET
from lorry.core.remote.answers import error_from_answer, json_object, not_the_server, retry_after_of

TUS_VERSION = "1.0.0"

#: What a refused upload token is answered with; another token helps. Seen on a Storage server.
_TICKET_MARKS = ('"exp" claim', "invalid compact jws", "invalid signature", "x-signature", "jwt", "jws")
_LOCK = re.compile(r"\block(ed)?\b")
_GONE = (404, 410)
_BUSY = (423, 429, 503, 544)


def error_from_tus_answer(response: httpx.Response) -> LorryError | None:
    """The error a complete answer to POST, HEAD, PATCH or DELETE stands for, or None when it is a success.

    AuthError TICKET_EXPIRED asks for a new ticket, OffsetConflictError for a HEAD, RejectedError UPLOAD_GONE for a
    start from zero; ALREADY_EXISTS is an object at this path, perhaps of this very upload.
    """
    is_tus = response.headers.get("tus-resumable") == TUS_VERSION
    if response.is_success:
        return None if is_tus else not_the_server(response)
    if response.is_redirect or response.is_informational:
        return not_the_server(response)
    body = json_object(response)
    status = response.status_code
    text = _text(response, body is not None)
    if _is_ticket_refused(response, is_tus, text.lower()):
        return AuthError(ErrorCode.TICKET_EXPIRED, _detail(status, text))
    if not is_tus and (body is not None or status < 500):
        return _error_before_the_protocol(response)
    return _error(response, status, text)


def object_version(upload_id: str, storage_path: str) -> str:
    """The `version` that the object info will show if the object came from this upload.

    Raises:
        ProtocolError: the id is not one of an upload to `storage_path` in our bucket.
    """
    try:
        padded = upload_id + "=" * (-len(upload_id) % 4)
        name = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise unexpected("an upload id that says nothing") from error
    prefix = f"{BUCKET}/{storage_path}/"
    version = name.removeprefix(prefix)
    if not name.startswith(prefix) or not version or "/" in version:
        raise unexpected("an upload id of another object")
    return version


def unexpected(detail: str) -> ProtocolError:
    """The error of an answer that breaks the protocol."""
    return ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"resumable upload: {detail}")


def _is_ticket_refused(response: httpx.Response, is_tus: bool, lowered: str) -> bool:
    """A HEAD has no body to tell why it was refused; its only 400 for an id of ours is the token's."""
    kind = response.headers.get("content-type", "")
    if not is_tus and not kind.startswith("application/json"):
        return False
    if response.request.method == "HEAD":
        return response.status_code in (400, 401)
    return response.status_code in (400, 401, 403) and any(mark in lowered for mark in _TICKET_MARKS)


def _error_before_the_protocol(response: httpx.Response) -> LorryError:
    error = error_from_answer(response)
    if error is None:
        return not_the_server(response)
    if error.code is ErrorCode.NOT_FOUND:
        # A gateway that does not know the route: no reason to give up what the server behind it holds.
        is_create = response.request.method == "POST"
        return RejectedError(ErrorCode.PROJECT_NOT_PREPARED, error.detail) if is_create else not_the_server(response)
    return error


def _error(response: httpx.Response, status: int, text: str) -> LorryError:
    detail, lowered = _detail(status, text), text.lower()
    retry_after_s = retry_after_of(response)
    is_create = response.request.method == "POST"
    if status in _BUSY or _LOCK.search(lowered):
        # "acquiring lock timeout": an earlier request still holds the upload.
        return ServerError(ErrorCode.SERVER_BUSY, detail, retry_after_s=retry_after_s)
    if status >= 500:
        return ServerError(ErrorCode.SERVER_BROKEN, detail, retry_after_s=retry_after_s)
    if status in _GONE:
        code = ErrorCode.PROJECT_NOT_PREPARED if is_create else ErrorCode.UPLOAD_GONE
        return RejectedError(code, detail)
    if status == 409 and "offset" in lowered:
        return OffsetConflictError(ErrorCode.OFFSET_CONFLICT, detail)
    if status == 409 or "already completed" in lowered:
        return ConflictError(ErrorCode.ALREADY_EXISTS, detail)
    if status == 413 and "upload's size" in lowered:
        return OffsetConflictError(ErrorCode.OFFSET_CONFLICT, detail)
    if status == 413:
        return RejectedError(ErrorCode.TOO_LARGE_FOR_PROJECT, detail)
    if status == 415:
        return RejectedError(ErrorCode.TYPE_REFUSED, detail)
    if status == 403:
        return RejectedError(ErrorCode.FORBIDDEN, detail)
    if status == 400 and is_create:
        return RejectedError(ErrorCode.INVALID_VALUE, detail, context={"reason": text[:200]})
    return ProtocolError(ErrorCode.UNEXPECTED_ANSWER, detail)


def _text(response: httpx.Response, is_json: bool) -> str:
    if is_json:
        body = json_object(response) or {}
        return f"{body.get('error', '')} {body.get('message', '')}".strip()
    return response.content[:2000].decode("utf-8", "replace").strip()


def _detail(status: int, text: str) -> str:
    return f"HTTP {status}: {text}"[:500]
