"""Signing in through the dialog, against a real server."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot
from tests.support.fault_server import FaultServer, portal
from tests.support.workspace import User

from lorry.core.client import Client
from lorry.gui.account.sign_in import SignInDialog
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme

LONG_MS = 30_000


@pytest.fixture
def sign_in(qtbot: QtBot, signed_out_client: Client, inbox: Inbox, theme: Theme) -> SignInDialog:
    """The dialog on screen, empty."""
    dialog = SignInDialog(signed_out_client, inbox, theme, project="BrightRun", address="brightrun.example")
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def submit(dialog: SignInDialog, email: str, password: str) -> None:
    dialog.email_edit.setText(email)
    dialog.password_edit.setText(password)
    dialog.sign_in_button.click()


def test_the_right_password_signs_in_and_is_wiped(
    qtbot: QtBot, sign_in: SignInDialog, signed_out_client: Client, person: User
) -> None:
    with qtbot.waitSignal(sign_in.signed_in, timeout=LONG_MS) as signed_in:
        submit(sign_in, f" {person.email} ", person.password)
    assert signed_in.args is not None
    assert signed_in.args[0].email == person.email
    assert signed_out_client.account is not None
    assert not sign_in.isVisible()
    assert sign_in.password_edit.text() == ""


def test_a_wrong_password_is_a_sentence_and_can_be_corrected(qtbot: QtBot, sign_in: SignInDialog, person: User) -> None:
    submit(sign_in, person.email, "not the password")
    qtbot.waitUntil(lambda: sign_in.problem_box.isVisible(), timeout=LONG_MS)
    assert sign_in.problem_box.words == (
        "E-mail or password is not right. After several tries, wait a minute or reset the password."
    )
    with qtbot.waitSignal(sign_in.signed_in, timeout=LONG_MS):
        submit(sign_in, person.email, person.password)


@pytest.mark.parametrize("is_portal", [True, False])
def test_no_server_is_a_sentence(
    qtbot: QtBot, sign_in: SignInDialog, faults: FaultServer, person: User, is_portal: bool
) -> None:
    if is_portal:
        faults.on("/", portal())
    else:
        faults.refuse()
    submit(sign_in, person.email, person.password)
    qtbot.waitUntil(lambda: sign_in.problem_box.isVisible(), timeout=LONG_MS)
    expected = "Something else answered" if is_portal else "No connection to 127.0.0.1"
    assert sign_in.problem_box.words.startswith(expected)
    assert sign_in.sign_in_button.isEnabled()


def test_empty_fields_are_marked_and_nothing_is_sent(sign_in: SignInDialog, faults: FaultServer) -> None:
    submit(sign_in, "ana", "")
    assert sign_in.email_field.problem == "Enter your e-mail address."
    assert sign_in.password_field.problem == "Enter your password."
    assert faults.requests == []


def test_the_password_is_shown_only_on_demand(sign_in: SignInDialog) -> None:
    edit = sign_in.password_edit
    assert edit.echoMode() is QLineEdit.EchoMode.Password
    assert edit.show_button.accessibleName() == "Show the password"
    edit.show_button.click()
    assert edit.echoMode() is QLineEdit.EchoMode.Normal
    assert edit.show_button.accessibleName() == "Hide the password"
    edit.setText("secret")
    sign_in.reject()
    assert edit.text() == ""
    assert edit.echoMode() is QLineEdit.EchoMode.Password
