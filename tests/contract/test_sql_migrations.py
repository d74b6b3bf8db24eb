"""Applying the migrations: recorded as the Supabase CLI does, once, also on databases that already hold things."""

from __future__ import annotations

import re
import threading
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from tests.support.postgres import Row, Server, Sql, dataset_values, insert_statement

from lorry.core.paths import resource_dir
from lorry.local_server.database import Database, MigrationError, migrations_in

PROJECT = resource_dir() / "supabase"
MIGRATIONS = PROJECT / "migrations"
VERSIONS = [path.name.split("_")[0] for path in sorted(MIGRATIONS.glob("*.sql"))]
# The tables of a project from before these migrations, as other software made them.
ORIGINAL_TABLES = """
create table public.datasets (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  name varchar(200) not null, description text, format varchar(50) default 'brightrun_lora_v4',
  status varchar(50) default 'uploading', storage_bucket varchar(100) default 'lora-datasets',
  storage_path text not null unique, file_name varchar(255) not null, file_size bigint not null,
  total_training_pairs integer, total_validation_pairs integer, total_tokens bigint,
  avg_turns_per_conversation numeric(10,2), avg_tokens_per_turn numeric(10,2),
  training_ready boolean default false, validated_at timestamptz, validation_errors jsonb, sample_data jsonb,
  error_message text, created_at timestamptz default now(), updated_at timestamptz default now(),
  deleted_at timestamptz
);
alter table public.datasets enable row level security;
create policy "Users can do anything" on public.datasets using (true) with check (true);
create table public.notifications (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  type varchar(50) not null, title varchar(200) not null, message text not null, priority varchar(20) default 'low',
  read boolean default false, action_url text, metadata jsonb, created_at timestamptz default now()
);
insert into public.datasets (user_id, name, storage_path, file_name, file_size, status)
  select id, 'x', id || '/old.jsonl', 'old.jsonl', 10, 'ready' from auth.users;
"""


@pytest.fixture
def empty_dsn(postgres_server: Server) -> Iterator[str]:
    """A new database without any schema of ours on a server that has its roles already."""
    name = f"fresh_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.admin_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield make_conninfo(postgres_server.admin_dsn, dbname=name)
        connection.execute(f"drop database {name} with (force)".encode())


def ask(dsn: str, query: str, *values: Any) -> list[Row]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        cursor = connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def test_files_are_named_as_the_cli_wants_them() -> None:
    names = [path.name for path in MIGRATIONS.iterdir()]
    assert names and all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names), names
    assert len(set(VERSIONS)) == len(VERSIONS)


def test_config_is_a_project_that_agrees_with_the_migrations(sql: Sql) -> None:
    config = tomllib.loads((PROJECT / "config.toml").read_text("utf-8"))
    assert config["project_id"] == "lorry"
    assert config["db"]["major_version"] == 15
    assert "storage" not in config["api"]["schemas"], "row policies there assume that only Storage writes"
    for function in config.get("functions", {}).values():
        assert (PROJECT / function["entrypoint"]).is_file()
    (bucket,) = config["storage"]["buckets"].values()
    row = sql.row("select * from storage.buckets where id = 'lora-datasets'")
    assert config["storage"]["file_size_limit"] == bucket["file_size_limit"] == "500MiB"
    assert row["file_size_limit"] == 500 * 1024 * 1024
    assert (row["public"], row["allowed_mime_types"]) == (bucket["public"], bucket["allowed_mime_types"])


def test_applied_once_and_recorded(empty_dsn: str) -> None:
    database = Database.existing(empty_dsn)
    assert database.prepare() == VERSIONS
    before = ask(empty_dsn, "select oid, relname, xmin::text from pg_class order by oid")
    assert database.prepare() == []
    assert ask(empty_dsn, "select oid, relname, xmin::text from pg_class order by oid") == before
    recorded = ask(empty_dsn, "select * from supabase_migrations.schema_migrations order by version")
    assert [(row["version"], row["name"]) for row in recorded] == [
        (migration.version, migration.name) for migration in migrations_in(MIGRATIONS)
    ]
    assert recorded[0]["statements"] == [migrations_in(MIGRATIONS)[0].path.read_text("utf-8")]


def test_a_failing_migration_leaves_the_one_before(empty_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_first.sql").write_text("create table public.first (id int);")
    second = tmp_path / "20260101000001_second.sql"
    second.write_text("create table public.second (id int); select 1/0;")
    database = Database.existing(empty_dsn)
    with pytest.raises(MigrationError, match=r"20260101000001_second\.sql.*division by zero"):
        database.prepare(tmp_path)
    assert ask(empty_dsn, "select to_regclass('first') is null as f, to_regclass('second') is null as s") == [
        {"f": False, "s": True}
    ]
    second.write_text("create table public.second (id int);")
    assert database.prepare(tmp_path) == ["20260101000001"]


def test_an_empty_folder_is_an_error_not_a_finished_database(empty_dsn: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="No migrations"):
        Database.existing(empty_dsn).prepare(tmp_path)


def test_two_servers_starting_at_once_take_turns(empty_dsn: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(Database.existing(empty_dsn).prepare())) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], [], VERSIONS]


