"""What the fault proxy reads from and does to connections: heads, bodies with a length, ends. No decisions."""

from __future__ import annotations

import contextlib
import socket
import struct

from tests.support.faults import Seen

#: Bytes passed on at a time; small, so that cuts and throttling are exact to a block.
BLOCK_BYTES = 16 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024


class Body:
    """The body of a request with a Content-Length."""

    def __init__(self, client: socket.socket, rest: bytes, seen: Seen) -> None:
        self._client = client
        self._rest = rest
        self.seen = seen

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes; empty at the end. Raises OSError when the client goes away before it."""
        left = self.seen.content_length - self.seen.body_bytes
        if left <= 0:
            return b""
        limit = min(limit, left)
        if self._rest:
            block, self._rest = self._rest[:limit], self._rest[limit:]
        else:
            block = self._client.recv(limit)
        if not block:
            raise ConnectionResetError("the client went away")
        self.seen.body_bytes += len(block)
        return block


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head without its empty line, and what came after it; nothing when the other side goes away before."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(BLOCK_BYTES)
        if not block or len(data) > _HEAD_LIMIT_BYTES:
            return b"", b""
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def parse_head(head: bytes) -> Seen:
    """A request as it came in."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Seen(method, path, headers)


def closing_head(head: bytes) -> bytes:
    """The head with `Connection: close`, so that the end of the answer is the end of the stream."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n"


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN; only for the thread that serves the connection."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wake(connection: socket.socket) -> None:
    """End whatever another thread waits for on this socket; closing alone would not."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
