"""What the typed decoder lets pass in the keys it skips: bytes that are no UTF-8, deep nesting, numbers out of bounds.

Works on whole blocks of bytes with a few C-speed passes, on text that is known to be valid JSON. Each test is safe in
one direction: it never overlooks a mistake, and what it suspects wrongly a slower, exact test clears.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lorry.core.checks.jsontext import MAX_DEPTH

_ALL_BYTES = bytes(range(256))
_NOT_STRUCTURE = _ALL_BYTES.translate(None, b'{}[]"0123456789eE-.,:\n')
_NOT_OPENERS = _ALL_BYTES.translate(None, b"{[\n")
_NOT_OPENERS_OF_ELEMENT = _ALL_BYTES.translate(None, b"{[")
_NOT_BRACKETS = _ALL_BYTES.translate(None, b'{}[]"')
_BRACKETS_ALIKE = bytes.maketrans(b"[]", b"{}")
_DIGITS_ALIKE = bytes.maketrans(b"0123456789E", b"0000000000e")
_NOT_NUMBERS = b'{}"\n'
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ODD_NUMBER = re.compile(rb"[0-9]{19}|[0-9][eE]\+?[0-9]{3}")


def reduce(block: bytes) -> bytes:
    """Keep only line ends and the bytes that brackets, quotes and numbers are made of: a fifth of usual text."""
    return block.translate(None, _NOT_STRUCTURE)


def is_one_row_a_line(reduced: bytes, lines: int) -> bool:
    """Whether each of `lines` lines of a reduced block begins and ends an object.

    A line end between } and { is no part of a JSON value. So if the block then decodes as JSON texts one after the
    other, and there are as many texts as lines, every line is a text of its own.
    """
    return reduced.startswith(b"{") and reduced.endswith(b"}\n") and reduced.count(b"}\n{") == lines - 1


def opener_counts_of_lines(reduced: bytes) -> Iterable[int]:
    """Count the opening brackets of every line of a reduced block, those in texts included."""
    return map(len, reduced.translate(None, _NOT_OPENERS).split(b"\n"))


def opener_count(element: bytes) -> int:
    """Count the opening brackets of one element, those in texts included."""
    return len(element.translate(None, _NOT_OPENERS_OF_ELEMENT))


def is_sound(block: bytes, reduced: bytes, opener_counts: Iterable[int]) -> bool:
    """Whether a block of valid JSON rows breaks none of F03, F18 and F19."""
    if not block.isascii():
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            return False
    # A row with few opening brackets cannot be deep.
    is_flat = max(opener_counts, default=0) <= MAX_DEPTH or _nests_flat(_without_escaped_quotes(block))
    if is_flat and not _may_hold_odd_number(reduced):
        return True
    bare = _STRINGS.sub(b"", block)
    return _ODD_NUMBER.search(bare) is None and _nests_flat(bare, rounds=MAX_DEPTH)


def _without_escaped_quotes(block: bytes) -> bytes:
    return block.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in block else block


def _nests_flat(block: bytes, rounds: int = 12) -> bool:
    """Whether all brackets and quotes vanish when empty pairs are removed so many times.

    A bracket inside a text stands behind an odd number of quotes, so one of them stays.
    """
    brackets = block.translate(_BRACKETS_ALIKE, _NOT_BRACKETS).replace(b'""', b"")
    for _ in range(rounds):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"")
    return not brackets


def _may_hold_odd_number(reduced: bytes) -> bool:
    """Whether a reduced block may hold an integer of 19 digits or an exponent of three."""
    digits = reduced.translate(_DIGITS_ALIKE, _NOT_NUMBERS)
    if b"0" * 19 in digits:
        return True
    # Ids in hexadecimal are full of "5e123"; a number follows a colon, comma or bracket.
    at = digits.find(b"0e000")
    while at >= 0:
        before = digits[max(0, at - 40) : at].rstrip(b"0.-")
        if before[-1:] in (b"", b":", b",", b"["):
            return True
        at = digits.find(b"0e000", at + 5)
    return False
