"""Asks for a speed limit of one's own."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from lorry.gui.shell.field import Field
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import push_button

_WIDTH = 320
#: What can be asked for, MB a second.
LEAST, MOST = 0.02, 10_000.0


class SpeedLimitDialog(QDialog):
    """Open it with `open()`.

    Signals:
        chosen(object): the limit, int bytes a second.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget, limit_bps: int | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Speed limit")
        self.edit = QLineEdit(f"{limit_bps / 1_000_000:g}" if limit_bps else "")
        self.edit.setPlaceholderText("2.5")
        self.field = Field(theme, "All uploads together", self.edit, "MB/s")
        self.edit.textChanged.connect(lambda _text: self.field.set_problem(""))
        self.set_button = push_button(theme, "Set limit", kind="primary")
        self.set_button.setDefault(True)
        self.set_button.clicked.connect(self._on_set_clicked)
        cancel = push_button(theme, "Cancel")
        cancel.clicked.connect(self.reject)
        buttons = QDialogButtonBox()
        buttons.addButton(self.set_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(cancel, QDialogButtonBox.ButtonRole.RejectRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(20)
        column.addWidget(self.field)
        column.addWidget(buttons)
        self.setMinimumWidth(_WIDTH)
        FocusRing(theme, self)
        self.edit.selectAll()
        self.edit.setFocus()

    def _on_set_clicked(self) -> None:
        limit_bps = parse_limit(self.edit.text())
        if limit_bps is None:
            self.field.set_problem(f"Give a number from {LEAST} to {MOST:,.0f}.")
            self.edit.setFocus()
            return
        self.chosen.emit(limit_bps)
        self.accept()


def parse_limit(text: str) -> int | None:
    """Bytes a second from megabytes as people write them ("2.5", "2,5"); None for anything else."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return round(value * 1_000_000) if LEAST <= value <= MOST else None
