"""Files to check, and how a test waits for what the form says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot

from lorry.gui.upload.check_panel import CheckPanel
from lorry.gui.upload.dialog import UploadDialog
from lorry.gui.upload.findings_model import Column

LONG_MS = 30_000
#: Takes the check some tenths of a second.
LARGE_BYTES = 100_000_000


def conversation(number: int, last: str = "assistant") -> dict[str, Any]:
    turns = [
        {"role": "user", "content": f"How do I begin with plan {number}?"},
        {"role": "assistant", "content": f"With the first step of plan {number}."},
    ]
    if last == "user":
        turns.append({"role": "user", "content": "And then?"})
    return {"conversation_id": f"c{number}", "turns": turns}


def good_lines(number: int = 20) -> list[str]:
    return [json.dumps(conversation(one)) for one in range(number)]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def write_wrong(folder: Path) -> Path:
    """A file with two errors behind a warning."""
    lines = good_lines()
    lines[3] = ""
    lines[9] = '{"conversation_id": "c9", "turns": [{"role": "user", "content": "He said "no" to me"}]}'
    lines[11] = "[1, 2]"
    return write(folder / "wrong.jsonl", lines)


def is_over(panel: CheckPanel) -> bool:
    return not panel.verdict.words.startswith(("Checking", "Not checked yet"))


def check(qtbot: QtBot, dialog: UploadDialog, path: Path) -> CheckPanel:
    """Choose `path` and wait for its verdict."""
    dialog.choose([path])
    panel = dialog.form_page.check
    qtbot.waitUntil(lambda: is_over(panel), timeout=LONG_MS)
    return panel


def begin(qtbot: QtBot, dialog: UploadDialog, path: Path) -> CheckPanel:
    """Choose `path` and return while its check runs."""
    dialog.choose([path])
    panel = dialog.form_page.check
    qtbot.waitUntil(lambda: panel.verdict.words.startswith("Checking"), timeout=LONG_MS)
    return panel


def column(panel: CheckPanel, which: Column) -> list[str]:
    return [panel.model.index(row, which).data() for row in range(panel.model.rowCount())]
