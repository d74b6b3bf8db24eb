"""The columns of the transfers panel, and what each cell says: on screen, to a screen reader, as a tooltip."""

from __future__ import annotations

from enum import IntEnum

from lorry.gui.transfers.lines import Line, RowAction


class Column(IntEnum):
    """The columns, in order."""

    NAME = 0
    PROGRESS = 1
    SPEED = 2
    ACTION = 3
    CANCEL = 4


def text(line: Line, column: Column) -> str:
    """What the cell shows, in one line."""
    match column:
        case Column.NAME:
            return line.name
        case Column.PROGRESS:
            return f"{line.phase}, {line.amount}"
        case Column.SPEED:
            return line.action.word if line.is_failed else ", ".join(part for part in (line.rate, line.left) if part)
    return ""


def spoken(line: Line, column: Column) -> str:
    """The cell for a screen reader: the first one tells the whole row, the buttons name their upload."""
    match column:
        case Column.NAME:
            return line.spoken
        case Column.ACTION:
            return f"{line.action.word} {line.name}" if line.action is not RowAction.NONE else ""
        case Column.CANCEL:
            return "" if line.is_closing else f"{'Remove' if line.is_failed else 'Cancel'} {line.name}"
    return text(line, column)


def hint(line: Line, column: Column) -> str:
    """The tooltip, as plain text; "" for none."""
    match column:
        case Column.ACTION:
            return line.action.word
        case Column.CANCEL:
            return "" if line.is_closing else "Remove from the list" if line.is_failed else "Cancel upload"
        case Column.SPEED:
            return ""
        case Column.PROGRESS:
            return line.hint
    return line.hint or f"{line.name}\n{line.note}"
