"""Stored objects and leave to send them: signing an upload, object info, removal, download links.

Object keys are ASCII, so the name in a path is a safe form of the file's name; the original lives in the row.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from urllib.parse import quote
from uuid import UUID

import httpx
from storage3 import SyncStorageClient

from lorry.core.config import ServerConfig
from lorry.core.errors import ErrorCode, ProtocolError, RejectedError
from lorry.core.model import BUCKET, UploadTicket
from lorry.core.remote.answers import understanding
from lorry.core.remote.http import AS_BYTES

_SAFE_NAME_MAX = 100
#: The life of a token whose `exp` cannot be read: the shortest a Storage server gives by default.
_ASSUMED_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the server holds at a path: size in bytes and the version this very upload got."""

    size_bytes: int
    version: str


def safe_object_name(file_name: str) -> str:
    """An ASCII form of a file name for the last part of an object's path.

    Letters, digits, `.`, `_` and `-` stay, anything else becomes `_`, the extension is kept, at most 100 characters.
    """
    path = PurePath(file_name)
    stem, suffix = _ascii(path.stem), _ascii(path.suffix)[:20]
    stem = stem[: _SAFE_NAME_MAX - len(suffix)].strip(".")
    return (stem or "dataset") + suffix


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    without_marks = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.sub(r"[^A-Za-z0-9._-]", "_", without_marks)


def storage_path(user_id: UUID, dataset_id: UUID, file_name: str) -> str:
    """`{user_id}/{dataset_id}/{safe name}`; a path inside the bucket, never a URL."""
    return f"{user_id}/{dataset_id}/{safe_object_name(file_name)}"


class ObjectsApi:
    """The bucket, as the signed-in user. Every method may raise what `remote/answers.py` maps."""

    def __init__(self, config: ServerConfig, http: httpx.Client) -> None:
        self._base = f"{config.url}/storage/v1"
        self._http = http
        self._storage = SyncStorageClient(self._base + "/", headers={}, http_client=http)

    def sign_upload(self, dataset_id: UUID, path: str) -> UploadTicket:
        """Get leave to send one file to `path`.

        The URL is built on the configured address; from the answer only the token is used.

        Raises:
            ConflictError: an object is already there.
            RejectedError: FORBIDDEN, there is no row that allows it.
        """
        with understanding("signing"):
            token = self._storage.from_(BUCKET).create_signed_upload_url(path)["token"]
        url = f"{self._base}/object/upload/sign/{BUCKET}/{quote(path)}?token={quote(token, safe='')}"
        return UploadTicket(dataset_id, url, path, _expiry(token))

    def info(self, path: str) -> ObjectInfo | None:
        """Size and version of the object, or None when there is none the user may see."""
        try:
            with understanding("object info"):
                entry = self._storage.from_(BUCKET).info(path)
                return ObjectInfo(size_bytes=int(entry["size"]), version=str(entry["version"]))
        except RejectedError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise

    def tail(self, path: str, size_bytes: int, count: int) -> bytes:
        """The last `count` bytes of an object of `size_bytes`, read back: a row alone does not prove them.

        Raises:
            ServerError: SERVER_BROKEN, among others when the object's bytes are missing.
            ProtocolError: another part of the object was given.
        """
        start = size_bytes - count
        with understanding("reading back"):
            answer = self._http.get(
                f"{self._base}/object/authenticated/{BUCKET}/{quote(path)}",
                headers={"range": f"bytes={start}-{size_bytes - 1}"},
                extensions={AS_BYTES: True},
            )
        content = answer.content
        if answer.status_code != 206 or len(content) != count:
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"HTTP {answer.status_code}, {len(content)} bytes")
        return content

    def remove(self, path: str) -> None:
        """Remove the object; nothing there is success (the server silently leaves it out)."""
        with understanding("removing"):
            self._storage.from_(BUCKET).remove([path])

    def download_url(self, path: str, life_s: int) -> str:
        """A link that lets anybody read the object for `life_s` seconds. Never logged."""
        with understanding("download link"):
            answer = self._storage.from_(BUCKET).create_signed_url(path, life_s)
            url = str(answer.get("signedURL") or answer.get("signedUrl") or "")
        marker = "/object/sign/"
        if marker not in url:
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "no link in the answer")
        return self._base + marker + url.split(marker, 1)[1]


def _expiry(token: str) -> datetime:
    now = datetime.now(UTC)
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError):
        return now + _ASSUMED_LIFE
