"""How results and errors leave the command line: sentences and tables for people, one JSON object for scripts.

Results go to stdout. Progress and, without --json, errors go to stderr, so that a pipe only gets the result.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from lorry.core.errors import LorryError
from lorry.core.model import Dataset, DatasetPage
from lorry.core.transfers import Phase, Transfer, TransferState
from lorry.text import format as fmt
from lorry.text.error_text import describe

#: On a terminal the progress line is redrawn this often (s), elsewhere a new line is written this often.
_REDRAW_S, _NEW_LINE_S = 0.2, 2.0
_QUIET_S = 0.5


def accept_any_text() -> None:
    """Let stdout show what its encoding has no characters for as escapes, as stderr does, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _print_json(document: dict[str, Any]) -> None:
    # Outside UTF-8 the escapes have to be those of JSON.
    print(json.dumps(document, ensure_ascii="utf" not in (sys.stdout.encoding or "").lower()))


def print_result(data: Any, text: str, *, as_json: bool) -> None:
    """Print the result of a command that worked."""
    if as_json:
        _print_json({"success": True, "data": data})
    elif text:
        print(text)


def print_failure(sentence: str, details: Any, *, as_json: bool) -> None:
    """Print why a command did not work."""
    if as_json:
        _print_json({"error": sentence, "details": details})
    else:
        print(f"lorry: {sentence}", file=sys.stderr)


def error_sentence(error: LorryError) -> str:
    """One line for people."""
    return describe(error).sentence


def error_details(error: LorryError) -> dict[str, Any]:
    """What a script may want to know; no secrets."""
    return {"code": error.code.value, "step": error.step, **error.context, "detail": error.detail}


def dataset_table(page: DatasetPage) -> str:
    """The list as aligned columns."""
    rows = [("Name", "Status", "Format", "Size", "Pairs", "Created", "ID")]
    rows += [
        (
            fmt.safe_name(dataset.name),
            fmt.status_word(dataset),
            fmt.format_short(dataset.format),
            fmt.size(dataset.file_size),
            fmt.count(dataset.total_training_pairs),
            fmt.date(dataset.created_at),
            str(dataset.id),
        )
        for dataset in page.datasets
    ]
    lines = _align(rows, right={3, 4})
    if not page.datasets:
        return "No datasets." if page.total == 0 else f"Page {page.query.page} is empty."
    total = fmt.plural(page.total, "dataset")
    if page.total_pages > 1:
        total += f", page {page.query.page} of {page.total_pages}"
    return "\n".join([*lines, total])


def dataset_facts(dataset: Dataset) -> str:
    """One dataset as name and value lines."""
    facts = [
        ("Name", fmt.safe_name(dataset.name)),
        ("Status", fmt.status_word(dataset)),
        ("Description", fmt.safe_name(dataset.description or "–")),
        ("Format", fmt.format_label(dataset.format)),
        ("File", fmt.safe_name(dataset.file_name)),
        ("Size", fmt.size(dataset.file_size)),
        ("Training pairs", fmt.count(dataset.total_training_pairs)),
        ("Tokens", fmt.tokens(dataset.total_tokens)),
        ("Created", fmt.full_date(dataset.created_at)),
        ("Path", dataset.storage_path),
        ("ID", str(dataset.id)),
    ]
    if dataset.error_message:
        facts.append(("Problem", fmt.safe_name(dataset.error_message)))
    lines = _align(facts, right=set())
    lines += [finding_line(f.level, f.code, f.line, f.column, f.message, f.suggestion) for f in dataset.findings]
    return "\n".join(lines)


def finding_line(
    level: str, code: str, line: int | None, column: int | None, message: str, suggestion: str | None
) -> str:
    """One finding: where, what, what to do."""
    place = f"line {line}" + (f", column {column}" if column else "") if line else "file"
    text = f"{level:<8}{code}  {place}: {fmt.safe_name(message)}"
    return f"{text} ({fmt.safe_name(suggestion)})" if suggestion else text


def _align(rows: Sequence[Sequence[str]], *, right: set[int]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class ProgressLine:
    """Live progress on stderr: one line that is redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, *, enabled: bool, quiet_at_first: bool = False) -> None:
        """With `quiet_at_first` nothing is shown of what is over at once."""
        self._enabled = enabled
        self._is_terminal = sys.stderr.isatty()
        self._next_at = time.monotonic() + _QUIET_S if quiet_at_first else 0.0
        self._open = False
        self._last = ""

    def show(self, transfers: Sequence[Transfer]) -> None:
        """Show how the running transfers stand, not more often than is good to read."""
        active = [t for t in transfers if t.state in (TransferState.RUNNING, TransferState.WAITING)]
        if active and self._is_due():
            self._write(" · ".join(_progress_text(t) for t in active))

    def show_text(self, text: str) -> None:
        """Show a line that the next one replaces, not more often than is good to read."""
        if self._is_due():
            self._write(text)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if not self._enabled or now < self._next_at:
            return False
        self._next_at = now + (_REDRAW_S if self._is_terminal else _NEW_LINE_S)
        return True

    def say(self, text: str) -> None:
        """Write a line that stays."""
        if self._enabled:
            self.end()
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the redrawn line as it is and go on below it."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False

    def _write(self, text: str) -> None:
        if not self._is_terminal:
            if text != self._last:
                print(text, file=sys.stderr, flush=True)
                self._last = text
            return
        width = shutil.get_terminal_size().columns - 1
        print("\r" + text[:width].ljust(width), end="", file=sys.stderr, flush=True)
        self._open = True


def _progress_text(transfer: Transfer) -> str:
    name = fmt.safe_name(transfer.draft.file_name)
    progress = transfer.progress
    if transfer.phase is not Phase.UPLOADING or transfer.state is TransferState.WAITING:
        return f"{name}: {fmt.transfer_detail(transfer) or fmt.phase_word(transfer.phase)}"
    parts = [fmt.size_of(progress.sent_bytes, progress.size_bytes)]
    parts += [fmt.rate(progress.rate_bps)] if progress.rate_bps else []
    parts += [left] if (left := fmt.remaining(progress.remaining_s)) else []
    return f"{name}: {', '.join(parts)}"
