"""The dialog from a file to its verdict, against a real server: what the user sees and what the server has then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot
from tests.gui.samples import transfer
from tests.support.datasets import make_dataset
from tests.support.fault_server import Answer, FaultServer, Throttle, busy
from tests.support.workspace import User

from lorry.core.client import Client
from lorry.core.model import MAX_FILE_BYTES
from lorry.core.transfers import Phase, Progress
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.theme import Theme
from lorry.gui.upload.dialog import UploadDialog
from lorry.gui.upload.progress_page import ProgressPage

PUT_FILE = r"/object/upload/sign/"
#: The parts of a resumable upload.
PARTS = r"/upload/resumable/"
LONG_MS = 30_000


def rows_of(person: User) -> list[dict[str, Any]]:
    """Every dataset of `person` on the server, oldest first."""
    with person.client() as http:
        answer = http.get("/rest/v1/datasets?select=*&order=created_at")
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def offer(qtbot: QtBot, dialog: UploadDialog, path: Path) -> None:
    """Choose `path` and wait until the form has it and its check is over."""
    dialog.choose([path])
    qtbot.waitUntil(lambda: is_checked(dialog), timeout=LONG_MS)


def is_checked(dialog: UploadDialog) -> bool:
    """Whether the file on the form can be uploaded and its check is over."""
    form = dialog.form_page
    return form.upload_button.isEnabled() and not form.check.verdict.words.startswith("Checking")


def verdict_has(dialog: UploadDialog, words: str) -> bool:
    """Whether the last page is on screen and says `words`."""
    return dialog.result_page.isVisible() and words in dialog.result_page.verdict.words


def wait_for_verdict(qtbot: QtBot, dialog: UploadDialog, words: str) -> None:
    qtbot.waitUntil(lambda: verdict_has(dialog, words), timeout=LONG_MS)


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    """A clean file of conversation lines, some tens of kilobytes."""
    path = tmp_path / "couples-and-money.jsonl"
    make_dataset("conversation_lines", 40_000, path)
    return path


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """A clean file that takes a throttled connection some seconds."""
    path = tmp_path / "large.jsonl"
    make_dataset("conversation_lines", 30_000_000, path)
    return path


def test_a_file_becomes_ready(qtbot: QtBot, dialog: UploadDialog, person: User, tmp_path: Path) -> None:
    path = tmp_path / "Couples_and_money.jsonl"
    expected = make_dataset("pair_lines", 60_000, path)
    offer(qtbot, dialog, path)
    form = dialog.form_page
    form.description_edit.setPlainText("Callers in the first week.\nShort turns.")
    name = form.name_edit.text()
    assert name
    assert form.reason == ""
    with qtbot.waitSignal(dialog.upload_started, timeout=LONG_MS) as started:
        form.upload_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")

    (row,) = rows_of(person)
    assert started.args == [dialog.followed]
    assert row["id"] == str(dialog.followed)
    assert (row["status"], row["name"], row["file_name"]) == ("ready", name, path.name)
    assert row["description"] == "Callers in the first week.\nShort turns."
    assert row["total_training_pairs"] == expected.training_pairs
    assert f"{expected.training_pairs:,} training pairs" in dialog.result_page.verdict.words
    with person.client() as http:
        stored = http.get(f"/storage/v1/object/authenticated/lora-datasets/{row['storage_path']}")
    assert hashlib.sha256(stored.content).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_findings_of_the_server_are_listed(qtbot: QtBot, dialog: UploadDialog, person: User, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    good = json.dumps({"conversation_id": "c1", "turns": [{"role": "user", "content": "a"}]})
    path.write_text(f"{good}\nnot json\n", "utf-8")
    offer(qtbot, dialog, path)
    dialog.form_page.upload_button.click()
    assert dialog.question is not None
    dialog.question.yes_button.click()
    wait_for_verdict(qtbot, dialog, "error")
    (row,) = rows_of(person)
    assert row["status"] == "error"
    assert dialog.result_page.findings.isVisible()
    assert "R01" in dialog.result_page.findings.codes
    assert dialog.result_page.strip.accessibleDescription().endswith("Server validation, failed")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "Give the dataset a name."),
        ("x", "Too short"),
        ("x" * 201, "1 character too long"),
        ("a\tb", "control character"),
    ],
)
def test_a_bad_name_is_marked_and_stops_the_upload(
    qtbot: QtBot, dialog: UploadDialog, small_file: Path, name: str, problem: str
) -> None:
    offer(qtbot, dialog, small_file)
    form = dialog.form_page
    form.name_edit.setText(name)
    assert not form.upload_button.isEnabled()
    assert form.reason == "Correct the name first."
    assert problem in form.name_field.problem
    assert form.name_edit.property("invalid") is True
    assert problem in form.name_edit.accessibleDescription()
    form.name_edit.setText("A good name")
    assert form.upload_button.isEnabled()
    assert form.name_field.problem == ""
    assert form.name_edit.property("invalid") is False


def _missing(folder: Path) -> Path:
    return folder / "gone.jsonl"


def _folder(folder: Path) -> Path:
    path = folder / "folder.jsonl"
    path.mkdir()
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty.jsonl"
    path.touch()
    return path


def _too_large(folder: Path) -> Path:
    path = folder / "large.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    return path


def _invisible(folder: Path) -> Path:
    path = folder / "two\nlines.jsonl"
    path.write_text("{}", "utf-8")
    return path


def _wrong_suffix(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("{}", "utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_missing, "File not found: gone.jsonl."),
        (_folder, "This is a folder: folder.jsonl."),
        (_empty, "The file is empty: empty.jsonl."),
        (_too_large, "Too large: 524,288,001 bytes. The project accepts 524,288,000 bytes a file."),
        (_invisible, "The file's name cannot be stored: two␊lines.jsonl."),
        (_wrong_suffix, "Not a .jsonl or .json file: notes.txt."),
    ],
)
def test_a_file_that_cannot_be_uploaded_is_refused_in_place(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, tmp_path: Path, make: Any, sentence: str
) -> None:
    before = len(faults.requests)
    dialog.choose([make(tmp_path)])
    qtbot.waitUntil(lambda: dialog.form_page.problem_box.isVisible(), timeout=LONG_MS)
    assert sentence in dialog.form_page.problem_box.words
    assert not dialog.form_page.upload_button.isEnabled()
    assert len(faults.requests) == before


def test_a_file_that_vanishes_before_upload_is_said_in_place(
    qtbot: QtBot, dialog: UploadDialog, person: User, small_file: Path
) -> None:
    offer(qtbot, dialog, small_file)
    small_file.unlink()
    dialog.form_page.upload_button.click()
    qtbot.waitUntil(lambda: dialog.form_page.problem_box.isVisible(), timeout=LONG_MS)
    assert "File not found" in dialog.form_page.problem_box.words
    assert rows_of(person) == []


def test_cancel_asks_where_something_is_stored_and_leaves_nothing_behind(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, large_file: Path
) -> None:
    faults.on(PARTS, Throttle(4_000_000), method="PATCH")
    offer(qtbot, dialog, large_file)
    dialog.form_page.upload_button.click()
    page = dialog.progress_page
    qtbot.waitUntil(lambda: any(words.startswith("stored") for words in page.legend.words), timeout=LONG_MS)
    assert " of 30.0 MB" in page.bytes_label.text()

    page.cancel_button.click()
    assert dialog.question is not None
    assert "already stored will be removed from the project. Your file stays." in dialog.question.meaning.text()
    dialog.question.no_button.click()
    assert dialog.question is None
    assert dialog.isVisible()
    page.cancel_button.click()
    assert dialog.question is not None
    dialog.question.yes_button.click()
    assert not page.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=LONG_MS)
    assert rows_of(person) == []
    assert dialog.followed is None


def test_cancel_does_not_ask_while_nothing_is_stored(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, small_file: Path
) -> None:
    faults.on(PUT_FILE, Throttle(5_000), method="PUT")
    offer(qtbot, dialog, small_file)
    dialog.form_page.upload_button.click()
    qtbot.waitUntil(lambda: dialog.progress_page.legend.words != [], timeout=LONG_MS)
    dialog.progress_page.cancel_button.click()
    assert dialog.question is None
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=LONG_MS)
    assert rows_of(person) == []


def test_pause_and_resume_on_the_page(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, client: Client, large_file: Path
) -> None:
    faults.on(PARTS, Throttle(4_000_000), method="PATCH")
    offer(qtbot, dialog, large_file)
    dialog.form_page.upload_button.click()
    page = dialog.progress_page
    qtbot.waitUntil(lambda: any(words.startswith("stored") for words in page.legend.words), timeout=LONG_MS)
    assert page.pause_button.text() == "Pause"
    page.pause_button.click()
    qtbot.waitUntil(lambda: page.pause_button.text() == "Resume", timeout=LONG_MS)
    assert page.detail_label.text() == "Paused. What is stored stays on the server."
    assert page.bytes_label.text().endswith(" of 30.0 MB stored")
    assert page.strip.accessibleDescription().endswith("Uploading, paused")
    faults.clear()
    page.pause_button.click()
    qtbot.waitUntil(lambda: (client.snapshot()[0].resumed_at_bytes or 0) > 0, timeout=LONG_MS)
    wait_for_verdict(qtbot, dialog, "Ready")


def test_a_busy_server_shows_the_countdown_and_then_goes_on(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, small_file: Path
) -> None:
    faults.on("/rpc/confirm_dataset_upload", busy(503, "2"), times=1)
    offer(qtbot, dialog, small_file)
    dialog.form_page.upload_button.click()
    page = dialog.progress_page
    qtbot.waitUntil(lambda: page.detail_label.text().startswith("Trying again in"), timeout=LONG_MS)
    assert page.detail_label.text().endswith("the server is busy.")
    assert page.strip.accessibleDescription().endswith("waiting")
    wait_for_verdict(qtbot, dialog, "Ready")
    assert [row["status"] for row in rows_of(person)] == ["ready"]


def test_a_refused_upload_says_what_to_do_and_can_be_retried(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, small_file: Path
) -> None:
    refusal = json.dumps({"statusCode": "413", "error": "Payload too large", "message": "secret-word"}).encode()
    faults.on(PUT_FILE, Answer(400, refusal, {"Content-Type": "application/json"}), method="PUT", times=1)
    offer(qtbot, dialog, small_file)
    dialog.form_page.upload_button.click()
    wait_for_verdict(qtbot, dialog, "Too large")
    result = dialog.result_page
    assert "secret-word" not in result.verdict.words
    assert result.main_button.text() == "Try again"
    assert rows_of(person) == []

    result.copy_button.click()
    copied = QGuiApplication.clipboard().text()
    assert "too_large_for_project" in copied
    assert "token=" not in copied

    result.main_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")
    assert [row["status"] for row in rows_of(person)] == ["ready"]


def choose_in_chooser(dialog: UploadDialog, path: Path) -> None:
    """Pick `path` in the file dialog that is open."""
    (chooser,) = dialog.findChildren(QFileDialog)
    chooser.setDirectory(str(path.parent))
    chooser.findChild(QLineEdit, "fileNameEdit").setText(path.name)
    chooser.accept()


def refuse(faults: FaultServer) -> None:
    """Have the server refuse the file; a first refusal alone could be the ticket's fault."""
    faults.on(PUT_FILE, Answer(403, b'{"message":"no"}', {"Content-Type": "application/json"}), method="PUT", times=2)


