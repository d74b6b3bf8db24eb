"""The limit over all uploads, and what they learn of an origin together."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lorry.core.bandwidth import MIN_LIMIT_BPS, Bandwidth
from lorry.core.cancel import CancelToken
from lorry.core.chunks import MAX_CHUNK_BYTES, STEP_BYTES
from lorry.core.errors import Cancelled, CancelReason

MIB = 1024 * 1024


class Line:
    """A clock, and tokens whose waits pass at once on it."""

    def __init__(self) -> None:
        self.now = 50.0
        self.longest_wait_s = 0.0

    def __call__(self) -> float:
        return self.now

    def token(self) -> CancelToken:
        """A token that counts its waits on this clock."""
        line = self

        class Waiting(CancelToken):
            def wait(self, seconds: float) -> None:
                self.check()
                line.now += seconds
                line.longest_wait_s = max(line.longest_wait_s, seconds)

        return Waiting()


def blocks(count: int, size: int = MIB) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * size


def test_without_a_limit_the_blocks_pass_as_they_are() -> None:
    given = [b"abc", b"", b"d" * 3 * MIB]
    passed = list(Bandwidth().paced(given, CancelToken()))
    assert all(one is other for one, other in zip(given, passed, strict=True))


@pytest.mark.parametrize("limit_bps", [MIN_LIMIT_BPS, 300_000, 5_000_000, 80_000_000])
def test_a_limit_is_kept_and_no_byte_is_changed(limit_bps: int) -> None:
    line = Line()
    bandwidth = Bandwidth(line)
    bandwidth.limit_bps = limit_bps
    count = 2 if limit_bps < MIB else 40
    passed = b"".join(bandwidth.paced(blocks(count), line.token()))
    assert passed == b"".join(blocks(count))
    assert line.now - 50.0 == pytest.approx(count * MIB / limit_bps, rel=0.2)
    assert (line.now - 50.0) * limit_bps >= 0.9 * (count - 1) * MIB


@pytest.mark.parametrize("limit_bps", [MIN_LIMIT_BPS, 300_000, 5_000_000])
def test_the_bytes_trickle(limit_bps: int) -> None:
    line = Line()
    bandwidth = Bandwidth(line)
    bandwidth.limit_bps = limit_bps
    sizes = [len(piece) for piece in bandwidth.paced(blocks(2), line.token())]
    assert max(sizes) <= max(1024, limit_bps // 20 + 1)
    assert line.longest_wait_s < 0.2, "a server cuts a request whose body stands still"


def test_uploads_share_the_limit() -> None:
    line = Line()
    bandwidth = Bandwidth(line)
    bandwidth.limit_bps = 1_000_000
    uploads = [bandwidth.paced(blocks(2), line.token()) for _ in range(4)]
    passed = [0, 0, 0, 0]
    for _ in range(100):
        for number, upload in enumerate(uploads):
            passed[number] += len(next(upload, b""))
    assert max(passed) - min(passed) <= 50_000
    assert sum(passed) / (line.now - 50.0) == pytest.approx(1_000_000, rel=0.1)


def test_nothing_is_slower_than_what_a_request_can_bear() -> None:
    bandwidth = Bandwidth()
    for limit_bps in (-5, 0, 1, MIN_LIMIT_BPS - 1):
        bandwidth.limit_bps = limit_bps
        assert bandwidth.limit_bps == MIN_LIMIT_BPS
    bandwidth.limit_bps = None
    assert bandwidth.limit_bps is None


def test_a_new_limit_counts_from_the_next_piece() -> None:
    line = Line()
    bandwidth = Bandwidth(line)
    bandwidth.limit_bps = MIN_LIMIT_BPS
    upload = bandwidth.paced(blocks(8), line.token())
    first = sum(len(next(upload)) for _ in range(20))
    slow_s = line.now - 50.0
    assert first / slow_s == pytest.approx(MIN_LIMIT_BPS, rel=0.2)
    bandwidth.limit_bps = 100 * MIN_LIMIT_BPS
    began = line.now
    rest = sum(len(next(upload)) for _ in range(20))
    assert rest / (line.now - began) == pytest.approx(100 * MIN_LIMIT_BPS, rel=0.2)
    bandwidth.limit_bps = None
    began = line.now
    assert first + rest + sum(map(len, upload)) == 8 * MIB
    assert line.now == began, "the limit was lifted, also for the block that was on its way"


def test_a_wait_ends_when_the_upload_is_stopped() -> None:
    bandwidth, token = Bandwidth(lambda: 0.0), CancelToken()
    bandwidth.limit_bps = MIN_LIMIT_BPS
    upload = bandwidth.paced(blocks(1), token)
    stopped = threading.Event()

    def send() -> None:
        try:
            list(upload)
        except Cancelled:
            stopped.set()

    thread = threading.Thread(target=send)
    thread.start()
    token.cancel(CancelReason.PAUSE)
    assert stopped.wait(5)
    thread.join(5)


def test_what_one_upload_learns_the_next_one_uses() -> None:
    bandwidth, size = Bandwidth(), 1000 * MIB
    assert bandwidth.next_bytes(0, size) == STEP_BYTES
    for _ in range(6):
        bandwidth.succeeded(bandwidth.next_bytes(0, size), 1.0)
    assert bandwidth.next_bytes(0, size) == MAX_CHUNK_BYTES
    bandwidth.failed()
    assert bandwidth.next_bytes(0, size) == STEP_BYTES


def test_a_proxy_that_refused_a_size_is_not_asked_for_it_again() -> None:
    bandwidth, size = Bandwidth(), 1000 * MIB
    for _ in range(3):
        bandwidth.succeeded(bandwidth.next_bytes(0, size), 1.0)
    refused = bandwidth.next_bytes(0, size)
    assert refused == 8 * STEP_BYTES
    bandwidth.refused(refused)
    asked = []
    for _ in range(10):
        asked.append(bandwidth.next_bytes(0, size))
        bandwidth.succeeded(asked[-1], 1.0)
    assert (asked[0], max(asked)) == (STEP_BYTES, 4 * STEP_BYTES)
    bandwidth.failed()
    for _ in range(10):
        bandwidth.succeeded(bandwidth.next_bytes(0, size), 1.0)
    assert bandwidth.next_bytes(0, size) == 4 * STEP_BYTES


@pytest.mark.parametrize("limit_bps", [MIN_LIMIT_BPS, 50_000, 200_000])
def test_under_a_limit_a_request_ends_within_its_time(limit_bps: int) -> None:
    bandwidth, size = Bandwidth(), 1000 * MIB
    for _ in range(6):
        bandwidth.succeeded(bandwidth.next_bytes(0, size), 1.0)
    bandwidth.limit_bps = limit_bps
    assert 0 < bandwidth.next_bytes(0, size) / limit_bps < 240
