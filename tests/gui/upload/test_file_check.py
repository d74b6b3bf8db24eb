"""The check of a chosen file on the form: real files, the real check process, a real server behind the button."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from tests.gui.upload.checking import (
    LARGE_BYTES,
    LONG_MS,
    begin,
    check,
    column,
    conversation,
    good_lines,
    is_over,
    write,
    write_wrong,
)
from tests.support.datasets import make_dataset
from tests.support.workspace import User

from lorry.core.checks.formats import FOREIGN_NAMES
from lorry.core.model import DatasetFormat
from lorry.gui.shell.inbox import Inbox
from lorry.gui.upload.check_words import FOREIGN
from lorry.gui.upload.dialog import UploadDialog
from lorry.gui.upload.findings_model import Column


@pytest.fixture
def warned_file(tmp_path: Path) -> Path:
    """Two warnings: a blank line, and a conversation without its last answer."""
    lines = good_lines()
    lines[3] = ""
    lines[7] = json.dumps(conversation(7, last="user"))
    return write(tmp_path / "warned.jsonl", lines)


@pytest.fixture
def wrong_file(tmp_path: Path) -> Path:
    """Two errors behind a warning."""
    return write_wrong(tmp_path)


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """Clean, and large enough that its check can be watched."""
    path = tmp_path / "large.jsonl"
    make_dataset("conversation_lines", LARGE_BYTES, path)
    return path


def rows_of(person: User) -> list[dict[str, Any]]:
    with person.client() as http:
        answer = http.get("/rest/v1/datasets?select=*")
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def check_processes() -> list[int]:
    """The check processes of this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "lorry.core.checks.worker" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def has_result(dialog: UploadDialog, words: str) -> bool:
    return dialog.result_page.isVisible() and words in dialog.result_page.verdict.words


def test_a_clean_file_says_so_with_its_numbers(qtbot: QtBot, dialog: UploadDialog, tmp_path: Path) -> None:
    path = tmp_path / "clean.jsonl"
    expected = make_dataset("pair_lines", 400_000, path)
    panel = check(qtbot, dialog, path)
    assert panel.verdict.words.startswith("No errors, no warnings All ")
    conversations, pairs, tokens, _turns = panel.facts.texts
    assert (conversations, pairs) == (f"{expected.conversations:,}", f"{expected.training_pairs:,}")
    assert tokens.startswith("≈ ")
    assert panel.model.rowCount() == 0
    form = dialog.form_page
    assert (form.upload_button.text(), form.upload_button.property("kind")) == ("Upload", "primary")
    assert form.upload_button.isDefault()
    assert form.fields.format_note.text() == "Found in the file: BrightRun v4"


def test_warnings_are_listed_and_do_not_hold_the_upload_up(
    qtbot: QtBot, dialog: UploadDialog, person: User, warned_file: Path
) -> None:
    panel = check(qtbot, dialog, warned_file)
    assert "2 warnings, no errors" in panel.verdict.words
    assert column(panel, Column.LEVEL)[:2] == ["Warning", "Warning"]
    assert column(panel, Column.RULE)[:2] == ["F09", "C08"]
    assert column(panel, Column.LINE)[:2] == ["4", "8"]
    dialog.form_page.upload_button.click()
    assert dialog.question is None
    qtbot.waitUntil(lambda: has_result(dialog, "Ready, 2 warnings"), timeout=LONG_MS)
    (row,) = rows_of(person)
    assert row["validation_errors"]["counts"]["warning"] == 2


