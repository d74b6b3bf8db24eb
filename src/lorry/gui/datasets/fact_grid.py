"""Facts of a dataset: six numbers over their captions, and rows of key and value. All of it can be selected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from lorry.core.model import Dataset
from lorry.gui.datasets.rows import Row
from lorry.gui.shell.plain_text import PlainText
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.text.format import (
    MISSING,
    count,
    exact_size,
    format_label,
    full_date,
    size,
    tokens,
)

COLUMNS = 3
KEY_WIDTH = 88


class NumberGrid(QWidget):
    """Two lines of three numbers, each with a caption below."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(16)
        self._cells: list[tuple[ThemedLabel, ThemedLabel]] = []
        for number in range(2 * COLUMNS):
            value = ThemedLabel(theme, MISSING, "subtitle", selectable=True)
            caption = ThemedLabel(theme, "", "caption", "second")
            cell = QVBoxLayout()
            cell.setSpacing(4)
            cell.addWidget(value)
            cell.addWidget(caption)
            grid.addLayout(cell, number // COLUMNS, number % COLUMNS)
            self._cells.append((value, caption))
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Six pairs of value and caption."""
        for (value_label, caption_label), (value, caption) in zip(self._cells, facts, strict=True):
            value_label.setText(value)
            caption_label.setText(caption)


class KeyValues(QWidget):
    """Rows of a key in a narrow column and a value that may wrap."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._values: dict[str, tuple[ThemedLabel, PlainText]] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnMinimumWidth(0, KEY_WIDTH)
        self._grid.setColumnStretch(1, 1)

    def show_values(self, values: Sequence[tuple[str, str, str]]) -> None:
        """Triples of key, value and font style; a key without a value is hidden."""
        for key, value, style in values:
            if key not in self._values:
                self._add(key, style)
            key_label, value_label = self._values[key]
            value_label.set_text(value)
            key_label.setVisible(bool(value))
            value_label.setVisible(bool(value))

    def value(self, key: str) -> str:
        """What stands behind a key, as shown."""
        return self._values[key][1].text

    def _add(self, key: str, style: str) -> None:
        key_label = ThemedLabel(self._theme, key, "body", "second")
        value_label = PlainText(self._theme, style)
        value_label.setAccessibleName(key)
        row = self._grid.rowCount()
        self._grid.addWidget(key_label, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value_label, row, 1)
        self._values[key] = (key_label, value_label)


def facts_of(dataset: Dataset | None) -> list[tuple[str, str]]:
    """The six numbers of a dataset, with their captions; dashes before the server has counted."""
    counts = dataset.finding_counts if dataset else {}
    is_checked = dataset is not None and bool(counts)
    return [
        (count(dataset.total_training_pairs if dataset else None), "training pairs"),
        (count(dataset.total_validation_pairs if dataset else None), "validation pairs"),
        (tokens(dataset.total_tokens if dataset else None), "tokens"),
        (_average(dataset.avg_turns_per_conversation if dataset else None, 1), "average turns"),
        (_average(dataset.avg_tokens_per_turn if dataset else None, 0), "tokens per turn"),
        (count(counts.get("warning", 0)) if is_checked else MISSING, "warnings"),
    ]


def values_of(row: Row) -> list[tuple[str, str, str]]:
    """What is known of a row besides its numbers: key, value, font style."""
    dataset, transfer = row.dataset, row.transfer
    draft = transfer.draft if transfer else None
    file_name = dataset.file_name if dataset else draft.file_name if draft else ""
    description = dataset.description if dataset else draft.description if draft else None
    path = dataset.storage_path if dataset else transfer.storage_path if transfer else ""
    return [
        ("File", file_name, "body"),
        ("Size", _size(row.size_bytes), "body"),
        ("Format", format_label(row.format), "body"),
        ("Created", full_date(row.created_at) if row.created_at else "", "body"),
        ("Description", description or "", "body"),
        ("Path", path, "mono"),
        ("ID", str(row.dataset_id), "mono"),
    ]


def _size(size_bytes: int) -> str:
    rounded, exact = size(size_bytes), exact_size(size_bytes)
    return rounded if rounded == exact else f"{rounded} ({exact})"


def _average(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"
