"""The commands that act on the selected rows: which of them make sense now, and what each does."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from lorry.core.model import DatasetStatus
from lorry.core.transfers import TransferState
from lorry.gui.datasets.edits import DatasetEdits
from lorry.gui.datasets.rows import Column, Row
from lorry.gui.datasets.table_view import DatasetTableView
from lorry.gui.shell.actions import Actions


class RowCommands(QObject):
    """Connects Open, Edit, Validate, Delete, Undo, Copy and Select all to the table.

    Signals:
        details_wanted(): show the details of the current row.
        upload_wanted(UUID): show the upload of this row.
    """

    details_wanted = Signal()
    upload_wanted = Signal(object)

    def __init__(self, commands: Actions, table: DatasetTableView, edits: DatasetEdits, parent: QObject) -> None:
        super().__init__(parent)
        self._commands, self._table, self._edits = commands, table, edits
        table.opened.connect(self._on_opened)
        commands.open.triggered.connect(self._open_current)
        commands.edit.triggered.connect(self._edit_current)
        commands.validate.triggered.connect(self._validate_current)
        commands.delete.triggered.connect(self._delete_selected)
        commands.discard.triggered.connect(self._discard_current)
        commands.copy.triggered.connect(self._copy_selected)
        commands.select_all.triggered.connect(table.selectAll)
        commands.undo.triggered.connect(edits.undo)
        edits.undo_changed.connect(commands.undo.setEnabled)
        commands.undo.setEnabled(edits.can_undo)
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be done with the rows selected now."""
        rows = self._table.selected_rows
        row = self._table.current_row
        dataset = row.dataset if row is not None and not row.is_local else None
        commands = self._commands
        commands.open.setEnabled(row is not None)
        commands.edit.setEnabled(dataset is not None)
        commands.validate.setEnabled(dataset is not None and dataset.status is DatasetStatus.ERROR)
        commands.delete.setEnabled(any(_can_delete(row) for row in rows))
        commands.discard.setEnabled(dataset is not None and dataset.status is DatasetStatus.UPLOADING)
        commands.copy.setEnabled(bool(rows))

    def _on_opened(self, row: Row) -> None:
        if row.is_local:
            self.upload_wanted.emit(row.dataset_id)
        else:
            self.details_wanted.emit()

    def _open_current(self) -> None:
        row = self._table.current_row
        if row is not None:
            self._on_opened(row)

    def _edit_current(self) -> None:
        row = self._table.current_row
        if row is not None and row.dataset is not None:
            self._edits.edit(row.dataset)

    def _validate_current(self) -> None:
        row = self._table.current_row
        if row is not None and row.dataset is not None:
            self._edits.validate(row.dataset)

    def _delete_selected(self) -> None:
        self._edits.delete([row for row in self._table.selected_rows if _can_delete(row)])

    def _discard_current(self) -> None:
        row = self._table.current_row
        if row is not None and row.dataset is not None and not row.is_local:
            self._edits.discard(row.dataset)

    def _copy_selected(self) -> None:
        lines = ["\t".join(row.text(column) for column in Column) for row in self._table.selected_rows]
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))


def _can_delete(row: Row) -> bool:
    """A running upload is cancelled in its dialog, where it says what would be lost."""
    return not row.is_local or (row.transfer is not None and row.transfer.state is TransferState.FAILED)
