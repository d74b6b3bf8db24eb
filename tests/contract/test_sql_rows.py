"""Rows of datasets and notifications: what may be inserted, and that users see and change only their own."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from tests.support.postgres import (
    MIB,
    Sql,
    checksums_for,
    dataset_values,
    insert_statement,
)

LIMIT = 500 * MIB


def insert(sql: Sql, **columns: Any) -> dict[str, Any]:
    return sql.new_dataset(sql.alice, **columns)


def test_insert_fills_the_rest(sql: Sql) -> None:
    row = insert(sql)
    assert (row["status"], row["format"], row["storage_bucket"]) == (
        "uploading",
        "brightrun_lora_v4",
        "lora-datasets",
    )
    assert row["training_ready"] is False
    assert row["created_at"] == row["updated_at"]
    assert {row[name] for name in ("deleted_at", "object_version", "checksums", "validated_at")} == {None}


def test_user_id_defaults_to_the_caller(sql: Sql) -> None:
    values = dataset_values(sql.alice)
    del values["user_id"]
    with sql.as_user(sql.alice):
        assert sql.row(*insert_statement("public.datasets", values))["user_id"] == sql.alice


def test_legal_status_bucket_and_format_may_be_sent(sql: Sql) -> None:
    row = insert(sql, status="uploading", storage_bucket="lora-datasets", format="brightrun_lora_v3")
    assert row["format"] == "brightrun_lora_v3"


@pytest.mark.parametrize("status", ["validating", "ready", "error", "READY", ""])
def test_insert_with_another_status_is_refused(sql: Sql, status: str) -> None:
    with sql.refused("23514", "wrong_status"):
        insert(sql, status=status)


def test_service_code_cannot_insert_a_finished_row_either(sql: Sql) -> None:
    with sql.as_service(), sql.refused("23514", "wrong_status"):
        sql.rows(*insert_statement("public.datasets", dataset_values(sql.alice, status="ready")))


def test_service_code_may_open_a_row_for_a_user(sql: Sql) -> None:
    with sql.as_service():
        row = sql.row(*insert_statement("public.datasets", dataset_values(sql.alice)))
    assert row["user_id"] == sql.alice


def test_insert_for_another_user_is_refused(sql: Sql) -> None:
    with sql.as_user(sql.alice), sql.refused("42501", "foreign_user_id"):
        sql.rows(*insert_statement("public.datasets", dataset_values(sql.bob)))


def test_insert_without_a_user_is_refused(sql: Sql) -> None:
    with sql.acting("authenticated", {"role": "authenticated"}), sql.refused("42501", match="row-level"):
        sql.rows(*insert_statement("public.datasets", dataset_values(sql.alice)))


def test_another_bucket_is_refused(sql: Sql) -> None:
    with sql.refused("23514", "wrong_storage_bucket"):
        insert(sql, storage_bucket="avatars")


BAD_SAFE_NAMES = {
    "empty": "",
    "one dot": ".",
    "two dots": "..",
    "many dots": "....",
    "space": "a b.jsonl",
    "folder": "sub/a.jsonl",
    "parent": "../a.jsonl",
    "trailing slash": "a.jsonl/",
    "umlaut": "ä.jsonl",
    "full-width digit": "１.jsonl",
    "kelvin sign": "\u212a.jsonl",
    "percent": "a%2F.jsonl",
    "query": "a.jsonl?token=1",
    "newline": "a.jsonl\n",
    "101 characters": "a" * 101,
}


@pytest.mark.parametrize("safe_name", BAD_SAFE_NAMES.values(), ids=BAD_SAFE_NAMES)
def test_unsafe_name_in_the_path_is_refused(sql: Sql, safe_name: str) -> None:
    dataset_id = uuid.uuid4()
    with sql.refused("23514", "wrong_storage_path"):
        insert(sql, id=dataset_id, storage_path=f"{sql.alice}/{dataset_id}/{safe_name}")


@pytest.mark.parametrize("safe_name", ["a", ".a", "a..jsonl", "_-.", "A-Z_0.9.json", "a" * 100])
def test_safe_name_in_the_path_is_taken(sql: Sql, safe_name: str) -> None:
    dataset_id = uuid.uuid4()
    path = f"{sql.alice}/{dataset_id}/{safe_name}"
    assert insert(sql, id=dataset_id, storage_path=path)["storage_path"] == path


def test_path_of_another_user_or_dataset_or_a_url_is_refused(sql: Sql) -> None:
    dataset_id, other_id = uuid.uuid4(), uuid.uuid4()
    right = f"{sql.alice}/{dataset_id}/a.jsonl"
    for path in (
        f"{sql.bob}/{dataset_id}/a.jsonl",
        f"{sql.alice}/{other_id}/a.jsonl",
        f"{str(sql.alice).upper()}/{dataset_id}/a.jsonl",
        f"https://project.supabase.co/storage/v1/object/lora-datasets/{right}",
        f"lora-datasets/{right}",
        f"/{right}",
        f" {right}",
        "a.jsonl",
        "",
    ):
        with sql.refused("23514", "wrong_storage_path"):
            insert(sql, id=dataset_id, storage_path=path)
    assert insert(sql, id=dataset_id, storage_path=right)["storage_path"] == right


BAD_COLUMNS: dict[str, tuple[dict[str, Any], str]] = {
    "name of one": ({"name": "x"}, "datasets_name_check"),
    "name of 201": ({"name": "x" * 201}, "22001"),
    "name with newline": ({"name": "two\nlines"}, "datasets_name_check"),
    "name with escape": ({"name": "\x1b[31mred"}, "datasets_name_check"),
    "name with C1 control": ({"name": "a\x9bb"}, "datasets_name_check"),
    "name with DEL": ({"name": "a\x7fb"}, "datasets_name_check"),
    "format": ({"format": "alpaca"}, "datasets_format_check"),
    "empty file name": ({"file_name": ""}, "datasets_file_name_check"),
    "dots as file name": ({"file_name": ".."}, "datasets_file_name_check"),
    "slash": ({"file_name": "a/b.jsonl"}, "datasets_file_name_check"),
    "backslash": ({"file_name": "a\\b.jsonl"}, "datasets_file_name_check"),
    "tab": ({"file_name": "a\tb.jsonl"}, "datasets_file_name_check"),
    "file name of 256": ({"file_name": "x" * 256}, "22001"),
    "empty file": ({"file_size": 0}, "datasets_file_size_check"),
    "negative size": ({"file_size": -1}, "datasets_file_size_check"),
    "one byte too many": ({"file_size": LIMIT + 1}, "datasets_file_size_check"),
    "checksums of another shape": ({"checksums": {"md5": "x"}}, "datasets_checksums_check"),
    "checksums of another size": ({"checksums": checksums_for(33 * MIB)}, "datasets_checksums_check"),
    "checksums with more": ({"checksums": checksums_for(1000) | {"note": 1}}, "datasets_checksums_check"),
    "upper-case checksum": ({"checksums": checksums_for(1000, "A")}, "datasets_checksums_check"),
    "null in the slices": ({"checksums": checksums_for(1000) | {"slices": [None]}}, "datasets_checksums_check"),
}


@pytest.mark.parametrize(("columns", "rule"), BAD_COLUMNS.values(), ids=BAD_COLUMNS)
def test_bad_column_is_refused(sql: Sql, columns: dict[str, Any], rule: str) -> None:
    if rule.isdigit():
        with sql.refused(rule):
            insert(sql, **columns)
    else:
        with sql.refused("23514", match=rule):
            insert(sql, **columns)


GOOD_COLUMNS: dict[str, dict[str, Any]] = {
    "shortest name": {"name": "ab"},
    "longest name": {"name": "\U0001d4b3" * 200},
    "right-to-left name": {"name": "مجموعة بيانات"},
    "any file name": {"file_name": "Verträge – 契約\u202e \U0001f4e6.jsonl"},
    "longest file name": {"file_name": "文" * 255},
    "one byte": {"file_size": 1},
    "largest": {"file_size": LIMIT, "checksums": checksums_for(LIMIT)},
    "whole slice": {"file_size": 32 * MIB, "checksums": checksums_for(32 * MIB)},
    "checksums": {"checksums": checksums_for(1000)},
}


@pytest.mark.parametrize("columns", GOOD_COLUMNS.values(), ids=GOOD_COLUMNS)
def test_good_column_is_kept_as_sent(sql: Sql, columns: dict[str, Any]) -> None:
    row = insert(sql, **columns)
    assert {name: row[name] for name in columns} == columns


def test_two_rows_cannot_share_a_path(sql: Sql) -> None:
    row = insert(sql)
    with sql.refused("23505"):
        insert(sql, id=row["id"])


def test_users_see_and_change_only_their_own(sql: Sql) -> None:
    row = insert(sql)
    with sql.as_user(sql.bob):
        assert sql.rows("select * from public.datasets") == []
        assert sql.rows("select * from public.search_datasets()") == []
        assert sql.count("update public.datasets set name = 'mine now'") == 0
    with sql.as_user(sql.alice):
        assert sql.row("select * from public.datasets") == row
        assert sql.count("update public.datasets set name = 'Renamed', description = 'd'") == 1
    assert sql.reread(row)["name"] == "Renamed"


def test_rename_keeps_the_rules_and_moves_updated_at(sql: Sql) -> None:
    row = insert(sql)
    with sql.as_user(sql.alice):
        with sql.refused("23514", match="datasets_name_check"):
            sql.rows("update public.datasets set name = 'x'")
        sql.rows("update public.datasets set name = 'Renamed'")
    changed = sql.reread(row)
    assert changed["updated_at"] > row["updated_at"]
    assert changed["created_at"] == row["created_at"]


def test_soft_delete_hides_and_restore_brings_back(sql: Sql) -> None:
    row = sql.dataset_in("ready")

    def listed(deleted: bool) -> list[Any]:
        query = "select id from public.search_datasets(p_deleted => %s)"
        return [found["id"] for found in sql.rows(query, deleted)]

    with sql.as_user(sql.alice):
        assert sql.count("update public.datasets set deleted_at = now() where id = %s", row["id"]) == 1
        assert (listed(False), listed(True)) == ([], [row["id"]])
        assert sql.count("update public.datasets set deleted_at = null where id = %s", row["id"]) == 1
        assert (listed(False), listed(True)) == ([row["id"]], [])
    assert sql.reread(row)["status"] == "ready"


def test_users_read_and_tick_off_only_their_own_notifications(sql: Sql) -> None:
    sql.dataset_in("ready")
    with sql.as_user(sql.bob):
        assert sql.rows("select * from public.notifications") == []
        assert sql.count("update public.notifications set read = true") == 0
    with sql.as_user(sql.alice):
        assert sql.row("select read from public.notifications") == {"read": False}
        assert sql.count("update public.notifications set read = true") == 1
        with sql.refused("42501"):
            sql.rows("update public.notifications set message = 'x'")
        with sql.refused("42501"):
            sql.rows("insert into public.notifications (user_id, type, title, message) values (%s, 'a', 'b', 'c')",
                     sql.alice)  # fmt: skip


def test_removing_an_account_removes_its_rows(sql: Sql) -> None:
    sql.dataset_in("ready")
    sql.rows("delete from auth.users where id = %s", sql.alice)
    assert sql.value("select count(*) from public.datasets where user_id = %s", sql.alice) == 0
    assert sql.value("select count(*) from public.notifications where user_id = %s", sql.alice) == 0
