"""A window that moves over a file of JSON and cuts out one value after the other, without reading the rest.

Knows brackets and strings, not meaning. Holds the value being cut, up to a limit; a longer one is skipped. Positions
are kept as the window moves: lines and, within a line, characters.
"""

from __future__ import annotations

import re
from typing import BinaryIO

_READ_BYTES = 256 * 1024
_MAX_READ_BYTES = 4 * 1024 * 1024
_MAX_INDENT = 256

#: Text without brackets outside of strings. Matches less than there is if a string is not closed yet.
_FLAT_TEXT = rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+'
#: Everything up to the next bracket that is not inside a string.
_TO_BRACKET = re.compile(_FLAT_TEXT + rb"([{}\[\]])", re.DOTALL)
#: A whole container of up to nine levels, in one match.
_CONTAINER = rb"[{\[]" + _FLAT_TEXT + rb"[}\]]"
for _level in range(8):
    _CONTAINER = rb"[{\[]" + _FLAT_TEXT + rb"(?:" + _CONTAINER + _FLAT_TEXT + rb")*+[}\]]"
_WHOLE_CONTAINER = re.compile(_CONTAINER, re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WORD = re.compile(rb'[^\s,:"{}\[\]]++')
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_QUOTE = re.compile(rb'"')
_BRACKET_OR_QUOTE = re.compile(rb'["{}\[\]]')
_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class ValueTooLongError(Exception):
    """The value at the window's position is longer than the limit; the window has not moved."""


class ValueCutOffError(Exception):
    """The file ends inside the value at the window's position; the window has not moved."""


class Window:
    """Bytes of a file from `start` on, which is at `line` and `column`. `max_value_bytes` bounds what is held."""

    def __init__(self, file: BinaryIO, start: int, max_value_bytes: int, line: int = 1, column: int = 1) -> None:
        self._file = file
        self._next_read = start
        self._max_value_bytes = max_value_bytes
        self._buffer = b""
        self._base = start
        self._at = 0
        # The line and column of `_mark`, a place at or before `_at`.
        self._mark = 0
        self._line = line
        self._column = column

    @property
    def offset(self) -> int:
        """Offset in the file, in bytes."""
        return self._base + self._at

    def line_and_column(self) -> tuple[int, int]:
        """Return the position as line and column, both from 1, the column in characters."""
        passed = self._buffer[self._mark : self._at]
        breaks = passed.count(b"\n")
        if breaks:
            self._line += breaks
            self._column = 1
            passed = passed[passed.rfind(b"\n") + 1 :]
        self._column += len(passed) if passed.isascii() else len(passed.decode("utf-8", "replace"))
        self._mark = self._at
        return self._line, self._column

    def peek(self) -> bytes:
        """Move over white space and return the next byte, or b"" at the end of the file."""
        while True:
            match = _NOT_SPACE.search(self._buffer, self._at)
            if match is not None:
                self._at = match.start()
                return match[0]
            self._at = len(self._buffer)
            if not self._read():
                return b""

    def move(self, number: int) -> None:
        """Move forward over bytes that have been seen."""
        self._at += number

    def move_to(self, offset: int) -> None:
        """Move forward to an offset of the file."""
        while self._base + len(self._buffer) < offset:
            self._at = len(self._buffer)
            if not self._read():
                return
        self._at = offset - self._base

    def count_lines(self) -> int:
        """Move to the end of the file and return its number of lines."""
        self._at = len(self._buffer)
        while self._read():
            self._at = len(self._buffer)
        line, column = self.line_and_column()
        return line if column > 1 else line - 1

    def indent(self) -> bytes | None:
        """Return the white space before the position if nothing else stands before it in its line."""
        start = max(0, self._at - _MAX_INDENT)
        before = self._buffer[start : self._at]
        after_break = before.rfind(b"\n") + 1
        if after_break == 0 and self._base + start > 0:
            return None
        return None if before[after_break:].strip(b" \t") else before[after_break:]

    def passed(self, number: int) -> bytes:
        """Return the last bytes before the position, as far as they are still held."""
        return self._buffer[max(0, self._at - number) : self._at]

    def value(self) -> bytes:
        """Return the whole value at the position, which is not moved.

        Raises ValueTooLongError and ValueCutOffError. What is no value at all comes back as it stands, up to the next
        mark; it is never empty.
        """
        first = self._buffer[self._at : self._at + 1]
        if first in (b"{", b"["):
            return self._container()
        while True:
            if first == b'"':
                match = _STRING.match(self._buffer, self._at)
                if match is not None:
                    return match[0]
            else:
                match = _WORD.match(self._buffer, self._at)
                if match is None:
                    return first
                if match.end() < len(self._buffer):
                    return match[0]
            if self._held() > self._max_value_bytes:
                raise ValueTooLongError
            if not self._read():
                if match is not None:
                    return match[0]
                raise ValueCutOffError

    def _container(self) -> bytes:
        whole = _WHOLE_CONTAINER.match(self._buffer, self._at)
        if whole is not None:
            return whole[0]
        depth = 0
        scanned = self._at
        while True:
            match = _TO_BRACKET.match(self._buffer, scanned)
            if match is None:
                done = scanned - self._at
                if self._held() > self._max_value_bytes:
                    raise ValueTooLongError
                if not self._read():
                    raise ValueCutOffError
                scanned = self._at + done
                continue
            scanned = match.end()
            if match[1] in (b"{", b"["):
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    return self._buffer[self._at : scanned]

    def region(self, separator: bytes, wanted_bytes: int) -> bytes:
        """Return the text from the position up to the last `separator` within `wanted_bytes`; b"" without one."""
        while self._held() < wanted_bytes and self._read():
            pass
        end = self._buffer.rfind(separator, self._at, self._at + wanted_bytes)
        return self._buffer[self._at : max(end, self._at)]

    def held(self) -> bytes:
        """Return what is held from the position on."""
        return self._buffer[self._at :]

    def _held(self) -> int:
        return len(self._buffer) - self._at

    def skip_value(self) -> int:
        """Move over the container or string at the position however long it is; returns its length in bytes."""
        start = self.offset
        depth = 0
        in_string = False
        while True:
            if in_string:
                text = _TEXT.match(self._buffer, self._at)
                self._at = text.end() if text is not None else self._at
                match = _QUOTE.match(self._buffer, self._at)
            else:
                match = _BRACKET_OR_QUOTE.search(self._buffer, self._at)
                self._at = len(self._buffer) if match is None else self._at
            if match is None:
                # What is left, a backslash at most, needs the byte that follows it.
                if not self._read():
                    self._at = len(self._buffer)
                    return self.offset - start
                continue
            self._at = match.end()
            mark = match[0]
            if mark == b'"':
                in_string = not in_string
            else:
                depth += 1 if mark in (b"{", b"[") else -1
            if depth <= 0 and not in_string:
                return self.offset - start

    def _read(self) -> bool:
        """Read on, dropping what lies before the position, except for its indent."""
        self.line_and_column()
        keep_from = max(0, self._at - _MAX_INDENT)
        # Several windows may look at one file, so each one says where it reads.
        self._file.seek(self._next_read)
        data = self._file.read(max(_READ_BYTES, min(self._held(), _MAX_READ_BYTES)))
        self._next_read += len(data)
        self._buffer = self._buffer[keep_from:] + data
        self._base += keep_from
        self._at -= keep_from
        self._mark = self._at
        return bool(data)
