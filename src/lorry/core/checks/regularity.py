"""Guesses where the elements of a list are in a document that a program has laid out.

Such a file has the same text between all elements, so hundreds can be cut out at once. It is a guess: whoever
decodes the region must compare the number of elements. Cutting exactly is the business of `window.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from lorry.core.checks.window import Window

_REGION_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Region:
    """Text of whole elements as it stands in the file, and of each one its offset there and nearly all of its text."""

    text: bytes
    offsets: list[int]
    pieces: list[bytes]


class Regularity:
    """Learns from one element and the gap behind it."""

    def __init__(self) -> None:
        self._shape: tuple[bytes, bytes] | None = None
        self._separator = b""

    @property
    def is_learning(self) -> bool:
        """Whether elements and gaps are still of use."""
        return not self._separator

    def see_element(self, raw: bytes) -> None:
        """Look at an element that was cut exactly."""
        self._shape = _shape(raw)

    def see_gap(self, gap: bytes) -> None:
        """Look at the white space between the comma after that element and the next one."""
        if self._shape is not None:
            end, beginning = self._shape
            self._separator = end + b"," + gap + beginning

    def region(self, window: Window) -> Region | None:
        """Return the elements from the window's position on, all but the last one in reach."""
        separator = self._separator
        text = window.region(separator, _REGION_BYTES) if separator else b""
        if not text:
            return None
        pieces = text.split(separator)
        starts = accumulate((len(piece) + len(separator) for piece in pieces), initial=window.offset)
        # What an element begins with, except for the first one, belongs to the separator.
        shift = len(separator) - separator.index(b"{")
        return Region(
            text + separator[: separator.index(b",")],
            [start - shift * (number > 0) for number, start in zip(range(len(pieces)), starts, strict=False)],
            pieces,
        )


def _shape(raw: bytes) -> tuple[bytes, bytes] | None:
    """Return an end and a beginning of an element by which its neighbours can be recognised."""
    last_line = raw[raw.rfind(b"\n") :]
    if last_line.strip(b" \t\n") == b"}" and last_line[:1] == b"\n":
        return last_line, b"{"
    colon = raw.find(b":", 0, 100)
    if raw[:1] == b"{" and b"\n" not in raw and colon > 0:
        return b"}", raw[: colon + 1]
    return None
