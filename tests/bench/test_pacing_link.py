"""Whether the imitated line is what it says: its rate, its round trip, its start. Ratios to what was set."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.pacing_proxy import PacingProxy

ROUND_TRIP_S, BYTES_PER_S = 0.08, 50_000_000.0
SECONDS = 4
BLOCK = bytes(256 * 1024)


class _Echo:
    """Answers one byte to each `!` at the end of a block, and counts what came."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, name="echo", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), name="echo-one", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        buffer = bytearray(1024 * 1024)
        with connection:
            while count := connection.recv_into(buffer):
                self.received_bytes += count
                if buffer[count - 1 : count] == b"!":
                    connection.sendall(b"?")

    def close(self) -> None:
        self._listener.close()


@contextmanager
def line(connections: int = 1) -> Iterator[tuple[PacingProxy, list[socket.socket]]]:
    echo = _Echo()
    with PacingProxy(echo.port, round_trip_s=ROUND_TRIP_S, bytes_per_s=BYTES_PER_S) as proxy:
        opened = [socket.create_connection(("127.0.0.1", proxy.port), timeout=30) for _ in range(connections)]
        try:
            yield proxy, opened
        finally:
            for connection in opened:
                connection.close()
            echo.close()


def ask(connection: socket.socket, content: bytes = b"!") -> float:
    """Send, wait for the one byte; returns the seconds."""
    began = time.monotonic()
    connection.sendall(content)
    assert connection.recv(1) == b"?"
    return time.monotonic() - began


def test_a_question_takes_one_round_trip_and_the_first_on_a_connection_two() -> None:
    with line() as (_proxy, (connection,)):
        first_s = ask(connection)
        round_trip_s = statistics.median(ask(connection) for _ in range(20))
    print(f"\n  first {first_s * 1000:.1f} ms, then {round_trip_s * 1000:.1f} ms at {ROUND_TRIP_S * 1000:.0f} ms set")
    assert 1.0 <= round_trip_s / ROUND_TRIP_S < 1.1
    assert 2.0 <= first_s / ROUND_TRIP_S < 2.2


@pytest.mark.parametrize("connections", [1, 3])
def test_bytes_arrive_at_the_rate_that_was_set(connections: int) -> None:
    with line(connections) as (proxy, opened):
        for connection in opened:  # past the slow start of each
            ask(connection, bytes(20_000_000 // connections) + b"!")
        count = int(SECONDS * BYTES_PER_S / len(BLOCK) / connections)
        began = time.monotonic()

        def send(connection: socket.socket) -> None:
            for _ in range(count):
                connection.sendall(BLOCK)
            ask(connection)

        threads = [threading.Thread(target=send, args=(connection,)) for connection in opened]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began - ROUND_TRIP_S
        rate = count * connections * len(BLOCK) / took_s
    print(f"\n  {connections} connections: {rate / BYTES_PER_S:.3f} of the rate, proxy {proxy.figures}")
    assert 0.97 <= rate / BYTES_PER_S <= 1.03


def test_a_connection_starts_slowly_as_tcp_does() -> None:
    size = int(BYTES_PER_S * ROUND_TRIP_S)
    with line() as (_proxy, (connection,)):
        cold_s = ask(connection, bytes(size) + b"!")
        warm_s = ask(connection, bytes(size) + b"!")
    print(f"\n  {size / 1e6:.0f} MB: cold {cold_s / ROUND_TRIP_S:.1f} round trips, warm {warm_s / ROUND_TRIP_S:.1f}")
    assert 1.9 <= warm_s / ROUND_TRIP_S < 2.6
    # Ten segments doubled eight times make those bytes.
    assert 7 < cold_s / ROUND_TRIP_S < 11