def test_after_a_failure_another_file_can_take_the_place(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, small_file: Path, tmp_path: Path
) -> None:
    refuse(faults)
    offer(qtbot, dialog, small_file)
    dialog.form_page.name_edit.setText("My own name")
    dialog.form_page.description_edit.setPlainText("What it holds")
    dialog.form_page.upload_button.click()
    wait_for_verdict(qtbot, dialog, "You may not upload")
    other = small_file.rename(tmp_path / "other.jsonl")
    small_file.mkdir()
    dialog.result_page.main_button.click()
    wait_for_verdict(qtbot, dialog, "This is a folder")
    assert dialog.result_page.main_button.text() == "Choose again…"

    dialog.result_page.main_button.click()
    choose_in_chooser(dialog, other)
    qtbot.waitUntil(dialog.form_page.upload_button.isEnabled, timeout=LONG_MS)
    assert dialog.form_page.draft().file_name == "other.jsonl"
    dialog.form_page.upload_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")
    (row,) = rows_of(person)
    assert (row["name"], row["description"], row["file_name"]) == ("My own name", "What it holds", "other.jsonl")


def test_an_upload_goes_on_with_its_file_where_that_is_now(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, person: User, small_file: Path, tmp_path: Path
) -> None:
    refuse(faults)
    offer(qtbot, dialog, small_file)
    dialog.form_page.upload_button.click()
    wait_for_verdict(qtbot, dialog, "You may not upload")
    (tmp_path / "elsewhere").mkdir()
    moved = small_file.rename(tmp_path / "elsewhere" / "moved.jsonl")
    dialog.result_page.main_button.click()
    wait_for_verdict(qtbot, dialog, "File not found")
    followed = dialog.followed
    assert dialog.result_page.main_button.text() == "Choose again…"

    wrong = tmp_path / "elsewhere" / "wrong.txt"
    wrong.write_text("no dataset", "utf-8")
    dialog.result_page.main_button.click()
    choose_in_chooser(dialog, wrong)
    wait_for_verdict(qtbot, dialog, "Not a .jsonl or .json file: wrong.txt.")
    qtbot.waitUntil(lambda: dialog.findChildren(QFileDialog) == [], timeout=LONG_MS)
    dialog.result_page.main_button.click()
    choose_in_chooser(dialog, moved)
    wait_for_verdict(qtbot, dialog, "Ready")
    (row,) = rows_of(person)
    assert (row["id"], row["status"]) == (str(followed), "ready")


