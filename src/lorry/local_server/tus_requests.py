"""Reading requests of the resumable protocol: header checks, metadata, upload ids, who asks.

Owns the refusals and their words, which clients compare: plain text with the real HTTP status, unlike the
rest of the storage service; only a bad access token is answered as everywhere else. No I/O.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from lorry.local_server import storage_rows
from lorry.local_server.gateway_state import state_of
from lorry.local_server.storage_errors import token_refused
from lorry.local_server.storage_requests import claims_of
from lorry.local_server.tokens import Claims, TokenError
from lorry.local_server.upload_body import DEFAULT_TYPE

TUS_VERSION = "1.0.0"
CHUNK_TYPE = "application/offset+octet-stream"
MAX_HEADERS_BYTES = 16 * 1024
_NUMBER = re.compile(r"0|[1-9]\d{0,17}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BUCKET = re.compile(r"[A-Za-z0-9_!.*'()&$=@;:+,? -]{1,100}")


class TusRefusal(Exception):
    """A refused request: HTTP status and the text of the body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text.strip())
        self.status, self.text = status, text


def offset_conflict() -> TusRefusal:
    """Not the offset the server has."""
    return TusRefusal(409, "Upload-Offset conflict\n")


def maximum_exceeded() -> TusRefusal:
    """More than the bucket takes, or than was declared."""
    return TusRefusal(413, "Maximum size exceeded\n")


def never_existed() -> TusRefusal:
    """No upload of this id."""
    return TusRefusal(404, "The file for this url was not found\n")


def no_longer_exists() -> TusRefusal:
    """There was one; its bytes are gone or its time is over."""
    return TusRefusal(410, "The file for this url no longer exists\n")


def lock_timeout() -> TusRefusal:
    """Somebody else works on this upload and does not end."""
    return TusRefusal(503, "acquiring lock timeout")


def no_length() -> TusRefusal:
    """Neither a length nor the promise of one, or both, or one that does not fit."""
    return TusRefusal(400, "Upload-Length or Upload-Defer-Length header required\n")


@dataclass(frozen=True)
class Caller:
    """Who asks: `claims` of an access token, or `token_path` of a signed upload token."""

    claims: Claims | None
    token_path: str | None
    owner: str | None
    may_replace: bool

    def check_path(self, path: str) -> None:
        """Raise 400 when a signed token was made for another path."""
        if self.token_path is not None and self.token_path != path:
            raise TusRefusal(400, "Invalid signature")


def check_headers(request: Request) -> None:
    """Raise 412 without a protocol version, 400 for headers that are malformed."""
    if "tus-resumable" not in request.headers:
        raise TusRefusal(412, "Tus-Resumable Required\n")
    checks: dict[str, Callable[[str], bool]] = {
        "tus-resumable": TUS_VERSION.__eq__,
        "upload-offset": _is_number,
        "upload-length": _is_number,
        "upload-defer-length": "1".__eq__,
        "upload-metadata": lambda text: parse_metadata(text) is not None,
    }
    if request.method == "PATCH":
        checks["content-type"] = CHUNK_TYPE.__eq__
    wrong = [name for name, value in request.headers.items() if name in checks and not checks[name](value)]
    if wrong:
        raise TusRefusal(400, f"Invalid {' '.join(wrong)}\n")


def header_bytes(request: Request) -> int:
    """How much the headers weigh together."""
    return sum(len(name) + len(value) + 4 for name, value in request.headers.raw)


def number(request: Request, name: str) -> int | None:
    """A header that `check_headers` found to be a number."""
    text = request.headers.get(name)
    return int(text) if text is not None else None


def announced_bytes(request: Request) -> int | None:
    """The length of the body, if the sender tells it."""
    text = request.headers.get("content-length", "")
    return int(text) if _is_number(text) else None


def signed_caller(request: Request) -> Caller:
    """The holder of an upload token in `x-signature`; Authorization is not looked at."""
    token = request.headers.get("x-signature")
    if not token:
        raise TusRefusal(400, "Missing x-signature header")
    try:
        claims = state_of(request).tokens.verify(token)
    except TokenError as error:
        raise TusRefusal(400, token_refused(error.fault, is_user_token=False).message) from None
    if claims.get("scope") != "upload":
        raise TusRefusal(400, "Invalid signature")
    owner = claims.get("owner")
    return Caller(None, str(claims.get("url", "")), str(owner) if owner else None, bool(claims.get("upsert")))


def user_caller(request: Request) -> Caller:
    """The bearer of an access token; raises StorageError, which is answered as JSON."""
    claims = claims_of(request)
    owner = claims.get("sub")
    may_replace = request.headers.get("x-upsert", "").lower() == "true"
    return Caller(claims, None, str(owner) if owner else None, may_replace)


@dataclass(frozen=True)
class UploadMetadata:
    """What `Upload-Metadata` says of the object to be."""

    bucket_id: str
    key: str
    content_type: str | None
    cache_control: str
    user_metadata: Any

    @classmethod
    def read(cls, header: str | None) -> UploadMetadata:
        """Raises 400 for a bucket or key that cannot be."""
        if not header:
            raise TusRefusal(400, "Metadata header is required")
        told = parse_metadata(header) or {}
        bucket_id, key = told.get("bucketName", ""), told.get("objectName", "")
        if not _BUCKET.fullmatch(bucket_id):
            raise TusRefusal(400, "Bucket name invalid")
        storage_rows.check_key(key)
        seconds = told.get("cacheControl", "")
        return cls(
            bucket_id=bucket_id,
            key=key,
            content_type=told.get("contentType") or None,
            cache_control=f"max-age={seconds}" if seconds.isascii() and seconds.isdigit() else "no-cache",
            user_metadata=_document(told.get("metadata", "")),
        )

    @property
    def stored_type(self) -> str:
        """The type of the row; real Storage checks only a type that was told."""
        return self.content_type or DEFAULT_TYPE


def parse_metadata(text: str) -> Mapping[str, str] | None:
    """Keys and decoded values of an `Upload-Metadata` header; None when it is malformed."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, _, value = pair.strip().partition(" ")
        if not name or name in found or not name.isascii() or not _BASE64.fullmatch(value) or len(value) % 4:
            return None
        found[name] = base64.b64decode(value).decode("utf-8", "replace")
    return found


def make_id(path: str, version: str) -> str:
    """The last segment of an upload's address."""
    return base64.urlsafe_b64encode(f"{path}/{version}".encode()).decode().rstrip("=")


def read_id(text: str) -> tuple[str, str]:
    """Path and version of an upload id; raises 400 for what is none."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise TusRefusal(400, "Invalid upload id\n") from None
    path, slash, version = decoded.rpartition("/")
    if not slash or "/" not in path:
        raise TusRefusal(400, "Invalid upload id\n")
    return path, version


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _document(text: str) -> Any:
    """User metadata; what is no JSON counts as not told, what is no object is refused at the end."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
