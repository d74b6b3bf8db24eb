"""What a file has had before, in a few bytes each: repeated ids, repeated answers, conversations of scattered pairs.

Texts are kept as 64-bit hashes in flat arrays; a set of the texts would need ten times as much memory. At the end rows
with equal hashes are found bucket by bucket, so that two parts of a file can be compared without holding both. Two
different texts of one file share a hash with a chance below one in ten million for two million texts. Hashes are
Python's own: parts are comparable if their processes were started with the same PYTHONHASHSEED. One thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple

#: Into so many buckets the rows of a table fall.
BUCKETS = 64
_INT32_MAX = 2**31 - 1


class Bucket(NamedTuple):
    """Rows whose hashes belong together, in the order of the file. `details` is empty if the table has none."""

    hashes: array[int]
    details: array[int]
    places: array[int]

    def and_later(self, later: Bucket, shift: int) -> Bucket:
        """Return this bucket with that of a later part of the file behind it, whose places begin at `shift`."""
        places = later.places if shift == 0 else array(later.places.typecode, (place + shift for place in later.places))
        return Bucket(self.hashes + later.hashes, self.details + later.details, self.places + places)


class Repeated(NamedTuple):
    """A row that repeats an earlier one; `is_other` if only the hash is the same, the detail was not seen with it."""

    place: int
    first_place: int
    is_other: bool


class SeenTable:
    """Hashes in the order of the file, and where they stood.

    `place` is any integer of up to 64 bits that grows along the file. With details every row has 32 more bits: of the
    answer, where the hash is of the history.
    """

    def __init__(self, *, has_details: bool = False) -> None:
        self._hashes = array("q")
        self._details = array("i")
        self._places = array("Q")
        self._has_details = has_details

    def add(self, hashed: int, place: int, detail: int = 0) -> None:
        """Remember one row; `detail` is any integer, of which 32 bits count."""
        self._hashes.append(hashed)
        self._places.append(place)
        if self._has_details:
            self._details.append(_low_bits(detail))

    def add_all(self, hashes: Iterable[int], places: Iterable[int], details: Iterable[int] = ()) -> None:
        """Remember many rows."""
        self._hashes.extend(hashes)
        self._places.extend(places)
        if self._has_details:
            self._details.extend(map(_low_bits, details))

    def buckets(self) -> Iterator[Bucket]:
        """Yield all rows, those with equal hashes in the same bucket; always the same number of buckets."""
        rows = [array("I") for _ in range(BUCKETS)]
        appends = [bucket.append for bucket in rows]
        for row, hashed in enumerate(self._hashes):
            appends[hashed & (BUCKETS - 1)](row)
        for index, bucket in enumerate(rows):
            yield Bucket(
                array("q", map(self._hashes.__getitem__, bucket)),
                array("i", map(self._details.__getitem__, bucket) if self._has_details else ()),
                array(self._places.typecode, map(self._places.__getitem__, bucket)),
            )
            rows[index] = array("I")


def repeated(buckets: Iterable[Bucket]) -> Iterator[Repeated]:
    """Yield every row that had been seen before, bucket by bucket.

    With details a row counts as seen if hash and detail are; else, if only the hash is, as another one.
    """
    for hashes, details, places in buckets:
        if len(set(hashes)) == len(hashes):
            continue
        first_places: dict[int, int] = {}
        for hashed, place in zip(hashes, places, strict=True):
            first_places.setdefault(hashed, place)
        if not details:
            for hashed, place in zip(hashes, places, strict=True):
                if first_places[hashed] != place:
                    yield Repeated(place, first_places[hashed], False)
            continue
        first_of_both: dict[tuple[int, int], int] = {}
        for hashed, detail, place in zip(hashes, details, places, strict=True):
            same_place = first_of_both.setdefault((hashed, detail), place)
            if same_place != place:
                yield Repeated(place, same_place, False)
            elif first_places[hashed] != place:
                yield Repeated(place, first_places[hashed], True)


class RunTable:
    """Conversations put together from runs of neighbouring pairs with the same conversation id.

    Pairs of one conversation normally stand together and make one run; if they are scattered the runs are joined
    at the end.
    """

    _RECORD = Struct("<qqIIii")

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(BUCKETS)]

    def add(self, hashed: int, place: int, turns: int, words: int, first_turn: int, last_turn: int) -> None:
        """Remember a finished run: its size and its first and last turn number (clamped to 32 bits)."""
        self._buckets[hashed & (BUCKETS - 1)] += self._RECORD.pack(
            hashed, place, turns, words, _clamp(first_turn), _clamp(last_turn)
        )

    def add_from(self, later: RunTable, shift: int) -> None:
        """Add the runs of a later part of the file, whose places begin at `shift`."""
        for bucket, more in zip(self._buckets, later._buckets, strict=True):
            for hashed, place, turns, words, first, last in self._RECORD.iter_unpack(more):
                bucket += self._RECORD.pack(hashed, place + shift, turns, words, first, last)

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


class Smallest(NamedTuple):
    """The first rows by their place, and how many there are in all."""

    rows: list[Repeated]
    total: int


def smallest(rows: Iterable[Repeated], number: int) -> Smallest:
    """Count rows and keep the `number` of them that come first in the file."""
    kept: list[Repeated] = []
    total = 0
    for row in rows:
        total += 1
        if number:
            kept.append(row)
        if len(kept) > 2 * number + 1000:
            kept = sorted(kept)[:number]
    return Smallest(sorted(kept)[:number], total)


def joined(earlier: Iterable[Bucket], later: Sequence[Iterable[Bucket]], shifts: Sequence[int]) -> Iterator[Bucket]:
    """Yield the buckets of a whole file from those of its parts, one bucket in memory at a time."""
    for first, *others in zip(earlier, *later, strict=True):
        bucket = first
        for other, shift in zip(others, shifts, strict=True):
            bucket = bucket.and_later(other, shift)
        yield bucket


def _low_bits(number: int) -> int:
    return (number & 0xFFFFFFFF) - 0x80000000


def _clamp(number: int) -> int:
    return max(-_INT32_MAX, min(_INT32_MAX, number))