def test_an_older_project_is_lifted_with_its_rows(empty_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "20200101000000_accounts.sql").write_text("select 1;")
    database = Database.existing(empty_dsn)
    database.prepare(tmp_path)
    alice, bob = uuid.uuid4(), uuid.uuid4()
    ask(empty_dsn, "insert into auth.users (id, email) values (%s, 'a@example.org'), (%s, 'b@example.org')",
        alice, bob)  # fmt: skip
    (tmp_path / "20200101000001_original.sql").write_text(ORIGINAL_TABLES)
    database.prepare(tmp_path)

    assert database.prepare() == VERSIONS

    with psycopg.connect(empty_dsn, row_factory=dict_row) as connection:
        sql = Sql(connection, alice, bob)
        (old,) = sql.rows("select * from public.datasets where user_id = %s", alice)
        assert (old["name"], old["checksums"], old["object_version"]) == ("x", None, None)
        with sql.as_user(bob):
            assert len(sql.rows("select * from public.datasets")) == 1, "the old policy showed all rows"
            with sql.refused("42501", match="permission denied"):
                sql.rows("update public.datasets set status = 'ready'")
        with sql.as_service(), sql.refused("23514", "wrong_status"):
            sql.rows(*insert_statement("public.datasets", dataset_values(alice, status="ready")))
        with sql.refused("23514", match="datasets_name_check"):
            sql.new_dataset(alice, name="y")
        assert sql.dataset_in("ready")["training_ready"] is True


def test_a_project_that_has_everything_is_not_bootstrapped(empty_dsn: str) -> None:
    database = Database.existing(empty_dsn)
    database.prepare()
    ask(empty_dsn, "drop schema lorry_local cascade")
    assert database.prepare() == []
    assert ask(empty_dsn, "select to_regnamespace('lorry_local') is null as gone") == [{"gone": True}]


def test_what_another_service_made_stays(empty_dsn: str) -> None:
    ask(
        empty_dsn,
        "create schema storage; create table storage.buckets (id text primary key, name text, public boolean, "
        "file_size_limit bigint, allowed_mime_types text[], extra text default 'theirs');"
        "create schema auth; create function auth.jwt() returns jsonb language sql as 'select null::jsonb'",
    )
    Database.existing(empty_dsn).prepare()
    assert ask(empty_dsn, "select id, extra from storage.buckets") == [{"id": "lora-datasets", "extra": "theirs"}]
    assert ask(empty_dsn, "select auth.jwt() as jwt") == [{"jwt": None}]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (None, None, None)),
        ({"request.jwt.claims": ""}, (None, None, None)),
        ({"request.jwt.claims": '{"role":"anon"}'}, (None, "anon", {"role": "anon"})),
        (
            {"request.jwt.claims": '{"sub":"00000000-0000-0000-0000-000000000001","role":"authenticated"}'},
            (
                uuid.UUID(int=1),
                "authenticated",
                {"sub": "00000000-0000-0000-0000-000000000001", "role": "authenticated"},
            ),
        ),
    ],
)
def test_claims_functions(sql: Sql, settings: dict[str, str], expected: tuple[Any, ...]) -> None:
    for name, value in settings.items():
        sql.rows("select set_config(%s, %s, true)", name, value)
    found = sql.row("select auth.uid() as uid, auth.role() as role, auth.jwt() as jwt")
    assert tuple(found.values()) == expected


def test_accounts_are_unique_whatever_the_case(sql: Sql) -> None:
    sql.rows("insert into auth.users (email) values ('Ann@Example.org')")
    with sql.refused("23505"):
        sql.rows("insert into auth.users (email) values ('ann@example.ORG')")


def test_users_reach_no_account_table(sql: Sql) -> None:
    sql.rows("insert into auth.sessions (user_id) values (%s)", sql.alice)
    for acting in (sql.as_anon(), sql.as_user(sql.alice), sql.as_service()):
        with acting:
            for table in ("users", "sessions", "refresh_tokens", "identities"):
                with sql.refused("42501", match="permission denied"):
                    sql.rows(f"select * from auth.{table}")


def test_checksum_rule_takes_any_json_without_an_error(sql: Sql) -> None:
    values: list[Any] = [None, [], {}, 1, "x", {"slices": {}}, {"slices": [1, {}, []], "slice_size": []}]
    for value in values:
        assert sql.value("select public.is_checksum_manifest(%s, 1000)", Jsonb(value)) is False
