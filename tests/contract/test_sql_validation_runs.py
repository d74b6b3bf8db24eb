"""Claims, checkpoints and records of validations that run in pieces: one run at a time, fenced, and nothing left."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.postgres import Sql

LEASE_S = 60
RECORDS = [
    {"table": "pairs", "bucket": 1, "records": base64.b64encode(b"one").decode()},
    {"table": "runs", "bucket": 2, "records": base64.b64encode(b"two" * 50).decode()},
]


def claim(sql: Sql, dataset_id: uuid.UUID, lease_s: int = LEASE_S) -> dict[str, Any] | None:
    with sql.as_service():
        found = sql.row("select public.claim_validation(%s, %s) as claim", dataset_id, lease_s)["claim"]
    assert found is None or isinstance(found, dict)
    return found


def claimed(sql: Sql, dataset_id: uuid.UUID) -> dict[str, Any]:
    found = claim(sql, dataset_id)
    assert found is not None
    return found


def save(sql: Sql, held: dict[str, Any], progress: dict[str, Any], records: list[dict[str, Any]]) -> None:
    with sql.as_service():
        sql.rows(
            "select public.save_validation(%s, %s, %s, %s)", held["id"], held["run"], Jsonb(progress), Jsonb(records)
        )


def end(sql: Sql, held: dict[str, Any], **result: Any) -> dict[str, Any]:
    with sql.as_service():
        return sql.row(
            "select * from public.end_validation(%s, %s, %s, %s)",
            held["id"], held["run"], held["object_version"], Jsonb({"status": "ready", **result}),
        )  # fmt: skip


def records_of(sql: Sql, held: dict[str, Any], *buckets: int) -> list[dict[str, Any]]:
    with sql.as_service():
        query = "select public.validation_records_of(%s, %s, %s) as found"
        return list(sql.row(query, held["id"], held["run"], list(buckets))["found"])


def lets_lease_end(sql: Sql, dataset_id: uuid.UUID) -> None:
    sql.rows(
        "update public.datasets set validation_progress = validation_progress || "
        """'{"lease_until": "2020-01-01T00:00:00Z"}' where id = %s returning id""",
        dataset_id,
    )


def test_a_claim_tells_what_a_run_must_know(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    held = claimed(sql, row["id"])
    assert held["object"] == {
        "version": row["object_version"],
        "size_bytes": row["file_size"],
        "type": held["object"]["type"],
        "is_allowed_type": True,
    }
    assert (held["format"], held["file_size"], held["attempts"]) == (row["format"], row["file_size"], 1)
    assert held["is_known_content"] is False


def test_only_one_run_has_a_dataset_until_its_lease_ends(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    first = claimed(sql, row["id"])
    assert claim(sql, row["id"]) is None
    lets_lease_end(sql, row["id"])
    second = claimed(sql, row["id"])
    assert (second["run"] != first["run"], second["attempts"]) == (True, 2)
    # The run that was taken for dead wakes up: it can neither save nor end.
    for late in (lambda: save(sql, first, {}, []), lambda: end(sql, first), lambda: records_of(sql, first, 1)):
        with sql.refused("PT409", "lease_lost"):
            late()
    assert end(sql, second)["status"] == "ready"


@pytest.mark.parametrize("status", ["uploading", "ready", "error"])
def test_only_what_waits_can_be_claimed(sql: Sql, status: str) -> None:
    assert claim(sql, sql.dataset_in(status)["id"]) is None
    assert claim(sql, uuid.uuid4()) is None


def test_a_checkpoint_and_its_records_come_back(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    save(sql, claimed(sql, row["id"]), {"next_byte": 7}, RECORDS)
    held = claimed(sql, row["id"])
    assert {name: held["progress"][name] for name in ("next_byte", "part", "size")} == {
        "next_byte": 7,
        "part": 1,
        "size": row["file_size"],
    }
    save(sql, held, {"next_byte": 9}, [{**RECORDS[0], "records": base64.b64encode(b"later").decode()}])
    held = claimed(sql, row["id"])
    # In the order of the file, long ones in one piece.
    assert [base64.b64decode(found["records"]) for found in records_of(sql, held, 1)] == [b"one", b"later"]
    assert records_of(sql, held, 2) == [RECORDS[1]]
    assert records_of(sql, held, 3) == []


def test_a_save_lets_go_and_counts_once(sql: Sql) -> None:
    held = claimed(sql, sql.dataset_in("validating")["id"])
    save(sql, held, {}, [])
    with sql.refused("PT409", "lease_lost"):
        save(sql, held, {}, [])


@pytest.mark.parametrize("how", ["ready", "error", "outside"])
def test_the_records_go_with_the_end(sql: Sql, how: str) -> None:
    row = sql.dataset_in("validating")
    save(sql, claimed(sql, row["id"]), {}, RECORDS)
    if how == "outside":
        sql.finish(row, status="error", error_message="no")
    else:
        end(sql, claimed(sql, row["id"]), status=how)
    assert sql.rows("select * from public.validation_records") == []


def test_a_checkpoint_of_another_object_is_dropped(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    save(sql, claimed(sql, row["id"]), {"next_byte": 7}, RECORDS)
    sql.rows(
        """update public.datasets set validation_progress = validation_progress || '{"object_version": "old"}'"""
        " where id = %s returning id",
        row["id"],
    )
    held = claimed(sql, row["id"])
    assert (held["progress"], records_of(sql, held, 1, 2)) == (None, [])


def test_nobody_else_gets_at_records_and_claims(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    save(sql, claimed(sql, row["id"]), {}, RECORDS)
    for query in ("select * from public.validation_records", "delete from public.validation_records"):
        with sql.refused("42501"), sql.as_service():
            sql.rows(query)
    with sql.refused("42501"), sql.as_user(sql.alice):
        sql.rows("select public.claim_validation(%s, 60)", row["id"])


def test_a_lease_has_bounds(sql: Sql) -> None:
    with sql.refused("PT422", "wrong_lease"):
        claim(sql, sql.dataset_in("validating")["id"], 0)
