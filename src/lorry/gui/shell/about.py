"""The About box: version, what Lorry is, and the notice of the icons it uses."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from lorry import __version__
from lorry.gui.shell.theme import Theme

MARK = 48


def show_about(theme: Theme, parent: QWidget) -> QMessageBox:
    """Open the box without blocking; returns it."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("About Lorry")
    box.setIconPixmap(theme.pixmap("mark", "accentText", MARK, parent.devicePixelRatioF()))
    box.setText(f"Lorry {__version__}")
    box.setInformativeText(
        "Hauls LoRA fine-tuning datasets from a desktop into a Supabase project.\n\n"
        "Icons: Lucide, ISC licence, © Lucide Icons and Contributors; some derived from Feather, "
        "MIT licence, © Cole Bemis. The full notices are installed beside the icons."
    )
    box.setStandardButtons(QMessageBox.StandardButton.Close)
    box.open()
    return box
