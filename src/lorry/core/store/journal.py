"""The journal of uploads: facts that let an upload go on after a crash, committed before and after each remote effect.

It holds no token, signed URL or key. One row per upload, removed when the upload has ended. A job is worked on by one
process at a time: whoever holds its lock file. Thread-safe.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from sqlite3 import Row
from uuid import UUID

from filelock import FileLock, Timeout

from lorry.core.model import DatasetDraft
from lorry.core.paths import private_dir
from lorry.core.store.db import open_database, translated
from lorry.core.transfers import FileStamp, UploadJob

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
)


class Journal:
    """The file behind it is precious; losing it loses nothing on the server, but nobody would know what to continue."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal. Raises StoreError."""
        self._path = path
        self._claims_dir = path.parent / "uploads"
        self._lock = threading.Lock()
        self._claims: dict[UUID, FileLock] = {}
        self._db = open_database(path, _MIGRATIONS)

    def close(self) -> None:
        """Release all claims and close the file. Harmless when repeated."""
        with self._lock:
            for claim in self._claims.values():
                claim.release()
            self._claims.clear()
            self._db.close()

    def add(self, job: UploadJob) -> None:
        """Note a new upload."""
        stamp = job.stamp
        self._write(
            "INSERT INTO upload (dataset_id, project, user_id, path, draft, device, inode, size_bytes, mtime_ns,"
            " storage_path, row_seen, cancelling, last_error) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            str(job.dataset_id),
            job.project,
            str(job.user_id),
            os.fsencode(job.path),
            job.draft.model_dump_json(),
            str(stamp.device),
            str(stamp.inode),
            stamp.size_bytes,
            stamp.mtime_ns,
            job.storage_path,
            job.row_seen,
            job.cancelling,
            job.last_error,
        )

    def note(
        self,
        job: UploadJob,
        *,
        row_seen: bool | None = None,
        cancelling: bool | None = None,
        last_error: str | None = None,
    ) -> UploadJob:
        """Commit changed facts and return the job with them."""
        changed = replace(
            job,
            row_seen=job.row_seen if row_seen is None else row_seen,
            cancelling=job.cancelling if cancelling is None else cancelling,
            last_error=job.last_error if last_error is None else last_error,
        )
        if changed != job:
            self._write(
                "UPDATE upload SET row_seen=?, cancelling=?, last_error=? WHERE dataset_id=?",
                changed.row_seen,
                changed.cancelling,
                changed.last_error,
                str(job.dataset_id),
            )
        return changed

    def remove(self, dataset_id: UUID) -> None:
        """The upload has ended."""
        self._write("DELETE FROM upload WHERE dataset_id=?", str(dataset_id))

    def jobs(self, project: str, user_id: UUID) -> list[UploadJob]:
        """The open uploads of one user in one project, oldest first."""
        with self._lock, translated(self._path):
            rows = self._db.execute(
                "SELECT * FROM upload WHERE project=? AND user_id=? ORDER BY rowid",
                (project, str(user_id)),
            ).fetchall()
        return [_job(row) for row in rows]

    def claim(self, dataset_id: UUID) -> bool:
        """Make this process the one that works on the job; False when another one is alive and does."""
        with self._lock:
            if dataset_id in self._claims:
                return True
            lock = FileLock(str(private_dir(self._claims_dir) / f"{dataset_id}.lock"), mode=0o600)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return False
            self._claims[dataset_id] = lock
            return True

    def release(self, dataset_id: UUID) -> None:
        """Let others work on the job; its lock file goes when the job has ended."""
        with self._lock:
            lock = self._claims.pop(dataset_id, None)
            if lock is None:
                return
            with translated(self._path):
                kept = self._db.execute("SELECT 1 FROM upload WHERE dataset_id=?", (str(dataset_id),)).fetchone()
            if kept is None:
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def _write(self, sql: str, *values: str | int | bytes) -> None:
        with self._lock, translated(self._path):
            self._db.execute(sql, values)


def _job(row: Row) -> UploadJob:
    return UploadJob(
        dataset_id=UUID(row["dataset_id"]),
        project=row["project"],
        user_id=UUID(row["user_id"]),
        path=Path(os.fsdecode(row["path"])),
        draft=DatasetDraft.model_validate_json(row["draft"]),
        stamp=FileStamp(int(row["device"]), int(row["inode"]), row["size_bytes"], row["mtime_ns"]),
        storage_path=row["storage_path"],
        row_seen=bool(row["row_seen"]),
        cancelling=bool(row["cancelling"]),
        last_error=row["last_error"],
    )
