"""Lorry's own files: the journal of uploads, its claims between processes, and the settings."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from lorry.core.errors import ErrorCode, StoreError
from lorry.core.model import DatasetDraft, DatasetFormat
from lorry.core.store.journal import Journal
from lorry.core.store.settings import Settings
from lorry.core.transfers import FileStamp, UploadJob

PROJECT, USER = "https://project.example.org", uuid4()


def job(**changed: object) -> UploadJob:
    dataset_id = uuid4()
    made = UploadJob(
        dataset_id=dataset_id,
        project=PROJECT,
        user_id=USER,
        path=Path("/data/بيانات e\u0301.jsonl"),
        draft=DatasetDraft(
            name="Ein Name 😀",
            description="two\nlines",
            file_name="بيانات.jsonl",
            file_size=12,
            format=DatasetFormat.BRIGHTRUN_LORA_V3,
        ),
        # Beyond what SQLite's integers hold: such inode numbers exist.
        stamp=FileStamp(device=2**64 - 1, inode=2**64 - 2, size_bytes=12, mtime_ns=1_700_000_000_123_456_789),
        storage_path=f"{USER}/{dataset_id}/a.jsonl",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


@contextmanager
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile" / "journal.db"


def test_facts_survive_closing(path: Path) -> None:
    first, second = job(), job(path=Path(os.fsdecode(b"/data/caf\xe9.jsonl")))
    with journal(path) as opened:
        opened.add(first)
        opened.add(second)
        second = opened.note(second, row_seen=True, last_error="offline")
    with journal(path) as opened:
        assert opened.jobs(PROJECT, USER) == [first, second]
        assert (second.row_seen, second.cancelling, second.last_error) == (True, False, "offline")
        opened.note(first, cancelling=True)
        opened.remove(second.dataset_id)
    with journal(path) as opened:
        assert opened.jobs(PROJECT, USER) == [replace(first, cancelling=True)]


def test_facts_survive_a_killed_process(path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from lorry.core.store.journal import Journal;"
        "from tests.unit import test_core_store as here; opened = Journal(Path(sys.argv[1]));"
        "made = here.job(user_id=here.UUID(int=1)); opened.add(made); opened.note(made, row_seen=True);"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False, capture_output=True)
    assert ended.returncode == -9, ended.stderr
    with journal(path) as opened:
        (kept,) = opened.jobs(PROJECT, UUID(int=1))
    assert kept.row_seen


def test_jobs_are_told_apart_by_project_and_user(path: Path) -> None:
    mine, elsewhere, somebody = job(), job(project="https://other.example"), job(user_id=uuid4())
    with journal(path) as opened:
        for entry in (mine, elsewhere, somebody):
            opened.add(entry)
        assert opened.jobs(PROJECT, USER) == [mine]
        assert opened.jobs("https://other.example", USER) == [elsewhere]
        assert opened.jobs(PROJECT, uuid4()) == []


def test_an_id_is_added_once(path: Path) -> None:
    with journal(path) as opened:
        entry = job()
        opened.add(entry)
        with pytest.raises(StoreError):
            opened.add(entry)
        assert opened.jobs(PROJECT, USER) == [entry]


def test_noting_nothing_new_changes_nothing(path: Path) -> None:
    with journal(path) as opened:
        entry = job()
        opened.add(entry)
        assert opened.note(entry) is not None
        assert opened.note(entry, row_seen=False, last_error="") == entry


def test_only_this_user_may_read_it(path: Path) -> None:
    with journal(path) as opened:
        opened.add(job())
        opened.claim(uuid4())
        files = [entry for entry in path.parent.rglob("*") if entry.is_file()]
        assert {entry.name for entry in files} >= {"journal.db", "journal.db-wal"}
        assert {stat.S_IMODE(entry.stat().st_mode) for entry in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_no_secret_has_a_place_in_it(path: Path) -> None:
    with journal(path):
        database = sqlite3.connect(path)
        columns = {row[1] for row in database.execute("PRAGMA table_info(upload)")}
        database.close()
    assert not {name for name in columns if "token" in name or "url" in name or "key" in name or "password" in name}


def test_threads_share_it(path: Path) -> None:
    with journal(path) as opened:
        entries = [job() for _ in range(40)]

        def work(part: list[UploadJob]) -> None:
            for entry in part:
                opened.add(entry)
                opened.note(entry, row_seen=True)

        threads = [threading.Thread(target=work, args=(entries[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = opened.jobs(PROJECT, USER)
    assert {entry.dataset_id for entry in kept} == {entry.dataset_id for entry in entries}
    assert all(entry.row_seen for entry in kept)


#: The journal of the first version, with one upload in it.
FIRST_VERSION = """
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
    ) STRICT;
    PRAGMA application_id = 0x4C6F7279;
    PRAGMA user_version = 1;
