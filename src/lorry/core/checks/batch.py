"""The quick way: rows of the usual shape are decoded by a type made for them and counted many at a time.

`Quick` takes rows in which no rule finds anything, with exactly the result the rules would give one by one; which rows
those are it decides for a whole block at once. The others are left to the slow way, which also teaches it the shape of
rows. What is counted for each layout: `quick_conversations.py` and `quick_pairs.py`. One thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import GenericAlias
from typing import Any, Protocol

import msgspec

from lorry.core.checks.intake import Intake
from lorry.core.checks.quick_conversations import QuickConversations
from lorry.core.checks.quick_pairs import QuickGroups, QuickPairs
from lorry.core.checks.shapes import OddValueError, Shape

#: Making a type takes about a millisecond; rows that differ more often than this go the slow way.
_MAX_TYPES = 40
_MIN_ROWS_LEARNED = 3
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: Escapes that may stand for control characters.
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00[01789]|[bf])")
_DELETE = b"\x7f"


class QuickLayout(Protocol):
    """Judges and counts decoded rows of one layout."""

    def suspects(self, rows: Sequence[Any], raw_rows: Sequence[bytes], *, may_hold_controls: bool) -> set[int]:
        """Return the indices of rows that a rule may find something in."""
        ...

    def count(self, rows: Sequence[Any], places: Sequence[int]) -> None:
        """Count rows that nothing is wrong with, in the order of the file."""
        ...


class Quick:
    """Learns the shape of rows from the slow way and takes rows of that shape from then on."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._shape = Shape()
        self._rows_learned = 0
        self._types = 0
        self._is_stale = True
        self._layout: QuickLayout | None = None
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._list_decoder: msgspec.json.Decoder[list[Any]] | None = None
        self._count_keys: Callable[[Sequence[Any]], int] = len

    def learn(self, row: Any) -> None:
        """Look at a row of the file's kind that has no error."""
        self._rows_learned += 1
        if self._shape.see(row):
            self._is_stale = True

    def is_ready(self) -> bool:
        """Whether rows can be taken, with a new type if new shapes were seen."""
        if self._rows_learned < _MIN_ROWS_LEARNED or not self._intake.sample.is_full:
            return False
        if self._is_stale:
            self._is_stale = False
            self._make_type()
        return self._layout is not None

    def _make_type(self) -> None:
        self._layout = None
        self._types += 1
        if self._types > _MAX_TYPES or not self._shape.is_object:
            return
        try:
            made = self._shape.make_type()
        except (OddValueError, TypeError, ValueError):
            # No type can tell some mixtures apart, such as two kinds of objects.
            return
        self._layout = _layout(self._intake, self._shape)
        self._decoder = msgspec.json.Decoder(made)
        self._list_decoder = msgspec.json.Decoder(GenericAlias(list, (made,)))
        self._count_keys = self._shape.make_counter()

    def take_lines(self, block: bytes, places: Sequence[int], take_slowly: Callable[[bytes, int], None]) -> None:
        """Take a block of whole lines; `take_slowly(line, index)` gets those that go the slow way, in order."""
        lines = block.split(b"\n")
        lines.pop()
        may_hold_controls = _may_hold_controls(block)
        done = 0
        while done < len(lines):
            rows = self._decoded(lines, done)
            end = done + len(rows)
            raw_rows = lines[done:end]
            odd = self._odd_rows(rows, raw_rows, block if end - done == len(lines) else None, may_hold_controls)
            start = done
            for index in [*sorted(odd), len(rows)]:
                stop = done + index
                if stop > start and self._layout is not None:
                    # What was judged as a whole is best counted as the same list (see the layouts).
                    sound = rows if not odd else rows[start - done : index]
                    self._layout.count(sound, places[start:stop])
                if stop < len(lines):
                    take_slowly(lines[stop], stop)
                start = stop + 1
            done = end + 1

    def _decoded(self, lines: list[bytes], start: int) -> list[Any]:
        """Decode lines until one does not fit."""
        rows: list[Any] = []
        if self._decoder is not None:
            # What was decoded before an error stays in the list.
            with suppress(*_DECODE_ERRORS):
                rows.extend(map(self._decoder.decode, lines[start:] if start else lines))
        return rows

    def _odd_rows(
        self, rows: list[Any], raw_rows: list[bytes], whole: bytes | None, may_hold_controls: bool
    ) -> set[int]:
        if not rows or self._layout is None:
            return set()
        odd = self._layout.suspects(rows, raw_rows, may_hold_controls=may_hold_controls)
        if not self._has_single_keys(rows, b"\n".join(raw_rows) if whole is None else whole):
            odd |= {
                index
                for index, row in enumerate(rows)
                if index not in odd and not self._has_single_keys([row], raw_rows[index])
            }
        return odd

    def _has_single_keys(self, rows: Sequence[Any], raw: bytes) -> bool:
        """Whether the rows have as many keys as their text has marks of keys: none twice, none unknown."""
        try:
            keys = self._count_keys(rows)
        except OddValueError:
            return False
        marks = raw.count(b'":')
        return marks == keys or (marks > keys and marks - raw.count(b'\\":') == keys)

    def take_elements(self, elements: bytes, raw_rows: Sequence[bytes], places: Sequence[int]) -> bool:
        """Take elements of a list as they stand between its brackets, or none of them."""
        if self._list_decoder is None or self._layout is None:
            return False
        try:
            rows = self._list_decoder.decode(b"[" + elements + b"]")
        except _DECODE_ERRORS:
            return False
        if len(rows) != len(places) or not self._has_single_keys(rows, elements):
            return False
        if self._layout.suspects(rows, raw_rows, may_hold_controls=_may_hold_controls(elements)):
            return False
        self._layout.count(rows, places)
        return True


def _may_hold_controls(raw: bytes) -> bool:
    return _DELETE in raw or _CONTROL_ESCAPE.search(raw) is not None


def _layout(intake: Intake, shape: Shape) -> QuickLayout | None:
    if intake.kind == "conversation":
        return QuickConversations.of(intake, shape)
    if intake.kind == "pair":
        return QuickPairs.of(intake, shape)
    if intake.kind == "pair_group":
        return QuickGroups.of(intake, shape)
    return None
