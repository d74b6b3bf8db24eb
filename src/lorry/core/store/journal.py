"""The journal of uploads: facts that let an upload go on after a crash, committed before and after each remote effect.

It holds no token, signed URL or key. One row per upload, removed when the upload has ended. A job is worked on by one
process at a time: whoever holds its lock file. Thread-safe.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from sqlite3 import Row
from typing import Any
from uuid import UUID

from filelock import FileLock, Timeout

from lorry.core.errors import ErrorCode, StoreError
from lorry.core.model import DatasetDraft
from lorry.core.paths import private_dir
from lorry.core.store.db import open_database, translated
from lorry.core.transfers import FileStamp, UploadJob

log = logging.getLogger(__name__)

_MIGRATIONS = (
    """
    CREATE TABLE upload (
        dataset_id   TEXT PRIMARY KEY,
        project      TEXT NOT NULL,
        user_id      TEXT NOT NULL,
        path         BLOB NOT NULL,
        draft        TEXT NOT NULL,
        device       TEXT NOT NULL,
        inode        TEXT NOT NULL,
        size_bytes   INTEGER NOT NULL,
        mtime_ns     INTEGER NOT NULL,
        storage_path TEXT NOT NULL,
        row_seen     INTEGER NOT NULL DEFAULT 0,
        cancelling   INTEGER NOT NULL DEFAULT 0,
        last_error   TEXT NOT NULL DEFAULT '',
        created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ) STRICT
    """,
    "ALTER TABLE upload ADD COLUMN starting_over INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN paused INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN upload_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE upload ADD COLUMN versions TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE upload ADD COLUMN offset_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN hashed_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN prefix_sha256 TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE upload ADD COLUMN slices TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE upload ADD COLUMN checksums TEXT NOT NULL DEFAULT 'null'",
    "ALTER TABLE upload ADD COLUMN final_sent INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE upload ADD COLUMN restarts TEXT NOT NULL DEFAULT '[]'",
)

#: How each field of a job is written, and read again; its identity (`dataset_id`) is the key.
_COLUMNS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "project": (str, str),
    "user_id": (str, UUID),
    "path": (os.fsencode, lambda value: Path(os.fsdecode(value))),
    "draft": (lambda draft: draft.model_dump_json(), DatasetDraft.model_validate_json),
    "storage_path": (str, str),
    **dict.fromkeys(("row_seen", "cancelling", "starting_over", "paused", "final_sent"), (int, bool)),
    **dict.fromkeys(("last_error", "upload_id", "prefix_sha256"), (str, str)),
    **dict.fromkeys(("offset_bytes", "hashed_bytes"), (int, int)),
    **dict.fromkeys(("versions", "slices", "restarts"), (json.dumps, lambda value: tuple(json.loads(value)))),
    "checksums": (json.dumps, json.loads),
}


class Journal:
    """The file behind it is precious; losing it loses nothing on the server, but nobody would know what to continue."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal. One that is damaged is put aside, so that nothing keeps Lorry from starting.

        Raises:
            StoreError: it cannot be opened and not be put aside either.
        """
        #: Where a damaged journal was put, None when it was in order.
        self.damaged_copy: Path | None = None
        self._path = path
        self._claims_dir = path.parent / "uploads"
        self._lock = threading.Lock()
        self._claims: dict[UUID, FileLock] = {}
        self._ended: set[UUID] = set()
        try:
            self._db = open_database(path, _MIGRATIONS)
        except StoreError as error:
            if error.code is not ErrorCode.STORE_DAMAGED or not path.is_file():
                raise
            self.damaged_copy = _put_aside(path)
            self._db = open_database(path, _MIGRATIONS)
        self._sweep_claims()

    def close(self) -> None:
        """Release all claims and close the file. Harmless when repeated."""
        with self._lock:
            for claim in self._claims.values():
                claim.release()
            self._claims.clear()
            self._db.close()

    def add(self, job: UploadJob) -> None:
        """Note a new upload, at the end of the queue."""
        columns = {"dataset_id": str(job.dataset_id)} | _values(job)
        marks = ",".join("?" * len(columns))
        sql = (
            f"INSERT INTO upload ({','.join(columns)}, place)"  # noqa: S608 - the names are this module's own
            f" VALUES ({marks}, (SELECT coalesce(max(place), 0) + 1 FROM upload))"
        )
        self._write(sql, *columns.values())

    def note(self, job: UploadJob, **changes: Any) -> UploadJob:
        """Commit changed facts and return the job with them. The names are those of `UploadJob`."""
        changed = replace(job, **changes)
        before, after = _values(job), _values(changed)
        columns = {name: value for name, value in after.items() if before[name] != value}
        if columns:
            names = ",".join(f"{name}=?" for name in columns)
            sql = f"UPDATE upload SET {names} WHERE dataset_id=?"  # noqa: S608 - the names are this module's own
            self._write(sql, *columns.values(), str(job.dataset_id))
        return changed

    def set_paused(self, dataset_ids: Iterable[UUID], paused: bool) -> None:
        """Note in one commit that the user has paused these uploads, or lets them go on."""
        keys = json.dumps([str(dataset_id) for dataset_id in dataset_ids])
        self._write(
            "UPDATE upload SET paused=? WHERE dataset_id IN (SELECT value FROM json_each(?))", int(paused), keys
        )

    def set_order(self, dataset_ids: Iterable[UUID]) -> None:
        """Note in one commit in which order uploads are to be taken."""
        keys = json.dumps([str(dataset_id) for dataset_id in dataset_ids])
        self._write(
            "UPDATE upload SET place = places.key FROM json_each(?) AS places WHERE upload.dataset_id = places.value",
            keys,
        )

    def remove(self, dataset_id: UUID) -> None:
        """The upload has ended."""
        self._write("DELETE FROM upload WHERE dataset_id=?", str(dataset_id))
        with self._lock:
            if dataset_id in self._claims:
                self._ended.add(dataset_id)

    def jobs(self, project: str, user_id: UUID) -> list[UploadJob]:
        """The open uploads of one user in one project, in the order they are to be taken."""
        with self._lock, translated(self._path):
            rows = self._db.execute(
                "SELECT * FROM upload WHERE project=? AND user_id=? ORDER BY place, rowid",
                (project, str(user_id)),
            ).fetchall()
        jobs = []
        for row in rows:
            try:
                jobs.append(_job(row))
            except ValueError as error:  # pydantic's ValidationError is one
                log.warning("the journal's upload %s makes no sense: %s", row["dataset_id"], error)
        return jobs

    def find(self, dataset_id: UUID) -> UploadJob | None:
        """One open upload, None when it has ended."""
        with self._lock, translated(self._path):
            row = self._db.execute("SELECT * FROM upload WHERE dataset_id=?", (str(dataset_id),)).fetchone()
            return _job(row) if row else None

    def claim(self, dataset_id: UUID) -> bool:
        """Take the job for one worker of this process; False when one here or in another process has it."""
        with self._lock, translated(self._path):
            if dataset_id in self._claims:
                return False
            lock = FileLock(str(private_dir(self._claims_dir) / f"{dataset_id}.lock"), mode=0o600)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return False
            self._claims[dataset_id] = lock
            return True

    def release(self, dataset_id: UUID) -> None:
        """Let others work on the job; its lock file goes when the job has ended. Raises nothing."""
        with self._lock:
            lock = self._claims.pop(dataset_id, None)
            if lock is None:
                return
            lock.release()
            # Whoever took it in between finds that the job has ended. An open file cannot be removed on Windows.
            if dataset_id in self._ended:
                self._ended.discard(dataset_id)
                with suppress(OSError):
                    Path(lock.lock_file).unlink()

    def _sweep_claims(self) -> None:
        """Remove the lock files of jobs that had ended when their process died."""
        with translated(self._path):
            rows = self._db.execute("SELECT dataset_id FROM upload").fetchall()
        open_jobs = {row["dataset_id"] for row in rows}
        for path in self._claims_dir.glob("*.lock"):
            if path.stem in open_jobs:
                continue
            lock = FileLock(str(path), mode=0o600)
            with suppress(Timeout, OSError):  # held: a job that is just being added
                lock.acquire(timeout=0)
                lock.release()
                path.unlink()

    def _write(self, sql: str, *values: str | int | bytes) -> None:
        with self._lock, translated(self._path):
            self._db.execute(sql, values)


def _put_aside(path: Path) -> Path:
    """Rename a damaged database with what belongs to it; its name says when."""
    copy = path.with_name(f"{path.name}.damaged-{datetime.now():%Y%m%d-%H%M%S}")
    with translated(path):
        path.replace(copy)
        for suffix in ("-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(copy.with_name(copy.name + suffix))
    return copy


def _values(job: UploadJob) -> dict[str, Any]:
    stamp = job.stamp
    return {name: write(getattr(job, name)) for name, (write, _) in _COLUMNS.items()} | {
        # Numbers of 64 bits without a sign do not fit SQLite's integers.
        "device": str(stamp.device),
        "inode": str(stamp.inode),
        "size_bytes": stamp.size_bytes,
        "mtime_ns": stamp.mtime_ns,
    }


def _job(row: Row) -> UploadJob:
    values = {name: read(row[name]) for name, (_, read) in _COLUMNS.items()}
    stamp = FileStamp(int(row["device"]), int(row["inode"]), row["size_bytes"], row["mtime_ns"])
    return UploadJob(dataset_id=UUID(row["dataset_id"]), stamp=stamp, **values)
