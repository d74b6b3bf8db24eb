"""A proxy in front of a real server that misbehaves on command: what no real server does when asked to.

`FaultServer` passes HTTP requests on, one connection each, and applies the first rule that matches: answer in the
server's place, cut, stall, slow down, drip, or swallow the answer after the server has done its work. Every request is
recorded with its headers. Threads are named `fault-*`. What is right or wrong about a client is decided in the tests.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

#: Bytes passed on at a time; small, so that cuts and throttling are exact to a block.
_BLOCK_BYTES = 16 * 1024
#: Kernel buffers on the client's side stay small, so that a stalled reader is felt soon.
_BUFFER_BYTES = 64 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024
_PATIENCE_S = 60.0

PORTAL_PAGE = b"<!doctype html><html><title>Welcome to the hotel network</title><body>Please sign in</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer in the server's place; the request never reaches it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CutRequest:
    """Reset both connections after `at` bytes of the body; None: at a seeded random byte of it."""

    at: int | None = None


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """Let the server do its work, pass `at` bytes of the answer on, then reset the connection. 0: swallow it."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """Stop reading after `at` bytes of the body, until the client goes away or the proxy closes."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Throttle:
    """Pass the body on at this rate."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Pass the head of the answer on at once, its body one byte at a time, `pause_s` apart."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Before:
    """Run something before the request is passed on unharmed."""

    action: Callable[[], object]


Fault = Answer | CutRequest | CutAnswer | Stall | Throttle | Drip | Before


def portal() -> Answer:
    """The page of a captive portal: success in HTML."""
    return Answer(200, PORTAL_PAGE, {"Content-Type": "text/html; charset=utf-8"})


def busy(status: int = 503, retry_after: str = "") -> Answer:
    """A server that cannot serve now, in JSON, with Retry-After if given."""
    headers = {"Content-Type": "application/json"} | ({"Retry-After": retry_after} if retry_after else {})
    return Answer(status, b'{"code":"over_load","message":"try later"}', headers)


def redirect(location: str, status: int = 307) -> Answer:
    """Send the client elsewhere."""
    return Answer(status, b"", {"Location": location})


@dataclass(slots=True)
class Seen:
    """One request as it came in; `body_bytes` counts what was read of its body."""

    method: str
    path: str
    headers: dict[str, str]
    fault: str = ""
    body_bytes: int = 0

    @property
    def content_length(self) -> int:
        return int(self.headers.get("content-length", "0"))


@dataclass(slots=True)
class Rule:
    """A fault for the requests that match; it is spent after `times` of them, and lets the first `skip` pass."""

    fault: Fault
    method: str
    path: re.Pattern[str]
    times: int | None
    skip: int
    used: int = 0

    def matches(self, seen: Seen) -> bool:
        return self.method in ("", seen.method) and self.path.search(seen.path) is not None


class FaultServer:
    """Listens on a loopback port of its own. Use as a context manager."""

    def __init__(self, upstream_url: str = "", *, seed: int = 0) -> None:
        """Without an upstream every request that meets no rule is answered 404 in JSON."""
        parts = urlsplit(upstream_url)
        self._upstream = (parts.hostname or "", parts.port or 80) if upstream_url else None
        self._random = random.Random(seed)
        self._lock = threading.Condition()
        self._rules: list[Rule] = []
        self._requests: list[Seen] = []
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()
        self._listener: socket.socket | None = None
        self._port = 0
        self.accept()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[Seen]:
        """Every request so far, in the order of arrival."""
        with self._lock:
            return list(self._requests)

    def seen(self, path: str, method: str = "") -> list[Seen]:
        """The requests whose path matches, in the order of arrival."""
        return [seen for seen in self.requests if re.search(path, seen.path) and method in ("", seen.method)]

    def on(self, path: str, fault: Fault, *, method: str = "", times: int | None = None, skip: int = 0) -> Rule:
        """Apply `fault` to requests whose path matches the pattern; the latest rule that matches counts."""
        rule = Rule(fault, method, re.compile(path), times, skip)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def clear(self) -> None:
        """Behave from now on; what is being slowed down goes on at full speed."""
        with self._lock:
            self._rules.clear()

    def refuse(self) -> None:
        """Listen no more: the next connections are refused."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _wake(listener)
            listener.close()

    def accept(self) -> None:
        """Listen (again, on the same port)."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(64)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="fault-accept", daemon=True).start()

    def close(self) -> None:
        """Break every connection and stop listening."""
        self._closing.set()
        self.refuse()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _wake(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="fault-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(_PATIENCE_S)
        try:
            self._handle(client)
        except OSError:
            _reset(client)
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _handle(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        if not head:
            return
        seen = _parse(head)
        with self._lock:
            fault = self._choose(seen)
            seen.fault = type(fault).__name__ if fault else ""
            self._requests.append(seen)
        if isinstance(fault, Before):
            fault.action()
        body = _Body(client, rest, seen)
        if isinstance(fault, Answer):
            self._answer(client, body, fault)
        elif isinstance(fault, Stall):
            self._stall(client, body, fault)
        elif self._upstream is None:
            self._answer(client, body, Answer(404, b'{"message":"not here"}', {"Content-Type": "application/json"}))
        else:
            self._pass_on(client, head, body, fault)

    def _choose(self, seen: Seen) -> Fault | None:
        for rule in self._rules:
            if not rule.matches(seen):
                continue
            rule.used += 1
            if rule.used > rule.skip and (rule.times is None or rule.used <= rule.skip + rule.times):
                return rule.fault
        return None

    def _is_on(self, fault: Fault) -> bool:
        with self._lock:
            return any(rule.fault is fault for rule in self._rules)

    def _answer(self, client: socket.socket, body: _Body, answer: Answer) -> None:
        headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client.sendall(f"HTTP/1.1 {answer.status} Fault\r\n{lines}\r\n".encode("latin-1") + answer.body)
        # A connection closed with unread bytes is reset, and the reset may overtake the answer.
        while body.read(_BLOCK_BYTES):
            pass

    def _stall(self, client: socket.socket, body: _Body, fault: Stall) -> None:
        while body.seen.body_bytes < fault.at and body.read(min(_BLOCK_BYTES, fault.at - body.seen.body_bytes)):
            pass
        self._closing.wait(_PATIENCE_S)
        _reset(client)

    def _pass_on(self, client: socket.socket, head: bytes, body: _Body, fault: Fault | None) -> None:
        assert self._upstream is not None
        with socket.create_connection(self._upstream, timeout=_PATIENCE_S) as server:
            server.sendall(_closing_head(head))
            if not self._pass_body_on(server, body, fault):
                _reset(server)
                _reset(client)
                return
            self._pass_answer_on(client, server, fault)

    def _pass_body_on(self, server: socket.socket, body: _Body, fault: Fault | None) -> bool:
        cut_at = -1
        if isinstance(fault, CutRequest):
            cut_at = fault.at if fault.at is not None else self._random.randrange(max(1, body.seen.content_length))
        while True:
            wanted = _BLOCK_BYTES if cut_at < 0 else min(_BLOCK_BYTES, cut_at - body.seen.body_bytes)
            if wanted == 0:
                return False
            block = body.read(wanted)
            if not block:
                return cut_at < 0
            if isinstance(fault, Throttle) and self._is_on(fault):
                self._closing.wait(len(block) / fault.bytes_per_s)
            try:
                server.sendall(block)
            except OSError:
                return True  # the server has answered before the end; its answer is still to be read

    def _pass_answer_on(self, client: socket.socket, server: socket.socket, fault: Fault | None) -> None:
        left = fault.at if isinstance(fault, CutAnswer) else -1
        if isinstance(fault, Drip):
            self._drip(client, server, fault.pause_s)
            return
        while block := server.recv(_BLOCK_BYTES):
            if left >= 0:
                block = block[:left]
                left -= len(block)
            client.sendall(block)
        if left >= 0:
            _reset(client)

    def _drip(self, client: socket.socket, server: socket.socket, pause_s: float) -> None:
        head, body = _read_head(server)
        client.sendall(head + b"\r\n\r\n")
        while body := body or server.recv(_BLOCK_BYTES):
            if self._closing.wait(pause_s):
                return
            client.sendall(body[:1])
            body = body[1:]


class _Body:
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


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = client.recv(_BLOCK_BYTES)
        if not block or len(data) > _HEAD_LIMIT_BYTES:
            return b"", b""
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parse(head: bytes) -> Seen:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Seen(method, path, headers)


def _closing_head(head: bytes) -> bytes:
    """The head with `Connection: close`, so that the end of the answer is the end of the stream."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n"


def _reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN; only for the thread that serves the connection."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _wake(connection: socket.socket) -> None:
    """End whatever another thread waits for on this socket; closing alone would not."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
