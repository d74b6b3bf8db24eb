"""Every failure has words, the words follow the house's tone, and nothing technical slips into them."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from lorry.core.errors import ErrorCode, LorryError, SourceError
from lorry.core.model import MAX_FILE_BYTES, DatasetDraft, DatasetFormat
from lorry.text.error_text import ErrorAction, describe, describe_draft_errors, details

DETAIL = "Traceback: httpx.ConnectError [Errno 111] <html>502</html> eyJhbGciOi"
CONTEXT: dict[str, str | int] = {
    "file_name": "couples.jsonl",
    "path": "couples.jsonl",
    "size_bytes": 612_000_000,
    "limit_bytes": MAX_FILE_BYTES,
    "field": "name",
    "reason": "it is not a whole number",
    "host": "project.example",
    "seconds": 54,
    "log_path": "server.log",
    "email": "ana@example.com",
}
SIGN_IN_CODES = {ErrorCode.SESSION_ENDED}


@pytest.mark.parametrize("code", list(ErrorCode))
@pytest.mark.parametrize("context", [{}, CONTEXT], ids=["bare", "full"])
@pytest.mark.parametrize("step", ["", "create the dataset"])
def test_every_code_has_plain_sentences(code: ErrorCode, context: dict[str, str | int], step: str) -> None:
    text = describe(LorryError(code, DETAIL, step=step, context=context))
    for sentence in (text.what, text.meaning):
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".") or sentence.endswith("server.log")
        assert "  " not in sentence and ".." not in sentence and "{" not in sentence and "None" not in sentence
    lowered = text.sentence.lower()
    assert "successfully" not in lowered and "oops" not in lowered and "email" not in lowered
    assert "!" not in text.sentence
    assert ("please" in lowered) == (code in SIGN_IN_CODES)
    assert not re.search(r"traceback|httpx|errno|<html|eyj|exception|_", lowered)
    assert bool(text.action) == (text.action_id is not ErrorAction.NONE)


@pytest.mark.parametrize("code", [c for c in ErrorCode if c.name.startswith("FILE_") and c != "file_too_large"])
def test_file_errors_name_the_file_with_nothing_hidden(code: ErrorCode) -> None:
    error = SourceError(code, context={"file_name": "a\u202elnosj.exe", "path": "/folder/a"})
    assert "a‹U+202E›lnosj.exe" in describe(error).what


def test_sizes_that_read_the_same_are_written_out() -> None:
    error = SourceError(
        ErrorCode.FILE_TOO_LARGE, context={"size_bytes": MAX_FILE_BYTES + 1, "limit_bytes": MAX_FILE_BYTES}
    )
    assert describe(error).sentence == "Too large: 524,288,001 bytes. The project accepts 524,288,000 bytes a file."
    error = SourceError(ErrorCode.FILE_TOO_LARGE, context={"size_bytes": 612_000_000, "limit_bytes": MAX_FILE_BYTES})
    assert describe(error).sentence == "Too large: 612.0 MB. The project accepts 524.3 MB a file."


def test_waits_are_counted() -> None:
    error = LorryError(ErrorCode.TOO_MANY_TRIES, retry_after_s=53.4)
    assert describe(error).sentence == "Too many tries. Try again in 54 s."
    assert describe(LorryError(ErrorCode.SERVER_BUSY, step="list the datasets")).meaning == (
        "Lorry could not list the datasets. Try again in a minute."
    )


def test_details_carry_what_the_sentence_leaves_out() -> None:
    text = details(LorryError(ErrorCode.TIMEOUT, "read timed out\u202e", step="send", context={"host": "x"}))
    assert text.splitlines() == [
        "LorryError timeout",
        "while trying to send",
        "host: x",
        "read timed out‹U+202E›",
    ]


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"name": ""}, "name", "Give the dataset a name."),
        ({"name": "   "}, "name", "Give the dataset a name."),
        ({"name": "x"}, "name", "Too short. At least 2 characters are needed."),
        ({"name": "x" * 201}, "name", "1 character too long. At most 200 fit."),
        ({"name": "x" * 205}, "name", "5 characters too long. At most 200 fit."),
        ({"name": "a\tb"}, "name", "The name contains a line break, a tab or another control character."),
        ({"file_size": 0}, "file_size", "The file is empty."),
        ({"file_name": "a/b.json"}, "file_name",
         "The file's name contains a character that cannot be stored. Rename the file."),
        ({"file_name": "x" * 256}, "file_name", "The file's name is too long. At most 255 characters fit."),
        ({"format": "v5"}, "format", "Choose one of the formats."),
    ],
)  # fmt: skip
def test_draft_errors_have_one_sentence_per_field(changes: dict[str, object], field: str, expected: str) -> None:
    good: dict[str, object] = {
        "name": "Couples",
        "file_name": "c.jsonl",
        "file_size": 5,
        "format": DatasetFormat.BRIGHTRUN_LORA_V4,
    }
    with pytest.raises(ValidationError) as caught:
        DatasetDraft.model_validate(good | changes)
    assert describe_draft_errors(caught.value) == {field: expected}


def test_several_bad_fields_are_all_described() -> None:
    with pytest.raises(ValidationError) as caught:
        DatasetDraft(name="", file_name="", file_size=0)
    assert set(describe_draft_errors(caught.value)) == {"name", "file_name", "file_size"}
