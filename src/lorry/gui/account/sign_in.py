"""Signing in to a project with e-mail and password.

The password goes from the field to the client, on a task thread, and is wiped from the field afterwards; nothing here
keeps it. Which project it is was settled before: the address is shown, not asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QLineEdit, QVBoxLayout, QWidget

from lorry.core.errors import LorryError
from lorry.core.model import Account
from lorry.gui.account.password_edit import PasswordEdit
from lorry.gui.shell.field import Field
from lorry.gui.shell.focus_ring import FocusRing
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import IconView, ThemedLabel, push_button
from lorry.gui.shell.verdict import VerdictBox
from lorry.text.error_text import describe

if TYPE_CHECKING:
    from lorry.core.client import Client

_WIDTH = 344


class SignInDialog(QDialog):
    """Closes itself, accepted, once somebody is signed in.

    Signals:
        signed_in(Account).
    """

    signed_in = Signal(object)

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        project: str = "",
        address: str = "",
        email: str = "",
    ) -> None:
        """`project` is the name in the title, `address` the line below it; `email` fills the first field."""
        super().__init__(parent)
        self._client, self._inbox, self._theme = client, inbox, theme
        self.email_edit = QLineEdit(email)
        self.email_edit.setPlaceholderText("ana@example.com")
        self.email_edit.setInputMethodHints(Qt.InputMethodHint.ImhEmailCharactersOnly)
        self.password_edit = PasswordEdit(theme)
        self.email_field = Field(theme, "E-mail", self.email_edit)
        self.password_field = Field(theme, "Password", self.password_edit)
        self.problem_box = VerdictBox(theme)
        self.problem_box.hide()
        self.sign_in_button = push_button(theme, "Sign in", kind="primary")
        self.sign_in_button.setDefault(True)
        self.sign_in_button.clicked.connect(self._on_sign_in_clicked)
        self.setWindowTitle("Sign in")
        self._build(f"Sign in to {project}" if project else "Sign in", address)
        FocusRing(theme, self)
        (self.password_edit if email else self.email_edit).setFocus()

    def _build(self, title: str, address: str) -> None:
        centre = Qt.AlignmentFlag.AlignHCenter
        heading = ThemedLabel(self._theme, title, "title", wraps=True)
        heading.setAlignment(centre)
        self._column = column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(IconView(self._theme, "mark", "accentText", 48), 0, centre)
        column.addSpacing(12)
        column.addWidget(heading)
        if address:
            where = ThemedLabel(self._theme, address, "body", "second", selectable=True)
            column.addWidget(where, 0, centre)
        column.addSpacing(20)
        for widget in (self.problem_box, self.email_field, self.password_field):
            column.addWidget(widget)
            column.addSpacing(16)
        column.addSpacing(4)
        column.addWidget(self.sign_in_button)
        content = QWidget()
        content.setLayout(column)
        content.setFixedWidth(_WIDTH)
        column.setContentsMargins(0, 0, 0, 0)
        self._outer = outer = QVBoxLayout(self)
        outer.setContentsMargins(40, 32, 40, 32)
        outer.addStretch(1)
        outer.addWidget(content, 0, centre)
        outer.addStretch(1)
        self.setTabOrder(self.email_edit, self.password_edit)
        self.setTabOrder(self.password_edit, self.password_edit.show_button)
        self.setTabOrder(self.password_edit.show_button, self.sign_in_button)

    def _on_sign_in_clicked(self) -> None:
        email, password = self.email_edit.text().strip(), self.password_edit.text()
        self.email_field.set_problem("" if "@" in email else "Enter your e-mail address.")
        self.password_field.set_problem("" if password else "Enter your password.")
        if "@" not in email or not password:
            (self.password_edit if "@" in email else self.email_edit).setFocus()
            return
        self._set_busy(True)
        self._inbox.run(lambda: self._client.sign_in(email, password), self._on_signed_in, self._on_sign_in_failed)

    def _on_signed_in(self, account: Account) -> None:
        self.password_edit.forget()
        self._set_busy(False)
        self.problem_box.hide()
        self.signed_in.emit(account)
        self.accept()

    def _on_sign_in_failed(self, error: LorryError) -> None:
        self._set_busy(False)
        text = describe(error)
        self.problem_box.show_verdict("error", text.what, text.meaning)
        self.problem_box.show()
        # The sentence may wrap; the dialog grows rather than squeezing it.
        margins = self._outer.contentsMargins()
        needed = self._column.totalHeightForWidth(_WIDTH) + margins.top() + margins.bottom()
        self.resize(self.size().expandedTo(QSize(0, needed)))
        self.password_edit.selectAll()
        self.password_edit.setFocus()

    def done(self, result: int) -> None:
        """Whatever way the dialog is left, no password stays in it."""
        self.password_edit.forget()
        super().done(result)

    def _set_busy(self, is_busy: bool) -> None:
        self.sign_in_button.setText("Signing in…" if is_busy else "Sign in")
        for widget in (self.sign_in_button, self.email_edit, self.password_edit):
            widget.setEnabled(not is_busy)
