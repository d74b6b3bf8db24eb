"""Real PostgreSQL servers with the project's migrations, and a way to act on them as any role.

Each server is started once in a session; each test works in a transaction of its own that is rolled back. The
embedded server is the product's; the bare one is an installed PostgreSQL 15 with an initdb of its own.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lorry.local_server.database import Database

SERVERS = ("embedded", "bare")
BARE_MAJOR = 15
MIB = 1024 * 1024
Row = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """A prepared server: `admin_dsn` connects as a superuser."""

    name: str
    admin_dsn: str
    database: Database


@contextmanager
def embedded_server() -> Iterator[Server]:
    """The product's embedded server in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="lorry-pg-"))
    database = Database.embedded(folder)
    try:
        database.prepare()
        yield Server("embedded", database.admin_dsn, database)
    finally:
        database.close()
        shutil.rmtree(folder)


def bare_programs() -> Path | None:
    """The folder of an installed PostgreSQL 15: Debian's place, else beside pg_ctl on the PATH."""
    debian = Path("/usr/lib/postgresql") / str(BARE_MAJOR) / "bin"
    if (debian / "pg_ctl").exists():
        return debian
    found = shutil.which("pg_ctl")
    if found is None:
        return None
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return Path(found).resolve().parent if re.search(rf"\b{BARE_MAJOR}[.\d]*", version) else None