def test_errors_ask_before_they_are_uploaded(
    qtbot: QtBot, dialog: UploadDialog, person: User, wrong_file: Path
) -> None:
    panel = check(qtbot, dialog, wrong_file)
    form = dialog.form_page
    assert "2 errors, 1 warning" in panel.verdict.words
    assert column(panel, Column.LEVEL)[:3] == ["Error", "Error", "Warning"]
    assert column(panel, Column.LINE)[:3] == ["10", "12", "4"]
    assert panel.strip.words.startswith("Line 10, column ")
    assert (form.upload_button.text(), form.upload_button.property("kind")) == ("Upload anyway…", "")
    assert not form.upload_button.isDefault()
    qtbot.keyClick(form.name_edit, Qt.Key.Key_Return)
    assert dialog.question is None

    form.upload_button.click()
    assert dialog.question is not None
    assert dialog.question.meaning.text().startswith("The server will find the same errors")
    dialog.question.no_button.click()
    assert dialog.question is None
    assert rows_of(person) == []

    qtbot.keyClick(dialog, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert dialog.question is not None
    dialog.question.yes_button.click()
    qtbot.waitUntil(lambda: has_result(dialog, "2 errors"), timeout=LONG_MS)
    (row,) = rows_of(person)
    assert row["validation_errors"]["counts"]["error"] == 2


def _openai(folder: Path) -> Path:
    row = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello too"}]}
    return write(folder / "chat.jsonl", [json.dumps(row)] * 12)


def _unrelated(folder: Path) -> Path:
    return write(folder / "cities.jsonl", [json.dumps({"city": "Porto", "people": 231_800})] * 12)


@pytest.mark.parametrize(
    ("make", "words"),
    [(_openai, "Not a format Lorry uploads: OpenAI chat"), (_unrelated, "Not a format Lorry uploads")],
)
def test_files_of_other_tools_are_named(
    qtbot: QtBot, dialog: UploadDialog, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    panel = check(qtbot, dialog, make(tmp_path))
    assert panel.verdict.words.startswith(words)
    assert set(panel.facts.texts) == {"–"}
    assert dialog.form_page.upload_button.text() == "Upload anyway…"
    assert "R03" in column(panel, Column.RULE)


def test_every_layout_the_check_recognises_has_a_name() -> None:
    assert FOREIGN == FOREIGN_NAMES


def test_a_file_that_vanishes_during_the_check_is_said_in_place(
    qtbot: QtBot, dialog: UploadDialog, large_file: Path
) -> None:
    begin(qtbot, dialog, large_file)
    large_file.unlink()
    qtbot.waitUntil(lambda: dialog.form_page.problem_box.isVisible(), timeout=LONG_MS)
    assert "File not found: large.jsonl." in dialog.form_page.problem_box.words
    assert not dialog.form_page.upload_button.isEnabled()


def test_a_file_that_changes_during_the_check_can_be_checked_again(
    qtbot: QtBot, dialog: UploadDialog, large_file: Path
) -> None:
    panel = begin(qtbot, dialog, large_file)
    # The check holds the file open from before its process starts.
    qtbot.waitUntil(lambda: check_processes() != [], timeout=LONG_MS)
    with large_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps(conversation(1)) + "\n")
    qtbot.waitUntil(lambda: is_over(panel), timeout=LONG_MS)
    assert panel.verdict.words.startswith("The file changed while it was being checked.")
    assert panel.again_button.isVisible()
    assert dialog.form_page.upload_button.text() == "Upload"
    panel.again_button.click()
    qtbot.waitUntil(lambda: "no errors" in panel.verdict.words.lower(), timeout=LONG_MS)
    assert not panel.again_button.isVisible()


def test_closing_the_dialog_ends_the_check(qtbot: QtBot, dialog: UploadDialog, inbox: Inbox, large_file: Path) -> None:
    begin(qtbot, dialog, large_file)
    qtbot.waitUntil(lambda: check_processes() != [], timeout=LONG_MS)
    with qtbot.assertNotEmitted(inbox.file_checked, wait=300):
        dialog.reject()
        qtbot.waitUntil(lambda: check_processes() == [], timeout=LONG_MS)


def test_another_file_takes_the_place_of_one_that_is_being_checked(
    qtbot: QtBot, dialog: UploadDialog, large_file: Path, wrong_file: Path
) -> None:
    begin(qtbot, dialog, large_file)
    panel = check(qtbot, dialog, wrong_file)
    assert "2 errors, 1 warning" in panel.verdict.words
    assert dialog.form_page.draft().file_name == "wrong.jsonl"


def test_upload_waits_for_the_verdict_and_then_starts(
    qtbot: QtBot, dialog: UploadDialog, person: User, large_file: Path
) -> None:
    panel = begin(qtbot, dialog, large_file)
    form = dialog.form_page
    with qtbot.waitSignal(dialog.upload_started, timeout=LONG_MS):
        form.upload_button.click()
        assert form.reason == "Starts as soon as the check has found no errors."
        assert "starts by itself" in panel.verdict.words
        assert form.upload_button.text() == "Upload anyway…"
        assert rows_of(person) == []
    assert len(rows_of(person)) <= 1
    qtbot.waitUntil(lambda: len(rows_of(person)) == 1, timeout=LONG_MS)


def test_an_upload_that_waited_does_not_start_with_errors(
    qtbot: QtBot, dialog: UploadDialog, person: User, wrong_file: Path
) -> None:
    panel = begin(qtbot, dialog, wrong_file)
    with qtbot.assertNotEmitted(dialog.upload_started):
        dialog.form_page.upload_button.click()
        qtbot.waitUntil(lambda: is_over(panel), timeout=LONG_MS)
    assert dialog.form_page.isVisible()
    assert dialog.form_page.reason == ""
    assert rows_of(person) == []


def test_upload_anyway_does_not_wait_for_the_check(
    qtbot: QtBot, dialog: UploadDialog, person: User, large_file: Path
) -> None:
    begin(qtbot, dialog, large_file)
    started: list[object] = []
    dialog.upload_started.connect(started.append)
    dialog.form_page.upload_button.click()
    dialog.form_page.upload_button.click()
    assert dialog.question is not None
    dialog.question.yes_button.click()
    qtbot.waitUntil(lambda: dialog.followed is not None, timeout=LONG_MS)
    qtbot.waitUntil(lambda: check_processes() == [], timeout=LONG_MS)
    qtbot.waitUntil(lambda: len(rows_of(person)) == 1, timeout=LONG_MS)
    assert len(started) == 1


def test_the_question_goes_when_the_verdict_comes(qtbot: QtBot, dialog: UploadDialog, large_file: Path) -> None:
    begin(qtbot, dialog, large_file)
    with qtbot.waitSignal(dialog.upload_started, timeout=LONG_MS):
        dialog.form_page.upload_button.click()
        dialog.form_page.upload_button.click()
        assert dialog.question is not None
    assert dialog.question is None


def test_the_files_own_format_is_preselected_and_another_one_is_warned_of(
    qtbot: QtBot, dialog: UploadDialog, tmp_path: Path
) -> None:
    path = tmp_path / "third.json"
    make_dataset("v3_document", 400_000, path)
    panel = check(qtbot, dialog, path)
    box = dialog.form_page.format_box
    assert box.currentData() == DatasetFormat.BRIGHTRUN_LORA_V3
    assert "M02" not in column(panel, Column.RULE)

    box.setCurrentIndex(box.findData(DatasetFormat.BRIGHTRUN_LORA_V4))
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: is_over(panel), timeout=LONG_MS)
    assert "M02" in column(panel, Column.RULE)
    assert box.currentData() == DatasetFormat.BRIGHTRUN_LORA_V4
