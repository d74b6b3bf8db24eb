"""Sending a whole file to a signed upload URL in one streamed request.

Runs on a transfer thread with an HTTP client of its own: byte counts are those handed to the socket, memory stays at
one block, and a cancel ends even a stalled send at once by shutting the socket down from the cancelling thread.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx

from lorry.core.cancel import CancelToken
from lorry.core.config import ServerConfig
from lorry.core.model import UploadTicket
from lorry.core.remote.answers import FRAMING, error_from_answer, error_from_transport, read_answer
from lorry.core.remote.http import USER_AGENT, connection_options

#: Python's mimetypes knows neither `.jsonl` nor `.ndjson`, so the type is fixed per extension.
CONTENT_TYPES = {".jsonl": "application/x-ndjson", ".json": "application/json"}
#: The server stores and hashes the whole file before it answers, hence the long wait for the answer (s).
_TIMEOUT = httpx.Timeout(connect=10.0, write=30.0, read=180.0, pool=10.0)


def content_type(file_name: str) -> str:
    """The Content-Type a dataset file is stored with."""
    suffix = "." + file_name.rsplit(".", 1)[-1].lower()
    return CONTENT_TYPES.get(suffix, "application/octet-stream")


#: Close at once and drop what the kernel still holds, else up to 4 MB go on flowing after a pause on a slow link.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class SocketGuard:
    """Remembers the sockets of one HTTP client so that another thread can break its running request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._broken = False
        self._may_break = True

    def arm(self) -> None:
        """Begin another request of the same client: it can be broken, whatever became of those before it."""
        with self._lock:
            self._sockets = [sock for sock in self._sockets if sock.fileno() >= 0]
            self._broken = False
            self._may_break = True

    def let_finish(self) -> None:
        """From now until `arm`, the request is not broken any more."""
        with self._lock:
            self._may_break = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's `trace` extension: called with each step of a request."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            sock = info["return_value"].get_extra_info("socket")
            if isinstance(sock, socket.socket):
                with self._lock:
                    self._sockets.append(sock)
                    broken = self._broken
                if broken:
                    self.break_now()

    def break_now(self) -> None:
        """Shut the socket down: a blocked send or read in the other thread fails within milliseconds."""
        with self._lock:
            if not self._may_break:
                return
            self._broken = True
            # Under the lock, so that nothing is broken after `let_finish` has returned; none of this waits.
            for sock in self._sockets:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    # The base class's method: ssl.SSLSocket's own would drop the TLS state the other thread is using.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    continue


class SignedPut:
    """Sends files to signed upload URLs of one project."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config

    def send(
        self,
        ticket: UploadTicket,
        blocks: Iterable[bytes],
        size_bytes: int,
        file_name: str,
        token: CancelToken,
        on_sent: Callable[[int], None],
    ) -> None:
        """Send exactly `size_bytes` from `blocks`; `on_sent(n)` tells each block handed to the socket.

        Returns when the server has stored the object and answered.

        Raises:
            Cancelled: the token was set; the connection is broken, the server keeps nothing.
            ConflictError: an object is already at this path.
            NetworkError, ServerError, RejectedError, ProtocolError: see `answers.py`.
            SourceError: from `blocks`.
        """
        token.check()
        guard = SocketGuard()

        def body() -> Iterator[bytes]:
            for block in blocks:
                token.check()
                yield block
                on_sent(len(block))

        headers = {"content-type": content_type(file_name), "content-length": str(size_bytes)}
        with (
            httpx.Client(
                timeout=_TIMEOUT,
                headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
                **connection_options(self._config),
            ) as http,
            token.on_cancel(guard.break_now),
        ):
            try:
                response = _whole(
                    http.build_request(
                        "PUT", ticket.upload_url, content=body(), headers=headers, extensions={"trace": guard.trace}
                    ),
                    http,
                )
            except httpx.HTTPError as error:
                token.check()
                raise error_from_transport(error, _host(self._config)) from error
        token.check()
        refused = error_from_answer(response)
        if refused is not None:
            raise refused


def _whole(request: httpx.Request, http: httpx.Client) -> httpx.Response:
    """Send and read the answer to its end, within the limits of `read_answer`."""
    response = http.send(request, stream=True)
    try:
        content = read_answer(response)
    finally:
        response.close()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in FRAMING]
    return httpx.Response(response.status_code, headers=headers, content=content, request=request)


def _host(config: ServerConfig) -> str:
    return httpx.URL(config.url).host
