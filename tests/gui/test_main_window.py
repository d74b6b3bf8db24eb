"""The whole window on the real client and a real server: rows, filters, edits, keys, going offline, quitting."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot
from tests.gui.conftest import OpenMainWindow
from tests.gui.samples import BIDI_NAME, MARKUP_NAME
from tests.support.client import open_core, rows, wait_for_end
from tests.support.workspace import RunningServer, User, short_folder

from lorry.core.client import Client
from lorry.core.model import DatasetStatus
from lorry.core.store.settings import Settings
from lorry.core.transfers import TransferState
from lorry.gui.account.sign_in import SignInDialog
from lorry.gui.datasets.edit_dialog import EditDialog
from lorry.gui.datasets.empty_state import EmptyCase
from lorry.gui.datasets.rows import Column
from lorry.gui.shell import last_resort
from lorry.gui.shell.main_window import MainWindow
from lorry.gui.shell.question import Question
from lorry.gui.shell.theme import Scheme
from lorry.gui.upload.dialog import UploadDialog

CONTROL = Qt.KeyboardModifier.ControlModifier


def names(window: MainWindow) -> list[str]:
    return [row.name for row in window.listing.model.rows]


def wait_for_names(qtbot: QtBot, window: MainWindow, *wanted: str) -> None:
    def shown() -> None:
        assert names(window) == list(wanted)

    qtbot.waitUntil(shown, timeout=15_000)


def select(window: MainWindow, name: str) -> None:
    window.table.select_number(names(window).index(name))


def sample(folder: Path, name: str = "family-money.jsonl", lines: int = 40) -> Path:
    """A small valid file of conversation lines."""
    file = folder / name
    turns = '[{"role": "user", "content": "How do I start?"}, {"role": "assistant", "content": "With one step."}]'
    file.write_text(
        "".join(f'{{"conversation_id": "c{number}", "turns": {turns}}}\n' for number in range(lines)), "utf-8"
    )
    return file


def test_an_empty_project_invites_to_upload(qtbot: QtBot, client: Client, open_main_window: OpenMainWindow) -> None:
    window = open_main_window(client)
    qtbot.waitUntil(lambda: window.listing.case is EmptyCase.NO_DATASETS, timeout=15_000)
    assert not window.listing.pane.empty.isHidden()
    assert not window.listing.filters.search.isEnabled()
    assert window.toolbar.upload.property("kind") == ""
    assert window.status.texts[0] == "No datasets"
    qtbot.mouseClick(window.listing.pane.empty.button, Qt.MouseButton.LeftButton)
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, UploadDialog) and one.isVisible()]
    assert len(dialogs) == 1
    dialogs[0].close()


def test_rows_filters_and_no_match(qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow) -> None:
    for name in ("Old 50% off", "Mortgage talk", MARKUP_NAME):
        user.insert(name=name)
    user.insert(name="Third version", format="brightrun_lora_v3")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Third version", MARKUP_NAME, "Mortgage talk", "Old 50% off")
    assert window.status.texts[0].startswith("4 datasets, ")
    search = window.listing.filters.search
    search.setText("0%")
    wait_for_names(qtbot, window, "Old 50% off")
    assert window.status.texts[0] == "1 of 4 datasets"
    search.setText("mORTGAGE")
    wait_for_names(qtbot, window, "Mortgage talk")
    status = window.listing.filters.status
    status.setCurrentIndex(status.findData(DatasetStatus.READY))
    status.activated.emit(status.currentIndex())
    qtbot.waitUntil(lambda: window.listing.case is EmptyCase.NO_MATCH, timeout=15_000)
    sentence = "None of 4 datasets has “mORTGAGE” in its name and the status Ready."
    assert window.listing.pane.empty.sentence == sentence
    assert not window.table.horizontalHeader().isHidden()
    qtbot.mouseClick(window.listing.pane.empty.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(names(window)) == 4, timeout=15_000)
    assert search.text() == ""


def test_a_dropped_file_becomes_a_ready_row_by_itself(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    user.insert(name="Before")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Before")
    window.open_paths([sample(tmp_path)])
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, UploadDialog) and one.isVisible()]
    assert len(dialogs) == 1
    upload_button = dialogs[0].form_page.upload_button
    qtbot.waitUntil(lambda: upload_button.isVisible() and upload_button.isEnabled(), timeout=15_000)
    with qtbot.waitSignal(dialogs[0].upload_started, timeout=15_000) as started:
        qtbot.mouseClick(upload_button, Qt.MouseButton.LeftButton)
    dataset_id = started.args[0]
    dialogs[0].close()
    qtbot.waitUntil(
        lambda: (
            window.listing.model.find(dataset_id) == 0 and window.listing.model.row(0).badge.word.startswith("Ready")
        ),
        timeout=30_000,
    )
    assert names(window)[1:] == ["Before"]
    assert window.listing.model.row(0).dataset is not None
    assert window.listing.model.row(0).dataset.total_training_pairs == 40
    notices = window.notices
    qtbot.waitUntil(lambda: notices.shown is not None and notices.shown.text == "“Family money” is ready.")
    assert notices.shown is not None and notices.shown.lead == "Uploaded."
    qtbot.mouseClick(window.notices.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert [row.dataset_id for row in window.table.selected_rows] == [dataset_id]
    assert window.details.row is not None
    assert window.details.row.dataset_id == dataset_id


def test_a_failed_upload_stays_as_a_row_and_delete_takes_it_away(
    qtbot: QtBot, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    window = open_main_window(client)
    path = sample(tmp_path)
    draft = client.inspect_file(path).model_copy(update={"name": "Family money"})
    dataset_id = client.upload(path, draft)
    wait_for_end(client, dataset_id)
    broken = sample(tmp_path, "gone.jsonl", lines=90_000)
    other = client.inspect_file(broken).model_copy(update={"name": "Gone"})
    failed_id = client.upload(broken, other)
    with broken.open("r+b") as file:
        file.truncate(100)
    assert wait_for_end(client, failed_id).state is TransferState.FAILED
    qtbot.waitUntil(lambda: "Gone" in names(window), timeout=15_000)
    select(window, "Gone")
    assert window.table.selected_rows[0].badge.word == "Failed"
    window.commands.open.trigger()
    followers = [one for one in QApplication.topLevelWidgets() if isinstance(one, UploadDialog) and one.isVisible()]
    assert [one.followed for one in followers] == [failed_id]
    followers[0].close()
    window.table.setFocus()
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "Gone" not in names(window), timeout=15_000)
    assert "Family money" in names(window)


def test_delete_can_be_undone_and_never_asks(
    qtbot: QtBot, user: User, server: RunningServer, client: Client, open_main_window: OpenMainWindow
) -> None:
    for name in ("One", "Two", "Three"):
        user.insert(name=name)
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Three", "Two", "One")
    assert not window.commands.undo.isEnabled()
    window.table.setFocus()
    window.table.selectAll()
    window.table.selectionModel().select(
        window.listing.model.index(1, 0),
        window.table.selectionModel().SelectionFlag.Deselect | window.table.selectionModel().SelectionFlag.Rows,
    )
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    assert names(window) == ["Two"]
    qtbot.waitUntil(window.commands.undo.isEnabled, timeout=15_000)
    assert window.notices.shown is not None
    assert window.notices.shown.lead == "2 datasets deleted."
    assert sum(row["deleted_at"] is not None for row in rows(server, user_id=user.id)) == 2
    qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL)
    wait_for_names(qtbot, window, "Three", "Two", "One")
    assert not window.commands.undo.isEnabled()


def test_an_upload_begun_elsewhere_is_discarded_after_a_question(
    qtbot: QtBot, user: User, server: RunningServer, client: Client, open_main_window: OpenMainWindow
) -> None:
    user.insert(name="Begun elsewhere")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Begun elsewhere")
    window.table.selectRow(0)
    assert window.commands.discard.isEnabled()
    window.commands.discard.trigger()
    question = next(child for child in window.findChildren(Question) if child.isVisible())
    question.no_button.click()
    assert len(rows(server, user_id=user.id)) == 1, "the harmless answer changes nothing"
    window.commands.discard.trigger()
    question = next(child for child in window.findChildren(Question) if child.isVisible())
    question.yes_button.click()
    qtbot.waitUntil(lambda: names(window) == [], timeout=15_000)
    assert rows(server, user_id=user.id) == []


def test_f2_changes_the_name_and_bad_names_are_refused_in_place(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow
) -> None:
    user.insert(name="Old name")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Old name")
    select(window, "Old name")
    qtbot.keyClick(window.table, Qt.Key.Key_F2)
    dialog = window.findChild(EditDialog)
    dialog.name.setText("x")
    assert not dialog.save_button.isEnabled()
    dialog.name.setText("New name")
    qtbot.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    wait_for_names(qtbot, window, "New name")


def test_keys_do_what_the_menus_say(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    user.insert(name="Only one")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Only one")
    window.activateWindow()
    select(window, "Only one")
    window.table.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_C, CONTROL)
    assert QGuiApplication.clipboard().text().split("\t")[:3] == ["Only one", "Incomplete", "v4"]
    search = window.listing.filters.search
    qtbot.keyClick(window, Qt.Key.Key_F, CONTROL)
    assert search.hasFocus()
    qtbot.keyClicks(search, "zzz")
    qtbot.keyClick(search, Qt.Key.Key_Escape)
    assert (search.text(), search.hasFocus()) == ("", True)
    qtbot.keyClick(search, Qt.Key.Key_Escape)
    assert window.table.hasFocus()
    was_open = not window.details.isHidden()
    qtbot.keyClick(window, Qt.Key.Key_I, CONTROL)
    assert window.details.isHidden() == was_open
    user.insert(name="From elsewhere")
    qtbot.keyClick(window, Qt.Key.Key_F5)
    wait_for_names(qtbot, window, "From elsewhere", "Only one")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(sample(tmp_path)))])
    QGuiApplication.clipboard().setMimeData(mime)
    qtbot.keyClick(window, Qt.Key.Key_V, CONTROL)
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, UploadDialog) and one.isVisible()]
    assert len(dialogs) == 1
    dialogs[0].close()
    qtbot.keyClick(window, Qt.Key.Key_Q, CONTROL)
    qtbot.waitUntil(window.isHidden)


def test_every_shortcut_stands_in_a_menu(client: Client, open_main_window: OpenMainWindow) -> None:
    window = open_main_window(client)
    listed = {action for menu in window.menuBar().actions() for action in menu.menu().actions()}
    with_keys = {
        action
        for action in vars(window.commands).values()
        if hasattr(action, "shortcut") and not action.shortcut().isEmpty()
    }
    assert with_keys <= listed
    keys = [key.toString() for action in with_keys for key in action.shortcuts()]
    assert len(keys) == len(set(keys))


def test_hostile_names_are_text_everywhere(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow
) -> None:
    user.insert(name=MARKUP_NAME, description=MARKUP_NAME, file_name=BIDI_NAME + ".jsonl")
    window = open_main_window(client)
    wait_for_names(qtbot, window, MARKUP_NAME)
    window.commands.details.setChecked(True)
    select(window, MARKUP_NAME)
    assert window.details._name.text == MARKUP_NAME
    values = window.details._values
    assert values.value("File") == "invoice‹U+202E›lnosj.exe.jsonl"
    assert values.value("Description") == MARKUP_NAME
    assert not window.grab().isNull()


def test_pages_turn(qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow) -> None:
    for number in range(27):
        user.insert(name=f"Set {number:02}")
    window = open_main_window(client)
    qtbot.waitUntil(lambda: len(names(window)) == 25, timeout=15_000)
    assert window.listing.pane.pager.text == "1–25 of 27"
    assert window.status.texts[0] == "27 datasets"
    window.listing.pane.pager.page_requested.emit(2)
    wait_for_names(qtbot, window, "Set 01", "Set 00")
    window.table.selectAll()
    window.commands.delete.trigger()
    # The page is gone with its rows; the last one there is takes its place.
    qtbot.waitUntil(lambda: len(names(window)) == 25, timeout=15_000)
    assert window.listing.reader.query.page == 1


def test_offline_keeps_the_rows_and_comes_back(qtbot: QtBot, open_main_window: OpenMainWindow, tmp_path: Path) -> None:
    with short_folder() as folder:
        server = RunningServer.start(folder)
        user = server.new_user()
        user.insert(name="Kept")
        with open_core(user, tmp_path / "own") as core:
            window = open_main_window(core)
            wait_for_names(qtbot, window, "Kept")
            server.stop()
            window.commands.refresh.trigger()
            qtbot.waitUntil(lambda: window.notices.shown is not None, timeout=30_000)
            assert window.notices.shown is not None
            assert window.notices.shown.lead == "Offline."
            assert window.notices.shown.text.startswith("Showing data from ")
            assert names(window) == ["Kept"]
            assert window.status.texts[1].startswith("Data from ")
            assert not window.toolbar.connection.accessibleName().endswith("online")
            window.close()


def test_nothing_to_show_offline(qtbot: QtBot, user: User, open_main_window: OpenMainWindow, tmp_path: Path) -> None:
    with open_core(user, tmp_path / "own", url="http://127.0.0.1:9", is_signed_in=False) as core:
        window = open_main_window(core)
        window.commands.refresh.trigger()
        qtbot.waitUntil(lambda: window.listing.case is EmptyCase.OFFLINE, timeout=30_000)
        assert window.notices.shown is not None
        assert window.notices.shown.lead == "Offline."
        window.close()


def test_signing_out_clears_the_window_and_signing_in_fills_it(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow
) -> None:
    user.insert(name="Mine")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "Mine")
    window.commands.sign_out.trigger()
    qtbot.waitUntil(lambda: window.listing.case is EmptyCase.SIGNED_OUT, timeout=15_000)
    assert names(window) == []
    assert not window.commands.sign_out.isVisible()
    window.commands.upload.trigger()
    dialog = window.findChild(SignInDialog)
    dialog.findChildren(QLineEdit)[0].setText(user.email)
    dialog.findChildren(QLineEdit)[1].setText(user.password)
    qtbot.mouseClick(dialog.sign_in_button, Qt.MouseButton.LeftButton)
    wait_for_names(qtbot, window, "Mine")
    assert window.commands.sign_out.isVisible()


def test_closing_asks_only_while_uploads_run(
    qtbot: QtBot, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    window = open_main_window(client)
    client.bandwidth_limit_bps = 2_000_000
    path = sample(tmp_path, "large.jsonl", lines=600_000)
    dataset_id = client.upload(path, client.inspect_file(path))
    window.close()
    question = window.quit_guard.question
    assert question is not None
    assert question.question.text() == "Quit while 1 upload runs?"
    assert question.meaning.text() == "It continues where it stopped when Lorry starts again."
    question.reject()
    assert window.quit_guard.question is None
    assert not window.isHidden()
    window.close()
    assert window.quit_guard.question is not None
    qtbot.mouseClick(window.quit_guard.question.quit_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.isHidden)
    client.cancel_upload(dataset_id)


def test_paused_uploads_do_not_hold_the_window_open(
    qtbot: QtBot, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    window = open_main_window(client)
    client.bandwidth_limit_bps = 2_000_000
    path = sample(tmp_path, "large.jsonl", lines=600_000)
    client.pause_upload(client.upload(path, client.inspect_file(path)))
    qtbot.waitUntil(lambda: client.snapshot()[0].state is TransferState.PAUSED, timeout=15_000)
    window.close()
    assert window.quit_guard.question is None
    assert window.isHidden()


def test_the_window_remembers_what_the_user_arranged(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow, tmp_path: Path
) -> None:
    user.insert(name="One")
    settings = Settings(tmp_path / "kept.json")
    first = open_main_window(client, settings)
    wait_for_names(qtbot, first, "One")
    first.resize(800, 600)
    first.table.setColumnWidth(Column.STATUS, 240)
    first.commands.details.setChecked(False)
    first.commands.schemes[Scheme.DARK].trigger()
    first.close()
    again = open_main_window(client, Settings(tmp_path / "kept.json"))
    assert (again.width(), again.height()) == (800, 600)
    assert again.table.columnWidth(Column.STATUS) == 240
    assert again.details.isHidden()
    assert again._memory.scheme is Scheme.DARK


@pytest.mark.parametrize("damage", ["", "not base64", 7, None, {"a": 1}])
def test_damaged_memory_is_no_reason_not_to_open(
    client: Client, open_main_window: OpenMainWindow, tmp_path: Path, damage: object
) -> None:
    settings = Settings(tmp_path / "damaged.json")
    for key in ("geometry", "columns", "details_width", "details_open", "scheme"):
        settings.set(f"window.{key}", damage)
    assert open_main_window(client, settings).isVisible()


@pytest.mark.expects_log("an error nobody expected")
def test_an_unexpected_error_is_logged_and_told_in_a_sentence(
    qtbot: QtBot, client: Client, open_main_window: OpenMainWindow
) -> None:
    window = open_main_window(client)
    hooks = sys.excepthook, threading.excepthook

    def tell() -> None:
        window._inbox.post(lambda: window.notices.post(last_resort.notice()))

    with last_resort.unexpected_errors_to(tell):
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: window.notices.shown is not None)
        assert window.notices.shown is not None
        assert window.notices.shown.lead == "Something went wrong inside Lorry."
        assert "ZeroDivision" not in window.notices.shown.text
    assert (sys.excepthook, threading.excepthook) == hooks


def test_the_keyboard_begins_in_the_table(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow
) -> None:
    for name in ("Three", "Two", "One"):
        user.insert(name=name)
    window = open_main_window(client)
    wait_for_names(qtbot, window, "One", "Two", "Three")
    assert window.focusWidget() is window.table
    selected = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_End, Qt.Key.Key_Home):
        qtbot.keyClick(window.table, key)
        selected.append([row.name for row in window.table.selected_rows])
    assert selected == [["One"], ["Two"], ["Three"], ["One"]]


def test_everything_of_the_toolbar_is_in_reach_at_the_smallest_size(
    qtbot: QtBot, user: User, client: Client, open_main_window: OpenMainWindow
) -> None:
    user.insert(name="One")
    window = open_main_window(client)
    wait_for_names(qtbot, window, "One")
    window.resize(window.minimumSize())
    assert window.width() == 800
    qtbot.waitUntil(lambda: window.toolbar.details.isVisible())
    assert window.toolbar.details.geometry().right() < window.toolbar.width()
    assert (
        "Local workspace" in window.toolbar.connection.toolTip() or "127.0.0.1" in window.toolbar.connection.toolTip()
    )
