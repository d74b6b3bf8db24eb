"""The workspace's database: embedded or an existing PostgreSQL 15+, brought to the project's schema.

Owns the bootstrap (what Supabase itself provides) and the migrations with their record. Leaves running the
embedded server to `cluster` and every request to the gateway. Called at start and end of the server process.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from lorry.core.paths import resource_dir
from lorry.local_server.cluster import Cluster

_LOG = logging.getLogger(__name__)

GATEWAY_ROLE = "lorry_gateway"
OWNER_ROLE = "postgres"
# Two servers starting on one database take turns; the number only has to be ours.
_ADVISORY_LOCK = 0x6C6F727279
_BOOTSTRAP = Path(__file__).with_name("bootstrap.sql")

_MISSING_PARTS = b"""
select count(*) from (
  select to_regclass(name) as found from unnest(array[
    'auth.users', 'auth.identities', 'auth.sessions', 'auth.refresh_tokens',
    'storage.buckets', 'storage.objects'
  ]) as name
  union all
  select to_regprocedure(name)::oid::regclass from unnest(array[
    'auth.uid()', 'auth.jwt()', 'auth.role()', 'storage.foldername(text)'
  ]) as name
  union all
  select to_regrole(name)::oid::regclass from unnest(array['anon', 'authenticated', 'service_role']) as name
) as parts where found is null
"""

_RECORD_BOOTSTRAP = b"""
create schema if not exists lorry_local;
create table if not exists lorry_local.bootstrap (digest text primary key, applied_at timestamptz default now());
"""
_RECORD_MIGRATIONS = b"""
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key, statements text[], name text
);
"""
_RECORDED = b"select version from supabase_migrations.schema_migrations"
_RECORD_ONE = b"insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)"
_BOOTSTRAP_RECORDED = b"select exists (select 1 from lorry_local.bootstrap where digest = %s)"


class MigrationError(Exception):
    """A migration failed and was rolled back; the database is at the one before it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the migrations folder: `<version>_<name>.sql`, as the Supabase CLI names them."""

    version: str
    name: str
    path: Path


class Database:
    """A PostgreSQL to work on. Open it with `embedded` or `existing`, then `prepare` it once."""

    def __init__(self, dsn: str, admin_dsn: str, cluster: Cluster | None = None) -> None:
        self.dsn = dsn
        """Connection string of a role that may `set role` to anon, authenticated and service_role."""
        self.admin_dsn = admin_dsn
        """Connection string of the role that owns the schema; the gateway does not use it."""
        self._cluster = cluster

    @classmethod
    def embedded(cls, data_dir: Path) -> Self:
        """Start the private PostgreSQL kept in `data_dir`, making it the first time.

        Raises:
            ClusterError: the folder is in use, or PostgreSQL does not start.
            OSError: the folder cannot be written, or root lacks what it needs to run the server.
        """
        cluster = Cluster(data_dir.absolute())
        cluster.start()
        return cls(cluster.conninfo(GATEWAY_ROLE), cluster.conninfo(), cluster)

    @classmethod
    def existing(cls, url: str) -> Self:
        """Use a running PostgreSQL 15+; `url` must name a superuser, or Supabase's own `postgres` role.

        It connects only in `prepare`.
        """
        return cls(url, url)

    def prepare(self, migrations_dir: Path | None = None) -> list[str]:
        """Bring the database to the current schema; returns the versions applied now, none the second time.

        `migrations_dir` defaults to the project's own. Each step is one transaction.

        Raises:
            MigrationError: a step failed; steps before it stand.
            psycopg.OperationalError: the database does not answer.
        """
        folder = migrations_dir or resource_dir() / "supabase" / "migrations"
        started = time.monotonic()
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
            self._bootstrap(connection)
            applied = _apply_migrations(connection, folder)
        elapsed_ms = (time.monotonic() - started) * 1000
        _LOG.info("database prepared in %.0f ms, %d migrations applied", elapsed_ms, len(applied))
        return applied

    def close(self) -> None:
        """Stop the embedded server; an existing one is left running. Calling it twice is harmless."""
        if self._cluster is not None:
            self._cluster.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bootstrap(self, connection: psycopg.Connection) -> None:
        script = _BOOTSTRAP.read_bytes()
        digest = hashlib.sha256(script).hexdigest()
        if not _needs_bootstrap(connection, digest):
            return
        try:
            with connection.transaction():
                connection.execute(script)
                connection.execute(_RECORD_BOOTSTRAP)
                connection.execute("insert into lorry_local.bootstrap values (%s)", (digest,))
                if self._cluster is not None:
                    connection.execute(
                        sql.SQL("alter role {} login password {}").format(
                            sql.Identifier(GATEWAY_ROLE), sql.Literal(self._cluster.password)
                        )
                    )
        except psycopg.DatabaseError as error:
            raise MigrationError(f"The base schema could not be made: {error}") from error


def migrations_in(folder: Path) -> list[Migration]:
    """The migrations of a folder in the order they run."""
    parts = [(path, *path.stem.partition("_")[::2]) for path in sorted(folder.glob("*.sql"))]
    return [Migration(version, name, path) for path, version, name in parts]


def _needs_bootstrap(connection: psycopg.Connection, digest: str) -> bool:
    """False when this very script has run, or a Supabase project already has everything it would make."""
    if _value(connection, b"select to_regclass('lorry_local.bootstrap') is not null"):
        return not _value(connection, _BOOTSTRAP_RECORDED, digest)
    return bool(_value(connection, _MISSING_PARTS))


def _apply_migrations(connection: psycopg.Connection, folder: Path) -> list[str]:
    """Run what is not recorded yet, in the table the Supabase CLI keeps its record in."""
    migrations = migrations_in(folder)
    if not migrations:
        raise MigrationError(f"No migrations in {folder}")
    if not _value(connection, b"select to_regclass('supabase_migrations.schema_migrations') is not null"):
        connection.execute(_RECORD_MIGRATIONS)
    recorded = {row[0] for row in connection.execute(_RECORDED)}
    pending = [migration for migration in migrations if migration.version not in recorded]
    for migration in pending:
        script = migration.path.read_text("utf-8")
        try:
            with connection.transaction():
                # The owner of the tables and functions is no superuser, as on a hosted project.
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER_ROLE)))
                connection.execute(script.encode())
                connection.execute("reset role")
                connection.execute(_RECORD_ONE, (migration.version, [script], migration.name))
        except psycopg.DatabaseError as error:
            raise MigrationError(f"Migration {migration.path.name} failed: {error}") from error
    return [migration.version for migration in pending]


def _value(connection: psycopg.Connection, query: bytes, *parameters: object) -> object:
    row = connection.execute(query, parameters or None).fetchone()
    return None if row is None else row[0]
