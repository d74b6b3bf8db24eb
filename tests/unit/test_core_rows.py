"""Rows and other answers of a server as models: what is ignored, what is refused, what is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lorry.core.errors import ErrorCode, LorryError, NetworkError, during
from lorry.core.model import Dataset, DatasetPage, DatasetQuery, DatasetStatus, Finding, UploadTicket


def row(**changed: Any) -> dict[str, Any]:
    now = "2026-11-22T09:00:00.123456+00:00"
    return {
        "id": str(uuid4()),
        "user_id": str(uuid4()),
        "name": "Coaching",
        "format": "brightrun_lora_v4",
        "status": "ready",
        "storage_path": "u/d/a.jsonl",
        "file_name": "a.jsonl",
        "file_size": 10,
        "created_at": now,
        "updated_at": now,
    } | changed


def test_columns_of_a_newer_server_are_ignored() -> None:
    plain = Dataset.model_validate(row())
    assert plain.status is DatasetStatus.READY
    newer = Dataset.model_validate(row(embedding=[1, 2], shard={"of": 3}))
    assert not hasattr(newer, "shard")


def test_a_format_this_version_does_not_know_is_still_a_row() -> None:
    assert Dataset.model_validate(row(format="brightrun_lora_v9")).format == "brightrun_lora_v9"


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "lost"},
        {"id": "7"},
        {"user_id": None},
        {"file_size": "many"},
        {"created_at": "yesterday"},
        {"name": None},
        {"storage_path": 7},
    ],
)
def test_a_row_that_makes_no_sense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dataset.model_validate(row(**changed))


@pytest.mark.parametrize("missing", ["id", "user_id", "name", "status", "storage_path", "file_size", "created_at"])
def test_a_row_without_what_matters_is_refused(missing: str) -> None:
    values = row()
    del values[missing]
    with pytest.raises(ValidationError):
        Dataset.model_validate(values)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["counts", "findings", "code", "level", "line", "error"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_report_of_a_validation_breaks_its_row(report: Any) -> None:
    dataset = Dataset.model_validate(row(validation_errors=report))
    assert all(isinstance(count, int) for count in dataset.finding_counts.values())
    assert all(isinstance(finding, Finding) for finding in dataset.findings)


def test_findings_keep_where_and_what() -> None:
    report = {
        "counts": {"error": 2, "warning": 1, "info": 0},
        "findings": [
            {"code": "F01", "level": "error", "line": 3, "column": 4, "message": "m", "suggestion": "s", "new": 1},
            {"level": "error"},
            "text",
        ],
    }
    dataset = Dataset.model_validate(row(validation_errors=report))
    assert dataset.finding_counts == {"error": 2, "warning": 1, "info": 0}
    (finding,) = dataset.findings
    assert (finding.code, finding.line, finding.column, finding.suggestion) == ("F01", 3, 4, "s")


@pytest.mark.parametrize(("total", "limit", "pages"), [(0, 25, 0), (1, 25, 1), (25, 25, 1), (26, 25, 2), (7, 1, 7)])
def test_pages_are_counted_up(total: int, limit: int, pages: int) -> None:
    page = DatasetPage((), total, DatasetQuery(limit=limit), datetime.now(UTC))
    assert page.total_pages == pages


def test_an_upload_url_is_not_shown_by_accident() -> None:
    ticket = UploadTicket(uuid4(), "https://x.example/?token=secret", "u/d/a.jsonl", datetime.now(UTC))
    assert "secret" not in f"{ticket} {ticket!r} {[ticket]}"


def test_the_deepest_step_names_an_error() -> None:
    with pytest.raises(LorryError) as caught, during("upload"), during("create the dataset"):
        raise NetworkError(ErrorCode.OFFLINE)
    assert caught.value.step == "create the dataset"
