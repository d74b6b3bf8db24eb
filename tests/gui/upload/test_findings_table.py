"""The table of findings on the form, filled by real checks: what it shows, how it is ordered, used and copied."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
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

from lorry.gui.upload.dialog import UploadDialog
from lorry.gui.upload.findings_model import MAX_ROWS, Column


def test_findings_are_shown_while_the_check_still_runs(qtbot: QtBot, dialog: UploadDialog, tmp_path: Path) -> None:
    path, clean = tmp_path / "early.jsonl", tmp_path / "clean.jsonl"
    make_dataset("conversation_lines", LARGE_BYTES, clean)
    path.write_bytes(b"not json\n" + clean.read_bytes())
    panel = begin(qtbot, dialog, path)
    qtbot.waitUntil(lambda: panel.model.rowCount() > 0, timeout=LONG_MS)
    assert panel.verdict.words.startswith("Checking, ")
    assert column(panel, Column.RULE) == ["R01"]
    qtbot.waitUntil(lambda: is_over(panel), timeout=LONG_MS)
    assert column(panel, Column.RULE)[0] == "R01"


def test_more_findings_than_anybody_reads_are_counted(qtbot: QtBot, dialog: UploadDialog, tmp_path: Path) -> None:
    lines = [f"not json {one}" if one % 2 else json.dumps(conversation(one, "user")) for one in range(6_000)]
    panel = check(qtbot, dialog, write(tmp_path / "many.jsonl", lines))
    assert "3,000 errors, 3,000 warnings" in panel.verdict.words
    assert panel.model.rowCount() == MAX_ROWS
    assert set(column(panel, Column.LEVEL)) == {"Error"}
    assert panel.more_label.text().startswith("1,000 shown, and 5,00")
    panel.table.sortByColumn(Column.LINE, Qt.SortOrder.DescendingOrder)
    lines_shown = [int(text.replace(",", "")) for text in column(panel, Column.LINE)]
    assert lines_shown == sorted(lines_shown, reverse=True)


def test_the_table_is_used_with_the_keyboard(qtbot: QtBot, dialog: UploadDialog, tmp_path: Path) -> None:
    panel = check(qtbot, dialog, write_wrong(tmp_path))
    table = panel.table
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.current is not None and table.current.line == 12
    panel.table.sortByColumn(Column.LINE, Qt.SortOrder.AscendingOrder)
    assert table.current is not None and table.current.line == 12
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    header, copied = QGuiApplication.clipboard().text().split("\n")
    assert header.split("\t") == ["Level", "Rule", "Line", "Column", "What is wrong", "What to do"]
    assert copied.split("\t")[:3] == ["Error", "R02", "12"]
    qtbot.keyClick(table, Qt.Key.Key_Home)
    qtbot.keyClick(dialog, Qt.Key.Key_F8)
    assert table.currentIndex().row() == 1
    panel.copy_button.click()
    assert len(QGuiApplication.clipboard().text().split("\n")) == panel.model.rowCount() + 1


def test_text_of_the_file_is_shown_and_never_obeyed(qtbot: QtBot, dialog: UploadDialog, tmp_path: Path) -> None:
    lines = good_lines()
    turn = {"role": '<img src="http://127.0.0.1:9/x.png">\u202e', "content": "a"}
    lines[4] = json.dumps({**conversation(4), "turns": [turn, *conversation(4)["turns"]]})
    panel = check(qtbot, dialog, write(tmp_path / "hostile.jsonl", lines))
    row = column(panel, Column.RULE).index("C04")
    index = panel.model.index(row, Column.MESSAGE)
    assert "<img" in index.data()
    assert "\u202e" not in index.data()
    assert "<img" not in index.data(Qt.ItemDataRole.ToolTipRole)
    panel.table.select_number(row)
    assert "<img" in panel.strip.words
    assert "\u202e" not in panel.strip.words
