"""Which ids a file has used, in a few bytes each: repeated ids and the conversations of scattered pairs.

Ids are kept as 64-bit hashes in flat arrays, split into buckets that are small enough to be compared one after
the other at the end; a set of the texts would need ten times as much memory. Two different ids of one file share a
hash with a chance below one in ten million for two million ids. Used by the check's one thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from struct import Struct

_BUCKETS = 64
_INT32_MAX = 2**31 - 1


class IdTable:
    """Ids seen once each, and where: `place` is any integer that grows along the file."""

    def __init__(self) -> None:
        self._hashes = [array("q") for _ in range(_BUCKETS)]
        self._places = [array("q") for _ in range(_BUCKETS)]

    def add(self, identity: str, place: int, scope: int = 0) -> None:
        """Remember an id. Ids of different scopes never equal each other."""
        self.add_hashes((hash(identity) ^ scope,), (place,))

    def add_hashes(self, hashes: Iterable[int], places: Iterable[int]) -> None:
        """Remember many ids by their hashes."""
        hash_buckets, place_buckets = self._hashes, self._places
        for hashed, place in zip(hashes, places, strict=True):
            bucket = hashed & (_BUCKETS - 1)
            hash_buckets[bucket].append(hashed)
            place_buckets[bucket].append(place)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Yield (place, first place) of every id that was used before, bucket by bucket."""
        for hashes, places in zip(self._hashes, self._places, strict=True):
            first_places: dict[int, int] = {}
            for hashed, place in zip(hashes, places, strict=True):
                first = first_places.setdefault(hashed, place)
                if first != place:
                    yield place, first


class RunTable:
    """Conversations put together from runs of neighbouring pairs with the same conversation id.

    Pairs of one conversation normally stand together and make one run; if they are scattered the runs are joined
    at the end.
    """

    _RECORD = Struct("<qqIIii")

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]

    def add(self, hashed: int, place: int, turns: int, words: int, first_turn: int, last_turn: int) -> None:
        """Remember a finished run: its size and its first and last turn number (clamped to 32 bits)."""
        self._buckets[hashed & (_BUCKETS - 1)] += self._RECORD.pack(
            hashed, place, turns, words, _clamp(first_turn), _clamp(last_turn)
        )

    def conversations(self) -> Iterator[tuple[int, int]]:
        """Yield (turns, words) of every conversation."""
        for bucket in self._buckets:
            sums: dict[int, tuple[int, int]] = {}
            for hashed, _place, turns, words, _first, _last in self._RECORD.iter_unpack(bucket):
                before_turns, before_words = sums.get(hashed, (0, 0))
                sums[hashed] = (before_turns + turns, before_words + words)
            yield from sums.values()

    def falling(self) -> Iterator[tuple[int, int, int]]:
        """Yield (place, turn number, turn number before) of runs that do not continue their conversation upwards."""
        for bucket in self._buckets:
            last_turns: dict[int, int] = {}
            for hashed, place, _turns, _words, first, last in self._RECORD.iter_unpack(bucket):
                before = last_turns.get(hashed)
                if before is not None and first <= before:
                    yield place, first, before
                last_turns[hashed] = last


def _clamp(number: int) -> int:
    return max(-_INT32_MAX, min(_INT32_MAX, number))
