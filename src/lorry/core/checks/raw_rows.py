"""The bytes of every row of a file, whatever its arrangement, and where they stand. Knows nothing of rules.

What rewrites a file (`fixes.py`, `conversions.py`) reads it through this. Memory holds one row or one block of lines.
Runs in the thread of its caller.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lorry.core.checks.elements import LIST_KEYS
from lorry.core.checks.preflight import Arrangement, arrangement_of
from lorry.core.checks.reader import LineReader
from lorry.core.checks.rulebook import MAX_ROW_BYTES
from lorry.core.checks.window import ValueCutOffError, ValueTooLongError, Window


class BrokenFileError(Exception):
    """The rows of a document cannot be told apart. `line` is where, from 1; the text says why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line:,}: {why}")
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row: its bytes from `start` to `end` in the file, and its first line. `data` is None when over 16 MiB."""

    data: bytes | None
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class RowFile:
    """An open file whose rows can be read. `start` is where its text begins, after a byte order mark."""

    file: BinaryIO
    start: int
    arrangement: Arrangement
    size_bytes: int

    @classmethod
    def of(cls, file: BinaryIO, path: Path) -> RowFile:
        """Look at an open, unbuffered file; the name's ending matters as it does for the checks."""
        start, arrangement = arrangement_of(file, path.suffix)
        return cls(file, start, arrangement, os.fstat(file.fileno()).st_size)

    def rows(self) -> Iterator[RawRow]:
        """Yield every row; blank lines are none. Raises BrokenFileError."""
        if self.arrangement == "lines":
            return self._lines()
        if self.arrangement == "sequence":
            return self._sequence()
        return self._document()

    def _lines(self) -> Iterator[RawRow]:
        line = 1
        for block in LineReader(self.file, self.start):
            if block.data is None:
                yield RawRow(None, block.start_offset, block.end_offset, line)
                line += 1
                continue
            offset = block.start_offset
            for raw in block.data.split(b"\n"):
                if raw.strip(b" \t\r"):
                    yield RawRow(raw.rstrip(b"\r"), offset, offset + len(raw), line)
                offset += len(raw) + 1
                line += 1
            # What stands behind the last line end of a block is no line.
            line -= block.data.endswith(b"\n")

    def _sequence(self) -> Iterator[RawRow]:
        window = Window(self.file, self.start, MAX_ROW_BYTES)
        while window.peek():
            yield _row_at(window)

    def _document(self) -> Iterator[RawRow]:
        window = Window(self.file, self.start, MAX_ROW_BYTES)
        if window.peek() == b"[":
            yield from _elements(window)
        else:
            yield from _rows_of_members(window)
        if window.peek():
            raise _broken(window, "more text after the end of the document")


def _rows_of_members(window: Window) -> Iterator[RawRow]:
    """Yield the elements of the main list of the object at the window's position."""
    _expect(window, b"{")
    while True:
        if window.peek() != b'"':
            _expect(window, b"}")
            return
        key = _row_at(window).data
        _expect(window, b":")
        if key in _LIST_KEYS and window.peek() == b"[":
            yield from _elements(window)
        else:
            window.peek()
            window.skip_value() if window.peek() in (b"{", b"[", b'"') else _row_at(window)
        if window.peek() == b"}":
            window.move(1)
            return
        _expect(window, b",")


_LIST_KEYS = {f'"{key}"'.encode() for key in LIST_KEYS}


def _elements(window: Window) -> Iterator[RawRow]:
    _expect(window, b"[")
    if window.peek() == b"]":
        window.move(1)
        return
    while True:
        yield _row_at(window)
        if window.peek() == b"]":
            window.move(1)
            return
        _expect(window, b",")


def _row_at(window: Window) -> RawRow:
    """Return the value at the window's position and move behind it."""
    if not window.peek() or window.peek() in (b",", b":", b"}", b"]"):
        raise _broken(window, "a value was expected")
    line, _column = window.line_and_column()
    start = window.offset
    try:
        data: bytes | None = window.value()
        window.move(len(data or b""))
    except ValueTooLongError:
        data = None
        window.skip_value()
    except ValueCutOffError as error:
        raise BrokenFileError(line, "the file ends inside this row") from error
    return RawRow(data, start, window.offset, line)


def _expect(window: Window, mark: bytes) -> None:
    if window.peek() != mark:
        raise _broken(window, f"{mark.decode()} was expected")
    window.move(1)


def _broken(window: Window, why: str) -> BrokenFileError:
    return BrokenFileError(window.line_and_column()[0], why)
