"""Names and quality scores of many decoded rows at once, for the quick way (see `labels.py` for what counts).

Values are fetched by functions made for the shape of the rows. One thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from lorry.core.checks.labels import LABEL_KEYS, Labels, clean_name
from lorry.core.checks.shapes import Shape, attribute

Getter = Callable[[Any], Any]


def getter(shape: Shape, *path: str) -> Getter | None:
    """Make the function that fetches the value at a path of object members, or None if nothing was seen there.

    The value is UNSET or None where a row has none; always there are the values of paths that every row had.
    """
    names: list[str] = []
    is_always_there = is_required = True
    for key in path:
        if shape.members is None or key not in shape.members:
            return None
        names.append(attribute(list(shape.members).index(key)))
        is_always_there = is_always_there and (len(names) == 1 or (is_required and shape.is_object))
        is_required = shape.is_required(key)
        shape = shape.members[key]
        if shape.is_loose:
            return None
    if is_always_there:
        return attrgetter(".".join(names))

    def fetch(row: Any) -> Any:
        for name in names:
            row = getattr(row, name, None)
        return row

    return fetch


def is_plain(shape: Shape, path: Sequence[str]) -> bool:
    """Whether all that was seen on a path are objects that no kind of list or looseness hides."""
    for key in path:
        if shape.is_loose:
            return False
        if shape.members is None or key not in shape.members:
            return True
        shape = shape.members[key]
    return not shape.is_loose


class QuickLabels:
    """Counts labels. `names` has the getters of each kind in their order, `scores` those of quality scores."""

    def __init__(self, names: dict[str, list[Getter]], scores: list[Getter]) -> None:
        self._names = names
        self._scores = scores

    def count(self, rows: Sequence[Any], labels: Labels) -> None:
        """Count the names and scores of rows."""
        self.count_names(rows, labels)
        self.count_scores(rows, labels)

    def count_names(self, rows: Sequence[Any], labels: Labels) -> None:
        """Count the first name of every row, of each kind."""
        for kind, getters in self._names.items():
            left = rows
            for get in getters:
                values = list(map(get, left))
                names: dict[str, str] = {}
                counts: Counter[str] = Counter()
                for value, number in Counter(value for value in values if type(value) is str).items():
                    names[value] = clean_name(value)
                    if names[value]:
                        counts[names[value]] += number
                labels.add_names(kind, counts)
                if sum(counts.values()) == len(values):
                    break
                left = [
                    row for row, value in zip(left, values, strict=True) if type(value) is not str or not names[value]
                ]

    def count_scores(self, rows: Sequence[Any], labels: Labels) -> None:
        """Count the first quality score of every row."""
        left = rows
        for get in self._scores:
            values = list(map(get, left))
            numbers = Counter(value for value in values if type(value) in (int, float))
            taken = {value for value, number in numbers.items() if labels.take_scores(value, number)}
            if sum(numbers[value] for value in taken) == len(values):
                break
            left = [
                row
                for row, value in zip(left, values, strict=True)
                if type(value) not in (int, float) or value not in taken
            ]


def name_getters(shape: Shape, *sources: Sequence[str]) -> dict[str, list[Getter]]:
    """Make the getters of names in the metadata objects at these paths."""
    return {
        kind: [get for source in sources for key in keys if (get := getter(shape, *source, key)) is not None]
        for kind, keys in LABEL_KEYS.items()
    }


def score_getters(shape: Shape, *sources: Sequence[str]) -> list[Getter]:
    """Make the getters of quality scores in the metadata objects at these paths."""
    return [get for source in sources if (get := getter(shape, *source, "quality_score")) is not None]
