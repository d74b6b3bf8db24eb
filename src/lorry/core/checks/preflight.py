"""Checks one file from its first byte to its last: limits, encoding, which reader it needs, the report.

The one entrance of the package for code in this process. Opens the file itself and holds it open until done. Memory
stays small whatever the size of the file (see `reader.py`). Any thread; one call uses one thread.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import BinaryIO, Literal

from lorry.core.checks import parts
from lorry.core.checks.checksums import Hashing
from lorry.core.checks.elements import LIST_KEYS, METADATA_KEYS, DocumentCheck
from lorry.core.checks.formats import FOREIGN_NAMES
from lorry.core.checks.intake import Intake
from lorry.core.checks.reader import UTF8_BOM, LineCheck
from lorry.core.checks.report import Finding, FindingLog, Report
from lorry.core.checks.verdict import Verdict

#: The largest dataset the service takes: 500 MiB.
MAX_FILE_BYTES = 524_288_000
_HEAD_BYTES = 1024 * 1024

_UNICODE_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_KEY = re.compile(r'\s*"((?:[^"\\]|\\.)*+)"\s*:\s*(.?)', re.DOTALL)

Arrangement = Literal["lines", "document", "sequence"]


class CheckStopped(Exception):
    """The check was stopped by `should_stop`."""


@dataclass(frozen=True, slots=True)
class _Head:
    """The first bytes of a file after a byte order mark, and whether they are all of it."""

    data: bytes
    is_whole_file: bool


def check_file(
    path: str | os.PathLike[str],
    *,
    declared_format: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    max_findings_per_code: int = 1000,
    known_checksums: Collection[str] = (),
    on_finding: Callable[[Finding], None] | None = None,
    processes: int = 1,
) -> Report:
    """Check a dataset file and return what was found, with statistics and the first conversations.

    `declared_format` is the format chosen for the upload (M02 compares), `known_checksums` are the SHA-256 of files
    uploaded before (F17). `on_progress(done_bytes, total_bytes)` is called about every 256 KiB, `should_stop()` as
    often; if it returns true CheckStopped is raised. `on_finding` hears of every finding that is kept, at once. With
    two `processes` a large file of lines is shared between two more, with the same result.
    Raises OSError if the file cannot be read.
    """
    started = time.monotonic()
    file_path = FilePath(path)
    log = FindingLog(max_findings_per_code, on_finding)
    with file_path.open("rb", buffering=0) as file, Hashing(file_path) as hashing:
        size = os.fstat(file.fileno()).st_size

        def on_block(done: int) -> None:
            if should_stop is not None and should_stop():
                raise CheckStopped
            if on_progress is not None:
                on_progress(min(done, size), size)

        on_block(0)
        layout, intake = _Check(file, file_path, size, log, declared_format, on_block, processes).run()
        checksums = hashing.checksums()
        if checksums["whole"] in known_checksums:
            log.add_at("F17", 1, 1, "A dataset with the same content is uploaded already")
        on_block(size)
    return Report(
        layout=layout,
        format=intake.format,
        counts={level: log.by_level[level] for level in ("error", "warning", "info")},
        counts_by_code={code: log.by_code[code] for code in sorted(log.by_code) if log.by_code[code]},
        findings=log.kept(),
        statistics=intake.statistics.to_dict(),
        sample=intake.sample.to_list(),
        checksums=checksums,
        size_bytes=size,
        seconds=round(time.monotonic() - started, 3),
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """What one call of `check_file` works on."""

    file: BinaryIO
    path: FilePath
    size: int
    log: FindingLog
    declared_format: str | None
    on_block: Callable[[int], None]
    processes: int

    def run(self) -> tuple[str, Intake]:
        """Return the layout, and the intake that has taken all rows."""
        log = self.log
        data = self.file.read(_HEAD_BYTES)
        start = len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0
        head = _Head(data[start:], len(data) >= self.size)
        nothing = Intake(log, declared_format=self.declared_format)
        if self.size > MAX_FILE_BYTES:
            shown = f"{self.size / 1024 / 1024:,.1f} MiB"
            log.add_at("F02", 1, 1, f"The file has {shown}; a dataset may have 500 MiB")
            return "unknown", nothing
        encoding = _wide_encoding(data)
        if encoding is not None:
            log.add_at("F04", 1, 1, f"The file is {encoding}, not UTF-8", "Save the file as UTF-8 text")
            return "unknown", nothing
        if start:
            log.add_at("F05", 1, 1, "Byte order mark at the start")
        if head.is_whole_file and not head.data.strip(b" \t\r\n"):
            log.add_at("F01", 1, 1, "The file is empty" if self.size == start else "The file has only blank lines")
            return "unknown", nothing
        arrangement = _arrangement(head, self.path.suffix.lower(), log)
        intake = Intake(log, declared_format=self.declared_format, in_document=arrangement == "document")
        if arrangement == "lines":
            self._check_lines(start, intake)
            return _layout_of_rows(intake), intake
        document = DocumentCheck(self.file, start, intake, log)
        if arrangement == "sequence":
            document.run_sequence(self.on_block)
        else:
            document.run(self.on_block)
        Verdict(intake, document.row_again).finish()
        if arrangement == "sequence":
            return _layout_of_rows(intake), intake
        return _layout_of_document(document.keys, intake), intake

    def _check_lines(self, start: int, intake: Intake) -> None:
        if self.processes > 1 and self.size >= parts.MIN_SHARED_BYTES:
            with suppress(parts.SplitFailedError):
                parts.check_in_parts(self.file, self.path, start, self.size, intake, self.on_block)
                return
        lines = LineCheck(self.file, start, intake, self.log)
        lines.run(self.on_block)
        lines.blanks.report(self.log)
        Verdict(intake, lines.row_again).finish()


def arrangement_of(file: BinaryIO, suffix: str) -> tuple[int, Arrangement]:
    """Return where the text of an open file starts, after a byte order mark, and how the text has to be read."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    data = file.read(_HEAD_BYTES)
    start = len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0
    return start, _arrangement(_Head(data[start:], len(data) >= size), suffix.lower(), FindingLog(0))


