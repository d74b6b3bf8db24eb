"""Checksums made on the way: equal to hashing the file at once, however its bytes come and come again."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from functools import lru_cache

import pytest

from lorry.core.cancel import CancelToken
from lorry.core.checksum import SLICE_BYTES, FileHasher
from lorry.core.errors import Cancelled, CancelReason, ErrorCode, SourceError

MIB = 1024 * 1024
SIZES = [1, 100, MIB, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 2 * SLICE_BYTES, 2 * SLICE_BYTES + 77]


@lru_cache(maxsize=2)
def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def expected(data: bytes) -> dict[str, object]:
    slices = [data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES)]
    return {
        "algorithm": "sha256",
        "whole": hashlib.sha256(data).hexdigest(),
        "slice_size": 33554432,
        "slices": [hashlib.sha256(each).hexdigest() for each in slices],
    }


def blocks(data: bytes, block_bytes: int = MIB) -> Iterator[bytes]:
    for at in range(0, len(data), block_bytes):
        yield data[at : at + block_bytes]


@pytest.mark.parametrize("size", SIZES)
def test_whole_and_slices(size: int) -> None:
    data, hasher = content(size), FileHasher(size)
    assert b"".join(hasher.passing(blocks(data), 0)) == data
    assert hasher.checksums() == expected(data)


@pytest.mark.parametrize("seed", range(10))
def test_pieces_that_are_sent_again_change_nothing(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.choice(SIZES)
    data, hasher, at = content(size), FileHasher(size), 0
    while at < size:
        count = min(size - at, dice.randrange(1, 20 * MIB))
        list(hasher.passing(blocks(data[at : at + count], dice.choice([1000 * 37, MIB])), at))
        # The server kept only a part of it, perhaps none.
        at += count if dice.random() < 0.6 else dice.randrange(count + 1)
    assert hasher.checksums() == expected(data)


@pytest.mark.parametrize("stop", [0, 5, SLICE_BYTES, SLICE_BYTES + 5])
def test_primed_from_what_the_server_has(stop: int) -> None:
    data = content(2 * SLICE_BYTES + 77)
    before = FileHasher(len(data))
    list(before.passing(blocks(data[:stop]), 0))
    hasher = FileHasher(len(data))
    hasher.prime(blocks(data[:stop], 777_777), CancelToken(), before.slices, before.prefix_sha256)
    assert hasher.position_bytes == stop
    list(hasher.passing(blocks(data[stop:]), stop))
    assert hasher.checksums() == expected(data)


@pytest.mark.parametrize("changed_at", [0, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 4])
def test_a_changed_prefix_is_found(changed_at: int) -> None:
    data, stop = content(2 * SLICE_BYTES), SLICE_BYTES + 5
    before = FileHasher(len(data))
    list(before.passing(blocks(data[:stop]), 0))
    edited = bytearray(data[:stop])
    edited[changed_at] ^= 1
    with pytest.raises(SourceError) as changed:
        FileHasher(len(data)).prime(blocks(bytes(edited)), CancelToken(), before.slices, before.prefix_sha256)
    assert changed.value.code is ErrorCode.FILE_CHANGED


@pytest.mark.parametrize("stop", [5, SLICE_BYTES + 5])
def test_a_prefix_noted_before_the_checksums_were_known_is_the_same_file(stop: int) -> None:
    data = content(2 * SLICE_BYTES)
    before = FileHasher(len(data))
    list(before.passing(blocks(data[:stop]), 0))
    noted = (before.slices, before.prefix_sha256)
    list(before.passing(blocks(data[stop:]), stop))
    hasher = FileHasher(len(data), before.checksums())
    hasher.prime(blocks(data[:stop]), CancelToken(), *noted)
    list(hasher.passing(blocks(data[stop:]), stop))
    assert hasher.checksums() == expected(data)


def test_reading_again_can_be_cancelled() -> None:
    token, hasher = CancelToken(), FileHasher(10 * MIB)

    def cancelled_on_the_way() -> Iterator[bytes]:
        yield bytes(MIB)
        token.cancel(CancelReason.PAUSE)
        yield bytes(MIB)

    with pytest.raises(Cancelled):
        hasher.prime(cancelled_on_the_way(), token)
    assert hasher.position_bytes == MIB


def test_gaps_and_unfinished_files_give_no_checksums() -> None:
    hasher = FileHasher(100)
    hasher.add(bytes(50), 0)
    with pytest.raises(ValueError, match="50"):
        hasher.add(bytes(10), 51)
    with pytest.raises(ValueError, match="100"):
        hasher.add(bytes(51), 50)
    with pytest.raises(ValueError, match="only 50"):
        hasher.checksums()