def test_a_file_that_changed_is_uploaded_as_it_is_now(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, client: Client, person: User, large_file: Path
) -> None:
    faults.on(PARTS, Throttle(4_000_000), method="PATCH")
    offer(qtbot, dialog, large_file)
    dialog.form_page.upload_button.click()
    qtbot.waitUntil(lambda: any(one.progress.stored_bytes for one in client.snapshot()), timeout=LONG_MS)
    expected = make_dataset("pair_lines", 7_000_000, large_file)
    wait_for_verdict(qtbot, dialog, "The file changed while it was being uploaded")
    assert dialog.result_page.main_button.text() == "Start again"
    faults.clear()
    dialog.result_page.main_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")
    (row,) = rows_of(person)
    assert row["total_training_pairs"] == expected.training_pairs


def test_the_project_is_named_as_soon_as_somebody_signs_in(
    qtbot: QtBot, signed_out_client: Client, inbox: Inbox, theme: Theme, person: User
) -> None:
    dialog = UploadDialog(signed_out_client, inbox, theme)
    qtbot.addWidget(dialog)
    dialog.choose([])
    assert dialog.form_page.project == ""
    account = signed_out_client.sign_in(person.email, person.password)
    qtbot.waitUntil(lambda: dialog.form_page.project == account.project != "", timeout=LONG_MS)


