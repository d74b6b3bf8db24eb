"""Who may call and touch what: column grants, forced row-level security, EXECUTE, a visitor without a user."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.postgres import Server, Sql, dataset_values, insert_statement

TABLES = ("datasets", "notifications")
#: A table that nobody may touch but through functions.
CLOSED_TABLES = ("validation_records",)
MAY_INSERT = {
    "id", "user_id", "name", "description", "format", "status", "storage_bucket", "storage_path", "file_name",
    "file_size", "checksums",
}  # fmt: skip
MAY_UPDATE = {"name", "description", "deleted_at"}
OPEN_TO = {
    "confirm_dataset_upload": {"authenticated"},
    "revalidate_dataset": {"authenticated"},
    "purge_dataset": {"authenticated"},
    "upload_limits": {"authenticated", "service_role"},
    "search_datasets": {"authenticated", "service_role"},
    "finish_validation": {"service_role"},
    "is_dataset_path": {"authenticated", "service_role"},
    "is_checksum_manifest": {"authenticated", "service_role"},
    "stored_object": set(),
    "own_dataset_for_update": set(),
    "require_stored_object": set(),
    "guard_dataset_insert": set(),
    "guard_dataset_update": set(),
    "claim_validation": {"service_role"},
    "save_validation": {"service_role"},
    "validation_records_of": {"service_role"},
    "end_validation": {"service_role"},
    "claimed_validation": set(),
    "drop_validation_records": set(),
}


def test_every_table_forces_row_level_security(sql: Sql) -> None:
    tables = sql.rows(
        "select relname, relrowsecurity, relforcerowsecurity from pg_class "
        "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by relname"
    )
    assert [table["relname"] for table in tables] == sorted(TABLES + CLOSED_TABLES)
    assert all(table["relrowsecurity"] and table["relforcerowsecurity"] for table in tables)


def test_every_policy_names_authenticated_and_compares_the_uid_once(sql: Sql) -> None:
    policies = sql.rows("select * from pg_policies where schemaname = 'public'")
    assert len(policies) == 5
    for policy in policies:
        assert policy["roles"] == ["authenticated"], policy["policyname"]
        conditions = {"SELECT": ["qual"], "INSERT": ["with_check"], "UPDATE": ["qual", "with_check"]}
        for part in conditions[policy["cmd"]]:
            # A sub-select is evaluated once a statement, a bare call once a row.
            assert "( SELECT auth.uid() AS uid) = user_id" in policy[part], policy["policyname"]


@pytest.mark.parametrize("role", ["anon", "authenticated", "public"])
def test_no_table_wide_grant_is_left_to_write(sql: Sql, role: str) -> None:
    grants = sql.rows(
        "select table_name, privilege_type from information_schema.role_table_grants "
        "where table_schema = 'public' and lower(grantee) = %s",
        role,
    )
    expected = {(table, "SELECT") for table in TABLES} if role == "authenticated" else set()
    assert {(grant["table_name"], grant["privilege_type"]) for grant in grants} == expected


def test_column_grants_are_the_listed_ones(sql: Sql) -> None:
    def columns(table: str, privilege: str) -> set[str]:
        query = (
            "select column_name from information_schema.column_privileges where table_schema = 'public' "
            "and table_name = %s and grantee = 'authenticated' and privilege_type = %s"
        )
        return {row["column_name"] for row in sql.rows(query, table, privilege)}

    assert columns("datasets", "INSERT") == MAY_INSERT
    assert columns("datasets", "UPDATE") == MAY_UPDATE
    assert columns("notifications", "INSERT") == set()
    assert columns("notifications", "UPDATE") == {"read"}


FORBIDDEN_CHANGES = {
    "status": "ready",
    "training_ready": True,
    "storage_path": "elsewhere",
    "user_id": "00000000-0000-0000-0000-000000000000",
    "file_size": 1,
    "checksums": None,
    "object_version": "1",
    "validation_errors": None,
    "error_message": "x",
    "created_at": "2020-01-01",
    "updated_at": "2020-01-01",
}


@pytest.mark.parametrize("column", FORBIDDEN_CHANGES)
def test_owner_cannot_update_column(sql: Sql, column: str) -> None:
    row = sql.dataset_in("uploading")
    with sql.as_user(sql.alice), sql.refused("42501", match="permission denied"):
        sql.rows(f"update public.datasets set {column} = %s where id = %s", FORBIDDEN_CHANGES[column], row["id"])
    assert sql.reread(row) == row


@pytest.mark.parametrize(
    "extra",
    [
        {"training_ready": True},
        {"validated_at": "2026-01-01"},
        {"total_tokens": 5},
        {"object_version": "1"},
        {"sample_data": {"a": 1}},
        {"created_at": "2020-01-01"},
        {"deleted_at": "2020-01-01"},
        {"error_message": "x"},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_owner_cannot_insert_column(sql: Sql, extra: dict[str, Any]) -> None:
    values = dataset_values(sql.alice) | extra
    with sql.as_user(sql.alice), sql.refused("42501", match="permission denied"):
        sql.rows(*insert_statement("public.datasets", values))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", ["delete from public.{}", "truncate public.{}"])
def test_owner_cannot_delete_rows(sql: Sql, table: str, verb: str) -> None:
    sql.dataset_in("ready")
    with sql.as_user(sql.alice), sql.refused("42501", match="permission denied"):
        sql.rows(verb.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.datasets",
        "insert into public.datasets (name) values ('x')",
        "update public.datasets set name = 'xx'",
        "delete from public.datasets",
        "select * from public.notifications",
        "update public.notifications set read = true",
        "select * from public.search_datasets()",
        "select public.upload_limits()",
        "select public.confirm_dataset_upload('00000000-0000-0000-0000-000000000000')",
        "select public.revalidate_dataset('00000000-0000-0000-0000-000000000000')",
        "select public.purge_dataset('00000000-0000-0000-0000-000000000000')",
        "select public.finish_validation('00000000-0000-0000-0000-000000000000', '1', '{}')",
    ],
)
def test_anon_is_refused(sql: Sql, statement: str) -> None:
    sql.dataset_in("ready")
    with sql.as_anon(), sql.refused("42501", match="permission denied"):
        sql.rows(statement)


def test_execute_is_granted_to_the_listed_roles_alone(sql: Sql) -> None:
    functions = sql.rows(
        "select proname, pronargs, oid from pg_proc where pronamespace = 'public'::regnamespace order by proname"
    )
    assert {function["proname"] for function in functions} == set(OPEN_TO)
    for function in functions:
        allowed = {
            role
            for role in ("anon", "authenticated", "service_role")
            if sql.value("select has_function_privilege(%s, %s::oid, 'execute')", role, function["oid"])
        }
        assert allowed == OPEN_TO[function["proname"]], function["proname"]


def test_public_may_execute_nothing_of_ours(sql: Sql) -> None:
    open_to_public = sql.rows(
        "select proname from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as grants "
        "where pronamespace = 'public'::regnamespace and grants.grantee = 0"
    )
    assert open_to_public == []


def test_new_tables_and_functions_do_start_out_open(sql: Sql) -> None:
    """The default privileges the migrations have to take back are really there, on every server under test."""
    sql.rows("set local role postgres")
    sql.rows("create table public.fresh (id int)")
    sql.rows("create function public.fresh() returns int language sql as 'select 1'")
    sql.rows("reset role")
    assert sql.value("select has_table_privilege('anon', 'public.fresh', 'insert')")
    assert sql.value("select has_function_privilege('anon', 'public.fresh()', 'execute')")


def test_definer_functions_pin_the_search_path(sql: Sql) -> None:
    definers = sql.rows(
        "select proname, proconfig from pg_proc where prosecdef and pronamespace = 'public'::regnamespace"
    )
    assert len(definers) == 14
    assert all(function["proconfig"] == ['search_path=""'] for function in definers), definers


def test_owner_of_definer_functions_is_exempt_from_row_security(sql: Sql, postgres_server: Server) -> None:
    """Row-level security is forced, so a definer function sees rows only when its owner is exempt.

    In the product that owner is no superuser; on a bare server the role `postgres` is one from the start.
    """
    owners = sql.rows(
        "select distinct rolname, rolbypassrls, rolsuper from pg_proc "
        "join pg_roles on pg_roles.oid = proowner where pronamespace = 'public'::regnamespace"
    )
    is_bare = postgres_server.name == "bare"
    assert owners == [{"rolname": "postgres", "rolbypassrls": True, "rolsuper": is_bare}]
