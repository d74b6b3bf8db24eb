"""Failures in words: what happened, what it means for the file, what the user can do.

`error_sentences` holds the sentences themselves, this file those about the fields of a draft; window and
command line use both. No Qt. `LorryError.detail` is never part of a sentence: it is what "Copy details" copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lorry.core.errors import LorryError
from lorry.core.model import NAME_MAX, NAME_MIN
from lorry.text.error_sentences import SENTENCES, ErrorAction
from lorry.text.format import plural, safe_name

__all__ = ["ErrorAction", "ErrorText", "damaged_journal", "describe", "describe_draft_errors", "details"]

_LABELS = {
    ErrorAction.NONE: "",
    ErrorAction.CHOOSE_FILE: "Choose again…",
    ErrorAction.RETRY: "Try again",
    ErrorAction.START_AGAIN: "Start again",
    ErrorAction.SIGN_IN: "Sign in",
    ErrorAction.COPY_DETAILS: "Copy details",
}


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One failure in words. `what` and `meaning` are whole sentences; `action` is a button's label or ""."""

    what: str
    meaning: str
    action: str = ""
    action_id: ErrorAction = ErrorAction.NONE

    @property
    def sentence(self) -> str:
        """Both sentences in one line, for a terminal or a tooltip."""
        return f"{self.what} {self.meaning}".strip()


def describe(error: LorryError) -> ErrorText:
    """The words for `error`, with the file, host or sizes its context names."""
    what, meaning, action = SENTENCES[error.code](error)
    return ErrorText(what, meaning, _LABELS[action], action)


def details(error: LorryError) -> str:
    """Technical lines for "Copy details": code, step, class and detail; invisible characters are shown."""
    lines = [f"{type(error).__name__} {error.code.value}"]
    lines += [f"while trying to {error.step}"] if error.step else []
    lines += [f"{key}: {safe_name(str(value))}" for key, value in sorted(error.context.items())]
    lines += [safe_name(line) for line in error.detail.splitlines()]
    return "\n".join(lines)


def damaged_journal(copy: Path) -> ErrorText:
    """The words for a list of interrupted uploads that could not be read and is kept as `copy`."""
    return ErrorText(
        "The list of interrupted uploads was damaged.",
        f"It is kept as {safe_name(copy.name)}. What it held shows as Incomplete: discard it, then upload again.",
    )


def describe_draft_errors(error: ValidationError) -> dict[str, str]:
    """One sentence per bad field of a `DatasetDraft`, by field name; the first problem of a field wins."""
    sentences: dict[str, str] = {}
    for problem in error.errors():
        field = str(problem["loc"][0]) if problem["loc"] else ""
        sentences.setdefault(field, _draft_sentence(field, problem["type"], problem.get("input")))
    return sentences


def _draft_sentence(field: str, kind: str, given: Any) -> str:
    if field == "name":
        if kind == "string_too_long":
            over = len(str(given).strip()) - NAME_MAX
            return f"{plural(over, 'character')} too long. At most {NAME_MAX} fit."
        if kind == "string_too_short" and str(given).strip():
            return f"Too short. At least {NAME_MIN} characters are needed."
        if kind == "value_error":
            return "The name contains a line break, a tab or another control character."
        return "Give the dataset a name."
    if field == "file_size":
        return "The file is empty."
    if field == "file_name":
        if kind == "string_too_long":
            return "The file's name is too long. At most 255 characters fit."
        return "The file's name contains a character that cannot be stored. Rename the file."
    if field == "format":
        return "Choose one of the formats."
    return "This value cannot be used."