def test_several_files_are_offered_one_after_the_other(
    qtbot: QtBot, dialog: UploadDialog, person: User, tmp_path: Path
) -> None:
    paths = [tmp_path / f"part {number}.jsonl" for number in (1, 2, 3)]
    for path in paths:
        make_dataset("conversation_lines", 10_000, path)
    form = dialog.form_page
    offered = form.position_label

    dialog.choose(paths)
    qtbot.waitUntil(lambda: offered.text() == "File 1 of 3" and form.upload_button.isEnabled(), timeout=LONG_MS)
    form.upload_button.click()
    qtbot.waitUntil(lambda: offered.text() == "File 2 of 3" and form.upload_button.isEnabled(), timeout=LONG_MS)
    form.skip_button.click()
    qtbot.waitUntil(lambda: offered.text() == "File 3 of 3" and form.upload_button.isEnabled(), timeout=LONG_MS)
    form.upload_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")
    qtbot.waitUntil(lambda: all(row["status"] == "ready" for row in rows_of(person)), timeout=LONG_MS)
    assert sorted(row["file_name"] for row in rows_of(person)) == ["part 1.jsonl", "part 3.jsonl"]


def test_a_dropped_file_is_offered(qtbot: QtBot, dialog: UploadDialog, small_file: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.com/far.jsonl"), QUrl.fromLocalFile(str(small_file))])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(20, 20), *how)
    QApplication.sendEvent(dialog, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(dialog, QDropEvent(QPoint(20, 20), *how))
    qtbot.waitUntil(dialog.form_page.upload_button.isEnabled, timeout=LONG_MS)
    assert dialog.form_page.draft().file_name == small_file.name


@pytest.mark.parametrize("file_name", ["Gespräche über Geld.jsonl", "محادثات عن المال.jsonl", "家庭 💬.json"])
def test_names_of_any_script_arrive_unchanged(
    qtbot: QtBot, dialog: UploadDialog, person: User, tmp_path: Path, file_name: str
) -> None:
    path = tmp_path / file_name
    make_dataset("array" if path.suffix == ".json" else "conversation_lines", 10_000, path)
    offer(qtbot, dialog, path)
    dialog.form_page.upload_button.click()
    wait_for_verdict(qtbot, dialog, "Ready")
    (row,) = rows_of(person)
    assert row["file_name"] == file_name
    assert row["name"] == dialog.form_page.name_edit.text()


def test_hiding_leaves_it_running_and_follow_shows_it_again(
    qtbot: QtBot, dialog: UploadDialog, faults: FaultServer, client: Client, small_file: Path
) -> None:
    faults.on(PUT_FILE, Throttle(20_000), method="PUT")
    offer(qtbot, dialog, small_file)
    dialog.form_page.upload_button.click()
    qtbot.waitUntil(lambda: dialog.progress_page.isVisible(), timeout=LONG_MS)
    dataset_id = dialog.followed
    assert dataset_id is not None
    dialog.progress_page.hide_button.click()
    assert not dialog.isVisible()
    qtbot.waitUntil(
        lambda: client.snapshot()[0].phase is Phase.VALIDATING and client.snapshot()[0].dataset is not None,
        timeout=LONG_MS,
    )
    dialog.choose([])
    dialog.follow(dataset_id)
    dialog.show()
    wait_for_verdict(qtbot, dialog, "Ready")


def test_signed_out_uploads_are_refused_beside_the_button(
    qtbot: QtBot, dialog: UploadDialog, client: Client, inbox: Inbox, small_file: Path
) -> None:
    offer(qtbot, dialog, small_file)
    client.sign_out()
    dialog.form_page.upload_button.click()
    qtbot.waitUntil(lambda: "not signed in" in dialog.form_page.reason, timeout=LONG_MS)
    assert dialog.form_page.upload_button.isEnabled()


def test_return_goes_on_from_page_to_page(qtbot: QtBot, dialog: UploadDialog, small_file: Path) -> None:
    dialog.choose([])
    dialog.activateWindow()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    (chooser,) = dialog.findChildren(QFileDialog)
    chooser.reject()
    offer(qtbot, dialog, small_file)
    assert dialog.form_page.name_edit.selectedText() == dialog.form_page.name_edit.text() != ""
    qtbot.keyClick(dialog.form_page.name_edit, Qt.Key.Key_Return)
    wait_for_verdict(qtbot, dialog, "Ready")


def test_cancelling_while_the_upload_is_handed_in_gives_it_up(
    qtbot: QtBot, dialog: UploadDialog, inbox: Inbox, person: User, large_file: Path
) -> None:
    offer(qtbot, dialog, large_file)
    with qtbot.waitSignal(inbox.transfer_removed, timeout=LONG_MS), qtbot.assertNotEmitted(dialog.upload_started):
        dialog.form_page.upload_button.click()
        assert not dialog.form_page.upload_button.isEnabled()
        dialog.form_page.name_edit.setText("Another name")
        assert not dialog.form_page.upload_button.isEnabled()
        dialog.reject()
    assert not dialog.isVisible()
    assert rows_of(person) == []


def test_words_keep_up_with_the_bar_until_there_is_a_rate(qtbot: QtBot, theme: Theme) -> None:
    page = ProgressPage(theme, clock=lambda: 0.0)
    qtbot.addWidget(page)
    before = transfer()
    page.show_transfer(before)
    assert (page.bytes_label.text(), page.rate_label.text()) == ("0.0 of 364.9 MB", "")
    half = replace(before, progress=Progress(364_900_000, sent_bytes=182_499_999))
    page.show_transfer(half)
    assert (page.bytes_label.text(), page.rate_label.text()) == ("182.4 of 364.9 MB", "")
    assert page.legend.words == ["sent, not yet confirmed, 182.4 MB"]
    rated = replace(half, progress=replace(half.progress, rate_bps=6_100_000.0, history_bps=(6_100_000.0,)))
    page.show_transfer(rated)
    stored = replace(rated, progress=replace(rated.progress, sent_bytes=364_900_000, stored_bytes=364_900_000))
    page.show_transfer(stored)
    assert page.legend.words == ["stored by the server, 364.9 MB"]
