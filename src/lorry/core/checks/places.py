"""Where things are: the text of a row with its position in the file, and a part of a row. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lorry.core.checks import jsontext
from lorry.core.checks.report import Path, Place


@dataclass(frozen=True, slots=True)
class Row:
    """The text of a row and where it begins: a place that finds values by their path."""

    text: str
    line: int
    column: int = 1
    prefix: Path = ()

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of the innermost value around it."""
        return self.at(jsontext.locate(self.text, path))

    def at(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character of the text."""
        line_start = self.text.rfind("\n", 0, offset) + 1
        if line_start == 0:
            return self.line, self.column + offset
        return self.line + self.text.count("\n", 0, offset), offset - line_start + 1


class PartOf:
    """A value inside a row, as a place of its own."""

    def __init__(self, whole: Place, path: Path) -> None:
        self._whole = whole
        self._path = path
        self.prefix = whole.prefix + path

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the value at `path` inside this part."""
        return self._whole.position(self._path + path)
