"""How numbers, dates, states and names are written: tables of values and their words."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Phase
from lorry.text import format as words

NOW = datetime(2026, 3, 9, 12, 0).astimezone()


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (949, "949 bytes"),
        (1_000, "1.0 kB"),
        (102_400, "102.4 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (480_200_000, "480.2 MB"),
        (524_288_000, "524.3 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_sizes_are_decimal_with_one_digit(size_bytes: int, expected: str) -> None:
    assert words.size(size_bytes) == expected


@pytest.mark.parametrize(
    ("done", "whole", "expected"),
    [
        (312_000_000, 480_200_000, "312.0 of 480.2 MB"),
        (0, 480_200_000, "0.0 of 480.2 MB"),
        (480_199_999, 480_200_000, "480.1 of 480.2 MB"),
        (480_200_000, 480_200_000, "480.2 of 480.2 MB"),
        (524_288_000, 524_288_000, "524.3 of 524.3 MB"),
        (12, 812, "12 of 812 bytes"),
    ],
)
def test_bytes_done_share_the_unit_of_the_whole(done: int, whole: int, expected: str) -> None:
    assert words.size_of(done, whole) == expected


@given(st.integers(1_000, 524_288_000), st.integers(1, 524_288_000))
def test_an_unfinished_upload_never_reads_as_finished(whole: int, missing: int) -> None:
    done = max(0, whole - missing)
    shown, rest = words.size_of(done, whole).split(" of ")
    assert float(shown) <= float(rest.split()[0].replace(",", ""))
    assert float(shown) * 1_000_000 <= done or not rest.endswith("MB")


@pytest.mark.parametrize(
    ("rate_bps", "expected"),
    [(0.0, "0 B/s"), (-1.0, "0 B/s"), (812.4, "812 B/s"), (6_100_000.0, "6.1 MB/s"), (54_300.0, "54.3 kB/s")],
)
def test_rates(rate_bps: float, expected: str) -> None:
    assert words.rate(rate_bps) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0.0, "a few seconds left"),
        (27.0, "about 30 s left"),
        (30.0, "about 30 s left"),
        (55.0, "about 55 s left"),
        (55.1, "about 1 min left"),
        (230.0, "about 4 min left"),
        (3_500.0, "about 59 min left"),
        (3_600.0, "about 1 h left"),
        (8_000.0, "about 3 h left"),
    ],
)
def test_remaining_time_is_coarse(seconds: float | None, expected: str) -> None:
    assert words.remaining(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (None, "–"),
        (7, "≈ 7"),
        (999, "≈ 999"),
        (12_340, "≈ 12.3 k"),
        (999_999, "≈ 1.00 M"),
        (2_284_000, "≈ 2.28 M"),
        (17_080_000, "≈ 17.1 M"),
        (999_500_000, "≈ 1.00 G"),
    ],
)
def test_token_estimates(number: int | None, expected: str) -> None:
    assert words.tokens(number) == expected


def test_counts_and_plurals() -> None:
    assert [words.count(n) for n in (None, 0, 5_418)] == ["–", "0", "5,418"]
    assert [words.plural(n, "error") for n in (0, 1, 1_200)] == ["0 errors", "1 error", "1,200 errors"]
    assert [words.duration(s) for s in (0.0, 11.2, 99.0, 100.0, 121.0)] == [
        "1 s",
        "12 s",
        "99 s",
        "2 min",
        "3 min",
    ]


def test_dates_are_relative_for_two_days_then_absolute() -> None:
    assert words.date(NOW.replace(hour=9, minute=5), NOW) == "Today 09:05"
    assert words.date(NOW - timedelta(days=1), NOW) == "Yesterday 12:00"
    assert words.date(NOW - timedelta(days=2), NOW) == "7 Mar 2026"
    assert words.date(NOW.astimezone(UTC), NOW) == "Today 12:00"
    assert words.full_date(NOW).startswith("9 Mar 2026, 12:00:00 UTC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.jsonl", "plain name.jsonl"),
        ("Überlänge, 日本語, عربي, हिन्दी", "Überlänge, 日本語, عربي, हिन्दी"),
        ("tab\there", "tab\u2409here"),
        ("line\nbreak\x7f", "line\u240abreak\u2421"),
        ("invoice\u202elnosj.exe", "invoice‹U+202E›lnosj.exe"),
        ("zero\u200bwidth", "zero‹U+200B›width"),
        ("lone\udc80byte", "lone‹U+DC80›byte"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_names_hide_nothing(text: str, expected: str) -> None:
    assert words.safe_name(text) == expected


@given(st.text())
def test_safe_names_can_be_written_and_do_not_reorder(text: str) -> None:
    shown = words.safe_name(text)
    shown.encode()
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\n\r\t\0")


@given(st.text(string.ascii_letters + string.digits + " äöü中文.-_"))
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert words.safe_name(text) == text


def dataset(**changes: Any) -> Dataset:
    row: dict[str, Any] = {
        "id": UUID(int=1),
        "user_id": UUID(int=2),
        "name": "Couples and money",
        "format": "brightrun_lora_v4",
        "status": "ready",
        "storage_path": "a/b/c.jsonl",
        "file_name": "c.jsonl",
        "file_size": 10,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Dataset.model_validate(row | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "ready"}, "Ready"),
        ({"status": "validating"}, "Validating"),
        ({"status": "uploading"}, "Incomplete"),
        ({"status": "error"}, "Failed"),
        ({"status": "error", "validation_errors": {"counts": {"error": 12, "warning": 1}}}, "12 errors"),
        ({"status": "error", "validation_errors": {"counts": {"error": 1}}}, "1 error"),
        ({"status": "ready", "deleted_at": NOW}, "Deleted"),
    ],
)
def test_status_words(changes: dict[str, Any], expected: str) -> None:
    assert words.status_word(dataset(**changes)) == expected


def test_every_status_and_phase_has_a_word() -> None:
    assert all(words.status_word(dataset(status=status)) for status in DatasetStatus)
    assert [words.phase_word(phase) for phase in Phase] == [
        "Checking", "Uploading", "Finishing", "Verifying", "Server validation",
    ]  # fmt: skip


def test_formats() -> None:
    assert [words.format_short(f) for f in ("brightrun_lora_v4", "brightrun_lora_v3")] == ["v4", "v3"]
    assert words.format_label("brightrun_lora_v4") == "BrightRun v4"
    assert words.format_label("something\u202eelse") == "something‹U+202E›else"
