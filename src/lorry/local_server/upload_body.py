"""Bodies of uploads: raw or multipart/form-data, streamed to a file with flat memory.

Owns the multipart cutting (fields come before the file, as the official clients send them) and the pipeline
"one block is written while the next arrives". Size limits are enforced on the bytes that arrive, whatever
the headers said. Event loop thread; the writing itself is `object_files`' threads.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from starlette.requests import Request

from lorry.local_server.object_files import BLOCK_BYTES, IncomingFile, ObjectFiles
from lorry.local_server.storage_errors import invalid_request, too_large

MAX_FORM_HEAD_BYTES = 256 * 1024
DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class UploadBody:
    """What is known before the first byte of the file: its type, cache header, metadata and its blocks."""

    mime_type: str
    cache_control: str
    user_metadata: dict[str, Any]
    blocks: AsyncIterator[bytes]


async def open_body(request: Request) -> UploadBody:
    """Read up to the beginning of the file's bytes; raises StorageError for a malformed form."""
    kind = request.headers.get("content-type", DEFAULT_TYPE)
    if kind.lower().startswith("multipart/form-data"):
        return await _open_form(request, kind)
    return UploadBody(
        mime_type=kind,
        cache_control=request.headers.get("cache-control", "no-cache"),
        user_metadata=_metadata(_decoded(request.headers.get("x-metadata", ""))),
        blocks=request.stream(),
    )


async def receive(
    blocks: AsyncIterator[bytes], files: ObjectFiles, incoming: IncomingFile, limit_bytes: int | None
) -> None:
    """Write all blocks; raises StorageError 413, OSError, or ClientDisconnect when the sender went away."""
    loop_write: asyncio.Future[None] | None = None
    batch: list[bytes] = []
    batch_bytes = total_bytes = 0
    try:
        async for block in blocks:
            total_bytes += len(block)
            if limit_bytes is not None and total_bytes > limit_bytes:
                raise too_large()
            batch.append(block)
            batch_bytes += len(block)
            if batch_bytes >= BLOCK_BYTES:
                if loop_write is not None:
                    await loop_write
                loop_write = asyncio.ensure_future(files.run(lambda full=batch: incoming.write(full)))  # type: ignore[misc]
                batch, batch_bytes = [], 0
        if loop_write is not None:
            await loop_write
            loop_write = None
        await files.run(lambda: incoming.write(batch))
    finally:
        if loop_write is not None:
            # The thread may still be writing: the file must not be closed under it.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.shield(loop_write)


async def _open_form(request: Request, kind: str) -> UploadBody:
    boundary = _header_parameter(kind, "boundary")
    if not boundary:
        raise invalid_request("Multipart: Boundary not found")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    stream = request.stream()
    # A leading line end lets the first delimiter look like all others.
    buffer = bytearray(b"\r\n")
    fields: dict[str, str] = {}
    while True:
        await _fill_until(buffer, stream, delimiter)
        del buffer[: buffer.index(delimiter) + len(delimiter)]
        await _fill_until(buffer, stream, b"\r\n")
        if buffer.startswith(b"--"):
            raise invalid_request("Multipart: no file in the form")
        await _fill_until(buffer, stream, b"\r\n\r\n")
        head_end = buffer.index(b"\r\n\r\n")
        headers = _part_headers(bytes(buffer[:head_end]))
        del buffer[: head_end + 4]
        disposition = headers.get("content-disposition", "")
        if _header_parameter(disposition, "filename") is not None:
            break
        await _fill_until(buffer, stream, delimiter)
        fields[_header_parameter(disposition, "name") or ""] = bytes(buffer[: buffer.index(delimiter)]).decode(
            "utf-8", "replace"
        )
    cache = fields.get("cacheControl", "")
    return UploadBody(
        mime_type=fields.get("contentType") or headers.get("content-type", DEFAULT_TYPE),
        cache_control=f"max-age={cache}" if cache.isdigit() else cache or "no-cache",
        user_metadata=_metadata(fields.get("metadata", "")),
        blocks=_until_delimiter(buffer, stream, delimiter),
    )


async def _fill_until(buffer: bytearray, stream: AsyncIterator[bytes], mark: bytes) -> None:
    while mark not in buffer:
        if len(buffer) > MAX_FORM_HEAD_BYTES:
            raise invalid_request("Multipart: fields must precede the file and be small")
        block = await anext(stream, None)
        if block is None:
            raise invalid_request("Multipart: Unexpected end of form")
        buffer += block


async def _until_delimiter(buffer: bytearray, stream: AsyncIterator[bytes], delimiter: bytes) -> AsyncIterator[bytes]:
    """The file's bytes; the last `len(delimiter) - 1` bytes of each block wait for what follows them."""
    pending = bytes(buffer)
    while True:
        end = pending.find(delimiter)
        if end >= 0:
            yield pending[:end]
            break
        safe = len(pending) - len(delimiter) + 1
        if safe > 0:
            yield pending[:safe]
            pending = pending[safe:]
        block = await anext(stream, None)
        if block is None:
            raise invalid_request("Multipart: Unexpected end of form")
        pending += block
    async for _rest in stream:
        pass


def _part_headers(head: bytes) -> dict[str, str]:
    lines = head.decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _header_parameter(value: str, name: str) -> str | None:
    message = Message()
    message["content-type"] = re.sub(r"[\r\n]+", " ", value)
    found = message.get_param(name)
    return found if found is None or isinstance(found, str) else found[2]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _metadata(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if text else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
