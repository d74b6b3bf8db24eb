"""JSON text looked at closely: why a row is no JSON, where a value stands, and numbers or escapes out of bounds.

Only rows that the quick decoder refused or a finding points into come here, so this favours exact answers over
speed. Pure functions on text; positions are character offsets into that text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from json import decoder as json_decoder
from typing import Any, cast

from lorry.core.checks.report import Path, PathStep

MAX_DEPTH = 64
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)'
_STRING_OR_BRACKET = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_STRING_OR_MARK = re.compile(_STRING + r"|[\[\]{},]", re.DOTALL)
_STRING_OR_NUMBER = re.compile(_STRING + r"|(-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*)", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SPACE = re.compile(r"[ \t\n\r]*")
_scanstring = cast(Callable[[str, int, bool], tuple[str, int]], vars(json_decoder)["scanstring"])


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong at a character offset, in words."""

    offset: int
    message: str
    suggestion: str = ""
    #: The text simply ends too early: on the last line that means a file cut off.
    at_end: bool = False


@dataclass(slots=True)
class Parsed:
    """A row as Python values, with what is wrong although it could be read."""

    value: Any = None
    syntax: Complaint | None = None
    too_deep: Complaint | None = None
    numbers: list[Complaint] = field(default_factory=list)
    surrogate: Complaint | None = None
    #: Keys given again in their object: where, and the path of the object and the key.
    repeated_keys: list[tuple[int, Path]] = field(default_factory=list)


def parse(text: str) -> Parsed:
    """Read one JSON text; never raises, whatever the text holds."""
    result = Parsed()
    result.too_deep = _find_too_deep(text)
    if result.too_deep is not None:
        return result
    odd_numbers = False
    has_repeated_keys = False

    def see_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeated_keys
        value = dict(members)
        has_repeated_keys = has_repeated_keys or len(value) < len(members)
        return value

    def see_int(digits: str) -> int:
        nonlocal odd_numbers
        # Python refuses to convert more than 4,300 digits, so long ones are judged by their length.
        if len(digits) > 20 or not _INT64_MIN <= int(digits) <= _INT64_MAX:
            odd_numbers = True
            return 0
        return int(digits)

    def see_float(digits: str) -> float:
        nonlocal odd_numbers
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            odd_numbers = True
            return 0.0
        return number

    def see_constant(_word: str) -> float:
        nonlocal odd_numbers
        odd_numbers = True
        return 0.0

    decoder = json.JSONDecoder(
        parse_int=see_int, parse_float=see_float, parse_constant=see_constant, object_pairs_hook=see_object
    )
    try:
        result.value = decoder.decode(text)
    except json.JSONDecodeError as error:
        result.syntax = _explain(text, error)
        return result
    if odd_numbers:
        result.numbers = _find_odd_numbers(text)
    result.surrogate = _find_lone_surrogate(text)
    if has_repeated_keys:
        result.repeated_keys = _find_repeated_keys(text)
    return result


def parse_first(text: str) -> Any:
    """Read the JSON value a text begins with, whatever stands behind it; None if there is none."""
    try:
        return _SKIPPER.raw_decode(text, _skip_space(text, 0))[0]
    except (ValueError, RecursionError):
        return None


def locate(text: str, path: Path) -> int:
    """Return the offset of the value at `path`, or of the innermost value on the way that exists."""
    offset = _skip_space(text, 0)
    for step in path:
        try:
            inner = _enter(text, offset, step)
        except (ValueError, IndexError, RecursionError):
            return offset
        if inner is None:
            return offset
        offset = inner
    return offset


def _skip_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


_SKIPPER = json.JSONDecoder(
    parse_int=lambda _digits: 0,
    parse_float=lambda _digits: 0.0,
    parse_constant=lambda _word: 0.0,
    strict=False,
)


def _enter(text: str, offset: int, step: str | int) -> int | None:
    """Return where member `step` of the container at `offset` starts; the last one if a key is repeated."""
    if text[offset] != ("{" if isinstance(step, str) else "["):
        return None
    found: int | None = None
    index = 0
    offset = _skip_space(text, offset + 1)
    while text[offset] not in "}]":
        name: str | int = index
        if isinstance(step, str):
            name, offset = _scanstring(text, offset + 1, False)
            offset = _skip_space(text, _skip_space(text, offset) + 1)
        if name == step:
            found = offset
            if isinstance(step, int):
                return found
        _, offset = _SKIPPER.raw_decode(text, offset)
        offset = _skip_space(text, offset)
        if text[offset] == ",":
            offset = _skip_space(text, offset + 1)
        index += 1
    return found


def _find_too_deep(text: str) -> Complaint | None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return None
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match[0]
        if mark in ("{", "["):
            depth += 1
            if depth > MAX_DEPTH:
                return Complaint(match.start(), f"Nested deeper than {MAX_DEPTH} levels")
        elif mark in ("}", "]"):
            depth -= 1
    return None


