"""The panel at the right: what is known about the selected dataset. It reads nothing itself.

Name, badge, the six numbers, findings, then keys and values. Texts of users and servers are plain and selectable.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from lorry.core.model import Dataset, DatasetStatus
from lorry.gui.datasets.badge_view import BadgeView
from lorry.gui.datasets.fact_grid import KeyValues, NumberGrid, facts_of, values_of
from lorry.gui.datasets.findings_view import FindingsView
from lorry.gui.datasets.rows import Row
from lorry.gui.shell.actions import Actions
from lorry.gui.shell.plain_text import PlainText
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel, push_button
from lorry.text.error_text import describe
from lorry.text.format import date, plural, size

WIDTH, MIN_WIDTH, MAX_WIDTH = 372, 320, 560


class DetailsPanel(QFrame):
    """Shows one row, the sum of several, or that nothing is selected.

    Signals:
        closed(): the user closed the panel.
        upload_requested(Row): the user wants to see the upload dialog of this row.
    """

    closed = Signal()
    upload_requested = Signal(object)

    def __init__(self, theme: Theme, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "surface")
        self.setAccessibleName("Details")
        self.setMinimumWidth(MIN_WIDTH)
        self.setMaximumWidth(MAX_WIDTH)
        self._row: Row | None = None
        self._name = PlainText(theme, "subtitle")
        self._close = QToolButton()
        self._close.setProperty("compact", True)
        self._close.setAccessibleName("Close the details")
        self._close.setToolTip("Close (Ctrl+I)")
        theme.bind_icon(self._close, "x")
        self._close.clicked.connect(self.closed)
        self._badge = BadgeView(theme)
        self._proof = ThemedLabel(theme, "", "caption", "second")
        self._edit = push_button(theme, "Edit name…", icon="pencil", compact=True)
        self._edit.clicked.connect(actions.edit.trigger)
        self._validate = push_button(theme, "Validate again", icon="rotate-cw", compact=True)
        self._validate.clicked.connect(actions.validate.trigger)
        self._show_upload = push_button(theme, "Show upload", icon="upload", compact=True)
        self._show_upload.clicked.connect(lambda: self.upload_requested.emit(self._row))
        self._message = ThemedLabel(theme, "", "body", "second", wraps=True, selectable=True)
        self._numbers = NumberGrid(theme)
        self._findings = FindingsView(theme)
        self._values = KeyValues(theme)
        self._note = ThemedLabel(theme, "", "body", "second", wraps=True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._make_body())
        self._pages.addWidget(self._note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._make_head())
        layout.addWidget(self._pages, 1)
        self.show_rows([])

    @property
    def row(self) -> Row | None:
        """The row shown, if it is exactly one."""
        return self._row

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show what is selected now."""
        self._row = rows[0] if len(rows) == 1 else None
        if self._row is not None:
            self._show_row(self._row)
            self._pages.setCurrentIndex(0)
            return
        if rows:
            total = size(sum(row.size_bytes for row in rows))
            self._name.set_text(f"{plural(len(rows), 'dataset')}, {total}")
            self._note.setText("")
        else:
            self._name.set_text("")
            self._note.setText("Select a dataset to see it here.")
        self._pages.setCurrentIndex(1)

    def _show_row(self, row: Row) -> None:
        dataset = row.dataset
        self._name.set_text(row.name)
        self._badge.show_badge(row.badge)
        self._proof.setText(_proof(dataset))
        self._edit.setVisible(dataset is not None)
        is_refused = dataset is not None and dataset.status is DatasetStatus.ERROR
        self._validate.setVisible(is_refused)
        self._show_upload.setVisible(row.is_local)
        message = _message(row)
        self._message.setText(message)
        self._message.setVisible(bool(message))
        self._numbers.show_facts(facts_of(dataset))
        self._findings.show_dataset(dataset)
        self._values.show_values(values_of(row))

    def _make_head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setContentsMargins(16, 14, 12, 4)
        head.addWidget(self._name, 1, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        return head

    def _make_body(self) -> QScrollArea:
        body = QFrame()
        body.setProperty("kind", "surface")
        badge_row = QHBoxLayout()
        badge_row.setSpacing(8)
        badge_row.addWidget(self._badge)
        badge_row.addWidget(self._proof, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self._edit, self._validate, self._show_upload):
            buttons.addWidget(button)
        buttons.addStretch()
        column = QVBoxLayout(body)
        column.setContentsMargins(16, 4, 16, 16)
        column.setSpacing(0)
        column.addLayout(badge_row)
        column.addSpacing(12)
        column.addLayout(buttons)
        column.addWidget(_spaced(self._message, 16))
        column.addSpacing(24)
        column.addWidget(self._numbers)
        column.addWidget(_spaced(self._findings, 24))
        column.addSpacing(24)
        column.addWidget(self._values)
        column.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(body)
        return area


def _spaced(widget: QWidget, gap: int) -> QWidget:
    """`widget` with room above that goes when the widget is hidden."""
    widget.setContentsMargins(0, gap, 0, 0)
    return widget


def _proof(dataset: Dataset | None) -> str:
    if dataset is None or dataset.validated_at is None:
        return ""
    moment = date(dataset.validated_at)
    return f"Checked on the server {moment[0].lower()}{moment[1:]}"


def _message(row: Row) -> str:
    """Why a row is not well, in a sentence; "" for all others."""
    if row.is_local and row.transfer is not None and row.transfer.error is not None:
        return describe(row.transfer.error).sentence
    if row.dataset is not None and row.dataset.status is DatasetStatus.ERROR:
        return row.dataset.error_message or ""
    return ""
