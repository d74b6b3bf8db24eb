"""The band at the top of every page of the dialog: file icon, a strong line, a second line, perhaps a button."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout

from lorry.gui.shell.safe_label import ElidedLabel
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel


class FileBand(QFrame):
    """Names what the dialog is about. Names are cut at the right, file names in the middle."""

    def __init__(self, theme: Theme, button: QPushButton | None = None) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("kind", "surface")
        self._dataset = ElidedLabel(Qt.TextElideMode.ElideRight)
        self._file = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self._dot = ThemedLabel(theme, "·", "caption", "second")
        self._facts = ThemedLabel(theme, "", "caption", "second")

        self._second = QHBoxLayout()
        self._second.setSpacing(4)
        self._second.addWidget(self._dot)
        self._second.addWidget(self._facts)
        self._second.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(self._dataset)
        words.addWidget(self._file)
        words.addLayout(self._second)
        words.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 12, 20, 12)
        row.setSpacing(12)
        row.addWidget(IconView(theme, "file-braces", "accentText", 28))
        row.addLayout(words, 1)
        if button is not None:
            row.addSpacing(12)
            row.addWidget(button)
        self._words = words
        self.setMinimumHeight(64)
        theme.changed.connect(self._renew)

    def show_file(self, file_name: str, facts: str) -> None:
        """The file's name is the strong line: nothing has a better name yet."""
        self._dataset.hide()
        self._file.set_text(file_name)
        self._file.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._second.removeWidget(self._file)
        self._words.insertWidget(2, self._file)
        self._dot.hide()
        self._facts.setText(facts)
        self._renew()

    def show_dataset(self, name: str, file_name: str, facts: str) -> None:
        """The dataset's name is the strong line, the file's name begins the second."""
        self._dataset.set_text(name)
        self._dataset.show()
        self._file.set_text(file_name)
        self._file.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._words.removeWidget(self._file)
        self._second.insertWidget(0, self._file)
        self._dot.show()
        self._facts.setText(facts)
        self._renew()

    def _renew(self) -> None:
        is_second = self._second.indexOf(self._file) >= 0
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, self._theme.color("text2" if is_second else "text"))
        self._file.setPalette(palette)
        self._file.setFont(self._theme.font("caption" if is_second else "bodyStrong"))
        self._dataset.setFont(self._theme.font("bodyStrong"))
