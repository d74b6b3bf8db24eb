"""Counting bytes against an injected clock, and telling work to stop from another thread."""

from __future__ import annotations

import random
import threading

import pytest

from lorry.core.cancel import CancelToken
from lorry.core.errors import Cancelled, CancelReason
from lorry.core.progress import SETTLE_S, STALL_S, Meter
from lorry.core.transfers import HISTORY_S, Progress

MB = 1_000_000


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def steady(meter: Meter, clock: Clock, seconds: int, rate_bps: int) -> None:
    for _ in range(seconds * 10):
        clock.now += 0.1
        meter.add_sent(rate_bps // 10)


def test_a_new_meter_knows_nothing_yet() -> None:
    progress = Meter(10 * MB, Clock()).snapshot()
    assert progress == Progress(10 * MB)
    assert (progress.percent, progress.remaining_s) == (0, None)


def test_every_byte_is_counted_once() -> None:
    clock, chooser = Clock(), random.Random(7)
    meter = Meter(1000 * MB, clock)
    total = 0
    for _ in range(500):
        count = chooser.randrange(1, MB)
        clock.now += chooser.random() / 4
        meter.add_sent(count)
        total += count
        assert meter.snapshot().sent_bytes == total


def test_a_steady_line_gives_its_rate_and_the_time_that_is_left() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock)
    steady(meter, clock, 20, 2 * MB)
    progress = meter.snapshot()
    assert progress.sent_bytes == 40 * MB
    assert progress.rate_bps == pytest.approx(2 * MB, rel=0.06)
    assert progress.remaining_s == pytest.approx(30, rel=0.06)
    assert progress.history_bps == pytest.approx([2 * MB] * len(progress.history_bps), rel=0.11)
    assert 17 <= len(progress.history_bps) <= 20


def test_no_remaining_time_is_promised_before_the_rate_has_settled() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock)
    steady(meter, clock, int(SETTLE_S) - 1, MB)
    assert meter.snapshot().remaining_s is None
    steady(meter, clock, 2, MB)
    assert meter.snapshot().remaining_s is not None


def test_one_slow_second_does_not_shake_the_estimate() -> None:
    clock = Clock()
    meter = Meter(1000 * MB, clock)
    steady(meter, clock, 30, 5 * MB)
    before = meter.snapshot().rate_bps
    steady(meter, clock, 1, MB)
    assert meter.snapshot().rate_bps > before * 0.9


def test_a_line_that_stands_still_has_no_rate_and_no_remaining_time() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock)
    steady(meter, clock, 10, 5 * MB)
    clock.now += STALL_S + 0.1
    progress = meter.snapshot()
    assert (progress.rate_bps, progress.remaining_s) == (0.0, None)
    assert progress.sent_bytes == 50 * MB
    steady(meter, clock, 5, 5 * MB)
    assert meter.snapshot().rate_bps > 0


def test_the_history_is_bounded_even_after_a_night() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock)
    steady(meter, clock, 5, MB)
    clock.now += 8 * 3600
    meter.add_sent(1)
    assert len(meter.snapshot().history_bps) == HISTORY_S


def test_a_new_attempt_starts_from_what_the_server_has_and_keeps_its_speed() -> None:
    clock = Clock()
    meter = Meter(10 * MB, clock)
    steady(meter, clock, 4, MB)
    meter.start(MB)
    progress = meter.snapshot()
    assert (progress.sent_bytes, progress.stored_bytes) == (MB, MB)
    assert progress.rate_bps == pytest.approx(MB, rel=0.06)
    assert len(progress.history_bps) >= 3


def test_after_a_long_stop_the_speed_is_measured_anew() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock)
    steady(meter, clock, 10, MB)
    clock.now += STALL_S + 1
    meter.start(10 * MB)
    assert meter.snapshot().rate_bps == 0.0
    steady(meter, clock, 10, 4 * MB)
    assert meter.snapshot().rate_bps == pytest.approx(4 * MB, rel=0.06)


