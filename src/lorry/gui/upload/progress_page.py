"""The running page: steps, bytes, bar, speed, and one line for what is going on.

Numbers come in ten times a second; the bar follows each time, the words once a second, when the step changes, and as
often as the bar until the speed is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from lorry.core.transfers import Phase, Transfer, TransferState, WaitReason
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.gui.upload.file_band import FileBand
from lorry.gui.upload.footer import Footer
from lorry.gui.upload.legend import Legend
from lorry.gui.upload.phase_strip import PhaseStrip
from lorry.gui.upload.speed_line import SpeedLine
from lorry.gui.upload.two_tone_bar import BarTone, TwoToneBar
from lorry.text.format import begin_detail, format_label, rate, remaining, size, size_of, transfer_detail

_TEXT_EVERY_S = 1.0
#: Steps without bytes, and how long (s) one of them may last before the page says that it takes long.
_QUIET = (Phase.FINISHING, Phase.VERIFYING)
_LONG_S = 20.0


class ProgressPage(QWidget):
    """One upload while it waits or runs.

    Signals:
        cancel_wanted, pause_wanted, resume_wanted, try_now_wanted, hide_wanted: the buttons.
    """

    cancel_wanted = Signal()
    pause_wanted = Signal()
    resume_wanted = Signal()
    try_now_wanted = Signal()
    hide_wanted = Signal()

    def __init__(self, theme: Theme, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._shown: tuple[object, ...] = ()
        self._texts_at_s = 0.0
        self._is_cancelling = False
        #: When the step on screen began; the last ones may take longer than anybody expects.
        self._step: tuple[object, ...] = ()
        self._step_at_s = 0.0
        self._theme = theme
        self._band = FileBand(theme)
        self.strip = PhaseStrip(theme)
        self.bytes_label = ThemedLabel(theme, "", "subtitle")
        self.rate_label = ThemedLabel(theme)
        self.remaining_label = ThemedLabel(theme, "", "body", "second")
        self._dot = ThemedLabel(theme, "·", "body", "second")
        self.bar = TwoToneBar(theme)
        self.legend = Legend(theme)
        self.speed = SpeedLine(theme)
        self._detail_icon = IconView(theme, "clock", "text2", 16)
        self.detail_label = ThemedLabel(theme, "", "body", "second", wraps=True)
        self.detail_label.setMinimumHeight(20)
        self.try_button = push_button(theme, "Try now", icon="rotate-cw", compact=True)
        self.try_button.clicked.connect(self.try_now_wanted)
        self.pause_button = push_button(theme, "Pause", icon="pause")
        self.pause_button.clicked.connect(self._on_pause_clicked)
        self._is_paused = False
        self._build(theme)

    def _build(self, theme: Theme) -> None:
        line = QFrame()
        line.setProperty("kind", "line")
        numbers = QHBoxLayout()
        numbers.setSpacing(4)
        numbers.addWidget(self.bytes_label)
        numbers.addStretch(1)
        numbers.addWidget(self.rate_label)
        numbers.addWidget(self._dot)
        numbers.addWidget(self.remaining_label)
        detail = QHBoxLayout()
        detail.setSpacing(8)
        detail.addWidget(self._detail_icon)
        detail.addWidget(self.detail_label, 1)
        detail.addWidget(self.try_button)

        body = QVBoxLayout()
        body.setContentsMargins(20, 20, 20, 12)
        body.setSpacing(0)
        body.addWidget(self.strip)
        body.addSpacing(20)
        body.addLayout(numbers)
        body.addSpacing(8)
        body.addWidget(self.bar)
        body.addSpacing(8)
        body.addWidget(self.legend)
        body.addStretch(2)
        body.addSpacing(12)
        body.addWidget(ThemedLabel(theme, "Speed", "bodyStrong"))
        body.addWidget(self.speed)
        body.addStretch(3)
        body.addLayout(detail)

        self.cancel_button = push_button(theme, "Cancel upload…", icon="x")
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self.hide_button = push_button(theme, "Hide", kind="primary")
        self.hide_button.setToolTip("The upload goes on")
        self.hide_button.clicked.connect(self.hide_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._band)
        column.addWidget(line)
        column.addLayout(body, 1)
        column.addWidget(Footer([self.cancel_button], self.hide_button, self.pause_button))

    @property
    def main_button(self) -> QPushButton:
        """What Ctrl+Return presses."""
        return self.hide_button

    def show_cancelling(self) -> None:
        """The user gave it up; the page stays until the server has forgotten it, or the user hides it."""
        self._is_cancelling = True
        for button in (self.cancel_button, self.pause_button):
            button.setEnabled(False)
            button.setToolTip("The upload is being cancelled")
        self._show_detail("Removing what was sent…", "x", "")

    def show_transfer(self, transfer: Transfer) -> None:
        """Show how it stands; call as often as numbers arrive."""
        progress = transfer.progress
        is_still = transfer.state is not TransferState.RUNNING
        self.bar.show_bytes(
            progress.size_bytes,
            progress.stored_bytes,
            progress.sent_bytes,
            BarTone.STILL if is_still else BarTone.MOVING,
        )
        if transfer.dataset_id not in self._shown:
            self._is_cancelling = False
            for button in (self.cancel_button, self.pause_button):
                button.setEnabled(True)
                button.setToolTip("")
        is_stored = progress.stored_bytes >= progress.size_bytes
        reasons = (transfer.waits_for, transfer.is_rereading, transfer.restarted, transfer.resumed_at_bytes)
        kind = (transfer.dataset_id, transfer.state, transfer.phase, is_stored, *reasons)
        # Before there is a rate the words keep up with the bar, or they would say nothing was sent.
        is_settled = bool(progress.history_bps)
        if kind == self._shown and is_settled and self._clock() - self._texts_at_s < _TEXT_EVERY_S:
            return
        self._shown, self._texts_at_s = kind, self._clock()
        self._show_texts(transfer, is_still)
        self._show_pause(transfer)

    def _show_texts(self, transfer: Transfer, is_still: bool) -> None:
        draft, progress = transfer.draft, transfer.progress
        facts = f"{size(draft.file_size)} · {format_label(draft.format)}"
        self._band.show_dataset(draft.name, draft.file_name, facts)
        state = "paused" if transfer.state is TransferState.PAUSED else "waiting" if is_still else "running"
        self.strip.show_phase(transfer.phase, state)
        is_sending = transfer.phase is Phase.UPLOADING and not is_still
        self.bytes_label.setText(_bytes_words(transfer, is_still))
        left = remaining(progress.remaining_s) if is_sending else ""
        has_rate = is_sending and bool(progress.history_bps) and progress.sent_bytes < progress.size_bytes
        self.rate_label.setText(rate(progress.rate_bps) if has_rate else "")
        self.remaining_label.setText(left if has_rate else "")
        self._dot.setVisible(bool(left) and has_rate)
        self.legend.show_bytes(progress.size_bytes, progress.stored_bytes, 0 if is_still else progress.sent_bytes)
        self.speed.show_history(progress.history_bps if any(progress.history_bps) else ())
        self.bar.describe()
        if not self._is_cancelling:
            self._show_details(transfer)

    def _show_details(self, transfer: Transfer) -> None:
        words, icon, act = transfer_detail(transfer), "clock", ""
        if transfer.state is TransferState.PAUSED:
            words, icon = "Paused. What is stored stays on the server", "circle-pause"
            if not transfer.progress.stored_bytes:
                words = "Paused"
        elif transfer.state is TransferState.WAITING:
            icon = "wifi-off" if transfer.waits_for is WaitReason.NETWORK else "clock"
            act = "Try now" if transfer.retry_in_s is not None else ""
        elif self._takes_long(transfer):
            words, act = "Taking longer than usual", "Check server now"
        elif begin_detail(transfer):
            icon = "history"
        self._show_detail(f"{words}." if words else "", icon, act)

    def _takes_long(self, transfer: Transfer) -> bool:
        """Whether a step without bytes lasts longer than people wait without being told."""
        step = (transfer.dataset_id, transfer.state, transfer.phase)
        if step != self._step:
            self._step, self._step_at_s = step, self._clock()
        return transfer.phase in _QUIET and self._clock() - self._step_at_s >= _LONG_S

    def _show_detail(self, words: str, icon: str, act: str) -> None:
        self.detail_label.setText(words)
        self._detail_icon.setVisible(bool(words))
        self._detail_icon.show_icon(icon, "text2")
        self.try_button.setVisible(bool(act))
        self.try_button.setText(act)

    def _show_pause(self, transfer: Transfer) -> None:
        is_paused = transfer.state is TransferState.PAUSED
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            self.pause_button.setText("Resume" if is_paused else "Pause")
            self._theme.bind_icon(self.pause_button, "play" if is_paused else "pause", "text")

    def _on_pause_clicked(self) -> None:
        (self.resume_wanted if self._is_paused else self.pause_wanted).emit()


def _bytes_words(transfer: Transfer, is_still: bool) -> str:
    progress = transfer.progress
    if not is_still:
        return size_of(progress.sent_bytes, progress.size_bytes)
    if not progress.stored_bytes:
        return size(progress.size_bytes)
    return f"{size_of(progress.stored_bytes, progress.size_bytes)} stored"
