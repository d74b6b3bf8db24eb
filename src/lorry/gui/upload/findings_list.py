"""The first findings of the server's validation, one line each: level, where, what.

The whole list with excerpts belongs to the details panel; here it answers "what is wrong with my file?".
"""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QGridLayout, QLabel

from lorry.core.model import Dataset, Finding
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel
from lorry.text.format import count, plural

_LEVELS = {
    "error": ("circle-x", "error", "Error"),
    "warning": ("triangle-alert", "warn", "Warning"),
    "info": ("info", "text2", "Note"),
}
_ROWS = 5


class FindingsList(QFrame):
    """At most five findings, errors first, and how many more there are."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._codes: list[str] = []
        self.setProperty("kind", "card")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(16, 12, 16, 12)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(4, 1)

    @property
    def codes(self) -> list[str]:
        """The rules of the findings on screen, in order."""
        return list(self._codes)

    def show_findings(self, dataset: Dataset) -> None:
        """Replace the rows by those of `dataset`; hides itself when there are none."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        order = list(_LEVELS)
        findings = sorted(
            (finding for finding in dataset.findings if finding.level in _LEVELS),
            key=lambda finding: order.index(finding.level),
        )
        self._codes = [finding.code for finding in findings[:_ROWS]]
        for row, finding in enumerate(findings[:_ROWS]):
            self._add_row(row, finding)
        rest = sum(dataset.finding_counts.values()) - min(_ROWS, len(findings))
        if findings and rest > 0:
            more = ThemedLabel(self._theme, f"and {plural(rest, 'more', 'more')}", "caption", "second")
            self._grid.addWidget(more, _ROWS, 1, 1, 4)
        self.setVisible(bool(findings))

    def _add_row(self, row: int, finding: Finding) -> None:
        icon, tint, word = _LEVELS[finding.level]
        where = f"Line {count(finding.line)}" if finding.line is not None else "File"
        message = ElidedLabel()
        message.setFont(self._theme.font("body"))
        message.set_text(finding.message or finding.suggestion or finding.code)
        level = ThemedLabel(self._theme, word, "body", tint if tint != "text2" else "second")
        cells: tuple[QLabel, ...] = (
            level,
            ThemedLabel(self._theme, finding.code, "body", "second"),
            ThemedLabel(self._theme, where),
        )
        self._grid.addWidget(IconView(self._theme, icon, tint, 16), row, 0)
        for column, cell in enumerate(cells, start=1):
            self._grid.addWidget(cell, row, column)
        self._grid.addWidget(message, row, 4)
