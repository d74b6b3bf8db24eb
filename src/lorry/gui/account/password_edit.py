"""A password field with a button that shows and hides what is typed."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLineEdit, QStyle, QToolButton

from lorry.gui.shell.theme import Theme

_BUTTON = 28
_MARGIN = 3


class PasswordEdit(QLineEdit):
    """Hidden until the user asks. The text never takes part in undo, drag or prediction of input methods."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.show_button = QToolButton(self)
        self.show_button.setProperty("compact", True)
        self.show_button.setCheckable(True)
        self.show_button.setIconSize(QSize(16, 16))
        self.show_button.setCursor(Qt.CursorShape.ArrowCursor)
        self.show_button.toggled.connect(self._on_show_button_toggled)
        self.setInputMethodHints(
            Qt.InputMethodHint.ImhHiddenText
            | Qt.InputMethodHint.ImhSensitiveData
            | Qt.InputMethodHint.ImhNoPredictiveText
        )
        self.setTextMargins(0, 0, _BUTTON, 0)
        self._on_show_button_toggled(False)

    def forget(self) -> None:
        """Wipe the text and hide again."""
        self.clear()
        self.show_button.setChecked(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        place = QRect(self.width() - _BUTTON - _MARGIN, (self.height() - _BUTTON) // 2, _BUTTON, _BUTTON)
        self.show_button.setGeometry(QStyle.visualRect(self.layoutDirection(), self.rect(), place))

    def _on_show_button_toggled(self, is_shown: bool) -> None:
        self.setEchoMode(QLineEdit.EchoMode.Normal if is_shown else QLineEdit.EchoMode.Password)
        words = "Hide the password" if is_shown else "Show the password"
        self.show_button.setAccessibleName(words)
        self.show_button.setToolTip(words)
        self._theme.bind_icon(self.show_button, "eye-off" if is_shown else "eye")
