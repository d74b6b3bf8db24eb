"""What a check says in words: its verdict, the layout of the file, its numbers. Pure, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lorry.core.checked_file import CheckProgress, CheckReport
from lorry.core.errors import ErrorCode, LorryError
from lorry.core.model import Finding
from lorry.text.error_text import describe
from lorry.text.format import MISSING, count, format_label, plural, size, size_of, tokens

#: Layouts that can be uploaded, as people call them.
LAYOUTS = {
    "conversation_lines": "Conversations",
    "pair_lines": "Training pairs",
    "v4_document": "Training document",
    "v3_document": "Training document",
    "array": "List of conversations or pairs",
}
#: Layouts of other tools: they are recognised, but not uploaded.
FOREIGN = {
    "openai_messages": "OpenAI chat",
    "sharegpt": "ShareGPT",
    "alpaca": "Alpaca",
    "prompt_completion": "prompt and completion",
    "preference": "preference pairs (DPO or KTO)",
    "text": "plain text rows",
}
FACT_CAPTIONS = ("Conversations", "Training pairs", "Tokens", "Turns a conversation")
_LINE_LAYOUTS = ("conversation_lines", "pair_lines")
_NO_LAYOUT = "unknown"
#: The rule that a row has no known layout.
_NO_LAYOUT_CODE = "R03"
_STOPS = "Errors stop the upload unless you choose Upload anyway."


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tone` is one of the verdict box's: ok, warn, error, busy."""

    tone: str
    what: str
    meaning: str


def checking(progress: CheckProgress, found: int, *, is_waiting: bool = False) -> Verdict:
    """While the check runs; `is_waiting` when the upload was asked for and waits for its end."""
    parts = [f"{size_of(progress.done_bytes, progress.total_bytes)} read."] if progress.total_bytes else []
    if is_waiting:
        parts.append("The upload starts by itself if there are no errors.")
    else:
        parts.append(f"{plural(found, 'finding')} so far." if found else "You can fill in the form meanwhile.")
    return Verdict("busy", f"Checking, {progress.percent} %", " ".join(parts))


def judged(report: CheckReport) -> Verdict:
    """The end of a check."""
    read = _read(report)
    if report.layout in FOREIGN:
        return Verdict("error", f"Not a format Lorry uploads: {FOREIGN[report.layout]}", f"{read} {_STOPS}")
    counted = _counted(report.errors, report.warnings)
    if report.layout == _NO_LAYOUT and _NO_LAYOUT_CODE in report.counts_by_code:
        return Verdict("error", "Not a format Lorry uploads", f"{counted}. {read} {_STOPS}")
    if report.errors:
        return Verdict("error", counted, f"{read} {_STOPS}")
    if report.warnings:
        return Verdict("warn", counted, f"{read} Warnings do not stop the upload.")
    return Verdict("ok", counted, read)


def not_checked(error: LorryError) -> Verdict:
    """The check itself came to nothing; that alone does not stop an upload."""
    if error.code is ErrorCode.FILE_CHANGED:
        meaning = "Check it again, or upload it as it is now: the server checks it too."
        return Verdict("warn", "The file changed while it was being checked.", meaning)
    meaning = f"{describe(error).what} You can upload it all the same: the server checks it too."
    return Verdict("warn", "The file could not be checked.", meaning)


def file_line(kind: str, size_bytes: int, report: CheckReport | None) -> str:
    """As "364.9 MB · Training pairs, BrightRun v4"; `kind` stands for a layout nobody knows yet."""
    if report is None or report.layout == _NO_LAYOUT:
        return f"{size(size_bytes)} · {kind}"
    layout = LAYOUTS.get(report.layout) or FOREIGN.get(report.layout) or report.layout
    layout = layout[0].upper() + layout[1:]
    named = f", {format_label(report.format)}" if report.format else ""
    return f"{size(size_bytes)} · {layout}{named}"


def facts(report: CheckReport | None) -> tuple[str, ...]:
    """The numbers behind FACT_CAPTIONS; dashes for what is not known."""
    numbers = report.statistics if report else {}
    if not numbers.get("conversations"):
        return (MISSING,) * len(FACT_CAPTIONS)
    turns = numbers.get("avg_turns_per_conversation")
    return (
        count(_whole(numbers.get("conversations"))),
        count(_whole(numbers.get("training_pairs"))),
        tokens(_whole(numbers.get("tokens"))),
        f"{turns:,.1f}" if isinstance(turns, int | float) else MISSING,
    )


def place(finding: Finding) -> str:
    """As "Line 12,071, column 412"."""
    if finding.line is None:
        return "The whole file"
    where = f"Line {count(finding.line)}"
    return where if finding.column is None else f"{where}, column {count(finding.column)}"


def _counted(errors: int, warnings: int) -> str:
    if not errors:
        return f"{plural(warnings, 'warning')}, no errors" if warnings else "No errors, no warnings"
    return f"{plural(errors, 'error')}, {plural(warnings, 'warning') if warnings else 'no warnings'}"


def _read(report: CheckReport) -> str:
    seconds = "less than 0.1 s" if report.seconds < 0.1 else f"{report.seconds:,.1f} s"
    lines = _whole(report.statistics.get("lines"))
    if report.layout in _LINE_LAYOUTS and lines:
        return f"{'The only line' if lines == 1 else f'All {count(lines)} lines'} checked in {seconds}."
    return f"{size(report.size_bytes)} checked in {seconds}."


def _whole(number: Any) -> int | None:
    return number if isinstance(number, int) else None
