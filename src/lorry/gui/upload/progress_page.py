"""The running page: steps, bytes, bar, speed, and one line for what is going on.

Numbers come in ten times a second; the bar follows each time, the words once a second, when the step changes, and as
often as the bar until the speed is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from lorry.core.transfers import Phase, Transfer, TransferState
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.gui.upload.file_band import FileBand
from lorry.gui.upload.footer import Footer
from lorry.gui.upload.legend import Legend
from lorry.gui.upload.phase_strip import PhaseStrip
from lorry.gui.upload.speed_line import SpeedLine
from lorry.gui.upload.two_tone_bar import BarTone, TwoToneBar
from lorry.text.format import format_label, rate, remaining, size, size_of, transfer_detail

_TEXT_EVERY_S = 1.0


class ProgressPage(QWidget):
    """One upload while it waits or runs.

    Signals:
        cancel_wanted, hide_wanted: the buttons.
    """

    cancel_wanted = Signal()
    hide_wanted = Signal()

    def __init__(self, theme: Theme, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._shown: tuple[object, ...] = ()
        self._texts_at_s = 0.0
        self._is_cancelling = False
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
        column.addWidget(Footer([self.cancel_button], self.hide_button))

    @property
    def main_button(self) -> QPushButton:
        """What Ctrl+Return presses."""
        return self.hide_button

    def show_cancelling(self) -> None:
        """The user gave it up; the page stays until the server has forgotten it, or the user hides it."""
        self._is_cancelling = True
        self.cancel_button.setEnabled(False)
        self.cancel_button.setToolTip("The upload is being cancelled")
        self._show_detail("Removing what was sent…")

    def show_transfer(self, transfer: Transfer) -> None:
        """Show how it stands; call as often as numbers arrive."""
        progress = transfer.progress
        is_still = transfer.state is TransferState.WAITING or transfer.retry_in_s is not None
        is_moving = not is_still or transfer.phase is not Phase.UPLOADING
        self.bar.show_bytes(
            progress.size_bytes,
            progress.stored_bytes,
            progress.sent_bytes,
            BarTone.MOVING if is_moving else BarTone.STILL,
        )
        if transfer.dataset_id not in self._shown:
            self._is_cancelling = False
            self.cancel_button.setEnabled(True)
            self.cancel_button.setToolTip("")
        is_stored = progress.stored_bytes >= progress.size_bytes
        kind = (transfer.dataset_id, transfer.state, transfer.phase, is_still, is_stored)
        # Before there is a rate the words keep up with the bar, or they would say nothing was sent.
        is_settled = bool(progress.history_bps)
        if kind == self._shown and is_settled and self._clock() - self._texts_at_s < _TEXT_EVERY_S:
            return
        self._shown, self._texts_at_s = kind, self._clock()
        self._show_texts(transfer, is_still)

    def _show_texts(self, transfer: Transfer, is_still: bool) -> None:
        draft, progress = transfer.draft, transfer.progress
        facts = f"{size(draft.file_size)} · {format_label(draft.format)}"
        self._band.show_dataset(draft.name, draft.file_name, facts)
        self.strip.show_phase(transfer.phase, "waiting" if is_still else "running")
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
        words = transfer_detail(transfer)
        if not self._is_cancelling:
            self._show_detail(f"{words}." if words else "")

    def _show_detail(self, words: str) -> None:
        self.detail_label.setText(words)
        self._detail_icon.setVisible(bool(words))


def _bytes_words(transfer: Transfer, is_still: bool) -> str:
    progress = transfer.progress
    if not is_still:
        return size_of(progress.sent_bytes, progress.size_bytes)
    if transfer.retry_in_s is None and not progress.sent_bytes:
        return size(progress.size_bytes)
    return f"{size_of(progress.stored_bytes, progress.size_bytes)} stored"