def _find_odd_numbers(text: str) -> list[Complaint]:
    found = []
    for match in _STRING_OR_NUMBER.finditer(text):
        number = match[1]
        if number is None:
            continue
        shown = number if len(number) <= 24 else number[:20] + "…"
        if "N" in number or "I" in number:
            message, suggestion = f"{shown} is not a JSON number", "Write null, or leave the key out"
        elif any(mark in number for mark in ".eE"):
            if float(number) not in (float("inf"), float("-inf")):
                continue
            message, suggestion = f"The number {shown} is too large to be read", "Write it as text in quotes"
        elif len(number) > 20 or not _INT64_MIN <= int(number) <= _INT64_MAX:
            message, suggestion = f"The integer {shown} does not fit 64 bits", "Write it as text in quotes"
        else:
            continue
        found.append(Complaint(match.start(), message, suggestion))
    return found


def _find_lone_surrogate(text: str) -> Complaint | None:
    if "\\ud" not in text and "\\uD" not in text:
        return None
    for match in _ESCAPE.finditer(text):
        if match[1] is not None:
            return Complaint(
                match.start(),
                f"\\{match[1]} is half of a character",
                "Write both halves of the pair, or remove it",
            )
    return None


def _find_repeated_keys(text: str) -> list[tuple[int, Path]]:
    found: list[tuple[int, Path]] = []
    # Of every open container: the step inside it, and the keys seen (None in a list).
    steps: list[PathStep] = []
    keys: list[set[str] | None] = []
    at_key = False
    for match in _STRING_OR_MARK.finditer(text):
        mark = match[0]
        if mark in ("{", "["):
            at_key = mark == "{"
            steps.append(0)
            keys.append(set() if at_key else None)
        elif mark in ("}", "]"):
            steps.pop()
            keys.pop()
            at_key = False
        elif mark == ",":
            step = steps[-1]
            at_key = keys[-1] is not None
            if isinstance(step, int):
                steps[-1] = step + 1
        elif at_key:
            at_key = False
            seen = keys[-1]
            key, _end = _scanstring(text, match.start() + 1, False)
            steps[-1] = key
            if seen is not None and key in seen:
                found.append((match.start(), tuple(steps)))
            elif seen is not None:
                seen.add(key)
    return found


_PYTHON_WORDS = {"None": "null", "True": "true", "False": "false", "undefined": "null", "NULL": "null"}


#: A word, number or escape that the end of the text cuts short.
_UNFINISHED = re.compile(
    r"(?<![0-9A-Za-z])(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|N|Na|-|-?(?:I|In|Inf|Infi|Infin|Infini|Infinit))\Z"
    r"|[0-9](?:\.|[eE][+-]?)\Z|\\u[0-9a-fA-F]{0,3}\Z"
)


def _explain(text: str, error: json.JSONDecodeError) -> Complaint:
    """Turn the parser's error into what was expected and a hint for the usual mistakes."""
    offset, problem = error.pos, error.msg
    end = len(text.rstrip(" \t\r\n"))
    here = text[offset : offset + 1]
    if problem.startswith("Unterminated string"):
        return Complaint(offset, "Not JSON: the text that starts here is not closed", 'Close it with "', at_end=True)
    if offset >= end:
        expected = _expected(problem)
        return Complaint(end, f"Not JSON: the row ends where {expected} was expected", "", at_end=True)
    if _UNFINISHED.search(text[:end]) is not None and end - offset <= len("-Infinity"):
        return Complaint(offset, "Not JSON: the row ends inside a value", "", at_end=True)
    before = text[:offset].rstrip(" \t\r\n")
    if here in "}]" and before.endswith(","):
        return Complaint(len(before) - 1, f"Not JSON: a comma before {here}", "Remove the comma")
    if here == "'":
        return Complaint(offset, "Not JSON: single quotes", "Write \" instead of '")
    for word, right in _PYTHON_WORDS.items():
        if text.startswith(word, offset) and problem.startswith("Expecting value"):
            return Complaint(offset, f"Not JSON: {word} is not a JSON word", f"Write {right}")
    if problem.startswith("Expecting ','") and before.endswith('"') and here != '"':
        quote = len(before) - 1
        return Complaint(quote, "Not JSON: unescaped quote in the text", 'Write \\" instead of "')
    if problem.startswith("Extra data"):
        if "\r" in text[len(before) : offset]:
            hint = "The lines end with CR alone; save the file with LF line ends"
        else:
            hint = "Put every object on a line of its own"
        return Complaint(offset, "Not JSON: more text after the end of the row", hint)
    if problem.startswith("Invalid control character"):
        return Complaint(
            offset,
            f"Not JSON: control character U+{ord(here):04X} in the text",
            "Write \\n for a line break, \\t for a tab",
        )
    if problem.startswith("Invalid \\"):
        return Complaint(offset, "Not JSON: unknown escape after \\", "Write \\\\ for a backslash")
    shown = here if here.isprintable() else f"U+{ord(here):04X}"
    return Complaint(offset, f"Not JSON: found {shown} where {_expected(problem)} was expected")


def _expected(problem: str) -> str:
    if "property name" in problem:
        return 'a key in "double quotes"'
    if "':'" in problem:
        return "a colon"
    if "','" in problem:
        return "a comma or the end"
    return "a value"
