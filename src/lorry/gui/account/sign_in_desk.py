"""Opens the sign-in dialog of the window, one at a time, and signs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from lorry.core.errors import LorryError
from lorry.gui.account.sign_in import SignInDialog
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme

if TYPE_CHECKING:
    from lorry.core.client import Client


class SignInDesk(QObject):
    """What came of it is told by the client's own event, to everybody.

    Signals:
        failed(LorryError): signing out did not work.
    """

    failed = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._client, self._inbox, self._theme, self._window = client, inbox, theme, window
        self._dialog: SignInDialog | None = None

    def open(self) -> None:
        """Show the dialog, or bring it to the front."""
        if self._dialog is not None and self._dialog.isVisible():
            self._dialog.raise_()
            return
        address = self._client.config.url
        self._dialog = SignInDialog(self._client, self._inbox, self._theme, self._window, address=address)
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.destroyed.connect(self._on_dialog_destroyed)
        self._dialog.open()

    def sign_out(self) -> None:
        """End the session."""
        self._inbox.run(self._client.sign_out, lambda _: None, self._on_sign_out_failed, receiver=self)

    def _on_dialog_destroyed(self) -> None:
        self._dialog = None

    def _on_sign_out_failed(self, error: LorryError) -> None:
        self.failed.emit(error)
