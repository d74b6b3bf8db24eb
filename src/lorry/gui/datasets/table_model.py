"""The rows of the dataset table: one page of the server's list, with the uploads of this computer merged in.

Rows keep their place: a server row that changes is replaced where it stands, an upload that became a row stays on
top until the next page is read. Changes are told as few, contiguous spans. Main thread only; no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from lorry.core.model import Dataset, DatasetPage, DatasetQuery, DatasetStatus
from lorry.core.transfers import Transfer
from lorry.gui.datasets.badges import is_local
from lorry.gui.datasets.rows import HEADERS, NUMBER_COLUMNS, Column, Row
from lorry.gui.shell.safe_label import plain_tooltip

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_PROGRESS_ROLES = [
    Qt.ItemDataRole.DisplayRole.value,
    Qt.ItemDataRole.AccessibleTextRole.value,
    Qt.ItemDataRole.ToolTipRole.value,
]


class Role(IntEnum):
    """What delegates ask for besides the text."""

    #: the `Row`
    ROW = Qt.ItemDataRole.UserRole.value


class DatasetTableModel(QAbstractTableModel):
    """One page of datasets. `set_page` replaces the rows; everything else changes single rows."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._at: dict[UUID, int] = {}
        self._query = DatasetQuery()
        self._transfers: dict[UUID, Transfer] = {}
        self._started_at: dict[UUID, datetime] = {}
        self._listed: set[UUID] = set()

    # What Qt asks

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], Column(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.text(column)
            case Role.ROW:
                return row
            case Qt.ItemDataRole.AccessibleTextRole:
                return row.spoken(column)
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(row.hint(column))
            case Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(column)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return HEADERS[Column(section)]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(Column(section))
        return None

    # What the window asks

    def row(self, number: int) -> Row:
        """The row at a place. Raises IndexError."""
        return self._rows[number]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._rows)

    def find(self, dataset_id: UUID) -> int | None:
        """Where a dataset stands, or None when it is not on this page."""
        return self._at.get(dataset_id)

    @property
    def extra_count(self) -> int:
        """Rows the server's page did not hold: uploads that began after it was read."""
        return sum(1 for row in self._rows if row.dataset_id not in self._listed)

    # What changes it

    def set_page(self, page: DatasetPage) -> None:
        """Show another page; uploads of this computer stay, those not listed on top."""
        self._query = page.query
        self._listed = {dataset.id for dataset in page.datasets}
        listed = [self._row(dataset.id, dataset) for dataset in page.datasets]
        extra = [
            self._row(transfer.dataset_id, transfer.dataset)
            for transfer in reversed(self._transfers.values())
            if is_local(transfer) and transfer.dataset_id not in self._listed and self._belongs(transfer)
        ]
        rows = extra + listed
        if [row.dataset_id for row in rows] == list(self._at):
            # The same rows again, as after a refresh: nothing jumps, nothing loses its selection.
            changed = [n for n, (old, new) in enumerate(zip(self._rows, rows, strict=True)) if old != new]
            self._rows = rows
            for first, last in spans(changed):
                self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self._index()
        self.endResetModel()

    def set_transfers(self, transfers: Iterable[Transfer]) -> None:
        """Take in the uploads as they stand now, oldest first. Those no longer named are gone or dismissed."""
        now = list(transfers)
        before = self._transfers
        if [id(transfer.dataset_id) for transfer in now] == [id(dataset_id) for dataset_id in before]:
            changed = [new for new, old in zip(now, before.values(), strict=True) if new is not old]
            before.update((transfer.dataset_id, transfer) for transfer in changed)
        else:
            changed = now
            self._transfers = {transfer.dataset_id: transfer for transfer in now}
            self._drop_transfers(before.keys() - self._transfers.keys())
            for dataset_id in self._transfers.keys() - self._started_at.keys():
                self._started_at[dataset_id] = datetime.now(UTC)
        self._insert_top(
            [
                self._row(transfer.dataset_id, transfer.dataset)
                for transfer in reversed(changed)
                if transfer.dataset_id not in self._at and is_local(transfer) and self._belongs(transfer)
            ]
        )
        self._renew(changed)

    def _renew(self, transfers: Iterable[Transfer]) -> None:
        badges: list[int] = []
        for transfer in transfers:
            number = self._at.get(transfer.dataset_id)
            if number is None or self._rows[number].transfer == transfer:
                continue
            old = self._rows[number]
            new = self._rows[number] = self._row(transfer.dataset_id, _newer(old.dataset, transfer.dataset))
            if new.dataset is not old.dataset:
                self._tell_row(number)
            elif new.badge != old.badge:
                badges.append(number)
        for first, last in spans(badges):
            self.dataChanged.emit(self.index(first, Column.STATUS), self.index(last, Column.STATUS), _PROGRESS_ROLES)

    def put_dataset(self, dataset: Dataset) -> bool:
        """Replace the row of a dataset where it stands; False when it is not on this page (or belongs to nobody)."""
        number = self._at.get(dataset.id)
        if number is None:
            return False
        if dataset.deleted_at is not None:
            self.remove(dataset.id)
            return True
        self._rows[number] = replace(self._rows[number], dataset=dataset)
        self._tell_row(number)
        return True

    def remove(self, *dataset_ids: UUID) -> None:
        """Take rows out, those side by side at once; what is not there is left alone."""
        numbers = [number for one in dataset_ids if (number := self._at.get(one)) is not None]
        for first, last in reversed(spans(numbers)):
            self.beginRemoveRows(_ROOT, first, last)
            self._listed.difference_update(row.dataset_id for row in self._rows[first : last + 1])
            del self._rows[first : last + 1]
            self._index()
            self.endRemoveRows()

    def clear(self) -> None:
        """Show nothing (nobody is signed in)."""
        self.beginResetModel()
        self._transfers = {}
        self._started_at = {}
        self._listed = set()
        self._rows = []
        self._index()
        self.endResetModel()

    def _insert_top(self, rows: list[Row]) -> None:
        if not rows:
            return
        self.beginInsertRows(_ROOT, 0, len(rows) - 1)
        self._rows[:0] = rows
        self._index()
        self.endInsertRows()

    def _drop_transfers(self, dataset_ids: Iterable[UUID]) -> None:
        unlisted = []
        for dataset_id in dataset_ids:
            del self._started_at[dataset_id]
            number = self._at.get(dataset_id)
            if number is None:
                continue
            row = self._rows[number]
            if row.dataset is None:
                unlisted.append(dataset_id)
            else:
                self._rows[number] = Row(row.dataset)
                self._tell_row(number)
        self.remove(*unlisted)

    def _row(self, dataset_id: UUID, dataset: Dataset | None) -> Row:
        return Row(dataset, self._transfers.get(dataset_id), self._started_at.get(dataset_id))

    def _tell_row(self, number: int) -> None:
        self.dataChanged.emit(self.index(number, 0), self.index(number, len(Column) - 1))

    def _index(self) -> None:
        self._at = {row.dataset_id: number for number, row in enumerate(self._rows)}

    def _belongs(self, transfer: Transfer) -> bool:
        """Whether an upload that is not on the server's page matches what the page was asked for."""
        query = self._query
        if query.page != 1:  # the newest stand on the first page
            return False
        status = transfer.dataset.status if transfer.dataset else DatasetStatus.UPLOADING
        return (
            query.status in (None, status)
            and query.format in (None, transfer.draft.format)
            and query.search.strip().casefold() in transfer.draft.name.casefold()
        )


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Row numbers as runs (first, last) without gaps, in order."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _newer(old: Dataset | None, new: Dataset | None) -> Dataset | None:
    """Of two states of one row the later; an upload keeps the row it saw last, the list may know more."""
    if old is None or new is None:
        return old or new
    return new if new.updated_at > old.updated_at else old


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in NUMBER_COLUMNS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
