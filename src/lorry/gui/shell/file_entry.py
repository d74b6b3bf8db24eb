"""The ways files come in: dropped on the window, pasted, or named at the start. What is left out is always said."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QWidget

from lorry.gui.shell.drop_overlay import DropOverlay
from lorry.gui.shell.file_choice import FileChoice, choose_files, files_in
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.theme import Theme


class FileEntry(QObject):
    """Judges what is offered; the window passes its drag events on.

    Signals:
        files_chosen(list[Path]): dataset files, at least one.
    """

    files_chosen = Signal(object)

    def __init__(self, theme: Theme, notices: NoticeBar, window: QWidget) -> None:
        super().__init__(window)
        self._notices = notices
        self._choice = FileChoice()
        #: Where a drop would go, for the overlay's sentence.
        self.project = ""
        self.overlay = DropOverlay(theme, window)

    def enter(self, event: QDragEnterEvent) -> None:
        """A drag came over the window. It is accepted to be told when it leaves; `move` decides about the drop."""
        if not event.mimeData().urls():
            event.ignore()
            return
        self._choice = files_in(event.mimeData())
        self.overlay.show_choice(self._choice, self.project)
        event.acceptProposedAction()

    def move(self, event: QDragMoveEvent) -> None:
        """Only something that can be uploaded may be let go."""
        if self._choice.accepted:
            event.acceptProposedAction()
        else:
            event.ignore()

    def leave(self) -> None:
        self.overlay.hide()

    def drop(self, event: QDropEvent) -> None:
        """Take the files. They are copied, never moved."""
        self.overlay.hide()
        choice = files_in(event.mimeData())
        if choice.accepted:
            event.acceptProposedAction()
        self._take(choice)

    def paste(self) -> None:
        """Take the files copied in a file manager."""
        choice = files_in(QGuiApplication.clipboard().mimeData())
        if not choice.accepted and not choice.rejected:
            self._notices.post(
                Notice("paste", Urgency.RESULT, "No files to paste.", "Copy .jsonl or .json files first.", tone="idle")
            )
            return
        self._take(choice)

    def open(self, paths: Iterable[Path]) -> None:
        """Take files named on the command line."""
        self._take(choose_files(path.absolute() for path in paths))

    def _take(self, choice: FileChoice) -> None:
        if choice.rejected:
            self._notices.post(
                Notice("left_out", Urgency.RESULT, choice.rejection + ".", icon="circle-minus", tone="idle")
            )
        if choice.accepted:
            self.files_chosen.emit(list(choice.accepted))
