"""One finding whole, under the table: where it is, what is wrong, what to do. Long texts wrap and can be selected."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lorry.core.model import Finding
from lorry.gui.shell.plain_text import PlainText
from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import ThemedLabel
from lorry.gui.upload.check_words import place

#: A text of the file may be quoted; what is longer is for the clipboard.
_CHARACTERS = 300


class FindingStrip(QWidget):
    """Shows the current finding of the table above it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._place = ThemedLabel(theme, "", "bodyStrong")
        self._path = ElidedLabel()
        self._message = PlainText(theme)
        self._message.setAccessibleName("What is wrong and what to do")
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._place)
        head.addWidget(self._path, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self._message)
        theme.changed.connect(self._renew)
        self._renew()

    @property
    def words(self) -> str:
        """All of it, as shown."""
        return f"{self._place.text()} {self._path.text} {self._message.text}"

    def show_finding(self, finding: Finding | None) -> None:
        """Show `finding`; None empties the strip."""
        self._place.setText(place(finding) if finding else "")
        self._path.set_text(((finding.path if finding else "") or "")[:_CHARACTERS])
        texts = (finding.message, finding.suggestion or "") if finding else ()
        cut = (_cut(text) for text in texts if text)
        self._message.set_text(" ".join(cut))

    def _renew(self) -> None:
        self._path.setFont(self._theme.font("mono"))
        palette = self._path.palette()
        palette.setColor(self._path.foregroundRole(), self._theme.color("text2"))
        self._path.setPalette(palette)


def _cut(text: str) -> str:
    """One sentence on one line; what the rules say has no full stop."""
    line = " ".join(text.split("\n"))
    short = line if len(line) <= _CHARACTERS else f"{line[:_CHARACTERS]}…"
    return short if short.endswith((".", "…")) else f"{short}."
