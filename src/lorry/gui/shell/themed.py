"""Small widgets that stay in the theme's fonts and colours by themselves: labels, icons, tinted buttons.

They take the theme by constructor and repaint on `Theme.changed`, so screens built from them need no refresh code.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

from lorry.gui.shell.safe_label import SafeLabel
from lorry.gui.shell.theme import Theme


def restyle(widget: QWidget, **properties: object) -> None:
    """Set dynamic properties the style sheet selects on, and let the sheet apply them at once."""
    if all(widget.property(name) == value for name, value in properties.items()):
        return
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


class ThemedLabel(SafeLabel):
    """A plain-text label in one of the theme's font styles and, through `tone`, one of its colours."""

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        style: str = "body",
        tone: str = "",
        *,
        wraps: bool = False,
        selectable: bool = False,
    ) -> None:
        super().__init__(text, selectable=selectable)
        self._theme, self._style = theme, style
        self.setWordWrap(wraps)
        self.setProperty("tone", tone)
        self._renew()
        theme.changed.connect(self._renew)

    def set_tone(self, tone: str) -> None:
        """ "second", "ok", "warn", "error", "busy", "accent", "disabled", or "" for ordinary text."""
        restyle(self, tone=tone)

    def _renew(self) -> None:
        self.setFont(self._theme.font(self._style))


class IconView(QWidget):
    """An icon that is not a button. Decoration: the text beside it says the same, so it has no accessible name."""

    def __init__(self, theme: Theme, name: str, tint: str, size: int = 16) -> None:
        super().__init__()
        self._theme, self._name, self._tint, self._size = theme, name, tint, size
        self.setFixedSize(size, size)
        theme.changed.connect(self.update)

    def show_icon(self, name: str, tint: str) -> None:
        """Another icon, or another colour."""
        self._name, self._tint = name, tint
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        pixmap = self._theme.pixmap(self._name, self._tint, self._size, self.devicePixelRatioF())
        painter.drawPixmap(QRect(0, 0, self._size, self._size), pixmap)


def push_button(
    theme: Theme, text: str, *, kind: str = "", icon: str = "", tint: str = "text", compact: bool = False
) -> QPushButton:
    """A push button of a kind of the style sheet: "" (default), primary, flat, danger or link."""
    button = QPushButton(text)
    button.setAutoDefault(False)
    button.setProperty("kind", kind)
    button.setProperty("compact", compact)
    if icon:
        theme.bind_icon(button, icon, "onAccent" if kind == "primary" else tint)
    return button


def buddy_label(theme: Theme, text: str, buddy: QWidget) -> QLabel:
    """The label above a field; screen readers read it as the field's name."""
    label = ThemedLabel(theme, text, "label")
    label.setBuddy(buddy)
    label.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    label.setAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
    return label