@contextmanager
def bare_cluster(programs: Path) -> Iterator[str]:
    """A new empty cluster of the installed PostgreSQL; yields a superuser's connection string."""
    folder = Path(tempfile.mkdtemp(prefix="lorry-pg-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses root
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def call(program: str, *arguments: str) -> None:
        with (folder / "output").open("wb") as output:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
            command = [str(programs / program), "-D", str(folder / "data"), *arguments]
            run = subprocess.run(
                command, stdout=output, stderr=output, env=environment, cwd=folder, check=False, **account
            )
        assert run.returncode == 0, (folder / "output").read_text()

    call("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    # Nothing here must outlive the session, so nothing has to reach the disk.
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "start", "-w", "-o", options, "-l", str(folder / "log"))
    try:
        yield f"host={folder} user=postgres dbname=postgres"
    finally:
        call("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(folder)


@contextmanager
def bare_server() -> Iterator[Server]:
    """A bare PostgreSQL 15, prepared as with `--database-url`; skips when there is none."""
    programs = bare_programs()
    if programs is None:
        pytest.skip(f"PostgreSQL {BARE_MAJOR} is not installed")
    with bare_cluster(programs) as dsn:
        database = Database.existing(dsn)
        database.prepare()
        yield Server("bare", dsn, database)


@dataclass
class Sql:
    """Acts on one server inside a transaction that ends in a rollback. `alice` and `bob` are users of it."""

    connection: psycopg.Connection[Row]
    alice: uuid.UUID = field(default_factory=uuid.uuid4)
    bob: uuid.UUID = field(default_factory=uuid.uuid4)

    def rows(self, query: str, *values: Any) -> list[Row]:
        """All rows of one statement; none when it returns nothing."""
        cursor = self.connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def row(self, query: str, *values: Any) -> Row:
        """The only row of one statement."""
        (row,) = self.rows(query, *values)
        return row

    def value(self, query: str, *values: Any) -> Any:
        """The only value of one statement."""
        (value,) = self.row(query, *values).values()
        return value

    def count(self, query: str, *values: Any) -> int:
        """How many rows a statement touches."""
        return self.connection.execute(query.encode(), values or None).rowcount

    @contextmanager
    def acting(self, role: str, claims: Row | None = None) -> Iterator[None]:
        """Everything inside runs as `role` with these JWT claims, as the gateway and PostgREST do it."""
        self.connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            (role, json.dumps(claims) if claims is not None else ""),
        )
        try:
            yield
        finally:
            if self.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
                self.connection.execute(
                    "select set_config('role', 'none', true), set_config('request.jwt.claims', '', true)"
                )

    @contextmanager
    def as_user(self, user_id: uuid.UUID) -> Iterator[None]:
        """As this signed-in user."""
        with self.acting("authenticated", {"sub": str(user_id), "role": "authenticated"}):
            yield

    @contextmanager
    def as_anon(self) -> Iterator[None]:
        """As a visitor with the public key alone."""
        with self.acting("anon", {"role": "anon"}):
            yield

    @contextmanager
    def as_service(self) -> Iterator[None]:
        """As service code."""
        with self.acting("service_role", {"role": "service_role"}):
            yield

    @contextmanager
    def refused(self, sqlstate: str, detail: str | None = None, match: str = "") -> Iterator[None]:
        """The statement inside must fail with this SQLSTATE (and reason); its transaction goes on."""
        with pytest.raises(psycopg.Error) as caught, self.connection.transaction():
            yield
        diagnostics = caught.value.diag
        said = f"{caught.value.sqlstate} {diagnostics.message_primary} ({diagnostics.message_detail})"
        assert caught.value.sqlstate == sqlstate, said
        if detail is not None:
            assert diagnostics.message_detail == detail, said
        assert re.search(match, diagnostics.message_primary or ""), said

    def add_user(self, user_id: uuid.UUID) -> None:
        """Make an account."""
        self.rows("insert into auth.users (id, email) values (%s, %s)", user_id, f"{user_id}@example.org")

    def new_dataset(self, owner: uuid.UUID, **columns: Any) -> Row:
        """Insert a row the way a client does, as `owner`, and return it."""
        values = dataset_values(owner, **columns)
        with self.as_user(owner):
            return self.row(*insert_statement("public.datasets", values))

    def store_object(
        self, row: Row, size: int | None = None, version: str | None = None, is_probe: bool = False
    ) -> str:
        """What the Storage service writes when the object of `row` is whole (or for a rights probe)."""
        written = version or str(uuid.uuid4())
        length = row["file_size"] if size is None else size
        metadata = {"mimetype": "application/jsonl", "contentLength": length}
        if not is_probe:
            metadata |= {"eTag": '"d41d8cd98f00b204e9800998ecf8427e"', "size": length}
        with self.acting("supabase_storage_admin"):
            self.rows(
                "insert into storage.objects (bucket_id, name, owner_id, version, metadata) "
                "values ('lora-datasets', %s, %s, %s, %s) on conflict (bucket_id, name) do update "
                "set version = excluded.version, metadata = excluded.metadata",
                *(row["storage_path"], str(row["user_id"]), written, Jsonb(metadata)),
            )
        return written

    def remove_object(self, row: Row) -> None:
        """What the Storage service does when the object of `row` is removed."""
        with self.acting("supabase_storage_admin"):
            self.rows("select set_config('storage.allow_delete_query', 'true', true)")
            self.rows("delete from storage.objects where name = %s", row["storage_path"])
            self.rows("select set_config('storage.allow_delete_query', 'false', true)")

    def confirm(self, row: Row, checksums: Row | None = None) -> Row:
        """Call confirm_dataset_upload as the owner of `row`."""
        with self.as_user(row["user_id"]):
            return self.row(
                "select * from public.confirm_dataset_upload(%s, %s)",
                *(row["id"], None if checksums is None else Jsonb(checksums)),
            )

    def finish(self, row: Row, **result: Any) -> Row:
        """Call finish_validation as service code for the version recorded in `row`."""
        with self.as_service():
            return self.row(
                "select * from public.finish_validation(%s, %s, %s)",
                *(row["id"], row["object_version"], Jsonb(result)),
            )

    def dataset_in(self, status: str, owner: uuid.UUID | None = None) -> Row:
        """A dataset brought to `status` by the calls that real clients and services make."""
        row = self.new_dataset(owner or self.alice)
        if status == "uploading":
            return row
        self.store_object(row)
        row = self.confirm(row)
        if status == "validating":
            return row
        message = "No training pairs" if status == "error" else None
        return self.finish(row, status=status, total_training_pairs=12, error_message=message)

    def reread(self, row: Row) -> Row:
        """The row as it is now, past all policies."""
        return self.row("select * from public.datasets where id = %s", row["id"])


def insert_statement(table: str, values: Row) -> tuple[Any, ...]:
    """An insert of one row with `returning *`, and its values."""
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    wrapped = (Jsonb(value) if isinstance(value, dict) else value for value in values.values())
    return (f"insert into {table} ({names}) values ({marks}) returning *", *wrapped)


def dataset_values(owner: uuid.UUID, **columns: Any) -> Row:
    """The columns a client sends for a new dataset of `owner`, with changes."""
    dataset_id = columns.get("id", uuid.uuid4())
    return {
        "id": dataset_id,
        "user_id": owner,
        "name": "Sales calls",
        "storage_path": f"{owner}/{dataset_id}/sales_calls.jsonl",
        "file_name": "sales calls.jsonl",
        "file_size": 1000,
        **columns,
    }


def checksums_for(size: int, digit: str = "a") -> Row:
    """A checksum manifest of the right shape for a file of `size` bytes."""
    slices = -(-size // (32 * MIB))
    return {
        "algorithm": "sha256",
        "whole": digit * 64,
        "slice_size": 32 * MIB,
        "slices": [digit * 64] * slices,
    }


def connect(server: Server) -> psycopg.Connection[Row]:
    """A new connection as the superuser."""
    return psycopg.connect(server.admin_dsn, row_factory=dict_row)


@contextmanager
def transaction_with_users(connection: psycopg.Connection[Row]) -> Iterator[Sql]:
    """A transaction with two users; rolled back at the end."""
    sql = Sql(connection)
    sql.add_user(sql.alice)
    sql.add_user(sql.bob)
    yield sql
    connection.rollback()
