"""The bytes of a fixed copy, piece by piece, with the places that changed. One pass; memory holds one block or row.

Arrangement (lines, document, objects that follow each other) is decided here; what happens inside a row is left to
`fixes_rows.py`, the file to `fixes.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lorry.core.checks import jsontext
from lorry.core.checks.fixes_rows import ROW_KINDS, FixKind, RowFixer, read_row
from lorry.core.checks.raw_rows import BrokenFileError, RowFile
from lorry.core.checks.reader import Block, LineReader

_COPY_BYTES = 1024 * 1024
#: Rows put together before they are handed on.
_PIECE_BYTES = 256 * 1024
#: A line end inside a row of JSON stands between its parts: inside a text it would be an escape.
_LINE_BREAK = re.compile(rb"[ \t\r]*\n[ \t\r\n]*")
_MAYBE_BLANK = (b"\n\n", b"\n\r", b"\n ", b"\n\t")
_SPACE = b" \t\r"


@dataclass(frozen=True, slots=True)
class Change:
    """One changed place. The texts are there only when asked for."""

    line: int
    kinds: Counter[FixKind]
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the copy. `done_bytes` is how much of the original has been read."""

    data: bytes
    done_bytes: int
    changes: list[Change]


def fixed_pieces(
    rows: RowFile, again: BinaryIO, kinds: frozenset[FixKind], *, keep_texts: bool = False
) -> Iterator[Piece]:
    """Yield the whole copy. `again` is a second handle of the same file, for bytes that are only copied.

    Raises BrokenFileError if rows shall be put on lines and cannot be told apart.
    """
    stream = _Stream(rows, again, kinds, keep_texts=keep_texts)
    if rows.start:
        yield stream.mark()
    if rows.arrangement == "lines":
        yield from stream.lines()
    elif FixKind.ONE_ROW_A_LINE in kinds:
        yield from stream.rows_on_lines()
    else:
        yield from stream.document()


class _Stream:
    def __init__(self, rows: RowFile, again: BinaryIO, kinds: frozenset[FixKind], *, keep_texts: bool) -> None:
        self._rows = rows
        self._again = again
        self._kinds = kinds
        self._keep_texts = keep_texts
        self._fixer = RowFixer(kinds) if kinds & ROW_KINDS else None

    def mark(self) -> Piece:
        """The byte order mark, kept or dropped."""
        self._again.seek(0)
        mark = self._again.read(self._rows.start)
        if FixKind.BYTE_ORDER_MARK not in self._kinds:
            return Piece(mark, len(mark), [])
        return Piece(b"", len(mark), [self._change(1, Counter({FixKind.BYTE_ORDER_MARK: 1}), mark, b"")])

    def _change(self, line: int, kinds: Counter[FixKind], before: bytes, after: bytes) -> Change:
        return Change(line, kinds, before, after) if self._keep_texts else Change(line, kinds)

    # -- lines -------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[Piece]:
        """A file of lines, block by block."""
        line = 1
        for block in LineReader(self._rows.file, self._rows.start):
            if block.data is None:
                yield from self._copied(block.start_offset, block.end_offset)
                line += 1
            elif not self._may_change(block.data):
                yield Piece(block.data, block.end_offset, [])
                line += block.data.count(b"\n")
            else:
                yield self._fixed_lines(block, block.data, line)
                line += block.data.count(b"\n")

    def _may_change(self, data: bytes) -> bool:
        if self._fixer is not None or (FixKind.LINE_ENDS in self._kinds and b"\r\n" in data):
            return True
        if FixKind.BLANK_LINES not in self._kinds:
            return False
        return data[:1] in (b"\n", b"\r", b" ", b"\t") or any(mark in data for mark in _MAYBE_BLANK)

    def _fixed_lines(self, block: Block, data: bytes, first_line: int) -> Piece:
        parts: list[bytes] = []
        changes: list[Change] = []
        at = 0
        line = first_line
        while at < len(data):
            end = data.find(b"\n", at)
            raw, ending = (data[at:], b"") if end < 0 else (data[at:end], b"\n")
            fixed, kinds = self._fixed_line(raw, ending)
            parts.append(fixed)
            if kinds:
                changes.append(self._change(line, kinds, raw + ending, fixed))
            at += len(raw) + 1
            line += 1
        return Piece(b"".join(parts), block.end_offset, changes)

    def _fixed_line(self, raw: bytes, ending: bytes) -> tuple[bytes, Counter[FixKind]]:
        kinds: Counter[FixKind] = Counter()
        if not raw.strip(_SPACE):
            if FixKind.BLANK_LINES in self._kinds:
                return b"", Counter({FixKind.BLANK_LINES: 1})
        elif self._fixer is not None:
            row = raw.rstrip(b"\r")
            fixed = self._fixer.fix(row)
            if fixed is not None:
                raw = fixed.data + raw[len(row) :]
                kinds = fixed.changes
        if FixKind.LINE_ENDS in self._kinds and ending and raw.endswith(b"\r"):
            raw = raw.rstrip(b"\r")
            kinds[FixKind.LINE_ENDS] += 1
        return raw + ending, kinds

    # -- documents and objects that follow each other ------------------------------------------------------------------

    def rows_on_lines(self) -> Iterator[Piece]:
        """Every row on a line of its own; what stands between rows is dropped."""
        parts: list[bytes] = []
        changes: list[Change] = []
        held = 0
        for row in self._rows.rows():
            if row.data is None:
                raise BrokenFileError(row.line, "this row is over 16 MiB")
            if not _is_json(row.data):
                raise BrokenFileError(row.line, "this row is not JSON; correct it first")
            line = _LINE_BREAK.sub(b" ", row.data) if b"\n" in row.data else row.data
            kinds = Counter({FixKind.ONE_ROW_A_LINE: 1})
            fixed = self._fixer.fix(line) if self._fixer is not None else None
            if fixed is not None:
                line = fixed.data
                kinds += fixed.changes
            parts += (line, b"\n")
            held += len(line) + 1
            changes.append(self._change(row.line, kinds, row.data, line))
            if held >= _PIECE_BYTES:
                yield Piece(b"".join(parts), row.end, changes)
                parts, changes, held = [], [], 0
        yield Piece(b"".join(parts), self._rows.size_bytes, changes)

    def document(self) -> Iterator[Piece]:
        """A document as it is, with fixes inside its rows; one that cannot be followed to its end is copied."""
        done = self._rows.start
        if self._fixer is not None:
            try:
                for row in self._rows.rows():
                    fixed = self._fixer.fix(row.data) if row.data is not None else None
                    if fixed is None or row.data is None:
                        continue
                    yield from self._copied(done, row.start)
                    yield Piece(fixed.data, row.end, [self._change(row.line, fixed.changes, row.data, fixed.data)])
                    done = row.end
            except BrokenFileError:
                # What comes after stays as it is.
                pass
        yield from self._copied(done, self._rows.size_bytes)

    def _copied(self, start: int, end: int) -> Iterator[Piece]:
        self._again.seek(start)
        while start < end and (data := self._again.read(min(_COPY_BYTES, end - start))):
            start += len(data)
            yield Piece(data, start, [])


def _is_json(raw: bytes) -> bool:
    if read_row(raw) is not None:
        return True
    parsed = jsontext.parse(raw.decode("utf-8", "replace"))
    return parsed.syntax is None and parsed.too_deep is None
