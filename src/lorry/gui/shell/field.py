"""One form field: label above, counter or "optional" at its right, the field, and a sentence below when it is wrong."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, buddy_label, restyle


class Field(QWidget):
    """Wraps any input widget. The widget gets the label's text as its accessible name."""

    def __init__(self, theme: Theme, label: str, widget: QWidget, note: str = "", *, grows: bool = False) -> None:
        super().__init__()
        self._widget = widget
        widget.setAccessibleName(label)
        self._note = ThemedLabel(theme, note, "label", "second")
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(buddy_label(theme, label, widget))
        top.addStretch(1)
        top.addWidget(self._note)

        self._problem = ThemedLabel(theme, "", "caption", "error", wraps=True)
        self._problem_row = QWidget()
        below = QHBoxLayout(self._problem_row)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(4)
        below.addWidget(IconView(theme, "circle-x", "error", 14))
        below.addWidget(self._problem, 1)
        self._problem_row.hide()

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(widget, 1 if grows else 0)
        column.addWidget(self._problem_row)

    @property
    def problem(self) -> str:
        """The sentence shown under the field, or ""."""
        return self._problem.text() if not self._problem_row.isHidden() else ""

    def set_note(self, text: str, *, is_wrong: bool = False) -> None:
        """The words at the label's right."""
        self._note.setText(text)
        self._note.set_tone("error" if is_wrong else "second")

    def set_problem(self, sentence: str) -> None:
        """Mark the field and say what is wrong with it; "" takes the mark away."""
        self._problem.setText(sentence)
        self._problem_row.setVisible(bool(sentence))
        self._widget.setAccessibleDescription(sentence)
        restyle(self._widget, invalid=bool(sentence))
