"""Rights on stored objects, as the Storage service tests them: an insert, select or delete as the caller."""

from __future__ import annotations

import uuid

import pytest
from psycopg.types.json import Jsonb
from tests.support.postgres import Sql

PROBE = "insert into storage.objects (bucket_id, name, owner_id, version, metadata) values (%s, %s, %s, '1', %s)"
DENIED = "row-level security"


def probe(sql: Sql, name: str, bucket: str = "lora-datasets") -> None:
    """The insert by which Storage tests whether the acting user may upload `name`."""
    sql.rows(PROBE, bucket, name, str(sql.alice), Jsonb({"mimetype": "application/jsonl"}))


def names(sql: Sql) -> list[str]:
    return [row["name"] for row in sql.rows("select name from storage.objects order by name")]


def test_owner_may_upload_to_the_path_of_an_open_row(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    with sql.as_user(sql.alice):
        probe(sql, row["storage_path"])


@pytest.mark.parametrize("status", ["validating", "ready", "error"])
def test_a_confirmed_row_takes_no_upload(sql: Sql, status: str) -> None:
    row = sql.dataset_in(status)
    sql.remove_object(row)
    with sql.as_user(sql.alice), sql.refused("42501", match=DENIED):
        probe(sql, row["storage_path"])


def test_a_deleted_row_takes_no_upload(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    with sql.as_user(sql.alice):
        sql.rows("update public.datasets set deleted_at = now()")
        with sql.refused("42501", match=DENIED):
            probe(sql, row["storage_path"])


def test_nobody_else_may_upload_there(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    with sql.as_user(sql.bob), sql.refused("42501", match=DENIED):
        probe(sql, row["storage_path"])
    with sql.as_anon(), sql.refused("42501", match=DENIED):
        probe(sql, row["storage_path"])


def test_only_the_exact_path_counts(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    path: str = row["storage_path"]
    with sql.as_user(sql.alice):
        for wrong in (path + "x", path[:-1], path.upper(), path.rpartition("/")[0], f"{sql.alice}/a.jsonl", "%"):
            with sql.refused("42501", match=DENIED):
                probe(sql, wrong)
        with sql.refused("42501", match=DENIED):
            probe(sql, path.replace("_", "x"))


def test_a_title_that_looks_like_a_path_opens_nothing(sql: Sql) -> None:
    """In a policy on storage.objects a bare `name` binds to datasets.name, which its owner may choose freely."""
    victim = sql.new_dataset(sql.bob)
    sql.new_dataset(sql.alice, name=victim["storage_path"])
    with sql.as_user(sql.alice):
        with sql.refused("42501", match=DENIED):
            probe(sql, victim["storage_path"])
        with sql.refused("42501", match=DENIED):
            probe(sql, "anything.jsonl")
    sql.store_object(victim)
    with sql.as_user(sql.alice):
        assert names(sql) == []


def test_policies_qualify_the_object_name(sql: Sql) -> None:
    policies = sql.rows(
        "select policyname, permissive, cmd, roles, coalesce(qual, with_check) as condition from pg_policies "
        "where schemaname = 'storage' and tablename = 'objects'"
    )
    allowing = {policy["cmd"]: policy for policy in policies if policy["permissive"] == "PERMISSIVE"}
    assert set(allowing) == {"INSERT", "SELECT", "DELETE"}, "objects are written once: no UPDATE"
    for policy in allowing.values():
        assert policy["roles"] == ["authenticated"]
        assert "datasets.storage_path = objects.name" in policy["condition"]


def test_owner_reads_the_object_and_nobody_else(sql: Sql) -> None:
    row = sql.dataset_in("ready")
    with sql.as_user(sql.alice):
        assert names(sql) == [row["storage_path"]]
    with sql.as_user(sql.bob):
        assert names(sql) == []
    with sql.as_anon():
        assert names(sql) == []


def test_objects_are_written_once(sql: Sql) -> None:
    row = sql.new_dataset(sql.alice)
    version = sql.store_object(row)
    with sql.as_user(sql.alice):
        assert sql.count("update storage.objects set version = 'mine'") == 0
        with sql.refused("42501", match=DENIED):
            sql.rows(
                PROBE + " on conflict (bucket_id, name) do update set version = 'mine'",
                *("lora-datasets", row["storage_path"], str(sql.alice), Jsonb({})),
            )
    assert sql.value("select version from storage.objects where name = %s", row["storage_path"]) == version


def test_owner_may_remove_the_object_through_storage_alone(sql: Sql) -> None:
    row = sql.dataset_in("ready")
    delete = "delete from storage.objects where name = %s"
    with sql.as_user(sql.alice), sql.refused("42501", match="Use the Storage API"):
        sql.rows(delete, row["storage_path"])
    sql.rows("select set_config('storage.allow_delete_query', 'true', true)")
    with sql.as_user(sql.bob):
        assert sql.count(delete, row["storage_path"]) == 0
    with sql.as_anon():
        assert sql.count(delete, row["storage_path"]) == 0
    with sql.as_user(sql.alice):
        assert sql.count(delete, row["storage_path"]) == 1


def test_wider_policies_of_an_older_project_do_not_undo_ours(sql: Sql) -> None:
    sql.rows(
        "create policy folder on storage.objects to authenticated "
        "using (bucket_id = 'lora-datasets' and (storage.foldername(name))[1] = auth.uid()::text)"
    )
    row = sql.dataset_in("ready")
    with sql.as_user(sql.alice):
        with sql.refused("42501", match=DENIED):
            probe(sql, f"{sql.alice}/{uuid.uuid4()}/stray.jsonl")
        assert sql.count("update storage.objects set version = 'mine'") == 0
    assert sql.confirm(row)["status"] == "ready"


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_other_buckets_are_left_alone(sql: Sql, role: str) -> None:
    sql.rows("insert into storage.buckets (id, name) values ('other', 'other')")
    sql.rows("create policy other on storage.objects using (bucket_id = 'other') with check (bucket_id = 'other')")
    with sql.acting(role, {"sub": str(sql.bob), "role": role}):
        probe(sql, "free.txt", "other")
        assert sql.count("update storage.objects set version = '2'") == 1
        assert names(sql) == ["free.txt"]


def test_bucket_is_private_and_limited(sql: Sql) -> None:
    bucket = sql.row("select * from storage.buckets where id = 'lora-datasets'")
    assert bucket["public"] is False
    assert bucket["file_size_limit"] == 500 * 1024 * 1024
    assert len(bucket["allowed_mime_types"]) == 4
    for acting in (sql.as_anon(), sql.as_user(sql.alice)):
        with acting:
            assert sql.rows("select * from storage.buckets") == []


@pytest.mark.parametrize(
    ("path", "folders", "file", "extension"),
    [("a/b/c.tar.gz", ["a", "b"], "c.tar.gz", "gz"), ("c.json", [], "c.json", "json")],
)
def test_path_functions(sql: Sql, path: str, folders: list[str], file: str, extension: str) -> None:
    assert sql.value("select storage.foldername(%s)", path) == folders
    assert sql.value("select storage.filename(%s)", path) == file
    assert sql.value("select storage.extension(%s)", path) == extension
