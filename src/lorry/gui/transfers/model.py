"""The rows of the transfers panel: the uploads of this computer in the order they will run.

Numbers come in ten times a second. The bar of a changed row follows each time, its words once a second or when its
state changes; changed rows are told as few spans, with only the roles that changed. Main thread only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from lorry.core.transfers import Phase, Transfer, TransferState, WaitReason
from lorry.gui.datasets.table_model import spans
from lorry.gui.shell.safe_label import plain_tooltip
from lorry.gui.transfers.cells import Column, hint, spoken, text
from lorry.gui.transfers.lines import Line, RowAction, action_of, line_of

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
#: How long the words of a row may lag behind its bar (s).
TEXT_EVERY_S = 1.0
#: How long a finished upload stays, so that its end is seen (s).
LINGER_S = 3.0


class Role(IntEnum):
    """What the delegate asks for besides the text."""

    #: the `Line`
    LINE = Qt.ItemDataRole.UserRole.value
    #: the `Transfer`, for the bar
    TRANSFER = Qt.ItemDataRole.UserRole.value + 1


_TEXT_ROLES = [
    Role.LINE.value,
    Qt.ItemDataRole.DisplayRole.value,
    Qt.ItemDataRole.AccessibleTextRole.value,
    Qt.ItemDataRole.ToolTipRole.value,
]


class TransferTableModel(QAbstractTableModel):
    """One row per upload that is not over."""

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self._transfers: list[Transfer] = []
        self._lines: list[Line] = []
        self._at: dict[UUID, int] = {}
        self._next: UUID | None = None
        self._paused_at: dict[UUID, datetime] = {}
        self._done_at_s: dict[UUID, float] = {}
        #: Rows whose words are older than their numbers.
        self._stale: set[UUID] = set()
        self._texts_at_s = 0.0

    # What Qt asks

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._transfers)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line, column = self._lines[index.row()], Column(index.column())
        match role:
            case Role.LINE:
                return line
            case Role.TRANSFER:
                return self._transfers[index.row()]
            case Qt.ItemDataRole.DisplayRole:
                return text(line, column)
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken(line, column)
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(hint(line, column))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and can_move(self._transfers[index.row()]):
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    # What the panel asks

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """The uploads on screen, from top to bottom."""
        return tuple(self._transfers)

    def line(self, number: int) -> Line:
        """The words of a row. Raises IndexError."""
        return self._lines[number]

    def transfer(self, number: int) -> Transfer:
        """The upload of a row. Raises IndexError."""
        return self._transfers[number]

    def find(self, dataset_id: UUID) -> int | None:
        """Where an upload stands, or None."""
        return self._at.get(dataset_id)

    def action(self, number: int) -> RowAction:
        """What the first button of a row does now."""
        return action_of(self._transfers[number])

    @property
    def lingers(self) -> bool:
        """Whether a row is only there to show that its upload is over."""
        return any(transfer.state is TransferState.DONE for transfer in self._transfers)

    # What changes it

    def set_transfers(self, transfers: Iterable[Transfer]) -> None:
        """Take in the uploads as they stand now, in the order they will run."""
        now_s = self._clock()
        wanted = [transfer for transfer in transfers if self._belongs(transfer, now_s)]
        if [id(t.dataset_id) for t in wanted] != [id(t.dataset_id) for t in self._transfers]:
            self._follow_order([transfer.dataset_id for transfer in wanted], {t.dataset_id: t for t in wanted})
        is_due = now_s - self._texts_at_s >= TEXT_EVERY_S
        next_id = next((t.dataset_id for t in wanted if _waits_for_turn(t)), None)
        moved_next = {self._next, next_id} if next_id != self._next else set()
        self._next = next_id
        has_lag = bool(moved_next or self._stale)
        bars: list[int] = []
        words: list[int] = []
        for number, transfer in enumerate(wanted):
            old, dataset_id = self._transfers[number], transfer.dataset_id
            if old is transfer and not has_lag:
                continue
            if old is not transfer and old != transfer:
                self._transfers[number] = transfer
                self._stale.add(dataset_id)
                bars.append(number)
                self._note_pause(old, transfer)
            elif dataset_id not in moved_next and dataset_id not in self._stale:
                continue
            if (is_due or dataset_id in moved_next or _kind(old) != _kind(transfer)) and self._renew(number):
                words.append(number)
        if is_due:
            self._texts_at_s = now_s
        self._tell(bars, words)

    def _belongs(self, transfer: Transfer, now_s: float) -> bool:
        """Those that are over leave, after a moment in which their end is seen."""
        state, dataset_id = transfer.state, transfer.dataset_id
        is_over = state is TransferState.DONE or (state is TransferState.RUNNING and transfer.phase is Phase.VALIDATING)
        if not is_over:
            return True
        if dataset_id not in self._at:
            return False
        if state is TransferState.DONE:
            self._done_at_s.setdefault(dataset_id, now_s)
        return now_s - self._done_at_s.get(dataset_id, now_s) < LINGER_S

    def _follow_order(self, ids: list[UUID], by_id: dict[UUID, Transfer]) -> None:
        """Bring rows in and out so that they stand as `ids` says, keeping selection and current row."""
        for first, last in reversed(spans(n for n, t in enumerate(self._transfers) if t.dataset_id not in by_id)):
            self.beginRemoveRows(_ROOT, first, last)
            for gone in self._transfers[first : last + 1]:
                self._forget(gone.dataset_id)
            del self._transfers[first : last + 1], self._lines[first : last + 1]
            self._index()
            self.endRemoveRows()
        for first, last in spans(n for n, one in enumerate(ids) if one not in self._at):
            self.beginInsertRows(
                _ROOT, min(first, len(self._transfers)), min(first, len(self._transfers)) + last - first
            )
            fresh = [by_id[one] for one in ids[first : last + 1]]
            self._transfers[first:first] = fresh
            self._lines[first:first] = [line_of(transfer) for transfer in fresh]
            self._index()
            self.endInsertRows()
        if ids != list(self._at):
            self._reorder(ids)

    def _reorder(self, ids: list[UUID]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        numbers = [self._at[one] for one in ids]
        self._transfers = [self._transfers[number] for number in numbers]
        self._lines = [self._lines[number] for number in numbers]
        place = {number: now for now, number in enumerate(numbers)}
        self._index()
        self.changePersistentIndexList(before, [self.index(place[one.row()], one.column()) for one in before])
        self.layoutChanged.emit()

    def _note_pause(self, old: Transfer, new: Transfer) -> None:
        if new.state is TransferState.PAUSED and old.state is not TransferState.PAUSED:
            self._paused_at[new.dataset_id] = datetime.now().astimezone()

    def _renew(self, number: int) -> bool:
        """Make the words of a row anew; True when they are others now."""
        transfer = self._transfers[number]
        dataset_id = transfer.dataset_id
        self._stale.discard(dataset_id)
        line = line_of(
            transfer,
            is_next=dataset_id == self._next,
            paused_at=self._paused_at.get(dataset_id),
        )
        is_new = line != self._lines[number]
        self._lines[number] = line
        return is_new

    def _tell(self, bars: list[int], words: list[int]) -> None:
        for first, last in spans(bars):
            self.dataChanged.emit(
                self.index(first, Column.PROGRESS), self.index(last, Column.PROGRESS), [Role.TRANSFER.value]
            )
        for first, last in spans(words):
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1), _TEXT_ROLES)

    def _forget(self, dataset_id: UUID) -> None:
        self._stale.discard(dataset_id)
        self._paused_at.pop(dataset_id, None)
        self._done_at_s.pop(dataset_id, None)

    def _index(self) -> None:
        self._at = {transfer.dataset_id: number for number, transfer in enumerate(self._transfers)}


def can_move(transfer: Transfer) -> bool:
    """Whether its place in the queue can still be changed."""
    return transfer.state is TransferState.WAITING and not transfer.is_cancelling


def _waits_for_turn(transfer: Transfer) -> bool:
    return can_move(transfer) and transfer.waits_for in (None, WaitReason.TURN)


def _kind(transfer: Transfer) -> tuple[object, ...]:
    """Everything a change of which is told at once; the numbers may wait."""
    code = transfer.error.code if transfer.error else None
    return (
        transfer.state,
        transfer.is_cancelling,
        transfer.phase,
        transfer.waits_for,
        code,
        transfer.is_rereading,
        transfer.resumed_at_bytes,
        transfer.restarted,
        transfer.draft,
    )
