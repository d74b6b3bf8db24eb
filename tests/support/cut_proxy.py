"""A proxy below HTTP that passes bytes on and cuts connections after a given number of them.

Unlike `FaultServer` it knows nothing of requests, so a client keeps its connection through it and a cut can fall
anywhere: into headers, a body, an answer. Threads are named `cut-*`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_BLOCK_BYTES = 64 * 1024


class CutProxy:
    """Listens on a loopback port of its own. Use as a context manager."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream = ("127.0.0.1", upstream_port)
        self._lock = threading.Lock()
        self._left: int | None = None
        self._is_reset = False
        self._open: set[socket.socket] = set()
        self.connections = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, name="cut-accept", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut_after(self, count_bytes: int | None, *, reset: bool = True) -> None:
        """Cut once, after that many more bytes from clients, by RST or an ordinary end; None: never."""
        with self._lock:
            self._left, self._is_reset = count_bytes, reset

    def close(self) -> None:
        """Break every connection and stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _end(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._upstream)
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open |= {client, server}
            for source, target, counts in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, counts), name="cut-pass", daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK_BYTES):
                allowed = self._allow(len(block)) if counts else len(block)
                target.sendall(block[:allowed])
                if allowed < len(block):
                    break
        for connection in (source, target):
            _end(connection)

    def _allow(self, count: int) -> int:
        with self._lock:
            if self._left is None or self._left >= count:
                self._left = None if self._left is None else self._left - count
                return count
            allowed, self._left = self._left, None
            self.cuts += 1
            if self._is_reset:
                for connection in self._open:
                    with contextlib.suppress(OSError):
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return allowed


def _end(connection: socket.socket) -> None:
    """End both directions; the other thread of the pair wakes and comes here too."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
