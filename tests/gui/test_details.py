"""The details panel: long and hostile texts stay whole, plain and inside the panel."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from tests.gui.samples import MARKUP_NAME, dataset, transfer

from lorry.gui.datasets.details import MIN_WIDTH, DetailsPanel
from lorry.gui.datasets.rows import Row
from lorry.gui.shell.actions import Actions
from lorry.gui.shell.plain_text import PlainText
from lorry.gui.shell.theme import Theme

LONG = "w" * 200


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> DetailsPanel:
    made = DetailsPanel(theme, Actions(theme, theme))
    qtbot.addWidget(made)
    made.resize(MIN_WIDTH, 700)
    made.show()
    return made


def test_a_name_without_a_space_wraps_and_is_shown_whole(qtbot: QtBot, panel: DetailsPanel) -> None:
    panel.show_rows([Row(dataset(LONG, file_name=f"{LONG}.jsonl"))])
    texts = [text for text in panel.findChildren(PlainText) if LONG in text.text]
    assert len(texts) == 2

    def is_whole(text: PlainText) -> bool:
        lines = text.document().firstBlock().layout().lineCount()
        return lines > 2 and text.viewport().height() >= text.document().size().height()

    qtbot.waitUntil(lambda: all(is_whole(text) for text in texts))
    assert panel.width() == MIN_WIDTH
    assert all(text.width() < MIN_WIDTH for text in texts)


def test_findings_of_a_server_are_plain_text(qtbot: QtBot, panel: DetailsPanel) -> None:
    finding = {"code": "R01", "level": "error", "line": 4, "message": MARKUP_NAME, "suggestion": "a\u202eb"}
    broken = dataset("Broken", "error", counts={"error": 12}, findings=[finding], error_message=MARKUP_NAME)
    panel.show_rows([Row(broken)])
    shown = [label.text() for label in panel._findings.findChildren(type(panel._message))]
    assert shown[0] == "12 findings"
    assert "Error R01, line 4" in shown
    assert MARKUP_NAME in shown
    assert "a‹U+202E›b" in shown
    assert "and 11 more" in shown
    assert panel._message.text() == MARKUP_NAME
    assert not panel.grab().isNull()


def test_one_several_and_no_rows(panel: DetailsPanel) -> None:
    one, other = Row(dataset("One")), Row(transfer=transfer("Two"))
    panel.show_rows([one])
    assert panel.row is one
    panel.show_rows([one, other])
    assert panel.row is None
    assert panel._name.text == "2 datasets, 413.6 MB"
    panel.show_rows([])
    assert panel._note.text() == "Select a dataset to see it here."
