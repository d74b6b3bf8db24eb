"""Cards of facts: numbers over their names, what the server counted, and where a failed upload stood."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout

from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Transfer
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.text.format import MISSING, count, phase_word, size, size_of, tokens

_CAPTIONS = ("Training pairs", "Tokens", "Turns a conversation", "Stored")


class NumbersCard(QFrame):
    """A line of numbers, each over its name."""

    def __init__(self, theme: Theme, captions: Sequence[str]) -> None:
        super().__init__()
        self._captions = tuple(captions)
        self.setProperty("kind", "card")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 14, 16, 14)
        row.setSpacing(16)
        self._values = []
        for caption in captions:
            value = ThemedLabel(theme, MISSING, "subtitle")
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(value)
            column.addWidget(ThemedLabel(theme, caption, "caption", "second"))
            row.addLayout(column, 1)
            self._values.append(value)

    @property
    def texts(self) -> tuple[str, ...]:
        """The numbers as shown."""
        return tuple(label.text() for label in self._values)

    def show_texts(self, texts: Sequence[str]) -> None:
        """One text for each name; a dash for what is not known."""
        for label, caption, text in zip(self._values, self._captions, texts, strict=True):
            label.setText(text)
            label.setAccessibleName(f"{caption}: {text}")
            label.set_tone("second" if text == MISSING else "")


class CountsCard(NumbersCard):
    """What the server counted; dashes until it has."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, _CAPTIONS)

    def show_counts(self, dataset: Dataset | None, stored_bytes: int) -> None:
        """Counts appear only once validation has proved them."""
        is_proved = dataset is not None and dataset.status is DatasetStatus.READY
        turns = dataset.avg_turns_per_conversation if dataset and is_proved else None
        texts = (
            count(dataset.total_training_pairs) if dataset and is_proved else MISSING,
            tokens(dataset.total_tokens) if dataset and is_proved else MISSING,
            MISSING if turns is None else f"{turns:.1f}",
            size(stored_bytes),
        )
        self.show_texts(texts)


class FailureCard(QFrame):
    """Which file, at which step, how far, and the code to give to whoever helps."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("kind", "card")
        self._path = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self._phase = ThemedLabel(theme)
        self._sent = ThemedLabel(theme)
        self._code = ThemedLabel(theme, "", "body", selectable=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 14, 16, 14)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 88)
        grid.setColumnStretch(1, 1)
        rows = (
            ("File", self._path),
            ("Stopped at", self._phase),
            ("Sent", self._sent),
            ("Code", self._code),
        )
        for row, (key, value) in enumerate(rows):
            grid.addWidget(ThemedLabel(theme, key, "body", "second"), row, 0)
            side = Qt.AlignmentFlag(0) if value is self._path else Qt.AlignmentFlag.AlignLeading
            grid.addWidget(value, row, 1, side)

    def show_transfer(self, transfer: Transfer) -> None:
        """`transfer` has failed."""
        self._path.setFont(self._theme.font("body"))
        self._path.set_text(str(transfer.path))
        self._phase.setText(phase_word(transfer.phase))
        self._sent.setText(size_of(transfer.progress.sent_bytes, transfer.progress.size_bytes))
        self._code.setText(transfer.error.code.value if transfer.error else MISSING)
