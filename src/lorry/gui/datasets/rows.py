"""One row of the dataset table: the server's row, the upload on this computer, or both; and what its cells say.

The order of rows and their identity belong to `table_model`; colours and painting to `delegates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from lorry.core.model import Dataset
from lorry.core.transfers import Transfer
from lorry.gui.datasets.badges import Badge, badge_for, is_local
from lorry.text.format import MISSING, count, date, format_short, full_date, plural, safe_name, size


class Column(IntEnum):
    """The columns, in their order at the first start."""

    NAME = 0
    STATUS = 1
    FORMAT = 2
    SIZE = 3
    PAIRS = 4
    CREATED = 5


HEADERS = {
    Column.NAME: "Name",
    Column.STATUS: "Status",
    Column.FORMAT: "Format",
    Column.SIZE: "Size",
    Column.PAIRS: "Pairs",
    Column.CREATED: "Created",
}
NUMBER_COLUMNS = frozenset({Column.SIZE, Column.PAIRS})


@dataclass(frozen=True, slots=True)
class Row:
    """At least one of `dataset` and `transfer` is set; both share the dataset's id."""

    dataset: Dataset | None = None
    transfer: Transfer | None = None
    #: when this window first saw the upload, UTC
    started_at: datetime | None = None

    @property
    def dataset_id(self) -> UUID:
        if self.dataset is not None:
            return self.dataset.id
        if self.transfer is None:
            raise ValueError("a row needs a dataset or a transfer")
        return self.transfer.dataset_id

    @property
    def name(self) -> str:
        """As the user typed it, not made safe for display."""
        if self.dataset is not None:
            return self.dataset.name
        return self.transfer.draft.name if self.transfer else ""

    @property
    def format(self) -> str:
        if self.dataset is not None:
            return self.dataset.format
        return self.transfer.draft.format if self.transfer else ""

    @property
    def size_bytes(self) -> int:
        if self.dataset is not None:
            return self.dataset.file_size
        return self.transfer.draft.file_size if self.transfer else 0

    @property
    def created_at(self) -> datetime | None:
        """When the server made the row; before this is known, when the upload began here."""
        return self.dataset.created_at if self.dataset else self.started_at

    @property
    def is_local(self) -> bool:
        """Whether an upload of this computer stands behind it that is not over."""
        return self.transfer is not None and is_local(self.transfer)

    @property
    def badge(self) -> Badge:
        return badge_for(self.dataset, self.transfer)

    @property
    def warnings(self) -> int:
        """How many warnings stand behind a row that is ready; 0 for every other."""
        if self.dataset is None or self.badge.tone != "ok":
            return 0
        return self.dataset.finding_counts.get("warning", 0)

    def text(self, column: Column) -> str:
        """What the cell shows, with invisible characters made visible."""
        match column:
            case Column.NAME:
                return safe_name(self.name)
            case Column.STATUS:
                return self.badge.word
            case Column.FORMAT:
                return format_short(self.format)
            case Column.SIZE:
                return size(self.size_bytes)
            case Column.PAIRS:
                return count(self.dataset.total_training_pairs if self.dataset else None)
            case Column.CREATED:
                return date(self.created_at) if self.created_at else MISSING

    def spoken(self, column: Column) -> str:
        """The same for a screen reader, with what is only drawn in words."""
        text = self.text(column)
        if column is Column.STATUS and self.warnings:
            return f"{text}, {plural(self.warnings, 'warning')}"
        return "unknown" if text == MISSING else text

    def hint(self, column: Column) -> str:
        """The tooltip, as plain text; "" where the cell says everything."""
        match column:
            case Column.NAME:
                return self.text(column)
            case Column.STATUS:
                return plural(self.warnings, "warning") if self.warnings else ""
            case Column.CREATED:
                return full_date(self.created_at) if self.created_at else ""
            case _:
                return ""
