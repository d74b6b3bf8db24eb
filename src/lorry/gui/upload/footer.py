"""The foot of every page: what explains or ends the page at the leading side, the acts at the trailing side."""

from __future__ import annotations

from PySide6.QtWidgets import QDialogButtonBox, QFrame, QHBoxLayout, QPushButton, QSizePolicy, QWidget


class Footer(QFrame):
    """The acts stand in the platform's order, which is why their roles are asked for."""

    def __init__(
        self,
        leading: list[QWidget],
        main: QPushButton,
        leave: QPushButton | None = None,
        others: tuple[QPushButton, ...] = (),
    ) -> None:
        """`leading` may hold labels, the last of which may take the room; `main` is the page's act for Return."""
        super().__init__()
        self.setProperty("kind", "footer")
        self._acts = QDialogButtonBox()
        self._acts.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._acts.addButton(main, QDialogButtonBox.ButtonRole.AcceptRole)
        if leave is not None:
            self._acts.addButton(leave, QDialogButtonBox.ButtonRole.RejectRole)
        for button in others:
            self._acts.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 13, 20, 14)
        row.setSpacing(8)
        for widget in leading:
            row.addWidget(widget)
        if not any(widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Expanding for widget in leading):
            row.addStretch(1)
        row.addWidget(self._acts)
        self.setMinimumHeight(60)
