"""Makes conversation lines of files of other tools: OpenAI chat, ShareGPT and Alpaca. Always a new file.

One streaming pass; a row that cannot become a conversation is left out and counted with its reason and line. What a row
means is decided in `conversions_rows.py`. Runs in the thread of its caller.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lorry.core.checks import jsontext
from lorry.core.checks.conversions_rows import CONVERSIONS, LeftOut, LeftOutError, conversation_of
from lorry.core.checks.formats import row_kind
from lorry.core.checks.new_files import free_path, new_file
from lorry.core.checks.preflight import CheckStopped
from lorry.core.checks.raw_rows import RawRow, RowFile

#: Layouts that can be converted.
CONVERTIBLE = frozenset(CONVERSIONS)
_KEPT_PLACES = 1000
_PROGRESS_BYTES = 256 * 1024
#: An integer that may not fit 64 bits, which the checks refuse (F19).
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


@dataclass(frozen=True, slots=True)
class Omission:
    """A row that was left out: its line in the original, and why."""

    line: int
    reason: LeftOut


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """A converted file. `omissions` has the first 1,000 rows left out, `left_out` counts all of them."""

    target: Path
    converted: int
    left_out: dict[LeftOut, int]
    omissions: tuple[Omission, ...]
    size_bytes: int


class NothingToConvertError(Exception):
    """Not one row of the file can be converted. `left_out` counts why."""

    def __init__(self, left_out: dict[LeftOut, int], omissions: tuple[Omission, ...]) -> None:
        super().__init__("no row can be converted")
        self.left_out = left_out
        self.omissions = omissions


def converted_path(path: Path) -> Path:
    """Return a name for the converted file that nothing has yet: ``name.conversations.jsonl``."""
    return free_path(path, "conversations", ".jsonl")


def convert(
    path: Path,
    target: Path,
    layout: str,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ConversionResult:
    """Write the rows of a file of a foreign `layout` (one of CONVERTIBLE) to `target` as conversation lines.

    A conversation's id is the file's name and the number of its row, so it stays the same when others are repaired.

    Raises:
        FileExistsError: the target is there already.
        NothingToConvertError: no row can be converted; there is no file then.
        BrokenFileError: the file is a document whose rows cannot be told apart.
        CheckStopped: `should_stop` said so; nothing is left behind.
        OSError: reading or writing failed; nothing is left behind.
    """
    left_out: Counter[LeftOut] = Counter()
    omissions: list[Omission] = []
    converted = size_bytes = told = 0
    name = "".join(character if character.isprintable() else "_" for character in path.stem)
    with path.open("rb", buffering=0) as file, new_file(target, path) as copy:
        rows = RowFile.of(file, path)
        for number, row in enumerate(rows.rows(), start=1):
            if should_stop is not None and should_stop():
                raise CheckStopped
            try:
                line = msgspec.json.encode(conversation_of(_value(row, layout), layout, f"{name}-{number:06}"))
            except LeftOutError as error:
                left_out[error.reason] += 1
                if len(omissions) < _KEPT_PLACES:
                    omissions.append(Omission(row.line, error.reason))
            else:
                converted += 1
                size_bytes += copy.write(line) + copy.write(b"\n")
            if on_progress is not None and row.end - told >= _PROGRESS_BYTES:
                told = row.end
                on_progress(told, rows.size_bytes)
        if on_progress is not None:
            on_progress(rows.size_bytes, rows.size_bytes)
        if not converted:
            raise NothingToConvertError(dict(left_out), tuple(omissions))
    return ConversionResult(target, converted, dict(left_out), tuple(omissions), size_bytes)


def _value(row: RawRow, layout: str) -> dict[str, Any]:
    """Read a row strictly: what the checks would refuse cannot become a good conversation."""
    if row.data is None:
        raise LeftOutError(LeftOut.TOO_LONG)
    try:
        value = msgspec.json.decode(row.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LeftOutError(LeftOut.NOT_JSON) from error
    brackets = row.data.count(b"{") + row.data.count(b"[")
    if brackets > jsontext.MAX_DEPTH or _LONG_NUMBER.search(row.data):
        closer = jsontext.parse(row.data.decode("utf-8"))
        if closer.too_deep is not None or closer.numbers:
            raise LeftOutError(LeftOut.NOT_JSON)
    if not isinstance(value, dict) or row_kind(value) != layout:
        raise LeftOutError(LeftOut.OTHER_LAYOUT)
    return value
