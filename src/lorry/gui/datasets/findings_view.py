"""The findings of a dataset as plain, selectable text: level, code, line, what is wrong, what to do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lorry.core.model import Dataset, Finding
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel
from lorry.text.format import count, plural

#: level -> (icon, token, word), the worst first
_LEVELS = {
    "error": ("circle-x", "error", "Error"),
    "warning": ("triangle-alert", "warn", "Warning"),
    "info": ("info", "text2", "Note"),
}


class FindingsView(QWidget):
    """A heading with the number of findings, and one block for each that the row keeps."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._heading = ThemedLabel(theme, "", "bodyStrong")
        self._blocks = QWidget()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(12)
        self._layout.addWidget(self._heading)
        self._layout.addWidget(self._blocks)

    def show_dataset(self, dataset: Dataset | None) -> None:
        """Show what the validation of `dataset` found; hidden when that is nothing."""
        findings = sorted(
            (finding for finding in (dataset.findings if dataset else ()) if finding.level in _LEVELS),
            key=lambda finding: list(_LEVELS).index(finding.level),
        )
        counted = sum(dataset.finding_counts.values()) if dataset else 0
        total = max(counted, len(findings))
        self._heading.setText("" if not total else plural(total, "finding"))
        old, self._blocks = self._blocks, self._make_blocks(findings, total)
        self._layout.replaceWidget(old, self._blocks)
        old.hide()
        old.deleteLater()
        self.setVisible(total > 0)

    def _make_blocks(self, findings: list[Finding], total: int) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        for finding in findings:
            column.addLayout(self._block(finding))
        if total > len(findings):
            rest = f"and {count(total - len(findings))} more"
            column.addWidget(ThemedLabel(self._theme, rest, "body", "second"))
        return box

    def _block(self, finding: Finding) -> QHBoxLayout:
        icon, tint, word = _LEVELS[finding.level]
        where = f"line {count(finding.line)}" if finding.line is not None else "file"
        head = ThemedLabel(self._theme, f"{word} {finding.code}, {where}", "bodyMedium", selectable=True, wraps=True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(head)
        for text, tone in ((finding.message, ""), (finding.suggestion or "", "second")):
            if text:
                words.addWidget(ThemedLabel(self._theme, text, "body", tone, wraps=True, selectable=True))
        # Nothing here may stretch: a stretch inside makes the whole list take room it does not need.
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(IconView(self._theme, icon, tint, 16), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        return row