def test_what_is_sent_again_counts_for_the_speed_but_not_twice_for_the_file() -> None:
    clock = Clock()
    meter = Meter(100 * MB, clock, is_resumable=True)
    for _ in range(5):
        meter.start(0)
        steady(meter, clock, 2, 5 * MB)
    progress = meter.snapshot()
    assert (progress.sent_bytes, progress.stored_bytes, progress.percent) == (10 * MB, 0, 0)
    assert progress.rate_bps == pytest.approx(5 * MB, rel=0.06)


def test_the_percent_of_a_resumable_upload_is_what_the_server_has() -> None:
    meter = Meter(100, Clock(), is_resumable=True)
    meter.add_sent(80)
    assert meter.snapshot().percent == 0
    meter.set_stored(60)
    assert (meter.snapshot().percent, meter.snapshot().sent_bytes, meter.stored_bytes) == (60, 80, 60)
    meter.set_stored(100)
    assert (meter.snapshot().percent, meter.is_all_sent) == (99, True)
    # What the server holds can become less.
    meter.set_stored(40)
    assert meter.snapshot().percent == 40


def test_what_the_server_has_was_sent() -> None:
    meter = Meter(10 * MB, Clock())
    meter.set_stored(4 * MB)
    assert (meter.snapshot().sent_bytes, meter.snapshot().stored_bytes) == (4 * MB, 4 * MB)
    meter.add_sent(MB)
    meter.set_stored(4 * MB)
    assert meter.snapshot().sent_bytes == 5 * MB


def test_more_than_the_file_is_never_shown() -> None:
    meter = Meter(100, Clock())
    meter.add_sent(150)
    meter.set_stored(150)
    progress = meter.snapshot()
    assert (progress.sent_bytes, progress.stored_bytes, progress.percent) == (100, 100, 99)
    assert meter.is_all_sent


@pytest.mark.parametrize(
    ("sent", "size", "percent"), [(0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 99), (995, 1000, 99), (0, 0, 0)]
)
def test_percent_is_rounded_down_and_never_complete(sent: int, size: int, percent: int) -> None:
    assert Progress(size, sent_bytes=sent).percent == percent


def test_a_token_keeps_its_first_reason() -> None:
    token = CancelToken()
    token.check()
    token.cancel(CancelReason.PAUSE)
    token.cancel(CancelReason.CANCEL)
    assert token.reason is CancelReason.PAUSE
    with pytest.raises(Cancelled) as caught:
        token.check()
    assert caught.value.reason is CancelReason.PAUSE


def test_a_wait_ends_when_the_token_is_set() -> None:
    token, outcome = CancelToken(), []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        try:
            token.wait(60)
        except Cancelled as cancelled:
            outcome.append(cancelled.reason)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait(5)
    token.cancel(CancelReason.SHUTDOWN)
    thread.join(5)
    assert outcome == [CancelReason.SHUTDOWN]
    with pytest.raises(Cancelled):
        token.wait(60)


def test_a_wait_that_nobody_ends_just_passes() -> None:
    CancelToken().wait(0.001)


def test_callbacks_run_once_inside_their_block_only() -> None:
    token, calls = CancelToken(), []
    with token.on_cancel(lambda: calls.append("left")):
        pass
    with token.on_cancel(lambda: calls.append("inside")):
        token.cancel(CancelReason.CANCEL)
        token.cancel(CancelReason.CANCEL)
        assert calls == ["inside"]
    with token.on_cancel(lambda: calls.append("late")):
        assert calls == ["inside", "late"]


@pytest.mark.parametrize("seed", range(20))
def test_a_callback_is_never_lost_between_threads(seed: int) -> None:
    token, ran = CancelToken(), threading.Event()
    start = threading.Barrier(2)

    def cancel() -> None:
        start.wait(5)
        token.cancel(CancelReason.CANCEL)

    thread = threading.Thread(target=cancel)
    thread.start()
    start.wait(5)
    with token.on_cancel(ran.set):
        assert ran.wait(5)
    thread.join(5)