def _wide_encoding(data: bytes) -> str | None:
    """Name UTF-16 or UTF-32 by its mark, or by the zero bytes that plain letters have there."""
    for mark, name in _UNICODE_MARKS:
        if data.startswith(mark):
            return name
    beginning = data[:4096]
    zeros = beginning.count(0)
    if zeros == 0 or zeros * 8 < len(beginning) * 3:
        return None
    return "UTF-32" if zeros * 8 > len(beginning) * 5 else "UTF-16"


def _arrangement(head: _Head, suffix: str, log: FindingLog) -> Arrangement:
    """Decide whether the file is lines, one document, or objects over several lines; F07 and F08."""
    text = head.data.decode("utf-8", "replace").lstrip(" \t\r\n")
    line = text.partition("\n")[0]
    is_lines_file = suffix in (".jsonl", ".ndjson")
    if text.startswith("["):
        if is_lines_file:
            second = text[len(line) :].lstrip()
            if _is_json(line) and second.startswith(("[", "{")):
                return "lines"
            log.add_at("F07", 1, 1, "The file is one JSON array, not one object a line", "Write each object on a line")
        return "document"
    if not text.startswith("{"):
        return "lines"
    one_line = _is_json(line)
    keys = _top_level_keys(text)
    is_document = any(key in METADATA_KEYS for key, _first in keys) or (
        any(key in LIST_KEYS and first == "[" for key, first in keys) and not (one_line and is_lines_file)
    )
    rest = text[len(line) :].strip()
    if is_document and not (one_line and rest):
        if is_lines_file:
            log.add_at("F08", 1, 1, "The file is one JSON document, not one object a line", "Name the file .json")
        return "document"
    if not one_line and _first_value_spans_lines(text):
        log.add_at("F08", 1, 1, "Objects spread over several lines", "Write each object on one line")
        return "sequence"
    return "lines"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _first_value_spans_lines(text: str) -> bool:
    try:
        _value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end]


def _top_level_keys(text: str) -> list[tuple[str, str]]:
    """Return the first top-level keys of an object, each with the first character of its value.

    Ends at the first list among the known keys, or where the text cannot be followed any more.
    """
    keys: list[tuple[str, str]] = []
    at = 1
    decoder = json.JSONDecoder()
    while match := _KEY.match(text, at):
        keys.append((match[1], match[2]))
        if match[1] in LIST_KEYS and match[2] == "[":
            break
        try:
            _value, at = decoder.raw_decode(text, match.start(2))
        except (ValueError, RecursionError):
            break
        comma = re.compile(r"\s*,").match(text, at)
        if comma is None:
            break
        at = comma.end()
    return keys


def _layout_of_rows(intake: Intake) -> str:
    if intake.kind in FOREIGN_NAMES:
        return str(intake.kind)
    return {"conversation": "conversation_lines", "pair": "pair_lines", "pair_group": "v4_document"}.get(
        str(intake.kind), "unknown"
    )


def _layout_of_document(keys: list[str], intake: Intake) -> str:
    if intake.kind in FOREIGN_NAMES:
        return str(intake.kind)
    if not keys:
        return "array" if intake.kind is not None else "unknown"
    if "training_file_metadata" in keys or intake.kind == "pair_group":
        return "v4_document"
    if "dataset_metadata" in keys or "training_pairs" in keys:
        return "v3_document"
    return "v4_document" if intake.kind is not None else "unknown"
