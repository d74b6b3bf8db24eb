"""What a check found: one finding, the log that collects them, and the report.

Owns the limit of findings kept for a code, and the plain shapes that cross process
borders (`to_dict`). Decides nothing about files: the rules do. Used inside the check process, one thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lorry.core.checks.rulebook import RULE_OF_CODE, Level

PathStep = str | int
Path = tuple[PathStep, ...]


def path_text(path: Path) -> str:
    """Write a path as people read it: ``("turns", 2, "content")`` becomes ``turns[2].content``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: where it is (line and column count from 1, columns in characters) and what to do."""

    code: str
    level: Level
    line: int
    column: int
    path: str
    message: str
    suggestion: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "code": self.code,
            "level": self.level,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "suggestion": self.suggestion,
        }


class Place(Protocol):
    """Something that knows where its parts are in the file, such as a row."""

    @property
    def prefix(self) -> Path:
        """Path from the document to this place."""
        ...

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of the nearest value around it."""
        ...


class FindingLog:
    """Counts every finding and keeps the first ones of each code.

    Beyond `max_per_code` a finding costs one counter: neither its position nor its texts are kept, so a file
    with a mistake in every line does not fill the memory. `on_finding` hears of each one that is kept, at once.
    """

    def __init__(self, max_per_code: int, on_finding: Callable[[Finding], None] | None = None) -> None:
        self.max_per_code = max_per_code
        self.on_finding = on_finding
        self._kept: list[Finding] = []
        self.by_code: Counter[str] = Counter()
        self.by_level: Counter[str] = Counter()

    def add(
        self,
        code: str,
        place: Place,
        path: Path,
        message: str,
        suggestion: str = "",
        *,
        level: Level | None = None,
    ) -> None:
        """Add a finding at the value `path` of `place`, which is asked for the position only if it is kept."""
        level = level or RULE_OF_CODE[code].level
        if self._count(code, level):
            line, column = place.position(path)
            self._keep(Finding(code, level, line, column, path_text(place.prefix + path), message, suggestion))

    def add_at(
        self,
        code: str,
        line: int,
        column: int,
        message: str,
        suggestion: str = "",
        *,
        level: Level | None = None,
        path: str = "",
    ) -> None:
        """Add a finding whose position is known."""
        level = level or RULE_OF_CODE[code].level
        if self._count(code, level):
            self._keep(Finding(code, level, line, column, path, message, suggestion))

    def count_more(self, code: str, number: int) -> None:
        """Count findings that will not be kept."""
        level = RULE_OF_CODE[code].level
        self.by_code[code] += number
        self.by_level[level] += number

    def room(self, code: str) -> int:
        """How many more findings of this code would be kept."""
        return max(0, self.max_per_code - self.by_code[code])

    def add_from(self, part: FindingLog, lines_before: int, *, is_news: bool = True) -> None:
        """Add what was found in a part of the file whose first line is number `lines_before` + 1 of it."""
        room = {code: self.room(code) for code in part.by_code}
        for item in part.kept():
            if room[item.code] > 0:
                room[item.code] -= 1
                self._keep(replace(item, line=item.line + lines_before), is_news=is_news)
        self.by_code.update(part.by_code)
        self.by_level.update(part.by_level)

    def drop(self, code: str, line: int) -> None:
        """Take back the finding of a code at a line, which another part of the file has told already."""
        found = next((item for item in self._kept if (item.code, item.line) == (code, line)), None)
        if found is not None:
            self._kept.remove(found)
        self.by_code[code] -= 1
        self.by_level[RULE_OF_CODE[code].level] -= 1

    def detach(self) -> FindingLog:
        """Let go of the listener, so that the log can be sent to another process."""
        self.on_finding = None
        return self

    def _count(self, code: str, level: Level) -> bool:
        self.by_level[level] += 1
        self.by_code[code] += 1
        return self.by_code[code] <= self.max_per_code

    def _keep(self, finding: Finding, *, is_news: bool = True) -> None:
        if not finding.suggestion:
            finding = replace(finding, suggestion=RULE_OF_CODE[finding.code].suggestion)
        self._kept.append(finding)
        if self.on_finding is not None and is_news:
            self.on_finding(finding)

    def kept(self) -> list[Finding]:
        """Return the findings kept, in the order of the file."""
        return sorted(self._kept, key=lambda finding: (finding.line, finding.column, finding.code, finding.path))


@dataclass(frozen=True, slots=True)
class Report:
    """The result of checking one file.

    `format` is the format the file itself names, or None. `clean` means neither an error nor a warning.
    `findings_total` counts all of them, `findings` holds those kept. `statistics` and `sample` have the shapes
    described in `statistics.py` and `sample.py`, `checksums` that of a row's column of the name.
    """

    layout: str
    format: str | None
    counts: dict[str, int]
    counts_by_code: dict[str, int]
    findings: list[Finding]
    statistics: dict[str, Any]
    sample: list[dict[str, Any]]
    checksums: dict[str, Any]
    size_bytes: int
    seconds: float
    findings_total: int = field(init=False)
    clean: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings_total", sum(self.counts.values()))
        object.__setattr__(self, "clean", self.counts["error"] == 0 and self.counts["warning"] == 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "layout": self.layout,
            "format": self.format,
            "clean": self.clean,
            "counts": self.counts,
            "counts_by_code": self.counts_by_code,
            "findings": [finding.to_dict() for finding in self.findings],
            "findings_total": self.findings_total,
            "statistics": self.statistics,
            "sample": self.sample,
            "checksums": self.checksums,
            "size_bytes": self.size_bytes,
            "seconds": self.seconds,
        }
