"""The status of a dataset and its frozen columns: the same rules for everybody, service code included."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.postgres import Sql, checksums_for

STATUSES = ("uploading", "validating", "ready", "error")
ALLOWED = {
    ("uploading", "validating"),
    ("validating", "ready"),
    ("validating", "error"),
    ("error", "validating"),
    *((status, status) for status in STATUSES),
}


@pytest.mark.parametrize("actor", ["service", "owner of the table"])
@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_transition(sql: Sql, before: str, after: str, actor: str) -> None:
    row = sql.dataset_in(before)
    statement = "update public.datasets set status = %s where id = %s"
    with sql.as_service() if actor == "service" else sql.acting("postgres"):
        if (before, after) in ALLOWED:
            assert sql.count(statement, after, row["id"]) == 1
        else:
            with sql.refused("23514", "wrong_status", f"from {before} to {after}"):
                sql.rows(statement, after, row["id"])
    assert sql.reread(row)["status"] == (after if (before, after) in ALLOWED else before)


def test_unknown_status_is_refused(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    with sql.as_service(), sql.refused("23514"):
        sql.rows("update public.datasets set status = 'archived' where id = %s", row["id"])


FROZEN: dict[str, Any] = {
    "id": "11111111-1111-1111-1111-111111111111",
    "user_id": None,
    "storage_bucket": "avatars",
    "storage_path": "https://example.org/a.jsonl",
    "file_name": "other.jsonl",
    "file_size": 2000,
    "format": "brightrun_lora_v3",
    "created_at": "2020-01-01",
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("column", FROZEN)
def test_identity_is_frozen_for_service_code(sql: Sql, column: str, status: str) -> None:
    row = sql.dataset_in(status)
    value = sql.bob if column == "user_id" else FROZEN[column]
    with sql.as_service(), sql.refused("23514", "frozen_column"):
        sql.rows(f"update public.datasets set {column} = %s where id = %s", value, row["id"])


RESULTS: dict[str, Any] = {
    "total_training_pairs": 99,
    "total_validation_pairs": 99,
    "total_tokens": 99,
    "avg_turns_per_conversation": 9.5,
    "avg_tokens_per_turn": 9.5,
    "training_ready": None,  # stands for the opposite of what it is
    "validated_at": "2020-01-01",
    "validation_errors": Jsonb([{"code": "x"}]),
    "sample_data": Jsonb([1]),
    "error_message": "other",
    "validation_progress": Jsonb({"next": 5}),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("column", RESULTS)
def test_results_change_only_while_validating(sql: Sql, column: str, status: str) -> None:
    row = sql.dataset_in(status)
    value = not row["training_ready"] if column == "training_ready" else RESULTS[column]
    with sql.as_service():
        statement = f"update public.datasets set {column} = %s where id = %s"
        if status == "validating":
            assert sql.count(statement, value, row["id"]) == 1
        else:
            with sql.refused("23514", "frozen_column"):
                sql.rows(statement, value, row["id"])


@pytest.mark.parametrize("status", STATUSES)
def test_object_version_is_set_by_confirm_alone(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    with sql.as_service(), sql.refused("23514", "frozen_column"):
        sql.rows("update public.datasets set object_version = 'other' where id = %s", row["id"])


@pytest.mark.parametrize("status", ["validating", "ready", "error"])
def test_checksums_cannot_come_after_confirm(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    with sql.as_service(), sql.refused("23514", "frozen_column"):
        sql.rows("update public.datasets set checksums = %s where id = %s", Jsonb(checksums_for(1000)), row["id"])


def test_checksums_are_set_once(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice, checksums=checksums_for(1000))
    with sql.as_service():
        for value in (Jsonb(checksums_for(1000, "b")), None):
            with sql.refused("23514", "frozen_column"):
                sql.rows("update public.datasets set checksums = %s where id = %s", value, row["id"])


@pytest.mark.parametrize("status", STATUSES)
def test_owner_may_rename_and_delete_at_any_time(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    with sql.as_user(sql.alice):
        assert sql.count("update public.datasets set name = 'Renamed', deleted_at = now()") == 1
    assert sql.reread(row)["status"] == status
