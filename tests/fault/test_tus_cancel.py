"""Cancelling a resumable upload: at once in a stalled send or wait, but never between the last byte and its answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.fault_server import Answer, Before, FaultServer, Stall
from tests.support.tus_server import config, new_ticket, pieces

from lorry.core.cancel import CancelToken
from lorry.core.errors import Cancelled, CancelReason
from lorry.core.remote.tus import TusApi, TusProgress

MIB = 1024 * 1024
#: What a pause may take (s).
AT_ONCE_S = 0.3
PATCH = "/upload/resumable/sign/"
STORED = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def proxy() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Running:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.result: object = None
        self.ended_at = 0.0
        self._call = call
        self._thread = threading.Thread(target=self._run, name="test-transfer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:
            self.result = error
        self.ended_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


def wait_for(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    pause, deadline = threading.Event(), time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(0.005)


class Sending:
    """One PATCH of `size` bytes, counted."""

    def __init__(self, tus: TusApi, size: int, *, is_last: bool) -> None:
        self.token, self.sent_bytes = CancelToken(), 0
        data = bytes(size)
        self.running = Running(
            lambda: tus.append(new_ticket(), "abc", 0, pieces(data), size, self.token, self._count, is_last=is_last)
        )

    def _count(self, count: int) -> None:
        self.sent_bytes += count

    def wait_until_stalled(self) -> None:
        """The counter has stood still for a while: the socket takes no more."""
        last = (-1, 0.0)

        def is_still() -> bool:
            nonlocal last
            if self.sent_bytes != last[0]:
                last = (self.sent_bytes, time.monotonic())
            return self.sent_bytes > 0 and time.monotonic() - last[1] > 0.2

        wait_for(is_still)

    def cancel(self) -> float:
        """Pause and return the seconds until the call has ended."""
        began = time.monotonic()
        self.token.cancel(CancelReason.PAUSE)
        self.running.join()
        return self.running.ended_at - began


@pytest.mark.parametrize("is_last", [False, True], ids=["middle", "last"])
def test_a_stalled_send_ends_at_once(proxy: FaultServer, is_last: bool) -> None:
    proxy.on(PATCH, Stall(at=65_536))
    with TusApi(config(proxy.url)) as tus:
        sending = Sending(tus, 32 * MIB, is_last=is_last)
        sending.wait_until_stalled()
        assert sending.sent_bytes < 32 * MIB
        assert sending.cancel() < AT_ONCE_S
    assert isinstance(sending.running.result, Cancelled)


def test_waiting_for_the_answer_of_a_middle_piece_ends_at_once(proxy: FaultServer) -> None:
    proxy.on(PATCH, Stall(at=100_000))
    with TusApi(config(proxy.url)) as tus:
        sending = Sending(tus, 100_000, is_last=False)
        wait_for(lambda: sending.sent_bytes == 100_000)
        assert sending.cancel() < AT_ONCE_S
    assert isinstance(sending.running.result, Cancelled)


@pytest.mark.parametrize("ask", ["HEAD", "POST"])
def test_asking_ends_at_once(proxy: FaultServer, ask: str) -> None:
    proxy.on("/upload/resumable", Stall())
    token, ticket = CancelToken(), new_ticket()
    with TusApi(config(proxy.url)) as tus:
        calls = {"HEAD": lambda: tus.offset(ticket, "abc", token), "POST": lambda: tus.create(ticket, 9, "x/y", token)}
        running = Running(calls[ask])
        wait_for(lambda: bool(proxy.requests))
        began = time.monotonic()
        token.cancel(CancelReason.PAUSE)
        running.join()
    assert running.ended_at - began < AT_ONCE_S
    assert isinstance(running.result, Cancelled)


def test_the_answer_to_the_last_byte_is_waited_for(proxy: FaultServer) -> None:
    """A server may delete everything if the connection breaks here, so a cancel has to come too late."""
    arrived, release = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        release.wait(20)

    size = 100_000
    proxy.on(PATCH, Answer(204, b"", STORED | {"Upload-Offset": str(size), "Tus-Complete": "1"}))
    with FaultServer(proxy.url) as slow, TusApi(config(slow.url)) as tus:
        slow.on(PATCH, Before(hold))
        sending = Sending(tus, size, is_last=True)
        assert arrived.wait(10)
        wait_for(lambda: sending.sent_bytes == size)
        sending.token.cancel(CancelReason.PAUSE)
        release.wait(2 * AT_ONCE_S)
        assert sending.running.is_alive
        release.set()
        sending.running.join()
    assert sending.running.result == TusProgress(size, is_complete=True)


def test_after_a_pause_the_same_client_can_still_terminate(proxy: FaultServer) -> None:
    proxy.on(PATCH, Stall(at=65_536), method="PATCH")
    proxy.on(PATCH, Answer(204, b"", STORED), method="DELETE")
    with TusApi(config(proxy.url)) as tus:
        sending = Sending(tus, 32 * MIB, is_last=False)
        sending.wait_until_stalled()
        sending.cancel()
        tus.terminate(new_ticket(), "abc")
    assert [seen.method for seen in proxy.requests] == ["PATCH", "DELETE"]


def test_a_pause_stops_the_bytes_that_the_kernel_still_holds() -> None:
    """On a slow link megabytes wait in the kernel; a pause that lets them flow on is none."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with TusApi(config(f"http://127.0.0.1:{listener.getsockname()[1]}")) as tus:
            sending = Sending(tus, 64 * MIB, is_last=False)
            reader, _address = listener.accept()
            with reader:
                reader.recv(1000)
                sending.wait_until_stalled()
                queued = sending.sent_bytes
                sending.cancel()
                after = drain(reader)
    assert queued > MIB
    assert after < queued / 4


def drain(reader: socket.socket) -> int:
    """What still arrives until the connection has ended."""
    reader.settimeout(10)
    total = 0
    try:
        while block := reader.recv(65_536):
            total += len(block)
    except ConnectionResetError:
        pass
    return total
