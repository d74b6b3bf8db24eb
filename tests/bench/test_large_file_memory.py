"""Memory of `lorry upload` with a file of 10 GB, to a project whose limits were raised by its administrator."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psycopg
import pytest
from tests.bench.measure import run
from tests.support.client import rows, settings_of
from tests.support.postgres import bare_programs, bare_server
from tests.support.workspace import BUCKET, RunningServer, short_folder

SIZE_BYTES = 10_000_000_000
GOAL_MB = 120
_RAISE_LIMITS = (
    f"update storage.buckets set file_size_limit = {SIZE_BYTES} where id = '{BUCKET}'",
    "alter table public.datasets drop constraint datasets_file_size_check",
    # Only what is sent counts here; the validation would read all of it again.
    "alter table public.datasets drop constraint datasets_checksums_check",
)


@pytest.mark.timeout(900)
@pytest.mark.skipif(bare_programs() is None, reason="needs an installed PostgreSQL 15")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of at least thirty-two characters\n")
    file = tmp_path / "sparse.jsonl"
    with file.open("wb") as handle:
        handle.truncate(SIZE_BYTES)
    with short_folder() as folder, bare_server() as bare:
        arguments = ("--database-url", bare.admin_dsn, "--jwt-secret-file", str(secret))
        server = RunningServer.start(folder, *arguments)
        try:
            with psycopg.connect(bare.admin_dsn) as database:
                for statement in _RAISE_LIMITS:
                    database.execute(statement)
            user = server.new_user()
            environment = settings_of(user) | {"LORRY_HOME": str(tmp_path / "home")}
            measured = run([sys.executable, "-m", "lorry", "upload", str(file), "--anyway"], environment)
            (row,) = rows(server, user_id=user.id)
        finally:
            server.stop(signal.SIGKILL)  # it would read the 10 GB first
    print(f"\n10 GB: {measured}, {SIZE_BYTES / measured.wall_s / 1e6:.0f} MB/s")
    assert row["file_size"] == SIZE_BYTES and row["status"] != "uploading"
    assert measured.peak_mb < GOAL_MB
