"""Takes the rows of a file one after the other, whatever layout they have, and keeps what spans rows.

Owns the layout found so far, the tables of ids, the open run of pairs and the declared totals. The readers hand it
values with their place; the quick way (`batch.py`) adds whole blocks through the same fields. One thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from lorry.core.checks import formats, rules
from lorry.core.checks.formats import FOREIGN_NAMES, RowKind, row_kind
from lorry.core.checks.identities import IdTable, RunTable
from lorry.core.checks.report import FindingLog, Place
from lorry.core.checks.sample import Sample
from lorry.core.checks.statistics import Statistics

#: Finds a row again by the integer it was remembered with.
Resolve = Callable[[int], Place]

_KIND_WORDS = {"conversation": "conversations", "pair": "training pairs", "pair_group": "grouped training pairs"}
_MIN_CONVERSATIONS = 10
#: Declared totals: key, what it is called, and the counted figures it may equal. In a document an entry is called
#: a turn by some writers and a message by others, so both counts agree with `total_turns`.
_DECLARED = (
    ("total_conversations", "conversations", ("conversations",)),
    ("total_training_pairs", "training pairs", ("training_pairs",)),
    ("total_pairs", "pairs", ("training_pairs",)),
    ("total_turns", "turns", ("turns", "training_pairs")),
)


class Run:
    """The pairs of one conversation that stand together."""

    __slots__ = ("first_turn", "hashed", "last_turn", "place", "turns", "words")

    def __init__(self, hashed: int, place: int, first_turn: int) -> None:
        self.hashed = hashed
        self.place = place
        self.first_turn = first_turn
        self.last_turn = first_turn
        self.turns = 0
        self.words = 0


class Intake:
    """Applies the rules to rows and counts them; `finish` adds what only the whole file shows."""

    def __init__(self, log: FindingLog, *, declared_format: str | None, in_document: bool = False) -> None:
        self.log = log
        self.statistics = Statistics()
        self.sample = Sample()
        self.kind: RowKind | None = None
        self.format: str | None = None
        self.conversation_ids = IdTable()
        self.pair_ids = IdTable()
        self.runs = RunTable()
        self.run: Run | None = None
        self._declared_format = declared_format
        self._in_document = in_document
        self._other_kinds: set[str] = set()
        self._metadata: tuple[dict[str, Any], str, Place] | None = None
        self._rows = 0

    def take(self, value: Any, place: Place, where: int) -> None:
        """Take one row. `where` grows along the file and finds the row again (see `finish`)."""
        if not isinstance(value, dict):
            self._rows += 1
            message = f"The row is {rules.json_type(value)}, not an object"
            self.log.add("R02", place, (), message, "Write one object in { } for each row")
            return
        kind = row_kind(value, self.kind)
        if kind == "metadata":
            self._take_metadata_row(value, place)
            self._rows += 1
            return
        self._rows += 1
        if kind == "unknown":
            self._report_unknown(value, place)
            return
        if self.kind is None:
            self.kind = kind
            if kind in FOREIGN_NAMES:
                message = f"{FOREIGN_NAMES[kind]} is not a layout Lorry uploads"
                self.log.add("R03", place, (), message, "Convert the file to conversation lines first")
        elif kind != self.kind and kind not in self._other_kinds:
            self._other_kinds.add(kind)
            message = f"The rows before are {_kind_words(self.kind)}, this one is {_kind_words(kind)}"
            self.log.add("F14", place, (), message, "Keep one layout in a file")
        if kind == "conversation":
            self._take_conversation(value, place, where)
        elif kind == "pair":
            self._take_pair(value, place, where)
        elif kind == "pair_group":
            self._take_group(value, place, where)

    def take_metadata(self, metadata: Any, container: str, place: Place) -> None:
        """Take the metadata object that stood under the key `container`; it tells format and declared totals."""
        if not isinstance(metadata, dict):
            return
        found = formats.format_of_metadata(metadata, container)
        if self._metadata is None:
            self._metadata = (metadata, container, place)
        if found is not None and self.format is None:
            self.format = found
            if self._declared_format not in (None, found):
                path = (container, "format_spec" if "format_spec" in metadata else "version")
                message = f"The file says {found}, the chosen format is {self._declared_format}"
                self.log.add("M02", place, path, message, f"Choose {found}")

    def _take_metadata_row(self, value: dict[str, Any], place: Place) -> None:
        if self._rows:
            self.log.add("M03", place, ("_meta",), "The metadata line is not the first", "Move it to the first line")
        self.take_metadata(value["_meta"], "_meta", place)

    def _report_unknown(self, value: dict[str, Any], place: Place) -> None:
        near = formats.near_keys_of_any_layout(value)
        if near:
            suggestion = "; ".join(f"Rename {found[:40]} to {wanted}" for found, wanted in near)
        else:
            suggestion = "A row needs conversation_id and turns, or the keys of a training pair"
        self.log.add("R03", place, (), "Neither a conversation nor a training pair", suggestion)

    def _take_conversation(self, value: dict[str, Any], place: Place, where: int) -> None:
        facts = rules.check_conversation(value, place, self.log)
        statistics = self.statistics
        statistics.turns += facts.turns
        statistics.words += facts.words
        statistics.training_pairs += facts.training_pairs
        statistics.add_conversation(facts.turns, facts.words)
        for role, words in facts.words_by_role:
            statistics.add_texts(role, (words,))
        if facts.identity is not None:
            self.conversation_ids.add(facts.identity, where)
        if not self.sample.is_full and isinstance(value.get("turns"), list):
            self.sample.add_conversation(facts.identity, value["turns"])

    def _take_pair(self, value: dict[str, Any], place: Place, where: int) -> None:
        facts = rules.check_pair(value, place, self.log, in_document=self._in_document)
        self._count_pair(facts)
        if facts.identity is not None:
            self.pair_ids.add(facts.identity, where)
        # Pairs without a usable id still belong to some conversation: to one that has no id.
        self.continue_run(facts.conversation_id or "", where, facts, place)
        if not self.sample.is_full:
            self.sample.add_pair(facts.conversation_id or "", value)

    def _count_pair(self, facts: rules.PairFacts) -> None:
        statistics = self.statistics
        statistics.training_pairs += 1
        statistics.turns += facts.turns
        statistics.words += facts.words
        for role, words in facts.words_by_role:
            statistics.add_texts(role, (words,))

    def continue_run(self, conversation_id: str, where: int, facts: rules.PairFacts, place: Place) -> None:
        """Add a pair to the run of its conversation, or begin the next run. P07 within a run."""
        hashed = hash(conversation_id)
        number = facts.turn_number
        run = self.run
        if run is None or run.hashed != hashed:
            self.close_run()
            run = self.run = Run(hashed, where, number or 0)
        elif number is not None:
            if number <= run.last_turn:
                self._report_falling(place, number, run.last_turn)
            run.last_turn = number
        run.turns += facts.turns
        run.words += facts.words

    def close_run(self) -> None:
        """Put the open run into the table of runs."""
        run = self.run
        if run is not None:
            self.runs.add(run.hashed, run.place, run.turns, run.words, run.first_turn, run.last_turn)
            self.run = None

    def _report_falling(self, place: Place, number: int, before: int) -> None:
        verb = "stays at" if number == before else f"goes from {before} back to"
        self.log.add(
            "P07", place, ("turn_number",), f"turn_number {verb} {number}", "Put the pairs of a conversation in order"
        )

    def _take_group(self, value: dict[str, Any], place: Place, where: int) -> None:
        """Take a conversation of a v4 document: ids of pairs and turn numbers count within it alone."""
        pairs = value.get("training_pairs")
        identity = self._group_identity(value, pairs, place)
        if not isinstance(pairs, list) or not pairs:
            message = "training_pairs is empty" if pairs == [] else "training_pairs is not a list"
            self.log.add("C01", place, ("training_pairs",), message)
            pairs = []
        turns = words = 0
        seen: set[str] = set()
        last_turn: int | None = None
        for index, pair in enumerate(pairs):
            inner = PartOf(place, ("training_pairs", index))
            if not isinstance(pair, dict):
                self.log.add("R02", inner, (), f"The pair is {rules.json_type(pair)}, not an object")
                continue
            facts = rules.check_pair(pair, inner, self.log, in_document=True)
            self._count_pair(facts)
            turns += facts.turns
            words += facts.words
            if facts.identity is not None:
                if facts.identity in seen:
                    self.log.add("P06", inner, ("id",), "The id is used twice in this conversation")
                seen.add(facts.identity)
            if facts.turn_number is not None:
                if last_turn is not None and facts.turn_number <= last_turn:
                    self._report_falling(inner, facts.turn_number, last_turn)
                last_turn = facts.turn_number
            if not self.sample.is_full:
                self.sample.add_pair((where, identity), pair)
        self.statistics.add_conversation(turns, words)
        if identity is not None:
            self.conversation_ids.add(identity, where)

    def _group_identity(self, value: dict[str, Any], pairs: Any, place: Place) -> str | None:
        """Return the conversation's id; without `conversation_metadata` the first pair's one serves."""
        metadata = value.get("conversation_metadata")
        if metadata is None and isinstance(pairs, list) and pairs and isinstance(pairs[0], dict):
            identity = pairs[0].get("conversation_id")
            if isinstance(identity, str) and identity.strip():
                return identity
        if not isinstance(metadata, dict):
            metadata = {}
        return rules.check_conversation_id(metadata, place, self.log, ("conversation_metadata",))

    def finish(self, resolve: Resolve) -> None:
        """Add the findings of the whole file. `resolve` finds the row of a `where` again."""
        self.close_run()
        for turns, words in self.runs.conversations():
            self.statistics.add_conversation(turns, words)
        path = ("conversation_metadata", "conversation_id") if self.kind == "pair_group" else ("conversation_id",)
        self._report_repeated("C18", self.conversation_ids, path, resolve)
        self._report_repeated("P06", self.pair_ids, ("id",), resolve)
        falling = list(heapq.nsmallest(self.log.room("P07") + 1, self.runs.falling()))
        for where, number, before in falling:
            self._report_falling(resolve(where), number, before)
        self.log.count_more("P07", sum(1 for _ in self.runs.falling()) - len(falling))
        self._compare_totals()
        conversations = self.statistics.conversations
        if 0 < conversations < _MIN_CONVERSATIONS:
            noun = "conversation" if conversations == 1 else "conversations"
            message = f"Only {conversations} {noun}: too few to learn from"
            self.log.add_at("F13", 1, 1, message, f"Collect at least {_MIN_CONVERSATIONS}")

    def _report_repeated(self, code: str, table: IdTable, path: tuple[str, ...], resolve: Resolve) -> None:
        shown = heapq.nsmallest(self.log.room(code), table.repeated())
        for where, first in shown:
            line, _column = resolve(first).position(path)
            self.log.add(code, resolve(where), path, f"{path[-1]} is already used on line {line}", "Make it unique")
        self.log.count_more(code, sum(1 for _ in table.repeated()) - len(shown))

    def _compare_totals(self) -> None:
        if self._metadata is None:
            return
        metadata, container, place = self._metadata
        counted = {
            "conversations": self.statistics.conversations,
            "training_pairs": self.statistics.training_pairs,
            "turns": self.statistics.turns,
        }
        for key, noun, allowed in _DECLARED:
            said = metadata.get(key)
            if isinstance(said, int) and not isinstance(said, bool):
                counts = [counted[name] for name in allowed]
                if said not in counts:
                    message = f"The file says {said:,} {noun}, {counts[0]:,} counted"
                    self.log.add("M01", place, (container, key), message, "Correct the total, or look for lost rows")


class PartOf:
    """A value inside a row, as a place of its own."""

    def __init__(self, whole: Place, path: tuple[str | int, ...]) -> None:
        self._whole = whole
        self._path = path
        self.prefix = whole.prefix + path

    def position(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        """Return line and column of the value at `path` inside this part."""
        return self._whole.position(self._path + path)


def _kind_words(kind: str) -> str:
    return _KIND_WORDS.get(kind) or FOREIGN_NAMES[kind]
