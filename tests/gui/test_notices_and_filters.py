"""One notice at a time, the most urgent first; filters that ask the server for the right thing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot
from tests.gui.samples import BIDI_NAME, MARKUP_NAME, dataset, page

from lorry.core.model import DatasetFormat, DatasetQuery, DatasetStatus
from lorry.gui.datasets.empty_state import EmptyCase, EmptyState
from lorry.gui.datasets.filters import Filters
from lorry.gui.datasets.pager import Pager
from lorry.gui.shell.file_entry import FileEntry
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.gui.shell.theme import Theme

OFFLINE = Notice("offline", Urgency.OFFLINE, "Offline.", "Showing data from 14:02.", is_closable=False)
RESULT = Notice("uploaded", Urgency.RESULT, "Uploaded.", "Validation in progress.", tone="ok")
UNDO = Notice("deleted", Urgency.UNDO, "Dataset deleted.", action="Undo")
SIGN_IN = Notice("sign_in", Urgency.SIGN_IN, "Please sign in again.", action="Sign in", is_closable=False)
TROUBLE = Notice("disk", Urgency.TROUBLE, "The disk is full.", tone="error")


@pytest.fixture
def bar(qtbot: QtBot, theme: Theme) -> Iterator[NoticeBar]:
    window = QWidget()
    window.resize(900, 60)
    made = NoticeBar(theme, window, hide_ms=60)
    made.resize(900, 40)
    # Away from (0, 0), where the pointer of a screenless platform rests.
    made.move(0, 20)
    qtbot.addWidget(window)
    window.show()
    yield made


def test_the_most_urgent_is_shown_and_the_next_follows(bar: NoticeBar) -> None:
    assert bar.isHidden()
    for notice in (RESULT, OFFLINE, TROUBLE, SIGN_IN):
        bar.post(notice)
    for notice in (TROUBLE, SIGN_IN, OFFLINE, RESULT):
        assert bar.shown == notice
        bar.withdraw(notice.key)
    assert bar.shown is None
    assert bar.isHidden()


def test_a_result_leaves_by_itself_and_offline_stays(bar: NoticeBar, qtbot: QtBot) -> None:
    bar.post(RESULT)
    qtbot.waitUntil(lambda: bar.shown is None)
    bar.post(OFFLINE)
    bar.post(UNDO)
    assert bar.shown == OFFLINE
    bar.withdraw("offline")
    assert bar.shown == UNDO
    qtbot.waitUntil(lambda: bar.shown is None)


def test_a_result_waits_while_the_keyboard_is_on_it(bar: NoticeBar, theme: Theme, qtbot: QtBot) -> None:
    bar.window().activateWindow()
    bar.post(UNDO)
    button = bar.findChild(QPushButton)
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(button.hasFocus)
    probe = NoticeBar(theme, bar.window(), hide_ms=180)
    probe.move(0, 20)
    probe.post(RESULT)
    qtbot.waitUntil(lambda: probe.shown is None)
    assert bar.shown == UNDO
    button.clearFocus()
    qtbot.waitUntil(lambda: bar.shown is None)


def test_only_one_passing_notice_waits(bar: NoticeBar) -> None:
    bar.post(RESULT)
    bar.post(UNDO)
    assert bar.shown == UNDO
    bar.withdraw("deleted")
    assert bar.shown is None


def test_the_button_acts_and_closing_is_offered_only_where_it_makes_sense(bar: NoticeBar, qtbot: QtBot) -> None:
    acted: list[str] = []
    bar.post(Notice("x", Urgency.UNDO, "Gone.", action="Undo", on_action=lambda: acted.append("undo")))
    qtbot.mouseClick(bar.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert acted == ["undo"]
    assert bar.shown is None
    bar.post(OFFLINE)
    assert bar.findChild(QToolButton).isHidden()
    bar.post(TROUBLE)
    assert not bar.findChild(QToolButton).isHidden()
    qtbot.mouseClick(bar.findChild(QToolButton), Qt.MouseButton.LeftButton)
    assert bar.shown == OFFLINE


@pytest.fixture
def filters(qtbot: QtBot, theme: Theme) -> Iterator[Filters]:
    window = QWidget()
    qtbot.addWidget(window)
    made = Filters(theme, 25, window)
    yield made


def test_typing_asks_once_and_literally(filters: Filters, qtbot: QtBot) -> None:
    asked: list[DatasetQuery] = []
    filters.changed.connect(asked.append)
    with qtbot.waitSignal(filters.changed):
        qtbot.keyClicks(filters.search, " 50%_* ")
    assert asked == [DatasetQuery(search="50%_*")]
    qtbot.keyClick(filters.search, Qt.Key.Key_Escape)
    assert asked[1:] == [DatasetQuery()]


def test_return_asks_at_once_and_the_same_question_is_not_asked_twice(filters: Filters, qtbot: QtBot) -> None:
    asked: list[DatasetQuery] = []
    filters.changed.connect(asked.append)
    filters.search.setText("debt")
    qtbot.keyClick(filters.search, Qt.Key.Key_Return)
    qtbot.keyClick(filters.search, Qt.Key.Key_Return)
    assert asked == [DatasetQuery(search="debt")]


def test_the_boxes_ask_for_status_and_format(filters: Filters) -> None:
    asked: list[DatasetQuery] = []
    filters.changed.connect(asked.append)
    for box, data in ((filters.status, DatasetStatus.READY), (filters.format, DatasetFormat.BRIGHTRUN_LORA_V3)):
        box.setCurrentIndex(box.findData(data))
        box.activated.emit(box.currentIndex())
    both = DatasetQuery(status=DatasetStatus.READY, format=DatasetFormat.BRIGHTRUN_LORA_V3)
    assert asked == [DatasetQuery(status=DatasetStatus.READY), both]
    filters.search.setText("mortgage")
    words = "has “mortgage” in its name, the status Ready and the format BrightRun v3"
    assert filters.words() == words
    filters.clear()
    assert asked[-1] == DatasetQuery()
    assert not filters.is_filtering


def test_the_pager_says_where_one_is(qtbot: QtBot, theme: Theme) -> None:
    pager = Pager(theme)
    qtbot.addWidget(pager)
    pager.set_page(page([dataset()] * 25, DatasetQuery(page=1), total=25))
    assert pager.isHidden()
    pager.set_page(page([dataset()] * 18, DatasetQuery(page=6), total=143))
    assert (pager.text, pager.isHidden()) == ("126–143 of 143", False)
    previous, following = pager.findChildren(QToolButton)
    assert (previous.isEnabled(), following.isEnabled()) == (True, False)
    with qtbot.waitSignal(pager.page_requested, check_params_cb=lambda number: number == 5):
        qtbot.mouseClick(previous, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("case", list(EmptyCase))
def test_every_empty_state_fits_and_says_which_button_was_pressed(qtbot: QtBot, theme: Theme, case: EmptyCase) -> None:
    state = EmptyState(theme)
    qtbot.addWidget(state)
    state.resize(420, 400)
    state.show_case(case, f"None of 14 datasets has “{MARKUP_NAME}” in its name." if case == "no_match" else "")
    state.show()
    assert not state.grab().isNull()
    if case is EmptyCase.NO_MATCH:
        assert MARKUP_NAME in state.sentence
    if case is not EmptyCase.LOADING:
        with qtbot.waitSignal(state.action_requested, check_params_cb=lambda told: told is case):
            qtbot.mouseClick(state.button, Qt.MouseButton.LeftButton)
    else:
        assert state.button.isHidden()


class Drag:
    """A drag over a window that hands its events to a FileEntry."""

    def __init__(self, entry: FileEntry, *urls: str) -> None:
        self.entry, self.mime = entry, QMimeData()
        self.mime.setUrls([QUrl(url) for url in urls])
        self.where = QPoint(5, 5)
        self.rest = (Qt.DropAction.CopyAction, self.mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)

    def enter(self) -> bool:
        event = QDragEnterEvent(self.where, *self.rest)
        event.ignore()
        self.entry.enter(event)
        return event.isAccepted()

    def move(self) -> bool:
        event = QDragMoveEvent(self.where, *self.rest)
        self.entry.move(event)
        return event.isAccepted()

    def drop(self) -> bool:
        event = QDropEvent(self.where, *self.rest)
        event.ignore()
        self.entry.drop(event)
        return event.isAccepted()


@pytest.fixture
def entry(qtbot: QtBot, theme: Theme, bar: NoticeBar) -> FileEntry:
    made = FileEntry(theme, bar, bar.window())
    made.project = "BrightRun coaching"
    return made


def chosen(entry: FileEntry) -> list[list[str]]:
    taken: list[list[str]] = []
    entry.files_chosen.connect(lambda paths: taken.append([path.name for path in paths]))
    return taken


def test_dataset_files_are_dropped_and_others_named(entry: FileEntry, bar: NoticeBar, qtbot: QtBot) -> None:
    taken = chosen(entry)
    drag = Drag(entry, "file:///data/a.jsonl", "file:///data/B.JSON", "file:///data/notes.docx", "file:///data/a.jsonl")
    assert drag.enter()
    assert drag.move()
    title, sentence, left_out = entry.overlay.words
    assert title == "Drop 2 files to upload"
    assert "BrightRun coaching" in sentence
    assert left_out == "1 file left out: notes.docx is not a .jsonl or .json file"
    assert not entry.overlay.grab().isNull()
    assert drag.drop()
    assert taken == [["a.jsonl", "B.JSON"]]
    assert entry.overlay.isHidden()
    assert bar.shown is not None
    assert "notes.docx" in bar.shown.lead


@pytest.mark.parametrize("url", ["file:///data/notes.docx", "https://example.com/a.jsonl", "file:///data/folder"])
def test_what_cannot_be_uploaded_cannot_be_dropped(entry: FileEntry, url: str) -> None:
    taken = chosen(entry)
    drag = Drag(entry, url)
    drag.enter()
    assert not drag.move()
    assert entry.overlay.words[2]
    assert not drag.drop()
    assert taken == []


def test_a_drag_of_text_is_none_of_our_business(entry: FileEntry) -> None:
    drag = Drag(entry)
    drag.mime.setText("hello")
    assert not drag.enter()
    assert entry.overlay.isHidden()


def test_names_that_are_left_out_are_shown_safely(entry: FileEntry) -> None:
    drag = Drag(entry, QUrl.fromLocalFile(f"/data/{BIDI_NAME}").toString())
    drag.enter()
    assert "\u202e" not in entry.overlay.words[2]
    assert "U+202E" in entry.overlay.words[2]


def test_copied_files_are_pasted(entry: FileEntry, bar: NoticeBar) -> None:
    taken = chosen(entry)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/data/a.jsonl")])
    QGuiApplication.clipboard().setMimeData(mime)
    entry.paste()
    assert taken == [["a.jsonl"]]
    QGuiApplication.clipboard().setText("no files")
    entry.paste()
    assert taken == [["a.jsonl"]]
    assert bar.shown is not None
    assert bar.shown.lead == "No files to paste."
