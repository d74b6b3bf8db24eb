"""The figures of a dataset: what is counted, how tokens are estimated, and where rounding happens.

- *Words* of a text are its spaces + 1, as the original platform counts them, so an empty text has one word.
- *Tokens* are an estimate, 1.3 for a word. Words are summed as integers; the factor and the rounding are applied
  once, at the end, to the sum in question (of the file or of one conversation), halves rounded up:
  ``(13 * words + 5) // 10``.
- A *turn* is one counted message: in conversations every turn, in training pairs every `current_user_input` and
  every `target_response` that is text (a pair without an answer is one turn).
- A *training pair* is one pair row; in conversations an assistant turn with a user turn somewhere before it.
- Averages are rounded to two decimals at the end and are computed from the rounded token total.

Rows that could be read count, also when a rule objects to them; rows that are no JSON do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAX_BARS = 12


def words_in(text: str) -> int:
    """Words of one text: spaces + 1."""
    return text.count(" ") + 1


def tokens_of(words: int) -> int:
    """Estimated tokens of so many words, halves rounded up."""
    return (13 * words + 5) // 10


class Statistics:
    """Counters that grow while a file is read; `to_dict` gives the finished figures.

    Memory depends on how different the rows are, not on how many there are.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.conversations = 0
        self.turns = 0
        self.training_pairs = 0
        self.words = 0
        self.turns_per_conversation: Counter[int] = Counter()
        self.words_per_conversation: Counter[int] = Counter()
        self.words_per_text: dict[str, Counter[int]] = {
            "user": Counter(),
            "assistant": Counter(),
            "system": Counter(),
        }

    def add_texts(self, role: str, word_counts: Iterable[int]) -> None:
        """Add the word counts of texts written by `role`; other roles than the three known are left out."""
        counter = self.words_per_text.get(role)
        if counter is not None:
            counter.update(word_counts)

    def add_conversation(self, turns: int, words: int) -> None:
        """Add one finished conversation to the distributions (not to the totals)."""
        self.conversations += 1
        self.turns_per_conversation[turns] += 1
        self.words_per_conversation[words] += 1

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        tokens = tokens_of(self.words)
        tokens_per_conversation: Counter[int] = Counter()
        for words, number in self.words_per_conversation.items():
            tokens_per_conversation[tokens_of(words) if words else 0] += number
        return {
            "lines": self.lines,
            "conversations": self.conversations,
            "turns": self.turns,
            "training_pairs": self.training_pairs,
            "words": self.words,
            "tokens": tokens,
            "avg_turns_per_conversation": _average(self.turns, self.conversations),
            "avg_tokens_per_turn": _average(tokens, self.turns),
            "turns_histogram": histogram(self.turns_per_conversation),
            "tokens_histogram": histogram(tokens_per_conversation),
            "words_by_role": {
                role: {"texts": sum(counter.values()), "median_words": median(counter)}
                for role, counter in self.words_per_text.items()
                if counter
            },
        }


def _average(total: int, number: int) -> float:
    return round(total / number, 2) if number else 0.0


def median(values: Mapping[int, int]) -> float:
    """Return the median of a {value: how often} table; the mean of the two middle values if there are two."""
    total = sum(values.values())
    if total == 0:
        return 0.0
    lower_rank, upper_rank = (total - 1) // 2, total // 2
    lower: int | None = None
    seen = 0
    for value in sorted(values):
        seen += values[value]
        if lower is None and seen > lower_rank:
            lower = value
        if seen > upper_rank:
            return (value if lower is None else lower + value) / 2
    return 0.0


def histogram(values: Mapping[int, int]) -> list[dict[str, int]]:
    """Return at most 12 bars of equal width 1, 2 or 5 times a power of ten: ``{"from", "to", "count"}``.

    Both ends belong to the bar. Bars without values between the first and the last are listed too.
    """
    if not values:
        return []
    low, high = min(values), max(values)
    width = _bar_width(low, high)
    first = low // width
    counts = [0] * (high // width - first + 1)
    for value, number in values.items():
        counts[value // width - first] += number
    return [
        {"from": (first + index) * width, "to": (first + index + 1) * width - 1, "count": count}
        for index, count in enumerate(counts)
    ]


def _bar_width(low: int, high: int) -> int:
    scale = 1
    while True:
        for factor in (1, 2, 5):
            width = factor * scale
            if high // width - low // width + 1 <= MAX_BARS:
                return width
        scale *= 10
