"""Adds to a report what only the whole file shows: repetitions, declared totals, types of keys, trainers.

Works on one intake that has taken all rows, or on the intakes of consecutive parts of a file. Needs the rows again
only for the findings that are kept. One thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lorry.core.checks import formats, jsontext
from lorry.core.checks.identities import Bucket, Repeated, repeated, smallest
from lorry.core.checks.intake import PART_BITS, Intake, report_falling
from lorry.core.checks.places import PartOf, Row
from lorry.core.checks.report import FindingLog, Path, Place
from lorry.core.checks.rulebook import AXOLOTL_TOKENS, MIN_CONVERSATIONS, TRL_TOKENS
from lorry.core.checks.statistics import TRAINERS
from lorry.core.checks.turn_rules import shown

#: Finds a row again by the integer it was remembered with.
Resolve = Callable[[int], Row]

#: Declared totals: key, what it is called, and the counted figures it may equal. In a document an entry is called
#: a turn by some writers and a message by others, so both counts agree with `total_turns`.
_DECLARED = (
    ("total_conversations", "conversations", ("conversations",)),
    ("total_training_pairs", "training pairs", ("training_pairs",)),
    ("total_pairs", "pairs", ("training_pairs",)),
    ("total_turns", "turns", ("turns", "training_pairs")),
)
_TRAINER_MESSAGES = {
    "llama_factory": "LLaMA-Factory would drop {} of {} conversations: user and assistant do not take turns",
    "trl": f"TRL would cut {{}} of {{}} conversations at its default of {TRL_TOKENS:,} tokens",
    "axolotl": f"Axolotl would drop {{}} of {{}} conversations over {AXOLOTL_TOKENS:,} tokens",
    "mistral": "mistral-finetune would refuse {} of {} conversations: user and assistant do not take turns",
}


#: Repetitions held before the later ones of them are let go.
_SORTED_ROWS = 20_000


class Tables(NamedTuple):
    """What the rows of a whole file had, bucket by bucket."""

    conversation_ids: Iterable[Bucket]
    pair_ids: Iterable[Bucket]
    turn_answers: Iterable[Bucket]
    pair_answers: Iterable[Bucket]


def tables_of(intake: Intake) -> Tables:
    """Return the tables of one intake."""
    tables = (intake.conversation_ids, intake.pair_ids, intake.turn_answers, intake.pair_answers)
    return Tables(*(table.buckets() for table in tables))


class Verdict:
    """Adds the findings of the whole file to the log of `intake`. `resolve` finds the row of a `where` again."""

    def __init__(self, intake: Intake, resolve: Resolve) -> None:
        self._intake = intake
        self._log: FindingLog = intake.log
        self._resolve = resolve

    def finish(self, tables: Tables | None = None) -> None:
        """Add all of them. The tables are those of the intake, unless those of a whole file are given."""
        intake = self._intake
        if tables is None:
            tables = tables_of(intake)
        intake.close_run()
        for turns, words in intake.runs.conversations():
            intake.statistics.add_conversation(turns, words)
        self._report_ids("C18", tables.conversation_ids)
        self._report_ids("P06", tables.pair_ids)
        self._report_answers("C19", tables.turn_answers)
        self._report_answers("P05", tables.pair_answers)
        falling = list(heapq.nsmallest(self._log.room("P07") + 1, intake.runs.falling()))
        for where, number, before in falling:
            report_falling(self._log, self._resolve(where), number, before)
        self._log.count_more("P07", sum(1 for _ in intake.runs.falling()) - len(falling))
        self._report_key_kinds()
        self._compare_totals()
        self._report_trainers()
        conversations = intake.statistics.conversations
        if conversations < MIN_CONVERSATIONS and (conversations or not self._log.by_level["error"]):
            noun = "conversation" if conversations == 1 else "conversations"
            message = f"Only {conversations} {noun}: too few to learn from" if conversations else "No conversations"
            self._log.add_at("F13", 1, 1, message)

    def _report_ids(self, code: str, buckets: Iterable[Bucket]) -> None:
        first_rows, total = smallest(repeated(buckets), self._log.room(code))
        for where, first, _is_other in first_rows:
            row, first_row = self._resolve(where), self._resolve(first)
            path: Path = ("id",)
            if code == "C18":
                path = ("conversation_metadata", "conversation_id") if _is_group(row) else ("conversation_id",)
            line, _column = first_row.position(path)
            self._log.add(code, row, path, f"{path[-1]} is already used on line {line}")
        self._log.count_more(code, total - len(first_rows))

    def _report_answers(self, code_of_same: str, buckets: Iterable[Bucket]) -> None:
        """C19 or P05 for a repeated answer, C20 for another one."""
        same: list[Repeated] = []
        other: list[Repeated] = []
        totals = [0, 0]
        for row in repeated(buckets):
            kept = other if row.is_other else same
            totals[row.is_other] += 1
            kept.append(row)
            if len(kept) > _SORTED_ROWS:
                kept[:] = sorted(kept)[: self._log.room("C20" if row.is_other else code_of_same)]
        for code, rows, total in ((code_of_same, same, totals[0]), ("C20", other, totals[1])):
            first_rows = sorted(rows)[: self._log.room(code)]
            for where, first, _is_other in first_rows:
                self._report_copy(code, where, first)
            self._log.count_more(code, total - len(first_rows))

    def _report_copy(self, code: str, where: int, first: int) -> None:
        row = self._resolve(where)
        line, _column = self._part(self._resolve(first), first).position(())
        place = self._part(row, where)
        if code == "P05":
            self._log.add(code, place, (), f"The same history and answer as on line {line}")
        elif code == "C19":
            self._log.add(code, place, ("turns",), f"The same conversation as on line {line}")
        else:
            path: Path = ("target_response",)
            turns = _value(row).get("turns")
            if isinstance(turns, list):
                path = ("turns", len(turns) - 1)
            self._log.add(code, place, path, f"Another answer to the same history stands on line {line}")

    def _part(self, row: Row, where: int) -> Place:
        """Return the row, or the pair inside it."""
        part = where & ((1 << PART_BITS) - 1)
        return PartOf(row, ("training_pairs", part)) if _is_group(row) else row

    def _report_key_kinds(self) -> None:
        """F15: a key whose kinds of value began at different rows."""
        changes = []
        for key, kinds in self._intake.key_kinds.items():
            first, *later = sorted(kinds.items(), key=lambda item: item[1])
            if later:
                changes.append((later[0][1], key, first, later[0][0]))
        for where, key, (first_kind, first_where), kind in sorted(changes):
            line, _column = self._resolve(first_where).position((key,))
            message = f"{shown(key)} is {kind} here, {first_kind} on line {line}"
            self._log.add("F15", self._resolve(where), (key,), message)

    def _report_trainers(self) -> None:
        conversations = self._intake.statistics.conversations
        for trainer, code in TRAINERS.items():
            number = self._intake.statistics.trainers[trainer]
            if number:
                message = _TRAINER_MESSAGES[trainer].format(f"{number:,}", f"{conversations:,}")
                self._log.add_at(code, 1, 1, message)

    def _compare_totals(self) -> None:
        if self._intake.declared is None:
            return
        metadata, container, place = self._intake.declared
        statistics = self._intake.statistics
        for key, noun, allowed in _DECLARED:
            said = metadata.get(key)
            if isinstance(said, int) and not isinstance(said, bool):
                counts = [getattr(statistics, name) for name in allowed]
                if said not in counts:
                    message = f"The file says {said:,} {noun}, {counts[0]:,} counted"
                    self._log.add("M01", place, (container, key), message)


def _is_group(row: Row) -> bool:
    value = _value(row)
    return bool(value) and formats.row_kind(value) == "pair_group"


def _value(row: Row) -> dict[str, Any]:
    """Read a row that was an object; in a broken document more may stand behind it than when it was taken."""
    value = jsontext.parse_first(row.text)
    return value if isinstance(value, dict) else {}
