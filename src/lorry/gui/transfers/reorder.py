"""A table of uploads whose waiting rows can be dragged to another place in the queue.

Painting the line where they would land and finding the upload behind it are its whole task; what moves is decided by
whoever hears `drop_wanted`.
"""

from __future__ import annotations

from uuid import UUID

from PySide6.QtCore import QMimeData, QRect, Qt, Signal
from PySide6.QtGui import QDrag, QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from lorry.gui.shell.row_ground import selected_numbers
from lorry.gui.shell.theme import Theme
from lorry.gui.transfers.model import TransferTableModel, can_move

_DRAGGED = "application/x-lorry-upload"


class ReorderTable(QTableView):
    """Signals:
    drop_wanted(list[UUID], UUID | None): dragged in front of that upload, or behind all.
    """

    drop_wanted = Signal(object, object)

    def __init__(self, model: TransferTableModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        #: The row a dragged one would stand in front of; None while nothing is dragged here.
        self._gap: int | None = None
        self.setModel(model)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDropIndicatorShown(False)

    def startDrag(self, _actions: Qt.DropAction) -> None:
        rows = selected_numbers(self)
        chosen = [transfer.dataset_id for number in rows if can_move(transfer := self._model.transfer(number))]
        if not chosen:
            return
        mime = QMimeData()
        mime.setData(_DRAGGED, "\n".join(map(str, chosen)).encode())
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.exec(Qt.DropAction.MoveAction)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(_DRAGGED):
            event.acceptProposedAction()
        else:
            event.ignore()  # files go on to the window

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if not event.mimeData().hasFormat(_DRAGGED):
            event.ignore()
            return
        self._show_gap(self._gap_at(event.position().toPoint().y()))
        event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._show_gap(None)

    def dropEvent(self, event: QDropEvent) -> None:
        self._show_gap(None)
        if not event.mimeData().hasFormat(_DRAGGED):
            event.ignore()
            return
        dragged = [UUID(line) for line in bytes(event.mimeData().data(_DRAGGED).data()).decode().splitlines()]
        gap = self._gap_at(event.position().toPoint().y())
        behind = (self._model.transfer(number) for number in range(gap, self._model.rowCount()))
        before = next((t.dataset_id for t in behind if can_move(t) and t.dataset_id not in dragged), None)
        event.acceptProposedAction()
        self.drop_wanted.emit(dragged, before)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._gap is None or not self._model.rowCount():
            return
        last = self._model.rowCount() - 1
        y = self.rowViewportPosition(min(self._gap, last)) + (self.rowHeight(last) if self._gap > last else 0)
        painter = QPainter(self.viewport())
        painter.fillRect(QRect(0, max(0, y - 1), self.viewport().width(), 2), self._theme.color("accent"))

    def _gap_at(self, y: int) -> int:
        """The boundary between rows that is nearest to a height in the viewport."""
        number = self.rowAt(y)
        if number < 0:
            return self._model.rowCount()
        return number + (y > self.rowViewportPosition(number) + self.rowHeight(number) // 2)

    def _show_gap(self, gap: int | None) -> None:
        if gap != self._gap:
            self._gap = gap
            self.viewport().update()
