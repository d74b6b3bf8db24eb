"""The search field and the two filters of the toolbar; together they say which datasets to list.

Typing is gathered for a quarter of a second; the search itself happens on the server, as literal text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from lorry.core.model import DatasetFormat, DatasetQuery, DatasetStatus
from lorry.gui.shell.combo_box import ComboBox
from lorry.gui.shell.theme import Theme
from lorry.text.format import format_label

T = TypeVar("T")
DEBOUNCE_MS = 250
SEARCH_MAX = 200
STATUS_WORDS = {
    DatasetStatus.UPLOADING: "Uploading",
    DatasetStatus.VALIDATING: "Validating",
    DatasetStatus.READY: "Ready",
    DatasetStatus.ERROR: "Errors",
}


class SearchField(QLineEdit):
    """Text with a magnifier in front and a cross behind.

    Signals:
        left_with_escape(): Esc was pressed while the field was empty already.
    """

    left_with_escape = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Search datasets")
        self.setAccessibleName("Search datasets")
        self.setMaxLength(SEARCH_MAX)
        self.setMinimumWidth(160)
        self.setMaximumWidth(320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        magnifier = self._add_icon(theme, "search", QLineEdit.ActionPosition.LeadingPosition)
        magnifier.setEnabled(True)
        self._clear = self._add_icon(theme, "x", QLineEdit.ActionPosition.TrailingPosition)
        self._clear.setText("Clear the search")
        self._clear.setToolTip("Clear the search (Esc)")
        self._clear.setVisible(False)
        self._clear.triggered.connect(self.clear)
        self.textChanged.connect(lambda text: self._clear.setVisible(bool(text)))

    def _add_icon(self, theme: Theme, name: str, position: QLineEdit.ActionPosition) -> QAction:
        action = QAction(self)
        theme.bind_icon(action, name)
        self.addAction(action, position)
        return action

    def take_focus(self) -> None:
        """Begin a search: what was typed before goes with the first key."""
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            if self.text():
                self.clear()
            else:
                self.left_with_escape.emit()
            return
        super().keyPressEvent(event)


class Filters(QObject):
    """The three widgets and the query they make.

    Signals:
        changed(DatasetQuery): the user asks for other datasets; always the first page.
    """

    changed = Signal(object)

    def __init__(self, theme: Theme, limit: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._limit = limit
        self.search = SearchField(theme, parent)
        self.status = ComboBox(theme, parent)
        self.status.setAccessibleName("Filter by status")
        self.status.addItem("Status: all", None)
        for status, word in STATUS_WORDS.items():
            self.status.addItem(f"Status: {word}", status)
        self.format = ComboBox(theme, parent)
        self.format.setAccessibleName("Filter by format")
        self.format.addItem("Format: all", None)
        for dataset_format in DatasetFormat:
            self.format.addItem(f"Format: {format_label(dataset_format)}", dataset_format)
        self._timer = QTimer(self, singleShot=True, interval=DEBOUNCE_MS)
        self._timer.timeout.connect(self._emit)
        self._told = self.query()
        self.search.textChanged.connect(self._on_text_changed)
        self.search.returnPressed.connect(self._emit)
        self.status.activated.connect(self._emit)
        self.format.activated.connect(self._emit)

    def query(self, page: int = 1) -> DatasetQuery:
        """What the widgets ask for now."""
        return DatasetQuery(
            page=page,
            limit=self._limit,
            status=_choice(self.status, DatasetStatus),
            format=_choice(self.format, DatasetFormat),
            search=self.search.text().strip(),
        )

    @property
    def is_filtering(self) -> bool:
        query = self.query()
        return bool(query.search or query.status or query.format)

    def clear(self) -> None:
        """Ask for everything again."""
        self.search.clear()
        self.status.setCurrentIndex(0)
        self.format.setCurrentIndex(0)
        self._emit()

    def set_enabled(self, enabled: bool) -> None:
        for widget in (self.search, self.status, self.format):
            widget.setEnabled(enabled)

    def words(self) -> str:
        """The filters as the end of a sentence: `has “mortgage” in its name and the status Ready`."""
        query, parts = self.query(), []
        if query.search:
            parts.append(f"“{query.search}” in its name")
        if query.status:
            parts.append(f"the status {STATUS_WORDS[query.status]}")
        if query.format:
            parts.append(f"the format {format_label(query.format)}")
        joined = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + f" and {parts[-1]}" if parts else ""
        return f"has {joined}"

    def _on_text_changed(self, text: str) -> None:
        if text:
            self._timer.start()
        else:
            # Clearing is one act, not typing.
            self._emit()

    def _emit(self) -> None:
        self._timer.stop()
        query = self.query()
        if query != self._told:
            self._told = query
            self.changed.emit(query)


def _choice(box: ComboBox, kind: Callable[[str], T]) -> T | None:
    value = box.currentData()
    return None if value is None else kind(value)
