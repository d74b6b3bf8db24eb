"""An imitated long line: a TCP proxy that delays and paces bytes in both directions, in a process of its own.

Each direction is one link shared by all connections: a short queue, a rate, a delay. A connection may have as much
under way as a TCP sender would (ten segments at first, more with each acknowledgement), and nothing is read from a
sender before the line can take it, so back-pressure is felt as on a real line. A new connection costs one round trip
before its first byte. No loss, no jitter. `PacingProxy` is the handle tests use; the process is this module itself:

    python -m tests.support.pacing_proxy UPSTREAM_PORT ROUND_TRIP_S BYTES_PER_S
"""

from __future__ import annotations

import json
import math
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from types import TracebackType
from typing import IO, Any, Self

#: What a router holds back before its senders feel it (s). A sender is never read further ahead than this.
_QUEUE_S = 0.010
#: Reads wait until the link has room for this much, so that the proxy wakes hundreds of times a second, not thousands.
_QUANTUM_BYTES = 128 * 1024
_READ_BYTES = 256 * 1024
#: The first window of a TCP connection: ten segments (RFC 6928).
_FIRST_WINDOW_BYTES = 10 * 1460
_BUFFER_BYTES = 512 * 1024
_NEVER = math.inf
_RESET = struct.pack("ii", 1, 0)


