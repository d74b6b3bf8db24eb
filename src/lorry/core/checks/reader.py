"""Reads a file of lines: blocks of whole lines, rows with their place, and the findings of bytes and lines.

Memory holds one block; a line over the limit is skipped without being loaded. `LineCheck` feeds an `Intake`. Files
that are one JSON document are read by `elements.py`. Runs in the thread that called `check_file`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lorry.core.checks import jsontext
from lorry.core.checks.batch import Quick
from lorry.core.checks.intake import PART_BITS, Intake
from lorry.core.checks.places import Row
from lorry.core.checks.report import FindingLog, path_text
from lorry.core.checks.rulebook import LONG_ROW_BYTES, MAX_ROW_BYTES

#: A quarter of a long row at most: a long row then always fills one whole read without a line end.
BLOCK_BYTES = 256 * 1024
#: Blocks held while rows are read again; findings come in the order of the file, so a few are enough.
_BLOCKS_AGAIN = 4

UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines; only the last block of a file may lack its last line end. `data` is None for a skipped line."""

    data: bytes | None
    start_offset: int
    end_offset: int
    has_long_line: bool
    skipped_bytes: int = 0


class LineReader:
    """Cuts a file, or the part of it from `start` to `end`, into blocks of whole lines; finds single lines again."""

    def __init__(self, file: BinaryIO, start: int, end: int | None = None) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._first_lines: list[int] = []
        self._offsets: list[int] = []
        self._lines_again: dict[int, list[bytes]] = {}

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks of the file from the start offset on."""
        self._file.seek(self._start)
        offset = self._start
        parts: list[bytes] = []
        held = 0
        skipped = 0
        while data := self._read():
            cut = data.rfind(b"\n") + 1
            if skipped:
                skip_end = data.find(b"\n") + 1
                skipped += skip_end or len(data)
                if not skip_end:
                    continue
                yield Block(None, offset, offset + skipped, True, skipped)
                offset += skipped
                skipped = 0
                data, cut = data[skip_end:], cut - skip_end
            if cut == 0:
                parts.append(data)
                held += len(data)
                if held > MAX_ROW_BYTES and len(parts) > 1:
                    skipped, held = held, 0
                    parts.clear()
                continue
            long_line = len(parts) > 1
            block = b"".join((*parts, memoryview(data)[:cut])) if parts else data[:cut]
            parts.clear()
            if cut < len(data):
                parts.append(data[cut:])
            held = len(data) - cut
            yield Block(block, offset, offset + len(block), long_line)
            offset += len(block)
        if skipped:
            yield Block(None, offset, offset + skipped, True, skipped)
        elif parts:
            yield Block(b"".join(parts), offset, offset + held, len(parts) > 1)

    def _read(self) -> bytes:
        """Read a block, up to the end of the part."""
        if self._end is None:
            return self._file.read(BLOCK_BYTES)
        return self._file.read(min(BLOCK_BYTES, self._end - self._file.tell()))

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """The first line of every block and its offset."""
        return list(zip(self._first_lines, self._offsets, strict=True))

    def remember(self, first_line: int, offset: int) -> None:
        """Remember which line a block begins with, so that `row` finds it."""
        self._first_lines.append(first_line)
        self._offsets.append(offset)

    def row(self, where: int) -> Row:
        """Read one line again, by its number in the bits above `PART_BITS`."""
        line = where >> PART_BITS
        index = bisect_right(self._first_lines, line) - 1
        if index not in self._lines_again:
            if len(self._lines_again) >= _BLOCKS_AGAIN:
                self._lines_again.clear()
            following = self._offsets[index + 1] if index + 1 < len(self._offsets) else None
            self._file.seek(self._offsets[index])
            data = _read_exactly(self._file, MAX_ROW_BYTES if following is None else following - self._offsets[index])
            self._lines_again[index] = data.split(b"\n")
        raw = self._lines_again[index][line - self._first_lines[index]]
        return Row(raw.removesuffix(b"\r").decode("utf-8", "replace"), line)


def _read_exactly(file: BinaryIO, number: int) -> bytes:
    """Read so many bytes, or what there is: one read of a raw file may return less."""
    parts = []
    while number > 0 and (data := file.read(number)):
        parts.append(data)
        number -= len(data)
    return b"".join(parts)


@dataclass(slots=True)
class BlankLines:
    """How many blank lines there are, and the first one."""

    number: int = 0
    first_line: int = 0

    def add(self, later: BlankLines, lines_before: int) -> None:
        """Add those of a later part of the file."""
        if later.number and not self.number:
            self.first_line = later.first_line + lines_before
        self.number += later.number

    def report(self, log: FindingLog) -> None:
        """F09, if there are any."""
        if self.number:
            noun = "blank line" if self.number == 1 else "blank lines, the first one here"
            log.add_at("F09", self.first_line, 1, f"{self.number:,} {noun}")


class LineCheck:
    """Checks a file of lines, or a part of one, block by block. Lines are counted from the start of the part."""

    def __init__(
        self,
        file: BinaryIO,
        start: int,
        intake: Intake,
        log: FindingLog,
        end: int | None = None,
        *,
        crlf_seen: bool = False,
    ) -> None:
        self.reader = LineReader(file, start, end)
        self._intake = intake
        self._log = log
        self._quick = Quick(intake)
        intake.on_sound_row = self._quick.learn
        self.blanks = BlankLines()
        self._crlf_seen = crlf_seen
        #: Where F06 was reported.
        self.crlf_line = 0

    def run(self, on_block: Callable[[int], None]) -> None:
        """Read the whole file. `on_block` gets the bytes done after every block and may raise to stop."""
        statistics = self._intake.statistics
        for block in self.reader:
            first_line = statistics.lines + 1
            self.reader.remember(first_line, block.start_offset)
            if block.data is None:
                statistics.lines += 1
                shown = f"{block.skipped_bytes / 1_000_000:,.1f} MB"
                self._log.add_at("F11", first_line, 1, f"The row has {shown}, over the limit of 16 MiB")
            else:
                self._take(block.data, quick=not block.has_long_line)
            on_block(block.end_offset)

    def row_again(self, where: int) -> Row:
        """Read a line again for a finding made after it was let go."""
        return self.reader.row(where)

    def _take(self, data: bytes, *, quick: bool = True) -> None:
        statistics = self._intake.statistics
        first_line = statistics.lines + 1
        can_be_quick = quick and data.endswith(b"\n") and (self._crlf_seen or b"\r" not in data)
        if can_be_quick and self._quick.is_ready():
            lines = data.count(b"\n")
            places = range(first_line << PART_BITS, (first_line + lines) << PART_BITS, 1 << PART_BITS)
            self._quick.take_lines(
                data, places, lambda raw, index: self._take_line(raw, first_line + index, is_cut=False)
            )
            statistics.lines += lines
            return
        start = 0
        line = first_line
        while start < len(data):
            end = data.find(b"\n", start)
            terminated = end >= 0
            if not terminated:
                end = len(data)
            self._take_line(data[start:end], line, is_cut=not terminated)
            start = end + 1
            line += 1
            statistics.lines += 1

    def _take_line(self, raw: bytes, line: int, *, is_cut: bool) -> None:
        """Take one line without its line end; `is_cut` when the file ends without one."""
        if raw.endswith(b"\r") and not is_cut:
            if not self._crlf_seen:
                self._crlf_seen = True
                self.crlf_line = line
                column = len(raw.decode("utf-8", "replace"))
                self._log.add_at("F06", line, column, "Windows line ends", "Fine as they are; LF is usual")
            raw = raw[:-1]
        if not raw.strip(b" \t\r\n"):
            self.blanks.number += 1
            self.blanks.first_line = self.blanks.first_line or line
            return
        if len(raw) > MAX_ROW_BYTES:
            self._log.add_at("F11", line, 1, f"The row has {len(raw) / 1_000_000:,.1f} MB, over the limit of 16 MiB")
            return
        take_text(raw, Row("", line), self._intake, self._log, where=line << PART_BITS, is_last=is_cut)


def take_text(raw: bytes, start: Row, intake: Intake, log: FindingLog, *, where: int, is_last: bool) -> None:
    """Check the bytes of one row and hand its value to the intake. `start` tells where the row begins."""
    row, parsed = read_value(raw, start, log, is_last=is_last)
    if parsed is not None:
        intake.take(parsed.value, row, where)


def read_value(raw: bytes, start: Row, log: FindingLog, *, is_last: bool) -> tuple[Row, jsontext.Parsed | None]:
    """Read one JSON value and report F03, F04, F10, F11, F18 to F21 and R01; None if it has no value to go on with.

    `is_last` when the file ends right after it, so that a value without an end is a file cut off.
    """
    if len(raw) > LONG_ROW_BYTES:
        size = f"{len(raw) / 1_000_000:,.1f} MB"
        log.add_at("F11", start.line, start.column, f"The row has {size}", level="warning")
    text = _decode(raw, start, log, is_last=is_last)
    row = Row(text, start.line, start.column, start.prefix)
    nul = text.find("\0")
    if nul >= 0:
        log.add_at("F04", *row.at(nul), "NUL character", "Save the file as UTF-8 text")
        return row, None
    parsed = jsontext.parse(text)
    complaint = parsed.too_deep or parsed.syntax
    if complaint is not None:
        code, message, suggestion = "R01", complaint.message, complaint.suggestion
        if parsed.too_deep is not None:
            code = "F18"
        elif is_last and complaint.at_end:
            code, suggestion = "F10", "Get the file again from where it was made"
            message = "The last row is cut off: " + message.removeprefix("Not JSON: ")
        log.add_at(code, *row.at(complaint.offset), message, suggestion)
        return row, None
    for number in parsed.numbers:
        log.add_at("F19", *row.at(number.offset), number.message, number.suggestion)
    if parsed.surrogate is not None:
        log.add_at("F20", *row.at(parsed.surrogate.offset), parsed.surrogate.message, parsed.surrogate.suggestion)
    for offset, path in parsed.repeated_keys:
        name = str(path[-1])[:40]
        log.add_at("F21", *row.at(offset), f"{name} is given twice", path=path_text(row.prefix + path))
    return row, parsed


def _decode(raw: bytes, start: Row, log: FindingLog, *, is_last: bool) -> str:
    """Decode a row; a byte that is not UTF-8 is F03 and becomes a replacement character."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the end of the file cuts in two is not a matter of encoding.
        if is_last and error.end == len(raw) and error.reason == "unexpected end of data":
            return raw[: error.start].decode("utf-8")
        before = Row(raw[: error.start].decode("utf-8"), start.line, start.column)
        line, column = before.at(len(before.text))
        message = f"Byte 0x{raw[error.start]:02X}, number {error.start + 1} of the row, is not UTF-8"
        log.add_at("F03", line, column, message, f"Save the file as UTF-8; it is probably {_likely_encoding(raw)}")
        return raw.decode("utf-8", "replace")


def _likely_encoding(raw: bytes) -> str:
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "Latin-1 or Mac Roman"
    return "Windows-1252"
