"""What the check of the file says, beside the form: the verdict, the numbers, the findings, and the current one whole.

It shows what it is handed; who runs the check and what an upload does about it is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from lorry.core.checked_file import CheckProgress, CheckReport
from lorry.core.errors import LorryError
from lorry.core.model import Finding
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.gui.shell.verdict import VerdictBox
from lorry.gui.upload.check_words import FACT_CAPTIONS, Verdict, checking, facts, judged, not_checked
from lorry.gui.upload.fact_cards import NumbersCard
from lorry.gui.upload.finding_strip import FindingStrip
from lorry.gui.upload.findings_model import FindingsModel
from lorry.gui.upload.findings_table import FindingsTable
from lorry.text.format import count


class CheckPanel(QWidget):
    """Signals: again_wanted: check the file once more."""

    again_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._progress: CheckProgress | None = None
        self._found = 0
        self._is_waiting = False
        self.verdict = VerdictBox(theme)
        self.facts = NumbersCard(theme, FACT_CAPTIONS)
        self.model = FindingsModel(self)
        self.table = FindingsTable(self.model, theme)
        self.strip = FindingStrip(theme)
        self.table.current_changed.connect(self.strip.show_finding)
        self.more_label = ThemedLabel(theme, "", "caption", "second")
        self.again_button = push_button(theme, "Check again", icon="rotate-cw", compact=True)
        self.again_button.clicked.connect(self.again_wanted)
        self.copy_button = QToolButton()
        self.copy_button.setAccessibleName("Copy the findings")
        self.copy_button.setToolTip("Copy the findings")
        self.copy_button.setProperty("compact", True)
        theme.bind_icon(self.copy_button, "copy")
        self.copy_button.clicked.connect(self.table.copy)
        self._build(theme)
        for keys, by in (("F8", 1), ("Shift+F8", -1)):
            QShortcut(QKeySequence(keys), self, lambda by=by: self.table.step(by))
        self.clear()

    def _build(self, theme: Theme) -> None:
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(ThemedLabel(theme, "Findings", "bodyStrong"))
        heading.addWidget(self.more_label)
        heading.addStretch(1)
        heading.addWidget(self.again_button)
        heading.addWidget(self.copy_button)

        self._nothing = ThemedLabel(theme, "", "body", "second")
        empty = QWidget()
        middle = QVBoxLayout(empty)
        middle.setSpacing(8)
        middle.addStretch(1)
        self._glyph = IconView(theme, "loader-circle", "control", 32)
        middle.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignHCenter)
        middle.addWidget(self._nothing, 0, Qt.AlignmentFlag.AlignHCenter)
        middle.addStretch(1)
        line = QFrame()
        line.setProperty("kind", "line")
        filled = QWidget()
        rows = QVBoxLayout(filled)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.table, 1)
        rows.addWidget(line)
        rows.addWidget(self.strip)
        self._pages = QStackedWidget()
        self._pages.addWidget(empty)
        self._pages.addWidget(filled)
        card = QFrame()
        card.setProperty("kind", "card")
        inside = QVBoxLayout(card)
        # The frame's round corners stay free of the table's square ones.
        inside.setContentsMargins(1, 4, 1, 4)
        inside.addWidget(self._pages)

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.verdict)
        column.addWidget(self.facts)
        below = QVBoxLayout()
        below.setSpacing(4)
        below.addLayout(heading)
        below.addWidget(card, 1)
        column.addLayout(below, 1)

    @property
    def is_waiting(self) -> bool:
        """Whether an upload waits for the end of the check."""
        return self._is_waiting

    def clear(self) -> None:
        """Nothing is known of the file on the form."""
        self._progress, self._found, self._is_waiting = None, 0, False
        self.facts.show_texts(facts(None))
        self._show(Verdict("idle", "Not checked yet", ""), "clock", "")
        self._show_rows([], 0)

    def show_progress(self, progress: CheckProgress) -> None:
        """The check runs and is so far."""
        self._progress = progress
        words = checking(progress, self._found, is_waiting=self._is_waiting)
        self._show(words, "loader-circle", "Nothing found so far.")

    def show_waiting(self, is_waiting: bool) -> None:
        """Whether an upload waits for the end of the check."""
        self._is_waiting = is_waiting
        if self._progress is not None:
            self.show_progress(self._progress)

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """The check runs and has found these besides."""
        self._found += len(findings)
        self.model.add(findings)
        self._show_rows(None, self.model.rowCount())

    def show_report(self, report: CheckReport) -> None:
        """The check has ended."""
        self._progress = None
        self.facts.show_texts(facts(report))
        self._show(judged(report), "circle-check", "Nothing to correct.")
        self._show_rows(report.findings, sum(report.counts.values()))
        self._announce()

    def show_failure(self, error: LorryError) -> None:
        """The check came to nothing."""
        self._progress = None
        self._show(not_checked(error), "circle-dashed", "The file was not checked to its end.")
        self._show_rows([], 0)
        self.again_button.show()
        self._announce()

    def _show(self, verdict: Verdict, glyph: str, nothing: str) -> None:
        self.verdict.show_verdict(verdict.tone, verdict.what, verdict.meaning)
        self.again_button.hide()
        self._glyph.show_icon(glyph, "control")
        self._nothing.setText(nothing)

    def _show_rows(self, findings: Sequence[Finding] | None, total: int) -> None:
        if findings is not None:
            self.model.show_findings(findings)
        rows = self.model.rowCount()
        self._pages.setCurrentIndex(1 if rows else 0)
        self.more_label.setText(f"{count(rows)} shown, and {count(total - rows)} more" if total > rows else "")
        self.copy_button.setEnabled(rows > 0)

    def _announce(self) -> None:
        """The verdict is news wherever the keyboard is; percentages are not."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.verdict, self.verdict.words))