"""


def test_an_upload_in_a_journal_of_the_first_version_goes_on(path: Path) -> None:
    old = job(row_seen=True)
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.executescript(FIRST_VERSION)
    stamp = old.stamp
    values = (
        *(str(old.dataset_id), PROJECT, str(USER), os.fsencode(old.path), old.draft.model_dump_json()),
        *(str(stamp.device), str(stamp.inode), stamp.size_bytes, stamp.mtime_ns, old.storage_path, 1, 0, "offline"),
    )
    names = "dataset_id,project,user_id,path,draft,device,inode,size_bytes,mtime_ns,storage_path,row_seen,cancelling"
    database.execute(f"INSERT INTO upload ({names},last_error) VALUES ({','.join('?' * 13)})", values)
    database.commit()
    database.close()
    with journal(path) as opened:
        (kept,) = opened.jobs(PROJECT, USER)
        assert kept == replace(old, last_error="offline")
        again = opened.note(kept, upload_id="abc", versions=("1",), slices=("a", "b"), restarts=(1.5,), final_sent=True)
        opened.add(new := job())
    with journal(path) as opened:
        assert opened.jobs(PROJECT, USER) == [again, new]


def test_every_fact_survives(path: Path) -> None:
    full = job(
        row_seen=True,
        cancelling=True,
        starting_over=True,
        paused=True,
        last_error="file_changed",
        upload_id="aGVsbG8",
        versions=("one", "two"),
        offset_bytes=2**40,
        hashed_bytes=2**40 + 1,
        prefix_sha256="ab" * 32,
        slices=("cd" * 32, "ef" * 32),
        checksums={"algorithm": "sha256", "whole": "00", "slice_size": 33_554_432, "slices": ["00"]},
        final_sent=True,
        restarts=(1_800_000_000.25, 1_800_000_100.5),
    )
    with journal(path) as opened:
        opened.add(full)
    with journal(path) as opened:
        assert opened.jobs(PROJECT, USER) == [full]
        assert opened.find(full.dataset_id) == full
        assert opened.find(uuid4()) is None


def test_the_order_and_the_pauses_are_kept(path: Path) -> None:
    with journal(path) as opened:
        entries = [job() for _ in range(4)]
        for entry in entries:
            opened.add(entry)
        first, second, third, fourth = (entry.dataset_id for entry in entries)
        opened.set_order([third, first, fourth, second])
        opened.set_paused([first, fourth], True)
        opened.add(last := job())
    with journal(path) as opened:
        kept = opened.jobs(PROJECT, USER)
        assert [entry.dataset_id for entry in kept] == [third, first, fourth, second, last.dataset_id]
        assert [entry.paused for entry in kept] == [False, True, True, False, False]
        opened.set_paused([first], False)
        assert [entry.paused for entry in opened.jobs(PROJECT, USER)] == [False, False, True, False, False]


def test_lock_files_of_jobs_that_ended_with_their_process_go_at_the_next_start(path: Path) -> None:
    with journal(path) as opened:
        running, ended = job(), job()
        for entry in (running, ended):
            opened.add(entry)
            assert opened.claim(entry.dataset_id)
        opened.remove(ended.dataset_id)
        with journal(path):
            locks = {lock.stem for lock in (path.parent / "uploads").glob("*.lock")}
            assert locks == {str(running.dataset_id), str(ended.dataset_id)}, "one that is held was removed"
    with journal(path) as opened:
        assert [lock.stem for lock in (path.parent / "uploads").glob("*.lock")] == [str(running.dataset_id)]


def test_a_newer_version_is_not_touched(path: Path) -> None:
    with journal(path) as opened:
        opened.add(job())
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Journal(path)
    assert caught.value.code is ErrorCode.STORE_TOO_NEW
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like one" * 100, b"\x00" * 8192])
def test_a_damaged_file_is_put_aside_and_keeps_nobody_from_starting(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with journal(path) as opened:
        assert opened.damaged_copy is not None
        assert opened.damaged_copy.read_bytes() == content
        assert opened.jobs(PROJECT, USER) == []
        one = job()
        opened.add(one)
    with journal(path) as opened:
        assert opened.damaged_copy is None
        assert opened.jobs(one.project, one.user_id) == [one]


def test_a_torn_file_is_put_aside(path: Path) -> None:
    with journal(path) as opened:
        for _ in range(50):
            opened.add(job())
    whole = path.read_bytes()
    torn = whole[:4096] + os.urandom(len(whole) - 4096)
    path.write_bytes(torn)
    with journal(path) as opened:
        assert opened.damaged_copy is not None
        assert opened.damaged_copy.read_bytes() == torn
        assert opened.jobs(PROJECT, USER) == []


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        Journal(path)
    assert caught.value.code is ErrorCode.STORE_DAMAGED


def test_a_locked_file_is_said_to_be_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorry.core.store.db._BUSY_TIMEOUT_S", 0.05)
    with journal(path) as opened:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError) as caught:
            opened.add(job())
        other.execute("ROLLBACK")
        other.close()
        assert caught.value.code is ErrorCode.STORE_LOCKED
        opened.add(job())


def test_closing_twice_is_harmless(path: Path) -> None:
    opened = Journal(path)
    opened.close()
    opened.close()


CLAIM = (
    "import sys; from pathlib import Path; from uuid import UUID; from lorry.core.store.journal import Journal;"
    "opened = Journal(Path(sys.argv[1])); print(opened.claim(UUID(sys.argv[2])), flush=True); sys.stdin.read();"
    "opened.close()"
)


def claim_elsewhere(path: Path, dataset_id: UUID) -> subprocess.Popen[str]:
    """A process that claims a job, says whether it got it, and keeps it until its stdin ends."""
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(path), str(dataset_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_process_at_a_time_works_on_a_job(path: Path) -> None:
    entry = job()
    with journal(path) as opened:
        opened.add(entry)
        assert opened.claim(entry.dataset_id)
        assert not opened.claim(entry.dataset_id), "nor do two workers of one process"
        with claim_elsewhere(path, entry.dataset_id) as second:
            assert says(second) == "False"
        opened.release(entry.dataset_id)
        with claim_elsewhere(path, entry.dataset_id) as third:
            assert says(third) == "True"
            assert not opened.claim(entry.dataset_id)
            assert opened.claim(uuid4())
            # A killed process holds nothing.
            third.kill()
            third.wait()
        assert opened.claim(entry.dataset_id)


def test_the_claim_of_an_ended_job_leaves_no_file(path: Path) -> None:
    entry = job()
    with journal(path) as opened:
        opened.add(entry)
        opened.claim(entry.dataset_id)
        opened.release(entry.dataset_id)
        assert len(list((path.parent / "uploads").iterdir())) == 1
        opened.claim(entry.dataset_id)
        opened.remove(entry.dataset_id)
        opened.release(entry.dataset_id)
        assert list((path.parent / "uploads").iterdir()) == []
        opened.release(uuid4())


def test_settings_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "profile" / "settings.json"
    settings = Settings(path)
    assert settings.get("window") is None
    assert settings.get("window", [1, 2]) == [1, 2]
    settings.set("window", [800, 600])
    settings.set("folder", "/data/بيانات")
    settings.set("flag", None)
    again = Settings(path)
    assert (again.get("window"), again.get("folder"), again.get("flag", 7)) == ([800, 600], "/data/بيانات", None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe\x00", b'{"a": 1} trailing', b"[" * 99999]
)
def test_damaged_settings_are_started_afresh(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    settings = Settings(path)
    assert settings.get("a", "none") == "none"
    settings.set("a", 2)
    assert Settings(path).get("a") == 2


def test_settings_that_cannot_be_written_are_kept_for_this_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(tmp_path / "file" / "settings.json")
    settings.set("a", 1)
    assert settings.get("a") == 1
