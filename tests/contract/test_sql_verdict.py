"""How a validation ends: one call of service code sets the verdict and notifies the owner, once."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.postgres import Sql

FULL = {
    "status": "ready",
    "total_training_pairs": 120,
    "total_validation_pairs": 30,
    "total_tokens": 3_000_000_000,
    "avg_turns_per_conversation": 4.256,
    "avg_tokens_per_turn": 81.5,
    "validation_errors": {"counts": {"warning": 1}, "findings": [{"code": "long_turn", "line": 7}]},
    "sample_data": [{"conversation_id": "c1"}],
}


def notifications(sql: Sql) -> list[dict[str, Any]]:
    with sql.as_user(sql.alice):
        return sql.rows("select * from public.notifications order by created_at")


def test_ready(sql: Sql) -> None:
    row = sql.finish(sql.dataset_in("validating"), **FULL)
    assert (row["status"], row["training_ready"]) == ("ready", True)
    assert row["validated_at"] is not None
    assert row["total_tokens"] == 3_000_000_000
    assert row["avg_turns_per_conversation"] == Decimal("4.26")
    assert row["sample_data"] == FULL["sample_data"]
    assert row["validation_errors"] == FULL["validation_errors"]
    assert row["error_message"] is None
    (note,) = notifications(sql)
    assert (note["type"], note["read"]) == ("dataset_ready", False)
    assert note["metadata"] == {"dataset_id": str(row["id"]), "status": "ready"}
    assert row["name"] in note["message"]


def test_error(sql: Sql) -> None:
    row = sql.finish(sql.dataset_in("validating"), status="error", error_message="Line 3 is no JSON")
    assert (row["status"], row["training_ready"], row["error_message"]) == ("error", False, "Line 3 is no JSON")
    (note,) = notifications(sql)
    assert (note["type"], note["priority"]) == ("dataset_error", "high")
    assert "Line 3 is no JSON" in note["message"]


def test_repeating_changes_nothing_and_notifies_nobody(sql: Sql) -> None:
    row = sql.finish(sql.dataset_in("validating"), **FULL)
    assert sql.finish(row, **FULL) == row
    assert sql.finish(row, status="error", error_message="too late") == row
    assert len(notifications(sql)) == 1


def test_a_second_validation_has_its_own_end(sql: Sql) -> None:
    row = sql.finish(sql.dataset_in("validating"), status="error", error_message="bad")
    with sql.as_user(sql.alice):
        sql.rows("select public.revalidate_dataset(%s)", row["id"])
    assert sql.finish(row, **FULL)["error_message"] is None
    assert [note["type"] for note in notifications(sql)] == ["dataset_error", "dataset_ready"]


def test_a_swapped_or_missing_object_never_becomes_ready(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    sql.store_object(row)
    with sql.refused("PT409", "object_swapped"):
        sql.finish(row, status="ready")
    sql.remove_object(row)
    with sql.refused("PT409", "object_missing"):
        sql.finish(row, status="ready")
    assert sql.finish(row, status="error", error_message="The file was replaced")["status"] == "error"


def test_a_run_over_another_object_does_not_count(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    for version in ("other", None):
        with sql.refused("PT409", "object_swapped"):
            sql.finish(row | {"object_version": version}, status="ready")


def test_an_unconfirmed_dataset_has_no_verdict(sql: Sql) -> None:
    with sql.refused("PT409", "wrong_status"):
        sql.finish(sql.dataset_in("uploading"), status="ready")


@pytest.mark.parametrize("result", [{}, {"status": None}, {"status": "validating"}, {"status": "READY"}])
def test_a_result_that_is_no_verdict_is_refused(sql: Sql, result: dict[str, Any]) -> None:
    with sql.refused("PT422", "wrong_result"):
        sql.finish(sql.dataset_in("validating"), **result)


def test_unknown_dataset(sql: Sql) -> None:
    with sql.refused("PT404", "dataset_not_found"):
        sql.finish({"id": uuid.uuid4(), "object_version": "1"}, status="ready")


def test_the_owner_cannot_pass_a_verdict(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    with sql.as_user(sql.alice), sql.refused("42501", match="permission denied"):
        sql.rows(
            "select public.finish_validation(%s, %s, %s)", row["id"], row["object_version"], Jsonb({"status": "ready"})
        )


def test_a_checkpoint_can_be_kept_and_goes_with_the_verdict(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    with sql.as_service():
        sql.rows("update public.datasets set validation_progress = %s where id = %s", Jsonb({"next": 1}), row["id"])
    assert sql.finish(row, status="ready")["validation_progress"] is None
