"""Distributions in fixed bins, so that the parts of a file can be counted apart and added up. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import chain
from typing import Any

#: Where the bins of turns begin; the last one is open.
TURN_BINS = (*range(22), 31, 51, 101, 201, 501, 1001)
#: Where the bins of tokens and characters begin: seven in every power of ten.
SIZE_BINS = (0, 1, *(step * 10**power for power in range(7) for step in (10, 15, 20, 30, 40, 50, 70)))


def histogram(values: Mapping[int, int], starts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Count a {value: how often} table into bins: ``[{"from", "to", "count"}]``.

    Both ends belong to a bin; `to` of the last bin there is is None. Bins without values between the first and the last
    one that have some are listed too.
    """
    counts = [0] * len(starts)
    for value, number in values.items():
        counts[bisect_right(starts, value) - 1] += number
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return []
    ends = chain((start - 1 for start in starts[1:]), (None,))
    bins = [{"from": start, "to": end, "count": count} for start, end, count in zip(starts, ends, counts, strict=True)]
    return bins[filled[0] : filled[-1] + 1]


def rounded_ratio(numerator: int, denominator: int) -> float:
    """Divide and round to two decimals, halves up, in whole numbers; 0 if there is nothing to divide by."""
    return (200 * numerator + denominator) // (2 * denominator) / 100 if denominator else 0.0
