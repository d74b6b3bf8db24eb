"""When an upload is tried again and when it stops: the errors, the waits, the patience, the restarts."""

from __future__ import annotations

import random

import pytest

from lorry.core.errors import (
    AuthError,
    ConfigError,
    ConflictError,
    ErrorCode,
    LorryError,
    NetworkError,
    OffsetConflictError,
    ProtocolError,
    RejectedError,
    ServerError,
    SourceError,
    StoreError,
)
from lorry.core.retry import MAX_RESTARTS, PATIENCE_S, delay_before_retry, recent_restarts

HOUR_S, DAY_S = 3600.0, 24 * 3600.0


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


@pytest.mark.parametrize(
    "error",
    [
        AuthError(ErrorCode.SESSION_ENDED),
        RejectedError(ErrorCode.FORBIDDEN),
        RejectedError(ErrorCode.UPLOAD_GONE),
        ConflictError(ErrorCode.ALREADY_EXISTS),
        SourceError(ErrorCode.FILE_CHANGED),
        SourceError(ErrorCode.FILE_MISSING),
        StoreError(ErrorCode.STORE_DAMAGED),
        StoreError(ErrorCode.STORE_TOO_NEW),
        ProtocolError(ErrorCode.UNEXPECTED_ANSWER),
        ConfigError(ErrorCode.BAD_SETTING),
        LorryError(ErrorCode.INTERNAL),
        NetworkError(ErrorCode.TLS),
    ],
)
def test_what_stays_wrong_is_not_tried_again(error: LorryError) -> None:
    assert delay_before_retry(error, 1, 0.0, highest) is None


@pytest.mark.parametrize("code", [ErrorCode.DISK_FULL, ErrorCode.STORE_LOCKED])
def test_trouble_on_this_computer_is_looked_at_again_and_again(code: ErrorCode) -> None:
    waits = {delay_before_retry(StoreError(code), attempt, attempt * 10.0, highest) for attempt in range(1, 200)}
    assert waits == {10.0}


RETRYABLE = [
    NetworkError(ErrorCode.OFFLINE),
    NetworkError(ErrorCode.NOT_THE_SERVER),
    ServerError(ErrorCode.SERVER_BUSY),
    OffsetConflictError(ErrorCode.OFFSET_CONFLICT),
]


@pytest.mark.parametrize("error", RETRYABLE, ids=lambda error: error.code.value)
def test_waits_grow_to_a_minute_and_never_end_while_there_is_patience(error: LorryError) -> None:
    longest = [delay_before_retry(error, attempt, 0.0, highest) for attempt in range(1, 10)]
    shortest = [delay_before_retry(error, attempt, 0.0, lowest) for attempt in range(1, 10)]
    assert longest == [0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert shortest == [0.25, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert delay_before_retry(error, 100_000, PATIENCE_S - 1, highest) == 60.0


@pytest.mark.parametrize("error", [*RETRYABLE, StoreError(ErrorCode.DISK_FULL)], ids=lambda error: error.code.value)
def test_patience_ends(error: LorryError) -> None:
    assert delay_before_retry(error, 2, PATIENCE_S, highest) is None
    assert delay_before_retry(error, 2, 5.0, highest, patience_s=5.0) is None
    assert delay_before_retry(error, 2, 4.9, highest, patience_s=5.0) is not None


def test_many_clients_do_not_come_back_at_once() -> None:
    error, dice = ServerError(ErrorCode.SERVER_BUSY), random.Random(3).uniform
    waits = [delay_before_retry(error, 7, 0.0, dice) for _ in range(1000)]
    assert all(wait is not None and 30.0 <= wait <= 60.0 for wait in waits)
    assert len(set(waits)) > 990


@pytest.mark.parametrize(
    ("asked", "wait"), [(77.0, 77.0), (0.0, 1.0), (-5.0, 1.0), (0.5, 1.0), (900.0, 900.0), (1e9, 900.0)]
)
def test_the_servers_own_advice_counts_within_bounds(asked: float, wait: float) -> None:
    error = ServerError(ErrorCode.SERVER_BUSY, retry_after_s=asked)
    assert delay_before_retry(error, 1, 0.0, lowest) == wait
    assert delay_before_retry(error, 50, 0.0, highest) == wait
    assert delay_before_retry(error, 1, PATIENCE_S, lowest) is None


def test_restarts_of_the_last_day_count() -> None:
    now = 1_800_000_000.0
    times = (now - 2 * DAY_S, now - DAY_S, now - DAY_S + 1, now - HOUR_S, now)
    assert recent_restarts(times, now) == (now - DAY_S + 1, now - HOUR_S, now)
    assert recent_restarts((), now) == ()


def test_a_clock_that_was_put_back_does_not_lock_an_upload_out() -> None:
    now = 1_800_000_000.0
    ahead = tuple(now + hours * HOUR_S for hours in range(1, MAX_RESTARTS + 5))
    assert recent_restarts(ahead, now) == ()
