"""What the safe fixes change inside one row: misspelt keys, other words for a role, repeated roles.

Decides on the value and edits the text, so that everything else in the row stays as it is written. A row that cannot
be read, or where a key could mean two things, is left alone. Remembers only the layout of the rows before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from lorry.core.checks import formats, jsontext
from lorry.core.checks.fixes_text import Edits, Splice, elements, members, spliced, splices, text_literal


class FixKind(StrEnum):
    """The fixes there are."""

    BYTE_ORDER_MARK = "byte_order_mark"
    LINE_ENDS = "line_ends"
    BLANK_LINES = "blank_lines"
    ONE_ROW_A_LINE = "one_row_a_line"
    DOCUMENT_NAME = "document_name"
    KEY_NAMES = "key_names"
    ROLE_NAMES = "role_names"
    REPEATED_ROLES = "repeated_roles"


#: Those that look into rows.
ROW_KINDS = frozenset((FixKind.KEY_NAMES, FixKind.ROLE_NAMES, FixKind.REPEATED_ROLES))
_BETWEEN_MERGED = "\n\n"


@dataclass(frozen=True, slots=True)
class FixedRow:
    """A row after its fixes, and how many changes of each kind were made."""

    data: bytes
    changes: Counter[FixKind]


class RowFixer:
    """Fixes the rows of one file, one after the other."""

    def __init__(self, kinds: Collection[FixKind]) -> None:
        self._kinds = kinds
        self._established: str | None = None

    def fix(self, raw: bytes) -> FixedRow | None:
        """Return the row with its fixes, or None if it stays as it is."""
        value = read_row(raw)
        if not isinstance(value, dict):
            return None
        try:
            return self._fix(raw, value)
        except (UnicodeDecodeError, RecursionError):
            return None

    def _fix(self, raw: bytes, value: dict[str, Any]) -> FixedRow | None:
        changes: Counter[FixKind] = Counter()
        kind: str = formats.row_kind(value, self._established)
        edits = Edits()
        if kind == "unknown" and FixKind.KEY_NAMES in self._kinds:
            kind = self._recognise(value, edits)
        if kind not in ("unknown", "metadata"):
            self._established = self._established or kind
        if kind == "conversation":
            self._conversation(value, edits, changes)
        elif FixKind.KEY_NAMES in self._kinds and kind in ("pair", "pair_group"):
            _pair(value, edits) if kind == "pair" else _group(value, edits)
        changes[FixKind.KEY_NAMES] = edits.number - changes[FixKind.ROLE_NAMES]
        text: str | None = None
        if edits.number:
            text = raw.decode("utf-8")
            text = spliced(text, splices(text, edits))
        if kind == "conversation" and FixKind.REPEATED_ROLES in self._kinds:
            merged, number = _merged(raw.decode("utf-8") if text is None else text)
            if number:
                text = merged
                changes[FixKind.REPEATED_ROLES] = number
        return None if text is None else FixedRow(text.encode("utf-8"), +changes)

    def _recognise(self, row: Mapping[str, Any], edits: Edits) -> str:
        """Rename keys of a row without a layout if that gives it one; return its kind."""
        near = [(found, wanted) for found, wanted in formats.near_keys_of_any_layout(row) if _fits(wanted, row[found])]
        found = [key for key, _wanted in near]
        if not near or len(set(found)) < len(found):
            return "unknown"
        renames = dict(near)
        kind = formats.row_kind({renames.get(key, key): value for key, value in row.items()}, self._established)
        if kind not in ("conversation", "pair"):
            return "unknown"
        edits.renames.update(renames)
        return kind

    def _conversation(self, row: Mapping[str, Any], edits: Edits, changes: Counter[FixKind]) -> None:
        if FixKind.KEY_NAMES in self._kinds:
            _rename(row, formats.CONVERSATION_KEYS, edits)
        turns_key = next((old for old, new in edits.renames.items() if new == "turns"), "turns")
        turns = row.get(turns_key)
        for index, turn in enumerate(turns if isinstance(turns, list) else ()):
            if not isinstance(turn, dict) or (turn.get("role") in formats.ROLES and "content" in turn):
                continue
            own = edits.at(turns_key, index)
            if FixKind.KEY_NAMES in self._kinds:
                _rename(turn, ("role", "content"), own)
            if FixKind.ROLE_NAMES in self._kinds:
                role_key = next((old for old, new in own.renames.items() if new == "role"), "role")
                role = turn.get(role_key)
                meant = meant_role(role)
                if meant is not None and meant != role:
                    own.texts[role_key] = meant
                    changes[FixKind.ROLE_NAMES] += 1


def read_row(raw: bytes) -> Any:
    """Read one row as plain values; None if it cannot be read. Numbers out of bounds do not matter here."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return jsontext.parse(raw.decode("utf-8", "replace")).value


