"""Training pairs of the usual shape, alone or grouped, judged and counted many at a time (see `batch.py`).

One thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from operator import add
from typing import Any

from lorry.core.checks import texts
from lorry.core.checks.intake import Intake, Run
from lorry.core.checks.quick_conversations import blank_texts, words_over
from lorry.core.checks.quick_labels import Getter, QuickLabels, getter, is_plain, name_getters, score_getters
from lorry.core.checks.rulebook import MAX_TOKENS
from lorry.core.checks.shapes import Shape
from lorry.core.checks.statistics import words_in

_LAST_PART = 4095


class PairColumns:
    """Judges and counts pairs wherever they stand; what belongs to lines or to groups is left to others."""

    def __init__(
        self, intake: Intake, getters: dict[str, Getter], prompt: Getter | None, history: _History | None
    ) -> None:
        self._intake = intake
        self.identity, self.conversation_id = getters["id"], getters["conversation_id"]
        self.turn_number = getters["turn_number"]
        self._question, self._answer = getters["current_user_input"], getters["target_response"]
        self._prompt = prompt
        self._history = history

    @classmethod
    def of(cls, intake: Intake, shape: Shape) -> PairColumns | None:
        """Make it for pairs of this shape, or None if they leave room for what only the slow way can judge."""
        members = shape.members or {}
        getters: dict[str, Getter] = {}
        for key in ("id", "conversation_id", "turn_number", "current_user_input", "target_response"):
            found = getter(shape, key)
            kinds = (int,) if key == "turn_number" else (str, type(None)) if key == "target_response" else (str,)
            if found is None or not members[key].has_only(*kinds) or not shape.is_required(key):
                return None
            getters[key] = found
        prompt = getter(shape, "system_prompt")
        if "system_prompt" in members and not members["system_prompt"].has_only(str, type(None)):
            return None
        history = None
        if "conversation_history" in members:
            history = _History.of(shape, members["conversation_history"])
            if history is None:
                return None
        return cls(intake, getters, prompt, history)

    def suspects(self, rows: Sequence[Any], *, may_hold_controls: bool, longest_bytes: int) -> set[int]:
        """Return the indices of pairs that a rule may find something in."""
        questions, answers = list(map(self._question, rows)), list(map(self._answer, rows))
        odd = {index for index, answer in enumerate(answers) if answer is None} if None in answers else set()
        spoken = [answer or "" for answer in answers] if odd else answers
        odd.update(blank_texts(list(map(self.conversation_id, rows))))
        for column in (questions, spoken):
            odd.update(blank_texts(column))
            odd.update(texts.suspects(column, may_hold_controls=may_hold_controls))
        if self._prompt is not None:
            prompts = list(map(self._prompt, rows))
            # A file has few different system prompts.
            different = {prompt for prompt in prompts if type(prompt) is str}
            bad = {prompt for prompt in different if texts.suspects([prompt], may_hold_controls=may_hold_controls)}
            if bad:
                odd.update(index for index, prompt in enumerate(prompts) if prompt in bad)
        if self._history is not None:
            odd.update(self._history.suspects(rows, questions))
        if longest_bytes > words_over(MAX_TOKENS):
            odd.update(index for index, row in enumerate(rows) if index not in odd and self._is_long(row))
        return odd

    def _is_long(self, row: Any) -> bool:
        words = words_in(self._question(row)) + words_in(self._answer(row))
        prompt = self._prompt(row) if self._prompt is not None else None
        if isinstance(prompt, str):
            words += words_in(prompt)
        if self._history is not None:
            words += sum(map(words_in, self._history.contents(row)))
        return words > words_over(MAX_TOKENS)

    def count(self, rows: Sequence[Any], places: Sequence[int]) -> list[int]:
        """Count the texts of pairs; returns the words of each pair."""
        questions, answers = list(map(self._question, rows)), list(map(self._answer, rows))
        words = [
            question.count(" ") + answer.count(" ") + 2 for question, answer in zip(questions, answers, strict=True)
        ]
        statistics = self._intake.statistics
        asked, answered = list(map(len, questions)), list(map(len, answers))
        statistics.training_pairs += len(rows)
        statistics.turns += 2 * len(rows)
        statistics.words += sum(words)
        statistics.characters += sum(asked) + sum(answered)
        statistics.characters_per_text["user"].update(asked)
        statistics.characters_per_text["assistant"].update(answered)
        if self._prompt is not None:
            prompts = map(self._prompt, rows)
            statistics.characters_per_text["system"].update(len(prompt) for prompt in prompts if type(prompt) is str)
        if self._history is None:
            histories = [hash(((), (question,))) for question in questions]
        else:
            histories = self._history.hashes(rows, questions)
        self._intake.pair_answers.add_all(histories, places, map(hash, answers))
        return words


class _History:
    """The entries of `conversation_history`: all objects with role and content as text."""

    def __init__(self, entries: Getter, role: Getter, content: Getter, *, is_always_there: bool) -> None:
        self._entries = entries
        self._role = role
        self._content = content
        self._is_always_there = is_always_there

    @classmethod
    def of(cls, pair: Shape, shape: Shape) -> _History | None:
        """Make it for a history of this shape, or None if entries may be something else."""
        entries = getter(pair, "conversation_history")
        element = shape.element or Shape()
        members = element.members or {}
        is_sound = shape.members is None and shape.scalars <= {type(None)} and not shape.is_loose
        if shape.element is not None:
            is_sound = (
                is_sound
                and element.is_object
                and all(
                    key in members and members[key].has_only(str) and element.is_required(key)
                    for key in ("role", "content")
                )
            )
        role, content = getter(element, "role"), getter(element, "content")
        if entries is None or not is_sound:
            return None
        is_always_there = pair.is_required("conversation_history") and not shape.scalars
        return cls(entries, role or _nothing, content or _nothing, is_always_there=is_always_there)

    def _lists(self, rows: Sequence[Any]) -> list[list[Any]]:
        found = list(map(self._entries, rows))
        return found if self._is_always_there else [entries if type(entries) is list else [] for entries in found]

    def contents(self, row: Any) -> list[str]:
        """Return the texts of the entries of one pair."""
        return list(map(self._content, self._lists([row])[0]))

    def suspects(self, rows: Sequence[Any], questions: Sequence[str]) -> set[int]:
        """Return the indices of pairs whose history ends with another question."""
        return {
            index
            for index, (entries, question) in enumerate(zip(self._lists(rows), questions, strict=True))
            if entries and self._role(entries[-1]) == "user" and self._content(entries[-1]) != question
        }

    def hashes(self, rows: Sequence[Any], questions: Sequence[str]) -> list[int]:
        """Hash the history of every pair, like `turn_rules.answered`."""
        lists = self._lists(rows)
        flat = list(chain.from_iterable(lists))
        roles, contents = tuple(map(self._role, flat)), tuple(map(self._content, flat))
        ends = accumulate(map(len, lists), initial=0)
        return [
            hash((roles[start:end], (*contents[start:end], question)))
            for (start, end), question in zip(pairwise(ends), questions, strict=True)
        ]


def _nothing(_entry: Any) -> str:
    return ""


class QuickPairs:
    """Pairs as rows of their own."""

    def __init__(self, intake: Intake, columns: PairColumns, labels: QuickLabels) -> None:
        self._intake = intake
        self._columns = columns
        self._labels = labels

    @classmethod
    def of(cls, intake: Intake, shape: Shape) -> QuickPairs | None:
        """Make it for rows of this shape, or None."""
        columns = PairColumns.of(intake, shape)
        sources = (("conversation_metadata",), ("training_metadata",))
        if columns is None or not all(is_plain(shape, source) for source in sources):
            return None
        labels = QuickLabels(name_getters(shape, sources[0]), score_getters(shape, sources[1]))
        return cls(intake, columns, labels)

    def suspects(self, rows: Sequence[Any], raw_rows: Sequence[bytes], *, may_hold_controls: bool) -> set[int]:
        """Return the indices of rows that a rule may find something in."""
        longest = max(map(len, raw_rows))
        odd = self._columns.suspects(rows, may_hold_controls=may_hold_controls, longest_bytes=longest)
        run = self._intake.run
        last_hash, last_number = (run.hashed, run.last_turn) if run is not None else (None, 0)
        hashes = map(hash, map(self._columns.conversation_id, rows))
        for index, (hashed, number) in enumerate(zip(hashes, map(self._columns.turn_number, rows), strict=True)):
            if hashed == last_hash and number <= last_number:
                odd.add(index)
            last_hash, last_number = hashed, number
        return odd

    def count(self, rows: Sequence[Any], places: Sequence[int]) -> None:
        """Count pairs that nothing is wrong with."""
        intake, columns = self._intake, self._columns
        words = columns.count(rows, places)
        intake.pair_ids.add_all(map(hash, map(columns.identity, rows)), places)
        self._labels.count(rows, intake.statistics.labels)
        run = intake.run
        hashes = map(hash, map(columns.conversation_id, rows))
        numbers = map(columns.turn_number, rows)
        for hashed, number, place, count in zip(hashes, numbers, places, words, strict=True):
            if run is None or run.hashed != hashed:
                intake.close_run()
                run = intake.run = Run(hashed, place, number)
            run.last_turn = number
            run.turns += 2
            run.words += count


class QuickGroups:
    """Conversations of a v4 document, each with its pairs."""

    def __init__(
        self, intake: Intake, identity: Getter, pairs: Getter, columns: PairColumns, labels: QuickLabels
    ) -> None:
        self._intake = intake
        self._identity = identity
        self._pairs = pairs
        self._columns = columns
        self._labels = labels

    @classmethod
    def of(cls, intake: Intake, shape: Shape) -> QuickGroups | None:
        """Make it for groups of this shape, or None."""
        members = shape.members or {}
        if not {"conversation_metadata", "training_pairs"} <= set(members) or "turns" in members:
            return None
        metadata, element = members["conversation_metadata"], members["training_pairs"].element
        identity, pairs = getter(shape, "conversation_metadata", "conversation_id"), getter(shape, "training_pairs")
        if identity is None or pairs is None or element is None or not element.is_object:
            return None
        if not metadata.is_object or not (metadata.members or {})["conversation_id"].has_only(str):
            return None
        columns = PairColumns.of(intake, element)
        sources = (("conversation_metadata", "scaffolding"), ("conversation_metadata",))
        plain = [is_plain(shape, sources[0]), is_plain(element, sources[1]), is_plain(element, ("training_metadata",))]
        if columns is None or not all(plain):
            return None
        names = name_getters(shape, *sources)
        first_names = name_getters(element, sources[1])
        for kind, getters in first_names.items():
            names[kind] += [_of_first(pairs, get) for get in getters]
        return cls(intake, identity, pairs, columns, QuickLabels(names, score_getters(element, ("training_metadata",))))

    def suspects(self, rows: Sequence[Any], raw_rows: Sequence[bytes], *, may_hold_controls: bool) -> set[int]:
        """Return the indices of groups that a rule may find something in; some index if only the pairs tell."""
        lists = list(map(self._pairs, rows))
        odd = set(blank_texts(list(map(self._identity, rows))))
        columns = self._columns
        for index, pairs in enumerate(lists):
            numbers = list(map(columns.turn_number, pairs))
            if (
                not pairs
                or any(later <= earlier for earlier, later in pairwise(numbers))
                or len(set(map(columns.identity, pairs))) != len(pairs)
            ):
                odd.add(index)
        flat = list(chain.from_iterable(lists))
        longest = max(map(len, raw_rows))
        odd_pairs = (
            columns.suspects(flat, may_hold_controls=may_hold_controls, longest_bytes=longest) if flat else set()
        )
        if odd_pairs:
            group_of_pair = list(chain.from_iterable([index] * len(pairs) for index, pairs in enumerate(lists)))
            odd.update(group_of_pair[pair] for pair in odd_pairs)
        return odd

    def count(self, rows: Sequence[Any], places: Sequence[int]) -> None:
        """Count groups that nothing is wrong with."""
        lists = list(map(self._pairs, rows))
        flat = list(chain.from_iterable(lists))
        pair_places = [
            place + min(part, _LAST_PART)
            for place, pairs in zip(places, lists, strict=True)
            for part in range(len(pairs))
        ]
        sums = list(accumulate(self._columns.count(flat, pair_places), add, initial=0))
        statistics = self._intake.statistics
        ends = accumulate(map(len, lists), initial=0)
        for start, end in pairwise(ends):
            statistics.add_conversation(2 * (end - start), sums[end] - sums[start])
        self._labels.count_names(rows, statistics.labels)
        self._labels.count_scores(flat, statistics.labels)
        self._intake.conversation_ids.add_all(map(hash, map(self._identity, rows)), places)


def _of_first(pairs: Getter, get: Getter) -> Getter:
    return lambda row: get(pairs(row)[0])
