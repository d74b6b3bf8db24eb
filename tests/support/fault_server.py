"""A proxy in front of a real server that misbehaves on command: what no real server does when asked to.

`FaultServer` passes HTTP requests on, one connection each, and applies the first rule that matches: answer in the
server's place, cut, stall, slow down, drip, send twice, or swallow or rewrite the answer after the server has done its
work. Every request is recorded with its headers. Threads are named `fault-*`. What is right or wrong about a client is
decided in the tests.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.fault_wire import BLOCK_BYTES, Body, closing_head, parse_head, read_head, reset, wake
from tests.support.faults import (
    Answer,
    Before,
    CutAnswer,
    CutRequest,
    Drip,
    Duplicate,
    Fault,
    Freeze,
    Rewrite,
    Rule,
    Seen,
    Stall,
    Throttle,
    busy,
    portal,
    redirect,
)

#: The server and what it can be told, from one place.
__all__ = ["Answer", "Before", "CutAnswer", "CutRequest", "Drip", "FaultServer", "Stall", "Throttle"]
__all__ += ["busy", "portal", "redirect"]

#: Kernel buffers on the client's side stay small, so that a stalled reader is felt soon.
_BUFFER_BYTES = 64 * 1024
_PATIENCE_S = 60.0


class FaultServer:
    """Listens on a loopback port of its own. Use as a context manager."""

    def __init__(self, upstream_url: str = "", *, seed: int = 0) -> None:
        """Without an upstream every request that meets no rule is answered 404 in JSON."""
        parts = urlsplit(upstream_url)
        self._upstream = (parts.hostname or "", parts.port or 80) if upstream_url else None
        self._random = random.Random(seed)
        self._lock = threading.Condition()
        self._rules: list[Rule] = []
        self._weather: Callable[[Seen], Fault | None] | None = None
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

    def set_weather(self, weather: Callable[[Seen], Fault | None]) -> None:
        """Ask `weather` for the fault of each request that no rule is for; one request at a time."""
        with self._lock:
            self._weather = weather

    def clear(self) -> None:
        """Behave from now on; what is being slowed down goes on at full speed."""
        with self._lock:
            self._rules.clear()
            self._weather = None

    def refuse(self) -> None:
        """Listen no more: the next connections are refused."""
        listener, self._listener = self._listener, None
        if listener is not None:
            wake(listener)
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
            wake(connection)

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
            reset(client)
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _handle(self, client: socket.socket) -> None:
        head, rest = read_head(client)
        if not head:
            return
        seen = parse_head(head)
        with self._lock:
            fault = self._choose(seen)
            seen.fault = type(fault).__name__ if fault else ""
            self._requests.append(seen)
        if isinstance(fault, Before):
            fault.action()
        body = Body(client, rest, seen)
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
        return self._weather(seen) if self._weather is not None else None

    def _is_on(self, fault: Fault) -> bool:
        with self._lock:
            return any(rule.fault is fault for rule in self._rules)

    def _answer(self, client: socket.socket, body: Body, answer: Answer) -> None:
        headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client.sendall(f"HTTP/1.1 {answer.status} Fault\r\n{lines}\r\n".encode("latin-1") + answer.body)
        # A connection closed with unread bytes is reset, and the reset may overtake the answer.
        while body.read(BLOCK_BYTES):
            pass

    def _stall(self, client: socket.socket, body: Body, fault: Stall) -> None:
        while body.seen.body_bytes < fault.at and body.read(min(BLOCK_BYTES, fault.at - body.seen.body_bytes)):
            pass
        self._closing.wait(_PATIENCE_S)
        reset(client)

    def _pass_on(self, client: socket.socket, head: bytes, body: Body, fault: Fault | None) -> None:
        assert self._upstream is not None
        if isinstance(fault, Duplicate):
            self._pass_twice(client, head, body, fault)
            return
        with socket.create_connection(self._upstream, timeout=_PATIENCE_S) as server:
            server.sendall(closing_head(head))
            if self._pass_body_on(server, body, fault):
                self._pass_answer_on(client, server, fault)
                return
            if isinstance(fault, Freeze):
                self._closing.wait(fault.for_s)
            elif isinstance(fault, CutRequest) and fault.in_order:
                return
            reset(server)
            reset(client)

    def _pass_twice(self, client: socket.socket, head: bytes, body: Body, fault: Duplicate) -> None:
        """The same request twice, one after the other; the client gets one of the answers."""
        assert self._upstream is not None
        blocks = []
        while block := body.read(BLOCK_BYTES):
            blocks.append(block)
        for number in (1, 2):
            with socket.create_connection(self._upstream, timeout=_PATIENCE_S) as server:
                server.sendall(closing_head(head) + b"".join(blocks))
                while block := server.recv(BLOCK_BYTES):
                    if number == fault.answer:
                        client.sendall(block)

    def _pass_body_on(self, server: socket.socket, body: Body, fault: Fault | None) -> bool:
        """False when the body was cut short."""
        cut_at = -1
        if isinstance(fault, CutRequest | Freeze):
            cut_at = fault.at if fault.at is not None else self._random.randrange(max(1, body.seen.content_length))
        while True:
            wanted = BLOCK_BYTES if cut_at < 0 else min(BLOCK_BYTES, cut_at - body.seen.body_bytes)
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
        if isinstance(fault, Rewrite):
            answer_head, rest = read_head(server)
            client.sendall(fault.apply(answer_head) + b"\r\n\r\n" + rest)
        while block := server.recv(BLOCK_BYTES):
            if left >= 0:
                block = block[:left]
                left -= len(block)
            client.sendall(block)
        if left >= 0:
            reset(client)

    def _drip(self, client: socket.socket, server: socket.socket, pause_s: float) -> None:
        head, body = read_head(server)
        client.sendall(head + b"\r\n\r\n")
        while body := body or server.recv(BLOCK_BYTES):
            if self._closing.wait(pause_s):
                return
            client.sendall(body[:1])
            body = body[1:]
