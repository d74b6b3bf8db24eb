"""What the metadata of rows says about them: persona, emotional arc, topic and quality score, counted.

A row counts once: a pair row, a conversation row, or a conversation of a v4 document, whose pairs count no labels but
their own quality scores. Names are bounded in length and number. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from lorry.core.checks.histograms import rounded_ratio

#: Of every distribution, the keys that may hold the name; the first one with a text that is not blank decides.
LABEL_KEYS: dict[str, tuple[str, ...]] = {
    "personas": ("persona_key", "persona_archetype", "client_persona", "persona_name", "persona"),
    "emotional_arcs": ("emotional_arc_key", "emotional_arc"),
    "topics": ("training_topic_key", "training_topic", "topic_key", "topic"),
}
#: Where a conversation line may keep them.
CONVERSATION_SOURCES = ("conversation_metadata", "metadata", "input_parameters")
_MAX_NAME_CHARACTERS = 100
_MAX_NAMES = 1000
_SHOWN_NAMES = 50
_MAX_SCORE = 100


class Labels:
    """Counters of names and scores. `scores` has hundredths, so that sums do not depend on their order."""

    def __init__(self) -> None:
        self.names: dict[str, Counter[str]] = {kind: Counter() for kind in LABEL_KEYS}
        self.others: Counter[str] = Counter()
        self.scores: Counter[int] = Counter()

    def take_names(self, sources: Iterable[Any]) -> None:
        """Count the names of one row, found in the first of its objects that has them."""
        objects = [source for source in sources if isinstance(source, Mapping)]
        for kind, keys in LABEL_KEYS.items():
            name = next((name for source in objects for key in keys if (name := clean_name(source.get(key)))), "")
            if name:
                self.add_names(kind, {name: 1})

    def take_score(self, source: Any) -> bool:
        """Count the `quality_score` of a metadata object; returns whether it had one."""
        score = source.get("quality_score") if isinstance(source, Mapping) else None
        if isinstance(score, bool) or not isinstance(score, int | float):
            return False
        return self.take_scores(score, 1)

    def take_scores(self, score: int | float, number: int) -> bool:
        """Count a score so many times; returns whether it lies within the bounds."""
        if not 0 <= score <= _MAX_SCORE:
            return False
        self.scores[math.floor(score * 100 + 0.5)] += number
        return True

    def add_names(self, kind: str, counts: Mapping[str, int]) -> None:
        """Count names that are clean already; what goes beyond the bound is counted without a name."""
        names = self.names[kind]
        for name, number in counts.items():
            if name in names or len(names) < _MAX_NAMES:
                names[name] += number
            else:
                self.others[kind] += number

    def add(self, other: Labels) -> None:
        """Add the counters of another part of the file."""
        for kind, names in other.names.items():
            self.add_names(kind, names)
        self.others.update(other.others)
        self.scores.update(other.scores)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"personas", "emotional_arcs", "topics", "quality"}`` as plain JSON values."""
        return {**{kind: self._distribution(kind) for kind in LABEL_KEYS}, "quality": self._quality()}

    def _distribution(self, kind: str) -> dict[str, Any]:
        ordered = sorted(self.names[kind].items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _name, count in ordered[_SHOWN_NAMES:])
        values = [{"name": name, "count": count} for name, count in ordered[:_SHOWN_NAMES]]
        return {"values": values, "other": rest + self.others[kind]}

    def _quality(self) -> dict[str, Any] | None:
        if not self.scores:
            return None
        rows = sum(self.scores.values())
        floors: Counter[int] = Counter()
        for hundredths, number in self.scores.items():
            floors[hundredths // 100] += number
        return {
            "rows": rows,
            "mean": rounded_ratio(sum(score * number for score, number in self.scores.items()), 100 * rows),
            "min": min(self.scores) / 100,
            "max": max(self.scores) / 100,
            "scores": [{"score": score, "count": floors[score]} for score in sorted(floors)],
        }


def clean_name(value: Any) -> str:
    """Cut a name to its bound; empty if it is no text or blank."""
    if not isinstance(value, str) or not value.strip():
        return ""
    # Halves of surrogate pairs would not survive the way to a file or a database.
    return value[:_MAX_NAME_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
