"""One resumable upload as tests drive it: single requests, a request cut off at a byte, and its object.

`TusUpload` speaks the protocol by hand, on either route, and knows nothing of what a right answer is.
"""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from tests.support.workspace import BUCKET, RunningServer, User

BASE = "/storage/v1/upload/resumable"
CHUNK = {"Content-Type": "application/offset+octet-stream"}
VERSION = {"Tus-Resumable": "1.0.0"}
MIB = 1024 * 1024


def content_of(size_bytes: int, seed: int = 7) -> bytes:
    """Bytes that are the same for a seed and repeat nowhere."""
    return random.Random(seed).randbytes(size_bytes)


def metadata(**values: str) -> str:
    """An Upload-Metadata header."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def upload_id(path: str, version: str) -> str:
    """The last segment of an upload's address."""
    return base64.urlsafe_b64encode(f"{path}/{version}".encode()).decode().rstrip("=")


@dataclass
class TusUpload:
    """An upload of `user` to the object `path`; `route` is `jwt` or `signed`, `token` what it is signed with."""

    user: User
    path: str
    route: str = "jwt"
    token: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_new_row(cls, user: User, size_bytes: int, route: str = "jwt") -> TusUpload:
        """An upload for a new dataset row; nothing is created yet."""
        upload = cls(user, user.insert(max(size_bytes, 1))["storage_path"], route)
        if route == "signed":
            upload.token = user.sign(upload.path).json()["token"]
        return upload

    @property
    def base(self) -> str:
        return BASE if self.route == "jwt" else f"{BASE}/sign"

    @property
    def bytes_path(self) -> Path:
        """Where the server keeps the bytes until the upload is finished."""
        last = self.url.rsplit("/", 1)[1]
        version = base64.urlsafe_b64decode(last + "=" * (-len(last) % 4)).decode().rsplit("/", 1)[1]
        return self.user.server.data_dir / "objects" / "resumable" / f"{version}.part"

    def bytes_on_disk(self) -> int:
        """How many bytes are in that file, 0 without one."""
        return self.bytes_path.stat().st_size if self.bytes_path.exists() else 0

    def client(self) -> httpx.Client:
        """A client with what this route needs and nothing else."""
        known = {**VERSION, **self.headers}
        if self.route == "jwt":
            return self.user.server.bare_client(Authorization=f"Bearer {self.user.token}", **known)
        return self.user.server.bare_client(**{"x-signature": self.token, **known})

    def create(self, size_bytes: int | None, *, content: Any = None, more: dict[str, str] | None = None) -> Any:
        """POST; a size of None leaves it open. Remembers the address."""
        told = metadata(bucketName=BUCKET, objectName=self.path, contentType="application/x-ndjson", **(more or {}))
        headers = {"Upload-Metadata": told}
        headers |= {"Upload-Defer-Length": "1"} if size_bytes is None else {"Upload-Length": str(size_bytes)}
        if content is not None:
            headers |= CHUNK
        with self.client() as client:
            answer = client.post(self.base, content=content, headers=headers)
        if "location" in answer.headers:
            self.url = urlsplit(answer.headers["location"]).path
        return answer

    def patch(self, offset: int, content: Any, **headers: str) -> httpx.Response:
        """PATCH bytes, or an iterator of them, which is sent without a length."""
        with self.client() as client:
            return client.patch(self.url, content=content, headers={**CHUNK, "Upload-Offset": str(offset), **headers})

    def head(self) -> httpx.Response:
        """HEAD."""
        with self.client() as client:
            return client.head(self.url)

    def offset(self) -> int:
        """What HEAD says, which must be 200."""
        answer = self.head()
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["upload-offset"])

    def delete(self) -> httpx.Response:
        """DELETE."""
        with self.client() as client:
            return client.delete(self.url)

    def begin_patch(self, offset: int, announced_bytes: int, sent: bytes) -> socket.socket:
        """Send the beginning of a PATCH by hand and keep the connection."""
        where = urlsplit(self.user.server.url)
        connection = socket.create_connection((where.hostname, where.port), timeout=30)
        named = {"Authorization": f"Bearer {self.user.token}"} if self.route == "jwt" else {"x-signature": self.token}
        headers = {**VERSION, **CHUNK, **named, "Upload-Offset": str(offset), "Content-Length": str(announced_bytes)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"PATCH {self.url} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + sent)
        return connection

    def cut_patch(self, offset: int, announced_bytes: int, sent: bytes, *, reset: bool = False) -> None:
        """A PATCH whose sender goes away after `sent`, in order or with a reset."""
        with self.begin_patch(offset, announced_bytes, sent) as connection:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def info(self) -> httpx.Response:
        """Object info."""
        with self.user.client() as client:
            return client.get(f"/storage/v1/object/info/{BUCKET}/{self.path}")

    def has_object(self) -> bool:
        """Whether the object's row is there."""
        return self.info().status_code == 200

    def download(self) -> bytes:
        """The object's bytes."""
        with self.user.client() as client:
            answer = client.get(f"/storage/v1/object/{BUCKET}/{self.path}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def assert_object_is(self, content: bytes) -> None:
        """The object has these bytes, and its row says so."""
        told = self.info().json()
        assert told["size"] == len(content), told
        assert told["etag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        if self.url:
            assert upload_id(f"{BUCKET}/{self.path}", told["version"]) == self.url.rsplit("/", 1)[1]
        assert hashlib.sha256(self.download()).digest() == hashlib.sha256(content).digest()


def resumable_files(server: RunningServer) -> list[Path]:
    """What the server keeps of unfinished uploads."""
    return sorted((server.data_dir / "objects" / "resumable").iterdir())


@contextmanager
def rows_blocked(server: RunningServer) -> Iterator[None]:
    """Nobody can write a row of an object: an upload that is complete waits between its bytes and its row."""
    lines = (server.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    with (
        psycopg.connect(
            host=lines[4] or "127.0.0.1",
            port=int(lines[3]),
            user="supabase_admin",
            password=(server.data_dir / "postgres.password").read_text().strip(),
            dbname="postgres",
        ) as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute("lock table storage.objects in exclusive mode")
        yield
