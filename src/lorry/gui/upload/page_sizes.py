"""How large the upload dialog is: the form with its findings is a wide page, an upload that runs a small one.

The user's own sizes are kept for each of the two as long as the dialog lives.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QDialog

FORM, SMALL = QSize(1128, 700), QSize(656, 432)
_FORM_LEAST, _SMALL_LEAST = QSize(800, 560), QSize(560, 0)
_SCREEN_MARGIN = 48


class PageSizes:
    """Gives `dialog` the size of the kind of page it shows."""

    def __init__(self, dialog: QDialog) -> None:
        self._dialog = dialog
        self._is_form = True
        self._sizes = {True: FORM, False: SMALL}
        self._fit()

    def show(self, *, is_form: bool) -> None:
        """The dialog turns to the form, or to a page of an upload."""
        if is_form == self._is_form:
            return
        dialog = self._dialog
        if not dialog.isMaximized() and not dialog.isFullScreen():
            self._sizes[self._is_form] = dialog.size()
        self._is_form = is_form
        self._fit()

    def _fit(self) -> None:
        dialog = self._dialog
        available = dialog.screen().availableSize() - QSize(_SCREEN_MARGIN, _SCREEN_MARGIN)
        least = _FORM_LEAST if self._is_form else _SMALL_LEAST
        dialog.setMinimumSize(least.boundedTo(available))
        if dialog.isMaximized() or dialog.isFullScreen():
            return
        wanted = self._sizes[self._is_form].expandedTo(dialog.minimumSizeHint()).boundedTo(available)
        if dialog.isVisible():
            place = QRect(dialog.geometry().topLeft(), wanted)
            place.moveCenter(dialog.geometry().center())
            dialog.setGeometry(place)
        else:
            dialog.resize(wanted)