def meant_role(role: object) -> str | None:
    """Return the role that a word stands for (the rulebook's meant role), or None."""
    if not isinstance(role, str):
        return None
    folded = role.strip().lower()
    return folded if folded in formats.ROLES else formats.ROLE_WORDS.get(folded)


def _fits(wanted: str, value: object) -> bool:
    """Whether a value can be that of the key `wanted`."""
    if wanted == "turns":
        return isinstance(value, list)
    if wanted == "turn_number":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str) or (wanted == "target_response" and value is None)


def unique_near_key(row: Mapping[str, Any], wanted: str) -> str | None:
    """Return the one key that can be meant by `wanted`; None without one, or when a second one can be too."""
    keys = [key for key, value in row.items() if _fits(wanted, value)]
    first = formats.near_key(keys, wanted)
    if first is None:
        return None
    second = formats.near_key([key for key in keys if key != first], wanted)
    if second is None or (_folded(first) == wanted and _folded(second) != wanted):
        return first
    return None


def _folded(key: str) -> str:
    return key.lower().replace("-", "_").replace(" ", "_")


def _rename(row: Mapping[str, Any], wanted_keys: Collection[str], edits: Edits) -> None:
    """Rename keys of an object to the important ones it lacks."""
    meant = {wanted: unique_near_key(row, wanted) for wanted in wanted_keys if wanted not in row}
    taken = Counter(meant.values())
    for wanted, found in meant.items():
        if found is not None and taken[found] == 1 and found not in edits.renames:
            edits.renames[found] = wanted


def _pair(pair: Mapping[str, Any], edits: Edits) -> None:
    missing = [key for key in formats.PAIR_KEYS if key not in pair and key not in edits.renames.values()]
    _rename(pair, missing, edits)
    history = pair.get("conversation_history")
    for index, entry in enumerate(history if isinstance(history, list) else ()):
        if isinstance(entry, dict) and not ("role" in entry and "content" in entry):
            _rename(entry, ("role", "content"), edits.at("conversation_history", index))


def _group(group: Mapping[str, Any], edits: Edits) -> None:
    metadata = group.get("conversation_metadata")
    if isinstance(metadata, dict) and "conversation_id" not in metadata:
        _rename(metadata, ("conversation_id",), edits.at("conversation_metadata"))
    pairs = group.get("training_pairs")
    for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        if isinstance(pair, dict):
            _pair(pair, edits.at("training_pairs", index))


def _merged(text: str) -> tuple[str, int]:
    """Merge turns of the same role that follow each other; returns the row and how many turns went into another."""
    value = read_row(text.encode("utf-8"))
    turns = value.get("turns") if isinstance(value, dict) else None
    if not isinstance(turns, list) or not (groups := _same_roles(turns)):
        return text, 0
    list_start = next(
        member.start for member in reversed(members(text, jsontext.locate(text, ()))) if member.key == "turns"
    )
    spans = elements(text, list_start)
    changes: list[Splice] = []
    for group in groups:
        first, *later = group
        contents = _BETWEEN_MERGED.join(turns[index]["content"] for index in group)
        changes += _take_in(text, [spans[index] for index in group], contents)
        changes.append((spans[first][1], spans[later[-1]][1], ""))
    return spliced(text, changes), sum(len(group) - 1 for group in groups)


def _same_roles(turns: list[Any]) -> list[list[int]]:
    """Return the runs of turns that have the same meant role, user or assistant, and text contents."""
    groups: list[list[int]] = []
    before: str | None = None
    for index, turn in enumerate(turns):
        role = meant_role(turn.get("role")) if isinstance(turn, dict) and isinstance(turn.get("content"), str) else None
        if role in ("user", "assistant") and role == before:
            groups[-1].append(index)
        else:
            groups.append([index])
        before = role
    return [group for group in groups if len(group) > 1]


def _take_in(text: str, spans: list[tuple[int, int]], contents: str) -> list[Splice]:
    """Give the first turn all contents, and the keys that only later ones have."""
    first, *later = (members(text, start) for start, _end in spans)
    content = next(member for member in reversed(first) if member.key == "content")
    known = {member.key for member in first}
    more = ""
    for member in (member for turn in later for member in turn):
        if member.key not in known:
            known.add(member.key)
            more += f", {text[member.key_start : member.end]}"
    last = first[-1]
    if last is content:
        return [(content.start, content.end, text_literal(contents) + more)]
    return [(content.start, content.end, text_literal(contents)), (last.end, last.end, more)]
