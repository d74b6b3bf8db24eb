"""The calls that move an upload on: confirm, validate again, purge, limits, and attempts to trick them."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.postgres import Row, Server, Sql, checksums_for, connect, transaction_with_users

CALLS = ("confirm_dataset_upload", "revalidate_dataset", "purge_dataset")


def call(sql: Sql, function: str, dataset_id: uuid.UUID) -> list[Row]:
    return sql.rows(f"select * from public.{function}(%s)", dataset_id)


def test_confirm_records_the_version_and_starts_validation(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    version = sql.store_object(row)
    confirmed = sql.confirm(row)
    assert (confirmed["status"], confirmed["object_version"]) == ("validating", version)
    assert confirmed == sql.reread(row)


def test_confirm_repeated_gives_the_same_answer(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    sql.store_object(row)
    first = sql.confirm(row)
    assert sql.confirm(row) == first
    finished = sql.finish(first, status="ready")
    assert sql.confirm(row) == finished


def test_confirm_without_an_object(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    with sql.refused("PT409", "object_missing"):
        sql.confirm(row)
    assert sql.reread(row) == row


def test_a_rights_probe_is_no_object(sql: Sql) -> None:
    """Storage tests rights with an insert it rolls back; triggers and functions in between see that row."""
    row = sql.new_dataset(sql.alice)
    sql.store_object(row, is_probe=True)
    with sql.refused("PT409", "object_missing"):
        sql.confirm(row)


@pytest.mark.parametrize("size", [0, 999, 1001])
def test_confirm_with_another_size(sql: Sql, size: int) -> None:
    row = sql.new_dataset(sql.alice, file_size=1000)
    sql.store_object(row, size=size)
    with sql.refused("PT422", "object_size_mismatch", f"has {size} bytes, expected 1000"):
        sql.confirm(row)
    assert sql.reread(row)["status"] == "uploading"


@pytest.mark.parametrize("status", ["validating", "ready", "error"])
def test_confirm_after_the_object_was_swapped(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    sql.store_object(row)
    with sql.refused("PT409", "object_swapped"):
        sql.confirm(row)
    assert sql.reread(row) == row


def test_confirm_does_not_believe_what_the_client_wrote(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    with sql.acting("supabase_storage_admin"):
        sql.rows(
            "insert into storage.objects (bucket_id, name, version, metadata, user_metadata) "
            "values ('lora-datasets', %s, '1', %s, %s)",
            *(row["storage_path"], Jsonb({"eTag": '"x"', "size": 1}), Jsonb({"size": 1000})),
        )
    with sql.refused("PT422", "object_size_mismatch"):
        sql.confirm(row)


def test_confirm_ignores_an_object_in_another_bucket(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    sql.rows("insert into storage.buckets (id, name) values ('other', 'other')")
    sql.store_object(row)
    sql.rows("update storage.objects set bucket_id = 'other' where name = %s", row["storage_path"])
    with sql.refused("PT409", "object_missing"):
        sql.confirm(row)


def test_confirm_sets_checksums_once(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    sql.store_object(row)
    assert sql.confirm(row, checksums_for(1000))["checksums"] == checksums_for(1000)
    assert sql.confirm(row, checksums_for(1000))["checksums"] == checksums_for(1000)
    assert sql.confirm(row)["checksums"] == checksums_for(1000)
    with sql.refused("PT422", "checksums_differ"):
        sql.confirm(row, checksums_for(1000, "b"))


def test_confirm_keeps_the_checksums_given_at_insert(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice, checksums=checksums_for(1000))
    sql.store_object(row)
    with sql.refused("PT422", "checksums_differ"):
        sql.confirm(row, checksums_for(1000, "b"))
    assert sql.confirm(row, checksums_for(1000))["status"] == "validating"


def test_checksums_cannot_come_late(sql: Sql) -> None:
    row = sql.dataset_in("validating")
    with sql.refused("PT422", "checksums_differ"):
        sql.confirm(row, checksums_for(1000))


def test_confirm_of_a_deleted_dataset(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    sql.store_object(row)
    with sql.as_user(sql.alice):
        sql.rows("update public.datasets set deleted_at = now()")
    with sql.refused("PT409", "dataset_deleted"):
        sql.confirm(row)


@pytest.mark.parametrize("function", CALLS)
def test_not_there_and_not_yours_are_the_same_answer(sql: Sql, function: str) -> None:
    row = sql.dataset_in("error")
    with sql.as_user(sql.bob):
        for dataset_id in (row["id"], uuid.uuid4()):
            with sql.refused("PT404", "dataset_not_found", "^Dataset not found$"):
                call(sql, function, dataset_id)
    assert sql.reread(row) == row


@pytest.mark.parametrize("function", CALLS)
def test_a_token_without_a_user_is_refused(sql: Sql, function: str) -> None:
    row = sql.dataset_in("error")
    with sql.acting("authenticated", {"role": "authenticated"}), sql.refused("42501", "no_user"):
        call(sql, function, row["id"])


@pytest.mark.parametrize("function", CALLS)
def test_a_temporary_table_does_not_take_the_place_of_ours(sql: Sql, function: str) -> None:
    """Without an empty search_path a pg_temp table of the caller is read instead of the real one."""
    row = sql.dataset_in("error")
    with sql.as_user(sql.bob):
        sql.rows("create temp table datasets as select * from public.datasets")
        sql.rows("create temp table objects as select ''::text as bucket_id, ''::text as name, "
                 "'1'::text as version, '{\"eTag\": 1, \"size\": 1000}'::jsonb as metadata")  # fmt: skip
        sql.rows("insert into datasets (id, user_id, status) values (%s, %s, 'uploading')", row["id"], sql.bob)
        sql.rows("set local search_path = pg_temp, public")
        with sql.refused("PT404", "dataset_not_found"):
            call(sql, function, row["id"])
    assert sql.reread(row) == row


def test_revalidate_clears_the_old_verdict(sql: Sql) -> None:
    row = sql.dataset_in("error")
    with sql.as_user(sql.alice):
        (again,) = call(sql, "revalidate_dataset", row["id"])
        assert call(sql, "revalidate_dataset", row["id"]) == [again]
    assert again["status"] == "validating"
    assert again["object_version"] == row["object_version"]
    cleared = ("validated_at", "error_message", "total_training_pairs", "validation_errors", "sample_data")
    assert {again[column] for column in cleared} == {None}


@pytest.mark.parametrize("status", ["uploading", "ready"])
def test_revalidate_needs_an_error(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    with sql.as_user(sql.alice), sql.refused("PT409", "wrong_status", status):
        call(sql, "revalidate_dataset", row["id"])


def test_revalidate_needs_the_same_object(sql: Sql) -> None:
    row = sql.dataset_in("error")
    sql.store_object(row)
    with sql.as_user(sql.alice), sql.refused("PT409", "object_swapped"):
        call(sql, "revalidate_dataset", row["id"])
    sql.remove_object(row)
    with sql.as_user(sql.alice), sql.refused("PT409", "object_missing"):
        call(sql, "revalidate_dataset", row["id"])


@pytest.mark.parametrize("status", ["uploading", "validating", "ready", "error"])
def test_purge_waits_for_the_object_to_go(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    if status != "uploading":
        with sql.as_user(sql.alice), sql.refused("PT409", "object_exists"):
            call(sql, "purge_dataset", row["id"])
        sql.remove_object(row)
    with sql.as_user(sql.alice):
        assert call(sql, "purge_dataset", row["id"]) == [{"purge_dataset": row["id"]}]
        with sql.refused("PT404", "dataset_not_found"):
            call(sql, "purge_dataset", row["id"])
    assert sql.rows("select 1 from public.datasets where id = %s", row["id"]) == []


def test_purge_is_not_held_up_by_a_rights_probe(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    sql.store_object(row, is_probe=True)
    with sql.as_user(sql.alice):
        assert call(sql, "purge_dataset", row["id"])


def test_upload_limits_tells_what_the_bucket_takes(sql: Sql) -> None:
    with sql.as_user(sql.alice):
        limits = sql.value("select public.upload_limits()")
        assert sql.rows("select * from storage.buckets") == []
    assert limits["bucket"] == "lora-datasets"
    assert limits["file_size_limit"] == 524_288_000
    assert limits["schema_version"] == 1
    assert set(limits["allowed_mime_types"]) == {
        "application/x-ndjson",
        "application/jsonl",
        "application/json",
        "application/octet-stream",
    }


def test_a_second_confirm_waits_and_sees_what_the_first_one_led_to(postgres_server: Server) -> None:
    """A late repeat must not start over a dataset that was confirmed and judged in the meantime."""
    with connect(postgres_server) as one, connect(postgres_server) as second, transaction_with_users(one) as first:
        row = first.new_dataset(first.alice)
        first.store_object(row)
        first.connection.commit()
        answers: list[Any] = []

        def confirm_again() -> None:
            claims = f'{{"sub": "{first.alice}"}}'
            second.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
            answer = second.execute("select status from public.confirm_dataset_upload(%s)", (row["id"],))
            answers.extend(answer.fetchall())

        confirmed = first.confirm(row)
        thread = threading.Thread(target=confirm_again)
        thread.start()
        try:
            waiting = "select cardinality(pg_blocking_pids(%s)) > 0"
            while thread.is_alive() and not first.value(waiting, second.info.backend_pid):
                thread.join(0.005)
            first.finish(confirmed, status="ready")
            first.connection.commit()
            thread.join(10)
        finally:
            first.connection.rollback()
            thread.join(10)
            second.rollback()
            first.remove_object(row)
            first.rows("delete from auth.users where id in (%s, %s)", first.alice, first.bob)
            first.connection.commit()
        assert answers == [{"status": "ready"}]
