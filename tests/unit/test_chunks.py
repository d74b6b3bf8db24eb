"""How much one request carries: growth, falls, the small last piece, and slow links."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.chunks import MAX_CHUNK_BYTES, PATCH_LIMIT_S, STEP_BYTES, ChunkPolicy

MIB = 1024 * 1024
GIB = 1024 * MIB
FAST = 0.1
#: Any rate a link can have, in bytes a second: a modem to 10 Gbit/s.
RATES = st.floats(min_value=1e3, max_value=1.25e9)


def test_pieces_double_while_they_are_fast_up_to_96_mib() -> None:
    policy, offset, seen = ChunkPolicy(), 0, []
    for _ in range(7):
        count = policy.next_bytes(offset, GIB)
        policy, offset = policy.after_success(count, FAST), offset + count
        seen.append(count // MIB)
    assert seen == [6, 12, 24, 48, 96, 96, 96]


def test_ten_seconds_are_not_fast() -> None:
    assert ChunkPolicy().after_success(STEP_BYTES, 9.99).chunk_bytes == 2 * STEP_BYTES
    assert ChunkPolicy().after_success(STEP_BYTES, 10.0).chunk_bytes == STEP_BYTES


def test_a_small_piece_proves_nothing_for_larger_ones() -> None:
    policy = ChunkPolicy(chunk_bytes=4 * STEP_BYTES).after_success(STEP_BYTES, FAST)
    assert policy.chunk_bytes == 4 * STEP_BYTES


def test_a_fault_leads_back_to_six_mib() -> None:
    assert ChunkPolicy(chunk_bytes=MAX_CHUNK_BYTES).after_fault().next_bytes(0, GIB) == STEP_BYTES


def test_a_slow_request_that_broke_tells_the_new_rate() -> None:
    policy = ChunkPolicy(MAX_CHUNK_BYTES, rate_bps=1e7)
    assert policy.after_fault(stored_bytes=240_000, took_s=240.0).rate_bps == 1000.0
    assert policy.after_fault(stored_bytes=240_000, took_s=0.2).rate_bps == 1e7
    assert policy.after_fault(stored_bytes=0, took_s=240.0).rate_bps == 1e7


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (1, [1]),
        (STEP_BYTES, [STEP_BYTES]),
        (STEP_BYTES + 1, [STEP_BYTES, 1]),
        (2 * STEP_BYTES, [STEP_BYTES, STEP_BYTES]),
        (40 * MIB, [6 * MIB, 12 * MIB, 18 * MIB, 4 * MIB]),
    ],
)
def test_how_files_are_cut(size: int, pieces: list[int]) -> None:
    policy, offset, seen = ChunkPolicy(), 0, []
    while count := policy.next_bytes(offset, size):
        seen.append(count)
        policy, offset = policy.after_success(count, FAST), offset + count
    assert seen == pieces


@pytest.mark.parametrize("steps", [2, 3, 16])
def test_the_last_piece_is_small_even_where_a_large_one_would_fit_exactly(steps: int) -> None:
    size = steps * STEP_BYTES
    assert ChunkPolicy(MAX_CHUNK_BYTES).next_bytes(0, size) == size - STEP_BYTES
    assert ChunkPolicy(MAX_CHUNK_BYTES).next_bytes(size - STEP_BYTES, size) == STEP_BYTES


@given(
    size=st.integers(min_value=1, max_value=600 * MIB),
    start=st.floats(min_value=0, max_value=1),
    rate=RATES,
    seed=st.integers(min_value=0),
)
def test_any_transfer_ends_and_keeps_the_rules(size: int, start: float, rate: float, seed: int) -> None:
    """Whatever the rate does and wherever faults fall, from any offset a HEAD may have told."""
    dice = random.Random(seed)
    policy, offset = ChunkPolicy(), min(size - 1, int(size * start))
    for _ in range(20_000):
        count = policy.next_bytes(offset, size)
        is_last = offset + count == size
        assert 0 < count <= min(MAX_CHUNK_BYTES, size - offset)
        if is_last:
            assert count <= STEP_BYTES
        if policy.rate_bps == 0 or policy.rate_bps * PATCH_LIMIT_S >= 2 * STEP_BYTES:
            assert is_last or count % STEP_BYTES == 0
        if policy.rate_bps >= 2000:
            assert count / policy.rate_bps < PATCH_LIMIT_S
        if is_last:
            return
        rate_now = rate * dice.uniform(0.5, 1.5)
        took_s = count / rate_now
        if dice.random() < 0.2 or took_s > PATCH_LIMIT_S:
            stored = int(count * dice.uniform(0.01, 0.9))
            policy = policy.after_fault(stored, stored / rate_now)
            assert policy.chunk_bytes == STEP_BYTES
            offset += stored
        else:
            policy, offset = policy.after_success(count, took_s), offset + count
    pytest.fail("the transfer does not end")
