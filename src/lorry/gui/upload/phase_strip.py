"""The five steps of an upload in a row: what is done, what runs, what is to come.

Painted, because the lines between the words take whatever room is left; where even that is short, only the current
step keeps its word. A change of step is announced to screen readers.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lorry.core.transfers import Phase
from lorry.gui.shell.theme import Theme
from lorry.text.format import phase_word

_ICON = 16
_ICON_GAP = 6
_LINE_INSET = 10
_LEAST_GAP = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is painted."""

    word: str
    icon: str
    tint: str
    text_token: str
    is_current: bool


_RUNNING_ICONS = {
    Phase.CHECKING: ("loader-circle", "busy"),
    Phase.UPLOADING: ("circle-arrow-up", "accentText"),
    Phase.FINISHING: ("circle-arrow-up", "accentText"),
    Phase.VERIFYING: ("circle-arrow-up", "accentText"),
    Phase.VALIDATING: ("loader-circle", "busy"),
}
_STATE_ICONS = {
    "waiting": ("clock", "idle"),
    "paused": ("circle-pause", "idle"),
    "failed": ("circle-x", "error"),
    "done": ("circle-check", "ok"),
}


class PhaseStrip(QWidget):
    """Checking · Uploading · Finishing · Verifying · Server validation."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._phase = Phase.CHECKING
        self._state = "running"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Steps")
        self._describe()
        theme.changed.connect(self._on_theme_changed)

    def show_phase(self, phase: Phase, state: str = "running") -> None:
        """`state` of the current step: running, waiting, paused, failed, or done (only the last step can stay done)."""
        if (phase, state) == (self._phase, self._state):
            return
        self._phase, self._state = phase, state
        self._describe()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.update()

    def steps(self) -> list[Step]:
        """What is painted, in order."""
        phases = list(Phase)
        current = phases.index(self._phase)
        steps = []
        for i, phase in enumerate(phases):
            if i < current:
                steps.append(Step(phase_word(phase), "circle-check", "ok", "text", False))
            elif i > current:
                steps.append(Step(phase_word(phase), "circle", "control", "text2", False))
            else:
                icon, tint = _STATE_ICONS.get(self._state, _RUNNING_ICONS[phase])
                steps.append(Step(phase_word(phase), icon, tint, "text", True))
        return steps

    def sizeHint(self) -> QSize:
        return QSize(400, max(20, self._metrics(True).height()))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        steps = self.steps()
        widths = [self._natural_width(step, has_word=True) for step in steps]
        gap = (self.width() - sum(widths)) / (len(steps) - 1)
        has_words = gap >= _LEAST_GAP
        if not has_words:
            widths = [self._natural_width(step, has_word=step.is_current) for step in steps]
            gap = max(_LEAST_GAP, (self.width() - sum(widths)) / (len(steps) - 1))
        x = 0.0
        for step, width in zip(steps, widths, strict=True):
            self._paint_step(painter, step, QRect(round(x), 0, width, self.height()), has_words or step.is_current)
            x += width + gap
            if step is not steps[-1] and gap > 2 * _LINE_INSET:
                line = QRect(round(x - gap + _LINE_INSET), self.height() // 2, round(gap - 2 * _LINE_INSET), 1)
                painter.fillRect(self._mirrored(line), self._theme.color("border"))

    def _paint_step(self, painter: QPainter, step: Step, box: QRect, has_word: bool) -> None:
        icon = QRect(box.left(), (self.height() - _ICON) // 2, _ICON, _ICON)
        pixmap = self._theme.pixmap(step.icon, step.tint, _ICON, self.devicePixelRatioF())
        painter.drawPixmap(self._mirrored(icon), pixmap)
        if has_word:
            painter.setFont(self._font(step.is_current))
            painter.setPen(self._theme.color(step.text_token))
            words = box.adjusted(_ICON + _ICON_GAP, 0, 2, 0)
            side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading
            painter.drawText(self._mirrored(words), side | Qt.TextFlag.TextDontClip, step.word)

    def _mirrored(self, box: QRect) -> QRect:
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            return QRect(self.width() - box.left() - box.width(), box.top(), box.width(), box.height())
        return box

    def _natural_width(self, step: Step, *, has_word: bool) -> int:
        word = self._metrics(step.is_current).horizontalAdvance(step.word) + _ICON_GAP if has_word else 0
        return _ICON + word

    def _font(self, is_current: bool) -> QFont:
        return self._theme.font("bodyStrong" if is_current else "body")

    def _metrics(self, is_current: bool) -> QFontMetrics:
        return QFontMetrics(self._font(is_current))

    def _describe(self) -> None:
        number = list(Phase).index(self._phase) + 1
        words = f"Step {number} of {len(Phase)}: {phase_word(self._phase)}"
        self.setAccessibleDescription(words if self._state == "running" else f"{words}, {self._state}")

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()
