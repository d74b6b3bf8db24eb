"""The findings of a check as a table model: sorted, and never more than a thousand rows.

A file with a mistake in every line has more findings than anybody reads; the worst ones are shown, the number of the
others is said beside the table. Text of the file is made visible when a cell is asked for, so only on screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from lorry.core.model import Finding
from lorry.gui.shell.safe_label import plain_tooltip
from lorry.text.format import MISSING, count, safe_name

MAX_ROWS = 1_000
#: Longer texts are cut in cells; the strip under the table and the clipboard have more.
_CELL_CHARACTERS = 400
#: level -> (icon, token, word), the worst first
LEVELS = {
    "error": ("circle-x", "error", "Error"),
    "warning": ("triangle-alert", "warn", "Warning"),
    "info": ("info", "text2", "Note"),
}
_RANKS = {level: rank for rank, level in enumerate(LEVELS)}
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Column(IntEnum):
    """The columns, in order."""

    LEVEL = 0
    RULE = 1
    LINE = 2
    COLUMN = 3
    MESSAGE = 4
    ADVICE = 5


HEADERS = ("Level", "Rule", "Line", "Column", "What is wrong", "What to do")
NUMBER_COLUMNS = (Column.LINE, Column.COLUMN)


class FindingsModel(QAbstractTableModel):
    """Ordered by level, then as in the file, until the user orders them otherwise."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[Finding] = []
        self._shown: list[Finding] = []
        self._column = Column.LEVEL
        self._order = Qt.SortOrder.AscendingOrder

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Replace the rows; findings of unknown levels are left out."""
        self.beginResetModel()
        self._all = [finding for finding in findings if finding.level in LEVELS]
        self._shown = _worst(self._all)
        self._arrange()
        self.endResetModel()

    def add(self, findings: Sequence[Finding]) -> None:
        """More findings, in one batch."""
        self.show_findings([*self._all, *findings])

    def finding(self, row: int) -> Finding:
        """The finding of a row."""
        return self._shown[row]

    def find(self, finding: Finding) -> int | None:
        """The row of a finding that is equal to this one."""
        return self._shown.index(finding) if finding in self._shown else None

    def lines(self, rows: Sequence[int]) -> str:
        """Rows for the clipboard, with their headers: columns between tabs, one line each."""
        texts = [[cell_text(self._shown[row], column) for column in Column] for row in rows]
        return "\n".join("\t".join(cells) for cells in [list(HEADERS), *texts])

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the rows by a column; what is selected stays selected."""
        self._column, self._order = Column(column), order
        self.layoutAboutToBeChanged.emit()
        before = self._shown
        self._shown = list(before)
        self._arrange()
        places = {id(finding): row for row, finding in enumerate(self._shown)}
        old = self.persistentIndexList()
        new = [self.index(places[id(before[index.row()])], index.column()) for index in old]
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        finding, column = self._shown[index.row()], Column(index.column())
        roles = Qt.ItemDataRole
        if role in (roles.DisplayRole, roles.AccessibleTextRole):
            return cell_text(finding, column, _CELL_CHARACTERS)
        if role == roles.ToolTipRole and column in (Column.MESSAGE, Column.ADVICE):
            return plain_tooltip(_raw_text(finding, column)[:_CELL_CHARACTERS])
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None

    def _arrange(self) -> None:
        self._shown.sort(key=_place_key)
        # Equal ones stay as in the file, whichever way the column goes.
        self._shown.sort(key=_KEYS[self._column], reverse=self._order is Qt.SortOrder.DescendingOrder)


def cell_text(finding: Finding, column: Column, limit: int | None = None) -> str:
    """What a cell says, in at most `limit` characters of the file's text, all of them visible."""
    if column is Column.LEVEL:
        return LEVELS[finding.level][2]
    if column is Column.LINE:
        return MISSING if finding.line is None else count(finding.line)
    if column is Column.COLUMN:
        return MISSING if finding.column is None else count(finding.column)
    text = _raw_text(finding, column)[:limit]
    # Nearly all texts are; looking at every character of a thousand rows would hold the window up when they are copied.
    return text if text.isprintable() else safe_name(text)


def _raw_text(finding: Finding, column: Column) -> str:
    if column is Column.RULE:
        return finding.code
    return (finding.suggestion or "") if column is Column.ADVICE else finding.message or finding.code


def _place_key(finding: Finding) -> tuple[int, int]:
    return finding.line or 0, finding.column or 0


_KEYS: dict[Column, Callable[[Finding], Any]] = {
    Column.LEVEL: lambda finding: _RANKS[finding.level],
    Column.RULE: lambda finding: finding.code,
    Column.LINE: _place_key,
    Column.COLUMN: lambda finding: finding.column or 0,
    Column.MESSAGE: lambda finding: finding.message.casefold(),
    Column.ADVICE: lambda finding: (finding.suggestion or "").casefold(),
}


def _worst(findings: list[Finding]) -> list[Finding]:
    """At most MAX_ROWS of them: errors before warnings before notes, the first of the file before later ones."""
    if len(findings) <= MAX_ROWS:
        return list(findings)
    kept: list[Finding] = []
    for level in LEVELS:
        kept += [finding for finding in findings if finding.level == level][: MAX_ROWS - len(kept)]
    return kept
