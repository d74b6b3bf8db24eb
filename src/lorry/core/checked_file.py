"""The words of a check before an upload: how far it is, what it found, and of which file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lorry.core.model import Finding
from lorry.core.transfers import FileStamp


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """How much of a file a check has read."""

    done_bytes: int = 0
    total_bytes: int = 0

    @property
    def percent(self) -> int:
        """Whole percent, rounded down."""
        return self.done_bytes * 100 // self.total_bytes if self.total_bytes else 0


class CheckReport(BaseModel):
    """What a check found in one file; the shapes of `statistics` and `sample` are those of `lorry.core.checks`.

    Attributes:
        layout: how the file looks, "unknown" when that is not known.
        format: the format the file itself names, or None.
        counts: findings of each level ("error", "warning", "info"); `findings` holds the first of each code.
        checksums: what a row's column of the name takes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    layout: str
    format: str | None
    counts: dict[str, int]
    counts_by_code: dict[str, int]
    findings: tuple[Finding, ...]
    statistics: dict[str, Any]
    sample: tuple[dict[str, Any], ...]
    checksums: dict[str, Any]
    size_bytes: int
    seconds: float

    @property
    def errors(self) -> int:
        """How many errors there are; they stop an upload unless the user decides otherwise."""
        return self.counts.get("error", 0)

    @property
    def warnings(self) -> int:
        """How many warnings there are."""
        return self.counts.get("warning", 0)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A report and the file it is about, as it stood when the check began and still stood when it ended."""

    path: Path
    stamp: FileStamp
    report: CheckReport
