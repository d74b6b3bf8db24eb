"""Checks a file that is one JSON document, or objects spread over several lines, element by element.

Only the elements of its main list are taken as rows; metadata beside the list is read whole, the rest only looked
through. Feeds an `Intake`, like `reader.py` does for lines. Runs in the thread that called `check_file`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import BinaryIO, NoReturn

from lorry.core.checks import jsontext
from lorry.core.checks.batch import Quick
from lorry.core.checks.intake import PART_BITS, Intake
from lorry.core.checks.places import Row
from lorry.core.checks.reader import read_value, take_text
from lorry.core.checks.regularity import Regularity
from lorry.core.checks.report import FindingLog, Path
from lorry.core.checks.rulebook import LONG_ROW_BYTES, MAX_ROW_BYTES
from lorry.core.checks.window import ValueCutOffError, ValueTooLongError, Window

LIST_KEYS = ("conversations", "training_pairs")
METADATA_KEYS = ("training_file_metadata", "dataset_metadata")
_BATCH_BYTES = 256 * 1024
#: Places held open while elements are read again; findings come in the order of the file, so a few are enough.
_WINDOWS_AGAIN = 4
#: A remembered element is its index and its offset in one integer; files are checked up to 500 MiB.
_OFFSET_BITS = 29


class _Member:
    """The value of a key of the document, as a place whose paths begin with that key."""

    prefix: Path = ()

    def __init__(self, row: Row) -> None:
        self._row = row

    def position(self, path: Path) -> tuple[int, int]:
        return self._row.position(path[1:])


def _is_no_json(raw: bytes) -> bool:
    return jsontext.parse(raw.decode("utf-8", "replace")).syntax is not None


class _StopReadingError(Exception):
    """The document is broken in a way that leaves nothing to go on from."""


class DocumentCheck:
    """Checks one document. `keys` are its top-level keys as far as they were read."""

    def __init__(self, file: BinaryIO, start: int, intake: Intake, log: FindingLog) -> None:
        self._file = file
        self._window = Window(file, start, MAX_ROW_BYTES)
        self._intake = intake
        self._log = log
        self._on_block: Callable[[int], None] = lambda _offset: None
        self._quick = Quick(intake)
        intake.on_sound_row = self._quick.learn
        self._waiting: list[tuple[bytes, Row, int]] = []
        self._waiting_bytes = 0
        self._regularity = Regularity()
        self._exact_until = 0
        # Positions known on the way, to find an element again without reading from the start.
        self._milestones: list[tuple[int, int, int]] = [(start, 1, 1)]
        self._windows_again: dict[int, Window] = {}
        self._is_sequence = False
        self.keys: list[str] = []

    def run(self, on_block: Callable[[int], None]) -> None:
        """Read the document. `on_block` gets the bytes done from time to time and may raise to stop."""
        self._on_block = on_block
        window = self._window
        try:
            if window.peek() == b"[":
                self._take_list(())
            else:
                self._take_members()
            if window.peek():
                self._complain("Not JSON: more text after the end of the document", "Keep one document in the file")
        except _StopReadingError:
            pass
        self._finish()

    def run_sequence(self, on_block: Callable[[int], None]) -> None:
        """Read objects that follow each other with nothing but white space between them."""
        self._on_block = on_block
        self._is_sequence = True
        try:
            while self._window.peek():
                self._take_element(())
        except _StopReadingError:
            pass
        self._finish()

    def _finish(self) -> None:
        self._flush()
        self._intake.statistics.lines = self._window.count_lines()

    def _take_members(self) -> None:
        window = self._window
        window.move(1)
        while True:
            if window.peek() != b'"':
                if window.peek() == b"}" and not self.keys:
                    window.move(1)
                    return
                self._complain('Not JSON: a key in "double quotes" was expected here')
            key_row, name = self._read_member_value()
            key = str(name)
            if key in self.keys:
                self._log.add_at("F21", key_row.line, key_row.column, f"{key[:40]} is given twice", path=key)
            self.keys.append(key)
            self._expect(b":", "a colon")
            window.peek()
            if key in LIST_KEYS and window.peek() == b"[":
                self._take_list((key,))
            else:
                value_row, value = self._read_member_value((key,))
                if key in METADATA_KEYS:
                    self._intake.take_metadata(value, key, _Member(value_row))
            if self._expect(b",}", "a comma or the end") == b"}":
                return

    def _read_member_value(self, prefix: Path = ()) -> tuple[Row, object]:
        """Read a key or a value beside the main list; a value over the limit is passed over."""
        window = self._window
        if not window.peek():
            self._complain("Not JSON: a value was expected here")
        start = Row("", *window.line_and_column(), prefix)
        try:
            raw = window.value()
        except ValueTooLongError:
            window.skip_value()
            return start, None
        except ValueCutOffError:
            self._report_cut_off()
        row, parsed = read_value(raw, start, self._log, is_last=False)
        window.move(len(raw))
        if parsed is None and raw[:1] not in (b"{", b"[", b'"'):
            raise _StopReadingError
        return row, None if parsed is None else parsed.value

    def _take_list(self, path: Path) -> None:
        window = self._window
        window.move(1)
        index = 0
        comma = (1, 1)
        while True:
            if window.peek() == b"]":
                if index:
                    self._flush()
                    self._log.add_at("R01", *comma, "Not JSON: a comma before ]", "Remove the comma")
                window.move(1)
                return
            taken = self._take_region(index)
            if not taken:
                self._take_element((*path, index))
                taken = 1
            index += taken
            if window.peek() == b",":
                comma = window.line_and_column()
                window.move(1)
                comma_end = window.offset
                window.peek()
                if self._regularity.is_learning:
                    self._regularity.see_gap(window.passed(window.offset - comma_end))
            elif window.peek() == b"]":
                window.move(1)
                return
            elif window.peek() in (b"{", b"["):
                self._complain_and_go_on("Not JSON: a comma between the elements was expected here")
            elif not window.peek():
                self._report_cut_off()
            else:
                self._complain("Not JSON: a comma or ] was expected here")

    def _take_region(self, index: int) -> int:
        """Take many elements at once where the file is laid out regularly; returns how many, 0 if it must be exact.

        The decoder sees exactly the text of the file, so a wrong guess about where elements are shows as a different
        number of them, and then nothing is taken.
        """
        window = self._window
        if not self._quick.is_ready() or window.offset < self._exact_until:
            return 0
        region = self._regularity.region(window)
        if region is None:
            return 0
        self._flush()
        places = [
            ((index + number) << _OFFSET_BITS | offset) << PART_BITS for number, offset in enumerate(region.offsets)
        ]
        is_long = max(map(len, region.pieces)) > LONG_ROW_BYTES
        if is_long or not self._quick.take_elements(region.text, region.pieces, places):
            self._exact_until = window.offset + len(region.text)
            return 0
        window.move(len(region.text))
        self._pass_milestone()
        return len(places)

    def _take_element(self, path: Path) -> None:
        window = self._window
        if not window.peek():
            self._report_cut_off()
        index = path[-1] if path else 0
        where = (int(index) << _OFFSET_BITS | window.offset) << PART_BITS
        start = Row("", *window.line_and_column(), path)
        # In an indented file the next element begins like this one.
        indent = window.indent()
        next_start = b"" if indent is None else b"\n" + indent + b"{"
        try:
            raw = window.value()
            broken = bool(next_start) and next_start in raw and _is_no_json(raw)
        except (ValueTooLongError, ValueCutOffError) as error:
            raw, broken = self._judge_endless(start, next_start, error)
        if broken:
            # A quote too many hides the end of the element; go on where the next one seems to begin.
            rest = raw[: raw.index(next_start)].rstrip(b" \t\r\n")
            self._flush()
            text = rest.removesuffix(b",")
            take_text(text, start, self._intake, self._log, where=where, is_last=False)
            window.move(len(text))
            return
        if raw:
            if self._regularity.is_learning:
                self._regularity.see_element(raw)
            window.move(len(raw))
            self._add(raw, start, where)
            if raw[:1] not in (b"{", b"[", b'"') and len(raw) == 1 and not raw.isdigit():
                raise _StopReadingError

    def _judge_endless(self, start: Row, next_start: bytes, error: Exception) -> tuple[bytes, bool]:
        """Decide about an element without an end in reach: broken, too long (passed over), or cut off."""
        held = self._window.held()
        if next_start and next_start in held:
            return held, True
        if isinstance(error, ValueTooLongError):
            self._flush()
            size = self._window.skip_value()
            self._log.add_at(
                "F11", start.line, start.column, f"The row has {size / 1_000_000:,.1f} MB, over the limit of 16 MiB"
            )
            return b"", False
        self._flush()
        read_value(held, start, self._log, is_last=True)
        raise _StopReadingError

    def _add(self, raw: bytes, start: Row, where: int) -> None:
        self._waiting.append((raw, start, where))
        self._waiting_bytes += len(raw)
        if self._waiting_bytes >= _BATCH_BYTES or not self._intake.sample.is_full:
            self._flush()

    def _flush(self) -> None:
        """Take the waiting elements, together if nothing is wrong with them."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not waiting:
            return
        elements = [raw for raw, _start, _where in waiting]
        is_quick = self._quick.is_ready() and max(map(len, elements)) <= LONG_ROW_BYTES
        places = [where for _raw, _start, where in waiting]
        if not is_quick or not self._quick.take_elements(b",".join(elements), elements, places):
            for raw, start, where in waiting:
                take_text(raw, start, self._intake, self._log, where=where, is_last=False)
        self._pass_milestone()

    def _pass_milestone(self) -> None:
        self._milestones.append((self._window.offset, *self._window.line_and_column()))
        self._on_block(self._window.offset)

    def row_again(self, where: int) -> Row:
        """Read an element again for a finding made after it was let go."""
        offset = where >> PART_BITS & ((1 << _OFFSET_BITS) - 1)
        index = bisect_right(self._milestones, offset, key=lambda stone: stone[0]) - 1
        window = self._windows_again.get(index)
        if window is None or window.offset > offset:
            if len(self._windows_again) >= _WINDOWS_AGAIN:
                self._windows_again.clear()
            start, line, column = self._milestones[index]
            window = self._windows_again[index] = Window(self._file, start, MAX_ROW_BYTES, line, column)
        window.move_to(offset)
        line, column = window.line_and_column()
        try:
            raw = window.value()
        except (ValueTooLongError, ValueCutOffError):
            # The element was cut at a guess, where the next one seemed to begin.
            raw = window.held()
        return Row(raw.decode("utf-8", "replace"), line, column, self._prefix_of(where))

    def _prefix_of(self, where: int) -> Path:
        if self._is_sequence:
            return ()
        index = where >> PART_BITS + _OFFSET_BITS
        list_key = next((key for key in self.keys if key in LIST_KEYS), None)
        if self.keys:
            return (list_key, index) if list_key else ()
        return (index,)

    def _expect(self, allowed: bytes, words: str) -> bytes:
        found = self._window.peek()
        if not found:
            self._report_cut_off()
        if found not in [allowed[index : index + 1] for index in range(len(allowed))]:
            self._complain(f"Not JSON: {words} was expected here")
        self._window.move(1)
        return found

    def _report_cut_off(self) -> NoReturn:
        self._flush()
        line, column = self._window.line_and_column()
        self._log.add_at(
            "F10", line, column, "The document is cut off here", "Get the file again from where it was made"
        )
        raise _StopReadingError

    def _complain(self, message: str, suggestion: str = "") -> NoReturn:
        self._complain_and_go_on(message, suggestion)
        raise _StopReadingError

    def _complain_and_go_on(self, message: str, suggestion: str = "") -> None:
        self._flush()
        line, column = self._window.line_and_column()
        self._log.add_at("R01", line, column, message, suggestion)
