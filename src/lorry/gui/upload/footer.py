"""The foot of every page: what explains or ends the page at the leading side, the acts at the trailing side."""

from __future__ import annotations

from PySide6.QtWidgets import QDialogButtonBox, QFrame, QHBoxLayout, QPushButton, QWidget


class Footer(QFrame):
    """The acts stand in the platform's order, which is why their roles are asked for."""

    def __init__(self, leading: list[QWidget], main: QPushButton, others: list[QPushButton]) -> None:
        """`leading` may hold labels; `main` is the page's act for Return, `others` leave or turn back."""
        super().__init__()
        self.setProperty("kind", "footer")
        self._acts = QDialogButtonBox()
        self._acts.addButton(main, QDialogButtonBox.ButtonRole.AcceptRole)
        for button in others:
            self._acts.addButton(button, QDialogButtonBox.ButtonRole.RejectRole)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 13, 20, 14)
        row.setSpacing(8)
        for widget in leading:
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._acts)
        self.setMinimumHeight(60)
