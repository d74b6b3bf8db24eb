"""Opening a SQLite file of Lorry's own: safe modes, private permissions, schema version, errors of ours."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lorry.core.errors import ErrorCode, StoreError
from lorry.core.paths import private_dir

#: Marks the file as Lorry's journal ("Lory" in ASCII).
APPLICATION_ID = 0x4C6F7279
_BUSY_TIMEOUT_S = 5.0


def open_database(path: Path, migrations: tuple[str, ...]) -> sqlite3.Connection:
    """Open or create `path` and bring its schema to `len(migrations)`.

    Write-ahead log with `synchronous=FULL`: a committed fact survives a power cut. The connection may be used from any
    thread, by one at a time.

    Raises:
        StoreError: DISK_FULL, STORE_LOCKED, STORE_DAMAGED or STORE_TOO_NEW (context `path`).
    """
    with translated(path):
        private_dir(path.parent)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise StoreError(ErrorCode.STORE_DAMAGED, str(found), context={"path": str(path)})
            _migrate(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
        return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: tuple[str, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise StoreError(ErrorCode.STORE_TOO_NEW, f"version {version}", context={"path": str(path)})
        for statement in migrations[version:]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into StoreError."""
    context: dict[str, str | int] = {"path": str(path)}
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            raise StoreError(ErrorCode.DISK_FULL, text, context=context) from error
        code = ErrorCode.STORE_LOCKED if "locked" in text else ErrorCode.STORE_DAMAGED
        raise StoreError(code, text, context=context) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(ErrorCode.STORE_DAMAGED, str(error), context=context) from error
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else ErrorCode.STORE_DAMAGED
        raise StoreError(code, str(error), context=context) from error
