"""The imitated line carries bytes unharmed and ends as its ends do; its rate is measured in `tests/bench`."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.pacing_proxy import Link, PacingProxy

ROUND_TRIP_S = 0.02


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(20)
        yield opened


@pytest.fixture
def ends(listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and the server's side of its connection, with the line between."""
    port = int(listener.getsockname()[1])
    with (
        PacingProxy(port, round_trip_s=ROUND_TRIP_S, bytes_per_s=20_000_000) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client,
    ):
        server, _address = listener.accept()
        with server:
            server.settimeout(20)
            yield client, server


def _read_all(connection: socket.socket) -> bytes:
    blocks = []
    while block := connection.recv(1024 * 1024):
        blocks.append(block)
    return b"".join(blocks)


def test_bytes_and_ends_pass_in_both_directions(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    contents = [random.Random(seed).randbytes(1_500_000) for seed in range(2)]

    def send(connection: socket.socket, content: bytes) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(ends, contents, strict=True)]
    for thread in threads:
        thread.start()
    assert _read_all(server) == contents[0]
    assert _read_all(client) == contents[1]
    for thread in threads:
        thread.join()


def test_a_reset_comes_after_the_bytes_before_it(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(b"x" * 1000)
    began = time.monotonic()
    assert server.recv(1000) == b"x" * 1000
    assert time.monotonic() - began >= ROUND_TRIP_S / 2
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with pytest.raises(ConnectionResetError):
        server.recv(1000)


def test_a_receiver_that_does_not_read_stops_the_sender(ends: tuple[socket.socket, socket.socket]) -> None:
    client, _server = ends
    client.settimeout(0.5)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 100_000_000:
            sent += client.send(bytes(65536))
    # The kernel's buffers on both sides and the window of the line, not the whole.
    assert sent < 30_000_000


def test_a_link_is_as_long_and_as_wide_as_told() -> None:
    link = Link(1_000_000, 0.04)
    assert link.room_bytes(5.0) == 10_000
    assert link.send(10_000, 5.0) == pytest.approx(5.05)
    assert link.room_bytes(5.0) == 0
    assert link.send(10_000, 5.0) == pytest.approx(5.06)
    assert link.room_at(5_000) == pytest.approx(5.015)
    assert link.room_bytes(5.015) == pytest.approx(5_000, abs=1)
    assert link.send(1_000, 9.0) == pytest.approx(9.041)
