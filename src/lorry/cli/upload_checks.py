"""The check before an upload, for a terminal: what stops a file, what is only said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorry.core.checked_file import CheckReport
from lorry.core.checks import CONVERTIBLE, FOREIGN_NAMES
from lorry.core.model import Dataset, Finding
from lorry.text import format as fmt

log = logging.getLogger(__name__)

_MESSAGE_CHARACTERS = 100
_FINDINGS_IN_DETAILS = 10


def refusal(path: Path, report: CheckReport) -> tuple[str, dict[str, Any]] | None:
    """Sentence and details if the check says that a file is not to be uploaded, else None."""
    if not report.errors:
        return None
    first = [finding for finding in report.findings if finding.level == "error"]
    details = {
        "code": "file_has_errors",
        "layout": report.layout,
        "counts": report.counts,
        "counts_by_code": report.counts_by_code,
        "findings": [finding.model_dump(mode="json") for finding in first[:_FINDINGS_IN_DETAILS]],
    }
    command = f"`lorry check {fmt.safe_name(str(path))}"
    if report.layout in FOREIGN_NAMES:
        details["code"] = "foreign_format"
        way = f"{command} --convert` makes conversation lines of it" if report.layout in CONVERTIBLE else ""
        sentence = f"Not a format Lorry uploads: {FOREIGN_NAMES[report.layout]}."
        return f"{sentence} {way}." if way else f"{sentence} Lorry cannot convert this one.", details
    sentence = f"{_counted(report.errors, 'error', first)}; {command}` shows all, --anyway uploads it all the same."
    return sentence, details


def warning_line(path: Path, report: CheckReport) -> str:
    """One line about the warnings of a file that is uploaded; "" without any."""
    found = [finding for finding in report.findings if finding.level == "warning"]
    if not found:
        return ""
    more = f"; `lorry check {fmt.safe_name(str(path))}` shows all" if report.warnings > 1 else ""
    return f"{fmt.safe_name(path.name)}: {_counted(report.warnings, 'warning', found)}{more}."


def same_content_line(path: Path, datasets: Sequence[Dataset]) -> str:
    """One line about the newest dataset with the same content."""
    newest = datasets[0]
    return (
        f'{fmt.safe_name(path.name)}: The same content is already here: "{fmt.safe_name(newest.name)}", uploaded '
        f"{fmt.date(newest.created_at)}. It is uploaded as a new dataset."
    )


def record_anyway(path: Path, report: CheckReport) -> str:
    """Write down that a file is uploaded although its check found errors; returns a line that says so."""
    log.warning("uploading %s although its check found %d errors: --anyway", path, report.errors)
    return f"{fmt.safe_name(path.name)}: {fmt.plural(report.errors, 'error')}; uploaded all the same (--anyway)."


def _counted(number: int, noun: str, found: Sequence[Finding]) -> str:
    first = found[0]
    message = fmt.safe_name(first.message).rstrip(".")
    if len(message) > _MESSAGE_CHARACTERS:
        message = message[: _MESSAGE_CHARACTERS - 1] + "…"
    which = "on" if number == 1 else "the first on"
    return f"{fmt.plural(number, noun)}, {which} line {first.line or 1}: {message}"
