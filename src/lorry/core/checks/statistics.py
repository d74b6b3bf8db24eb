"""The figures of a dataset: what is counted, how tokens are estimated, and where rounding happens.

- *Words* of a text are its spaces + 1, as the original platform counts them, so an empty text has one word.
- *Tokens* are an estimate, 1.3 for a word. Words are summed as integers; the factor and the rounding are applied
  once, at the end, to the sum in question (of the file or of one conversation), halves rounded up:
  ``(13 * words + 5) // 10``.
- A *turn* is one counted message: in conversations every turn, in training pairs every `current_user_input` and
  every `target_response` that is text (a pair without an answer is one turn).
- A *training pair* is one pair row; in conversations an assistant turn with a user turn somewhere before it.
- *Characters* are code points of the texts of turns; by role also those of system prompts.
- Averages are rounded to two decimals at the end, halves up, and are computed from the rounded token total.

Rows that could be read count, also when a rule objects to them; rows that are no JSON do not.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lorry.core.checks.histograms import SIZE_BINS, TURN_BINS, histogram, rounded_ratio
from lorry.core.checks.labels import Labels
from lorry.core.checks.texts import PERSONAL_KINDS

#: Trainers whose behaviour is foretold, with the code that tells (see `rulebook.py`).
TRAINERS = {"llama_factory": "T01", "trl": "T02", "axolotl": "T03", "mistral": "T04"}


def words_in(text: str) -> int:
    """Words of one text: spaces + 1."""
    return text.count(" ") + 1


def tokens_of(words: int) -> int:
    """Estimated tokens of so many words, halves rounded up; none for no text."""
    return (13 * words + 5) // 10


class Statistics:
    """Counters that grow while a file is read and can be added up; `to_dict` gives the finished figures.

    Memory depends on how different the rows are, not on how many there are.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.conversations = 0
        self.turns = 0
        self.training_pairs = 0
        self.words = 0
        self.characters = 0
        self.turns_per_conversation: Counter[int] = Counter()
        self.words_per_conversation: Counter[int] = Counter()
        self.characters_per_text: dict[str, Counter[int]] = {
            "user": Counter(),
            "assistant": Counter(),
            "system": Counter(),
        }
        self.personal_data: Counter[str] = Counter()
        self.trainers: Counter[str] = Counter()
        self.labels = Labels()

    def add_conversation(self, turns: int, words: int) -> None:
        """Add one finished conversation to the distributions (not to the totals)."""
        self.conversations += 1
        self.turns_per_conversation[turns] += 1
        self.words_per_conversation[words] += 1

    def add(self, other: Statistics) -> None:
        """Add the figures of another part of the file."""
        for name in ("lines", "conversations", "turns", "training_pairs", "words", "characters"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.turns_per_conversation.update(other.turns_per_conversation)
        self.words_per_conversation.update(other.words_per_conversation)
        for role, counter in self.characters_per_text.items():
            counter.update(other.characters_per_text[role])
        self.personal_data.update(other.personal_data)
        self.trainers.update(other.trainers)
        self.labels.add(other.labels)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        tokens = tokens_of(self.words)
        tokens_per_conversation: Counter[int] = Counter()
        for words, number in self.words_per_conversation.items():
            tokens_per_conversation[tokens_of(words)] += number
        return {
            "lines": self.lines,
            "conversations": self.conversations,
            "turns": self.turns,
            "training_pairs": self.training_pairs,
            "words": self.words,
            "tokens": tokens,
            "characters": self.characters,
            "avg_turns_per_conversation": rounded_ratio(self.turns, self.conversations),
            "avg_tokens_per_turn": rounded_ratio(tokens, self.turns),
            "turns_histogram": histogram(self.turns_per_conversation, TURN_BINS),
            "tokens_histogram": histogram(tokens_per_conversation, SIZE_BINS),
            "roles": {
                role: {
                    "texts": sum(counter.values()),
                    "characters": sum(length * number for length, number in counter.items()),
                    "histogram": histogram(counter, SIZE_BINS),
                }
                for role, counter in self.characters_per_text.items()
                if counter
            },
            **self.labels.to_dict(),
            "personal_data": {kind: self.personal_data[kind] for kind in PERSONAL_KINDS},
            "trainers": {trainer: self.trainers[trainer] for trainer in TRAINERS},
        }
