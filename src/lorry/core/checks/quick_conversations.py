"""Conversations of the usual shape, judged and counted many at a time (see `batch.py`). One thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from lorry.core.checks import texts
from lorry.core.checks.formats import ROLES
from lorry.core.checks.intake import Intake
from lorry.core.checks.labels import CONVERSATION_SOURCES
from lorry.core.checks.quick_labels import Getter, QuickLabels, getter, is_plain, name_getters, score_getters
from lorry.core.checks.rulebook import AXOLOTL_TOKENS, MAX_TOKENS, TRL_TOKENS
from lorry.core.checks.shapes import Shape
from lorry.core.checks.statistics import tokens_of
from lorry.core.checks.turn_rules import alternates

_SOURCES = [(name,) for name in CONVERSATION_SOURCES]


@lru_cache(maxsize=4096)
def _pairs_in(roles: tuple[str, ...]) -> int:
    """Training pairs of a conversation with these roles; -1 if a rule objects to their order."""
    if not alternates(list(roles)):
        return -1
    return roles.count("assistant")


@lru_cache(maxsize=4096)
def _alternating(size: int) -> tuple[str, ...]:
    return ("user", "assistant") * (size // 2)


def blank_texts(values: list[str]) -> list[int]:
    """Return the indices of texts that are blank."""
    if "" not in values and not any(map(str.isspace, values)):
        return []
    return [index for index, text in enumerate(values) if not text or text.isspace()]


def words_over(tokens: int) -> int:
    """Return the largest number of words that makes no more than so many tokens."""
    return (10 * tokens + 4) // 13


class _Columns(NamedTuple):
    """Rows, the roles and contents of all their turns, and of each row its turns and where they end."""

    rows: Sequence[Any]
    roles: list[str]
    contents: list[str]
    sizes: list[int]
    ends: list[int]


class QuickConversations:
    """Judges and counts conversations. The columns of what was judged last are kept: mostly it is counted next."""

    def __init__(self, intake: Intake, identity: Getter, turns: Getter, turn_shape: Shape, labels: QuickLabels) -> None:
        self._intake = intake
        self._identity = identity
        self._turns = turns
        self._labels = labels
        role, content = getter(turn_shape, "role"), getter(turn_shape, "content")
        self._role: Any = role or attrgetter("role")
        self._content: Any = content or attrgetter("content")
        self._max_words = words_over(MAX_TOKENS)
        self._columns = _Columns([], [], [], [], [])

    @classmethod
    def of(cls, intake: Intake, shape: Shape) -> QuickConversations | None:
        """Make it for rows of this shape, or None if they leave room for what only the slow way can judge."""
        identity, turns = getter(shape, "conversation_id"), getter(shape, "turns")
        members = shape.members or {}
        turn_shape = members["turns"].element if "turns" in members else None
        if identity is None or turns is None or turn_shape is None or not turn_shape.is_object:
            return None
        turn_members = turn_shape.members or {}
        if not all(key in turn_members and turn_members[key].has_only(str) for key in ("role", "content")):
            return None
        if not members["conversation_id"].has_only(str) or not all(is_plain(shape, source) for source in _SOURCES):
            return None
        labels = QuickLabels(name_getters(shape, *_SOURCES), score_getters(shape, *_SOURCES[:2]))
        return cls(intake, identity, turns, turn_shape, labels)

    def _columns_of(self, rows: Sequence[Any]) -> _Columns:
        turn_lists = list(map(self._turns, rows))
        turns = list(chain.from_iterable(turn_lists))
        sizes = list(map(len, turn_lists))
        ends = list(accumulate(sizes, initial=0))
        return _Columns(rows, list(map(self._role, turns)), list(map(self._content, turns)), sizes, ends)

    def suspects(self, rows: Sequence[Any], raw_rows: Sequence[bytes], *, may_hold_controls: bool) -> set[int]:
        """Return the indices of rows that a rule may find something in."""
        _rows, roles, contents, sizes, ends = self._columns = self._columns_of(rows)
        odd = set(blank_texts(list(map(self._identity, rows))))
        odd_turns = blank_texts(contents)
        odd_turns += texts.suspects(contents, may_hold_controls=may_hold_controls)
        if odd_turns:
            row_of_turn = list(chain.from_iterable([index] * size for index, size in enumerate(sizes)))
            odd.update(row_of_turn[turn] for turn in odd_turns)
        # Nearly all conversations of most files alternate without a system turn.
        if min(sizes) == 0 or any(size & 1 for size in sizes) or roles != _ALTERNATING[: len(roles)]:
            if len(roles) > len(_ALTERNATING) or not set(roles) <= _KNOWN_ROLES:
                odd.update(
                    index
                    for index, (start, end) in enumerate(pairwise(ends))
                    if not set(roles[start:end]) <= _KNOWN_ROLES
                )
            odd.update(
                index for index, (start, end) in enumerate(pairwise(ends)) if _pairs_in(tuple(roles[start:end])) < 0
            )
        if max(map(len, raw_rows)) > self._max_words:
            counts = [content.count(" ") + 1 for content in contents]
            odd.update(
                index for index, (start, end) in enumerate(pairwise(ends)) if sum(counts[start:end]) > self._max_words
            )
        return odd

    def count(self, rows: Sequence[Any], places: Sequence[int]) -> None:
        """Count conversations that nothing is wrong with."""
        columns = self._columns if self._columns.rows is rows else self._columns_of(rows)
        self._columns = _Columns([], [], [], [], [])
        _rows, roles, contents, sizes, ends = columns
        statistics = self._intake.statistics
        alternate = len(roles) <= len(_ALTERNATING) and roles == _ALTERNATING[: len(roles)]
        if alternate and not any(size & 1 for size in sizes):
            speakers = list(map(_alternating, sizes))
            pairs = len(roles) // 2
        else:
            speakers = [tuple(roles[start:end]) for start, end in pairwise(ends)]
            pairs = sum(map(_pairs_in, speakers))
        histories = [
            hash((by, tuple(contents[start : end - 1])))
            for by, (start, end) in zip(speakers, pairwise(ends), strict=True)
        ]
        # Words are spaces + 1 of each text, and the texts are joined without a space.
        words = ["".join(contents[start:end]).count(" ") + end - start for start, end in pairwise(ends)]
        answers = [hash(contents[end - 1]) for end in ends[1:]]
        lengths = list(map(len, contents))
        statistics.conversations += len(rows)
        statistics.turns += len(contents)
        statistics.words += sum(words)
        statistics.characters += sum(lengths)
        statistics.training_pairs += pairs
        statistics.turns_per_conversation.update(sizes)
        statistics.words_per_conversation.update(words)
        if alternate:
            statistics.characters_per_text["user"].update(lengths[::2])
            statistics.characters_per_text["assistant"].update(lengths[1::2])
        else:
            for (role, length), number in Counter(zip(roles, lengths, strict=True)).items():
                statistics.characters_per_text[role][length] += number
        if max(words) > words_over(TRL_TOKENS):
            tokens = list(map(tokens_of, words))
            statistics.trainers["trl"] += sum(number > TRL_TOKENS for number in tokens)
            statistics.trainers["axolotl"] += sum(number > AXOLOTL_TOKENS for number in tokens)
        self._labels.count(rows, statistics.labels)
        self._intake.conversation_ids.add_all(map(hash, map(self._identity, rows)), places)
        self._intake.turn_answers.add_all(histories, places, answers)


_KNOWN_ROLES = frozenset(ROLES)
#: As many roles as a block can have turns in it.
_ALTERNATING = ["user", "assistant"] * 32_768
