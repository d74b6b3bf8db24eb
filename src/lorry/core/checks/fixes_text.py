"""Edits of JSON text that leave every other character as it is: keys renamed, texts replaced. Pure.

Offsets are characters of the text given. The text has to be JSON already; only its outline is read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

#: What stands from one offset to another is replaced by a text.
Splice = tuple[int, int, str]

_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder(
    parse_int=lambda _digits: 0,
    parse_float=lambda _digits: 0.0,
    parse_constant=lambda _word: 0.0,
    strict=False,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object with its quotes, and its value."""

    key: str
    key_start: int
    key_end: int
    start: int
    end: int


@dataclass(slots=True)
class Edits:
    """What to change in a value: keys to rename, members to give a text, and edits of the values inside."""

    renames: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    inner: dict[str | int, Edits] = field(default_factory=dict)

    def at(self, *path: str | int) -> Edits:
        """Return the edits of the value at `path`, made if there are none yet."""
        edits = self
        for step in path:
            edits = edits.inner.setdefault(step, Edits())
        return edits

    @property
    def number(self) -> int:
        """How many changes there are, here and inside."""
        return len(self.renames) + len(self.texts) + sum(edits.number for edits in self.inner.values())


def members(text: str, at: int) -> list[Member]:
    """Return the members of the object that begins at `at`, in their order."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, key_end = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, key_end) + 1)
        _value, end = _DECODER.raw_decode(text, start)
        found.append(Member(key, at, key_end, start, end))
        at = _next(text, end)
    return found


def elements(text: str, at: int) -> list[tuple[int, int]]:
    """Return where each element of the list that begins at `at` begins and ends."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        _value, end = _DECODER.raw_decode(text, at)
        found.append((at, end))
        at = _next(text, end)
    return found


def splices(text: str, edits: Edits, at: int | None = None) -> Iterator[Splice]:
    """Yield what `edits` change in the value that begins at `at`, in the order of the text."""
    at = _skip(text, 0) if at is None else at
    if text[at] == "[":
        for index, (start, _end) in enumerate(elements(text, at)):
            if index in edits.inner:
                yield from splices(text, edits.inner[index], start)
        return
    for member in members(text, at):
        if member.key in edits.renames:
            yield member.key_start, member.key_end, json.dumps(edits.renames[member.key])
        if member.key in edits.texts:
            yield member.start, member.end, text_literal(edits.texts[member.key])
        elif member.key in edits.inner:
            yield from splices(text, edits.inner[member.key], member.start)


def spliced(text: str, changes: Iterable[Splice]) -> str:
    """Return the text with the changes made; they stand in its order and do not overlap."""
    parts = []
    done = 0
    for start, end, new in changes:
        parts += [text[done:start], new]
        done = end
    parts.append(text[done:])
    return "".join(parts)


def text_literal(text: str) -> str:
    """Write a text as JSON; half of a surrogate pair, which UTF-8 cannot hold, stays an escape."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _next(text: str, end: int) -> int:
    """Return where the next member or element begins, or the closing bracket."""
    at = _skip(text, end)
    return _skip(text, at + 1) if text[at] == "," else at
