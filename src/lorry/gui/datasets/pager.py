"""The line under the table that turns pages: "1–25 of 143" with previous and next. Hidden while one page is all."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from lorry.core.model import DatasetPage
from lorry.gui.shell.safe_label import SafeLabel
from lorry.gui.shell.theme import Theme
from lorry.text.format import count


class Pager(QFrame):
    """Previous, next, and where one is.

    Signals:
        page_requested(int): the user wants this page, counted from 1.
    """

    page_requested = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "pager")
        self._page = 1
        self._label = SafeLabel()
        self._label.setProperty("tone", "second")
        self._previous = self._button(theme, "Previous page", mirrored=False)
        self._next = self._button(theme, "Next page", mirrored=True)
        self._previous.clicked.connect(lambda: self.page_requested.emit(self._page - 1))
        self._next.clicked.connect(lambda: self.page_requested.emit(self._page + 1))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 3, 12, 4)
        layout.setSpacing(4)
        layout.addWidget(self._label)
        layout.addStretch()
        layout.addWidget(self._previous)
        layout.addWidget(self._next)
        self.hide()

    @property
    def text(self) -> str:
        return self._label.text()

    def set_page(self, page: DatasetPage) -> None:
        """Say which part of the list is shown."""
        self._page = page.query.page
        first = (self._page - 1) * page.query.limit + 1
        last = min(page.total, first + len(page.datasets) + page.unreadable - 1)
        self._label.setText(f"{count(first)}–{count(max(first, last))} of {count(page.total)}")
        self._previous.setEnabled(self._page > 1)
        self._next.setEnabled(self._page < page.total_pages)
        self.setVisible(page.total_pages > 1 or self._page > 1)

    def _button(self, theme: Theme, name: str, *, mirrored: bool) -> QToolButton:
        button = QToolButton(self)
        # The arrow points the way the pages lie, which is the other way in a right-to-left layout.
        is_flipped = mirrored != self.isRightToLeft()
        theme.bind_icon(button, "chevron-left", "text2", mirrored=is_flipped)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.setProperty("compact", True)
        return button