class Link:
    """One direction of the line. Pure: times come from the caller, in seconds of a monotonic clock."""

    def __init__(self, bytes_per_s: float, delay_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.delay_s = delay_s
        #: Two round trips' worth may be under way: the line is full, and its queue too.
        self.window_bytes = int(bytes_per_s * 4 * delay_s) + _BUFFER_BYTES
        self._free_at = 0.0

    def room_bytes(self, now: float) -> int:
        """How much the queue takes now."""
        waiting_s = max(0.0, self._free_at - now)
        return max(0, int((_QUEUE_S - waiting_s) * self.bytes_per_s))

    def room_at(self, count_bytes: int) -> float:
        """When the queue takes `count_bytes`."""
        return self._free_at - _QUEUE_S + count_bytes / self.bytes_per_s

    def send(self, count_bytes: int, now: float) -> float:
        """Put bytes on the line; returns when the last of them arrives."""
        self._free_at = max(now, self._free_at) + count_bytes / self.bytes_per_s
        return self._free_at + self.delay_s


class _Flow:
    """One direction of one connection: from `source`, over the link, to `sink`."""

    def __init__(self, source: socket.socket, sink: socket.socket, link: Link, opens_at: float) -> None:
        self.source, self.sink = source, sink
        self.wants_write = self.is_closed = False
        self._link = link
        self._opens_at = opens_at
        self._window = _FIRST_WINDOW_BYTES
        self._under_way = 0
        #: (arrival, bytes); empty bytes are the sender's end, None is its reset.
        self._line: deque[tuple[float, memoryview | None]] = deque()
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._has_ended = False

    def room_bytes(self, now: float) -> int:
        """How much may be read from the source now; 0 unless reading is worth while."""
        if self._has_ended or now < self._opens_at:
            return 0
        wanted = min(self._window - self._under_way, _READ_BYTES)
        room = min(wanted, self._link.room_bytes(now))
        return room if room >= min(wanted, _QUANTUM_BYTES) else 0

    def read(self, now: float) -> None:
        """Take what the source has, as far as there is room."""
        room = self.room_bytes(now)
        if room <= 0:
            return
        try:
            block = self.source.recv(room)
        except BlockingIOError:
            return
        except OSError:
            self._has_ended = True
            self._line.append((self._link.send(0, now), None))
            return
        self._has_ended = not block
        self._under_way += len(block)
        self._line.append((self._link.send(len(block), now), memoryview(block)))

    def deliver(self, now: float) -> None:
        """Hand over what has arrived, count what was acknowledged. Raises OSError when the sink is gone."""
        while self._acknowledged and self._acknowledged[0][0] <= now:
            count = self._acknowledged.popleft()[1]
            self._under_way -= count
            self._window = min(self._window + count, self._link.window_bytes)
        self.wants_write = False
        while self._line and self._line[0][0] <= now:
            arrival, block = self._line[0]
            if block is None:
                raise ConnectionResetError
            if not block:
                self._line.popleft()
                self.sink.shutdown(socket.SHUT_WR)
                self.is_closed = True
                continue
            try:
                count = self.sink.send(block)
            except BlockingIOError:
                count = 0
            if count:
                self._acknowledged.append((now + self._link.delay_s, count))
            if count < len(block):
                self._line[0] = (arrival, block[count:])
                self.wants_write = True
                return
            self._line.popleft()

    def next_at(self, now: float) -> float:
        """When there is something to do that no socket will tell."""
        at = _NEVER
        if self._line and not self.wants_write:
            at = self._line[0][0]
        if self._acknowledged:
            at = min(at, self._acknowledged[0][0])
        if not self._has_ended and (free := self._window - self._under_way) > 0 and not self.room_bytes(now):
            at = min(at, max(self._opens_at, self._link.room_at(min(free, _QUANTUM_BYTES))))
        return at


class _Proxy:
    """The loop of the process."""

    def __init__(self, upstream_port: int, round_trip_s: float, bytes_per_s: float) -> None:
        self._upstream = ("127.0.0.1", upstream_port)
        self._round_trip_s = round_trip_s
        self._up, self._down = (Link(bytes_per_s, round_trip_s / 2) for _ in range(2))
        self._pairs: list[tuple[_Flow, _Flow]] = []
        self._selector = selectors.DefaultSelector()
        self._masks: dict[socket.socket, int] = {}
        self._listener = socket.socket()
        # Before it listens, else accepted connections have the system's.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Serve until stdin ends."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            wake_at = _NEVER
            for pair in tuple(self._pairs):
                wake_at = min(wake_at, self._step(pair, now))
            timeout = None if wake_at == _NEVER else max(0.0, wake_at - time.monotonic())
            for key, _mask in self._selector.select(timeout):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is sys.stdin:
                    return

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
            server = socket.create_connection(self._upstream)
        except OSError:
            return
        self.connections += 1
        for connection in (client, server):
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._masks[connection] = 0
        opens_at = time.monotonic() + self._round_trip_s
        self._pairs.append((_Flow(client, server, self._up, opens_at), _Flow(server, client, self._down, 0.0)))

    def _step(self, pair: tuple[_Flow, _Flow], now: float) -> float:
        """Move what can be moved and say when to come again."""
        try:
            for flow in pair:
                flow.deliver(now)
                flow.read(now)
        except OSError:
            self._drop(pair)
            return _NEVER
        up, down = pair
        if up.is_closed and down.is_closed:
            self._drop(pair)
            return _NEVER
        for reader, writer in ((up, down), (down, up)):
            mask = selectors.EVENT_READ if reader.room_bytes(now) else 0
            mask |= selectors.EVENT_WRITE if writer.wants_write else 0
            self._watch(reader.source, mask)
        return min(up.next_at(now), down.next_at(now))

    def _watch(self, connection: socket.socket, mask: int) -> None:
        before = self._masks[connection]
        if mask == before:
            return
        self._masks[connection] = mask
        if not before:
            self._selector.register(connection, mask)
        elif not mask:
            self._selector.unregister(connection)
        else:
            self._selector.modify(connection, mask)

    def _drop(self, pair: tuple[_Flow, _Flow]) -> None:
        """End both connections; one that did not end in order is reset."""
        self._pairs.remove(pair)
        is_in_order = all(flow.is_closed for flow in pair)
        for flow in pair:
            self._watch(flow.source, 0)
            del self._masks[flow.source]
            if not is_in_order:
                flow.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            flow.source.close()


class PacingProxy:
    """A line of `round_trip_s` and `bytes_per_s` in front of a local port. Use as a context manager."""

    def __init__(self, upstream_port: int, *, round_trip_s: float, bytes_per_s: float) -> None:
        words = [str(upstream_port), str(round_trip_s), str(bytes_per_s)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.pacing_proxy", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._pipe(self._process.stdout).readline()
        if not line:
            with self._process:
                raise AssertionError("the pacing proxy did not start")
        self.port = int(json.loads(line)["port"])
        #: After the end: `cpu_s` of the process and `connections` it served.
        self.figures: dict[str, Any] = {}

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End the process and every connection through it."""
        output, _ = self._process.communicate("", timeout=10)
        self.figures = json.loads(output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


def main() -> None:
    upstream_port, round_trip_s, bytes_per_s = sys.argv[1:]
    proxy = _Proxy(int(upstream_port), float(round_trip_s), float(bytes_per_s))
    print(json.dumps({"port": proxy.port}), flush=True)
    proxy.run()
    print(json.dumps({"cpu_s": time.process_time(), "connections": proxy.connections}))


if __name__ == "__main__":
    main()
