"""Takes the rows of a file one after the other, whatever layout they have, and keeps what spans rows.

Owns the layout found so far, the tables of ids and answers, the open run of pairs and the types of keys. The readers
hand it values with their place; the quick way (`batch.py`) adds whole blocks through the same fields. What only the
whole file shows is added by `verdict.py`. One thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lorry.core.checks import formats
from lorry.core.checks.formats import FOREIGN_NAMES, RowKind, row_kind
from lorry.core.checks.identities import RunTable, SeenTable
from lorry.core.checks.labels import CONVERSATION_SOURCES
from lorry.core.checks.pair_rules import PairFacts, check_pair
from lorry.core.checks.places import PartOf
from lorry.core.checks.report import FindingLog, Place
from lorry.core.checks.rulebook import AXOLOTL_TOKENS, MAX_WATCHED_KEYS, TRL_TOKENS
from lorry.core.checks.sample import Sample
from lorry.core.checks.statistics import Statistics, tokens_of
from lorry.core.checks.turn_rules import (
    ConversationFacts,
    RowFacts,
    check_conversation,
    check_conversation_id,
    json_type,
)

#: Of the integer a row is remembered by, the bits that number a pair inside it.
PART_BITS = 12
_LAST_PART = (1 << PART_BITS) - 1
_KIND_WORDS = {"conversation": "conversations", "pair": "training pairs", "pair_group": "grouped training pairs"}
#: Keys that F15 leaves to rules of their own.
RULED_KEYS = frozenset(
    ("conversation_id", "turns", "id", "turn_number", "current_user_input", "target_response", "_meta")
)


class Declared(NamedTuple):
    """The first metadata object of a file, the key it stood under, and where."""

    metadata: dict[str, Any]
    container: str
    place: Place


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
    """Applies the rules to rows and counts them.

    A row is remembered by an integer that grows along the file and finds it again (`where`); its lowest `PART_BITS`
    are free for the number of a pair inside it.
    """

    def __init__(self, log: FindingLog, *, declared_format: str | None, in_document: bool = False) -> None:
        self.log = log
        self.statistics = Statistics()
        self.sample = Sample()
        self.kind: RowKind | None = None
        self.format: str | None = None
        self.conversation_ids = SeenTable()
        self.pair_ids = SeenTable()
        self.turn_answers = SeenTable(has_details=True)
        self.pair_answers = SeenTable(has_details=True)
        self.runs = RunTable()
        self.run: Run | None = None
        #: Of every watched key, where each kind of value was first.
        self.key_kinds: dict[str, dict[str, int]] = {}
        #: Kinds that do not belong here, and where each was first.
        self.other_kinds: dict[str, int] = {}
        self.declared: Declared | None = None
        #: Hears of every row of the file's kind without an error.
        self.on_sound_row: Callable[[dict[str, Any]], None] | None = None
        self.declared_format = declared_format
        self._in_document = in_document
        self.rows = 0

    def take(self, value: Any, place: Place, where: int) -> None:
        """Take one row."""
        self.rows += 1
        if not isinstance(value, dict):
            self.log.add("R02", place, (), f"The row is {json_type(value)}, not an object")
            return
        kind = row_kind(value, self.kind)
        if kind == "metadata":
            self._take_metadata_row(value, place)
            return
        if kind == "unknown":
            self._report_unknown(value, place)
            return
        if self.kind is None:
            self.kind = kind
            if kind in FOREIGN_NAMES:
                message = f"{FOREIGN_NAMES[kind]} is not a layout Lorry uploads"
                self.log.add("R03", place, (), message, "Convert the file to conversation lines first")
        elif kind != self.kind and kind not in self.other_kinds:
            self.other_kinds[kind] = where
            message = f"The rows before are {_kind_words(self.kind)}, this one is {_kind_words(kind)}"
            self.log.add("F14", place, (), message)
        errors_before = self.log.by_level["error"]
        if kind == "conversation":
            self._take_conversation(value, place, where)
        elif kind == "pair":
            self._take_pair(value, place, where)
        elif kind == "pair_group":
            self._take_group(value, place, where)
        if self.on_sound_row is not None and kind == self.kind and self.log.by_level["error"] == errors_before:
            self.on_sound_row(value)

    def take_metadata(self, metadata: Any, container: str, place: Place) -> None:
        """Take the metadata object that stood under the key `container`; it tells format and declared totals."""
        if not isinstance(metadata, dict):
            return
        found = formats.format_of_metadata(metadata, container)
        if self.declared is None:
            self.declared = Declared(metadata, container, place)
        if found is not None and self.format is None:
            self.format = found
            if self.declared_format not in (None, found):
                path = (container, "format_spec" if "format_spec" in metadata else "version")
                message = f"The file says {found}, the chosen format is {self.declared_format}"
                self.log.add("M02", place, path, message, f"Choose {found}")

    def _take_metadata_row(self, value: dict[str, Any], place: Place) -> None:
        if self.rows > 1:
            self.log.add("M03", place, ("_meta",), "The metadata line is not the first")
        self.take_metadata(value["_meta"], "_meta", place)

    def _report_unknown(self, value: dict[str, Any], place: Place) -> None:
        near = formats.near_keys_of_any_layout(value)
        suggestion = "; ".join(f"Rename {found[:40]} to {wanted}" for found, wanted in near)
        self.log.add("R03", place, (), "Neither a conversation nor a training pair", suggestion)

    def _take_conversation(self, value: dict[str, Any], place: Place, where: int) -> None:
        errors_before = self.log.by_level["error"]
        facts = check_conversation(value, place, self.log)
        self._count(facts)
        self._watch_keys(value, where)
        statistics = self.statistics
        statistics.training_pairs += facts.training_pairs
        statistics.add_conversation(facts.turns, facts.words)
        if self.log.by_level["error"] == errors_before:
            self._foretell(facts)
        labels = statistics.labels
        sources = [value.get(key) for key in CONVERSATION_SOURCES]
        labels.take_names(sources)
        for source in sources[:2]:
            if labels.take_score(source):
                break
        if facts.identity is not None:
            self.conversation_ids.add(hash(facts.identity), where)
        if facts.answered is not None:
            self.turn_answers.add(facts.answered[0], where, facts.answered[1])
        if not self.sample.is_full and isinstance(value.get("turns"), list):
            self.sample.add_conversation(facts.identity, value["turns"])

    def _foretell(self, facts: ConversationFacts) -> None:
        """T01 to T04: count what trainers would do to a conversation without errors."""
        tokens = tokens_of(facts.words)
        self.statistics.trainers.update(
            llama_factory=not facts.alternates,
            trl=tokens > TRL_TOKENS,
            axolotl=tokens > AXOLOTL_TOKENS,
            mistral=not facts.alternates,
        )

    def _take_pair(self, value: dict[str, Any], place: Place, where: int) -> None:
        facts = check_pair(value, place, self.log, in_document=self._in_document)
        self._watch_keys(value, where)
        self._count_pair(value, facts, where)
        self.statistics.labels.take_names([value.get("conversation_metadata")])
        if facts.identity is not None:
            self.pair_ids.add(hash(facts.identity), where)
        # Pairs without a usable id still belong to some conversation: to one that has no id.
        self._continue_run(facts.conversation_id or "", where, facts, place)
        if not self.sample.is_full:
            self.sample.add_pair(facts.conversation_id or "", value)

    def _count(self, facts: RowFacts) -> None:
        statistics = self.statistics
        statistics.turns += facts.turns
        statistics.words += facts.words
        statistics.characters += facts.turn_characters
        for role, length in facts.characters:
            statistics.characters_per_text[role][length] += 1
        for kind, number in facts.personal_data:
            statistics.personal_data[kind] += number

    def _count_pair(self, value: dict[str, Any], facts: PairFacts, where: int) -> None:
        self._count(facts)
        self.statistics.training_pairs += 1
        self.statistics.labels.take_score(value.get("training_metadata"))
        if facts.answered is not None:
            self.pair_answers.add(facts.answered[0], where, facts.answered[1])

    def _watch_keys(self, row: Mapping[str, Any], where: int) -> None:
        """Note for F15 where a key first had a value of its kind."""
        watched = self.key_kinds
        for key, value in row.items():
            if value is None or key in RULED_KEYS:
                continue
            kinds = watched.get(key)
            if kinds is None:
                if len(watched) >= MAX_WATCHED_KEYS:
                    continue
                kinds = watched[key] = {}
            kinds.setdefault(json_type(value), where)

    def _continue_run(self, conversation_id: str, where: int, facts: PairFacts, place: Place) -> None:
        """Add a pair to the run of its conversation, or begin the next run. P07 within a run."""
        hashed = hash(conversation_id)
        number = facts.turn_number
        run = self.run
        if run is None or run.hashed != hashed:
            self.close_run()
            run = self.run = Run(hashed, where, number or 0)
        elif number is not None:
            if number <= run.last_turn:
                report_falling(self.log, place, number, run.last_turn)
            run.last_turn = number
        run.turns += facts.turns
        run.words += facts.words

    def close_run(self) -> None:
        """Put the open run into the table of runs."""
        run = self.run
        if run is not None:
            self.runs.add(run.hashed, run.place, run.turns, run.words, run.first_turn, run.last_turn)
            self.run = None

    def _take_group(self, value: dict[str, Any], place: Place, where: int) -> None:
        """Take a conversation of a v4 document: ids of pairs and turn numbers count within it alone."""
        pairs = value.get("training_pairs")
        identity = self._group_identity(value, pairs, place)
        if not isinstance(pairs, list) or not pairs:
            message = "training_pairs is empty" if pairs == [] else "training_pairs is not a list"
            self.log.add("C01", place, ("training_pairs",), message, "Remove the conversation or add its pairs")
            pairs = []
        turns = words = 0
        seen: set[str] = set()
        last_turn: int | None = None
        for index, pair in enumerate(pairs):
            inner = PartOf(place, ("training_pairs", index))
            if not isinstance(pair, dict):
                self.log.add("R02", inner, (), f"The pair is {json_type(pair)}, not an object")
                continue
            facts = check_pair(pair, inner, self.log, in_document=True)
            self._count_pair(pair, facts, where + min(index, _LAST_PART))
            turns += facts.turns
            words += facts.words
            if facts.identity is not None:
                if facts.identity in seen:
                    self.log.add("P06", inner, ("id",), "The id is used twice in this conversation")
                seen.add(facts.identity)
            if facts.turn_number is not None:
                if last_turn is not None and facts.turn_number <= last_turn:
                    report_falling(self.log, inner, facts.turn_number, last_turn)
                last_turn = facts.turn_number
            if not self.sample.is_full:
                self.sample.add_pair((where, identity), pair)
        self.statistics.add_conversation(turns, words)
        self.statistics.labels.take_names(_label_sources(value, pairs))
        if identity is not None:
            self.conversation_ids.add(hash(identity), where)

    def _group_identity(self, value: dict[str, Any], pairs: Any, place: Place) -> str | None:
        """Return the conversation's id; without `conversation_metadata` the first pair's one serves."""
        metadata = value.get("conversation_metadata")
        if metadata is None and isinstance(pairs, list) and pairs and isinstance(pairs[0], dict):
            identity = pairs[0].get("conversation_id")
            if isinstance(identity, str) and identity.strip():
                return identity
        if not isinstance(metadata, dict):
            metadata = {}
        return check_conversation_id(metadata, place, self.log, ("conversation_metadata",))


def report_falling(log: FindingLog, place: Place, number: int, before: int) -> None:
    """P07: the turn number of the pair at `place` does not rise."""
    verb = "stays at" if number == before else f"goes from {before} back to"
    log.add("P07", place, ("turn_number",), f"turn_number {verb} {number}")


def _label_sources(group: Mapping[str, Any], pairs: list[Any]) -> list[Any]:
    metadata = group.get("conversation_metadata")
    first = pairs[0] if pairs and isinstance(pairs[0], dict) else {}
    scaffolding = metadata.get("scaffolding") if isinstance(metadata, dict) else None
    return [scaffolding, metadata, first.get("conversation_metadata")]


def _kind_words(kind: str) -> str:
    return _KIND_WORDS.get(kind) or FOREIGN_NAMES[kind]
