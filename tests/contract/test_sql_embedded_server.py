"""The embedded PostgreSQL: private, one owner at a time, and back with all committed data after any death."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lorry.local_server import cluster
from lorry.local_server.database import Database
from lorry.local_server.postgres_programs import ClusterError

# A process that owns a workspace, commits an account, says so, and waits to be killed.
OWNER = """
import sys, pathlib, psycopg
from lorry.local_server.database import Database
database = Database.embedded(pathlib.Path(sys.argv[1]))
database.prepare()
with psycopg.connect(database.dsn) as connection:
    connection.execute("insert into auth.users (email) values (%s)", (sys.argv[2],))
print("committed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def new_home() -> Iterator[Path]:
    """A place for one workspace, not made yet, with a short path (tmp_path can be too long for a socket)."""
    folder = Path(tempfile.mkdtemp(prefix="lorry-ws-"))
    yield folder / "workspace"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def prepared_home() -> Iterator[Path]:
    """One prepared workspace, closed, to copy from: initdb is most of the time of a first start."""
    folder = Path(tempfile.mkdtemp(prefix="lorry-ws-"))
    with Database.embedded(folder / "workspace") as database:
        database.prepare()
    yield folder / "workspace"
    shutil.rmtree(folder)


@pytest.fixture
def home(new_home: Path, prepared_home: Path) -> Path:
    """A prepared workspace of its own for one test."""
    subprocess.run(["cp", "-a", prepared_home, new_home], check=True)
    return new_home


@contextmanager
def killed_owner(home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run OWNER until its row is committed; the test kills it, this waits for it."""
    email = f"{uuid.uuid4()}@example.org"
    source = str(Path(cluster.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, home, email],
        env={**os.environ, "PYTHONPATH": source},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "committed\n"
        yield email, owner
        owner.kill()


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def kill_all(*processes: psutil.Process | subprocess.Popen[str]) -> None:
    """SIGKILL each; one may end by itself because another did."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def lives(process: psutil.Process) -> bool:
    """A zombie is dead; in a container often nobody reaps it."""
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def assert_kept(home: Path, email: str) -> None:
    """A new owner finds the committed account."""
    with Database.embedded(home) as database:
        assert database.prepare() == []
        with psycopg.connect(database.dsn) as connection:
            found = connection.execute("select email from auth.users where email = %s", (email,)).fetchall()
    assert found == [(email,)]


def test_data_and_password_stay_between_starts(new_home: Path) -> None:
    with Database.embedded(new_home) as first:
        assert first.prepare()
    with Database.embedded(new_home) as second:
        assert second.prepare() == []
        assert second.dsn == first.dsn
    second.close()


def test_a_plain_copy_of_the_folder_works(prepared_home: Path, new_home: Path) -> None:
    """Without `cp -a` a copy made by root belongs to root, as whom no server runs."""
    subprocess.run(["cp", "-r", prepared_home, new_home], check=True)
    with Database.embedded(new_home) as copied:
        assert copied.prepare() == []


def test_owner_killed(home: Path) -> None:
    with killed_owner(home) as (email, owner):
        server = postmaster(home)
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lives(server) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert not lives(server), "the server ends with its owner"
    assert_kept(home, email)


def test_owner_and_its_watchers_killed_while_the_server_lives_on(home: Path) -> None:
    with killed_owner(home) as (email, owner):
        server = postmaster(home)
        watchers = [child for child in psutil.Process(owner.pid).children(recursive=True) if child.name() == "sh"]
        assert len(watchers) == 2
        kill_all(*watchers, owner)
    assert lives(server)
    assert_kept(home, email)
    assert not lives(server)


def test_everything_killed_at_once(home: Path) -> None:
    with killed_owner(home) as (email, owner):
        kill_all(*psutil.Process(owner.pid).children(recursive=True), owner)
    assert (home / "postgres" / "postmaster.pid").exists(), "the stale file is the point of this test"
    assert_kept(home, email)


def test_stale_pid_file_with_the_number_of_another_program(home: Path) -> None:
    with killed_owner(home) as (email, owner):
        kill_all(*psutil.Process(owner.pid).children(recursive=True), owner)
    pid_file = home / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert_kept(home, email)


def test_killed_in_the_middle_of_initdb(new_home: Path) -> None:
    half_made = new_home / "postgres.new-1234"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    (new_home / "postgres.password").write_text("of the half-made one")
    with Database.embedded(new_home) as database:
        assert database.prepare()
    assert not half_made.exists()


def test_lost_password_is_named_and_not_replaced(home: Path) -> None:
    (home / "postgres.password").unlink()
    with pytest.raises(ClusterError, match=r"postgres\.password"):
        Database.embedded(home)
    assert not (home / "postgres.password").exists()


def test_second_owner_is_told_that_the_folder_is_in_use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LOCK_TIMEOUT_S", 0.1)
    with Database.embedded(home) as first:
        with pytest.raises(ClusterError, match="in use by another Lorry"):
            Database.embedded(home)
        assert first.prepare() == [], "the refused one did not disturb the first"


def test_nobody_gets_in_without_the_password(home: Path) -> None:
    with Database.embedded(home) as database:
        database.prepare()
        for dsn in (database.dsn, database.admin_dsn):
            for password in ("", "wrong"):
                with pytest.raises(psycopg.OperationalError, match="password"):
                    psycopg.connect(make_conninfo(dsn, password=password), passfile="/dev/null")
        assert Path(str(conninfo_to_dict(database.dsn)["host"])).is_absolute(), "a socket, no port"
        modes = {name: (home / name).stat().st_mode & 0o777 for name in ("postgres.password", "socket", "postgres")}
    assert modes == {"postgres.password": 0o600, "socket": 0o700, "postgres": 0o700}


def test_gateway_is_no_superuser_but_may_act_as_every_role(home: Path) -> None:
    with Database.embedded(home) as database:
        database.prepare()
        with psycopg.connect(database.dsn) as connection:
            assert connection.execute("show is_superuser").fetchone() == ("off",)
            for role in ("anon", "authenticated", "service_role"):
                connection.execute(f"set local role {role}".encode())
                assert connection.execute("select current_user::text").fetchone() == (role,)
                connection.execute("reset role")
            for table in ("auth.users", "auth.refresh_tokens", "storage.objects"):
                connection.execute(f"select 1 from {table}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("copy auth.users to program 'cat'")


@pytest.mark.parametrize("name", ["x" * 120, 'Lorry\'s "dätä", 100 %  $HOME'])
def test_awkward_folder_names(new_home: Path, name: str) -> None:
    with Database.embedded(new_home.with_name(name)) as database:
        assert database.prepare()
        sockets = Path(str(conninfo_to_dict(database.dsn)["host"]))
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists(), "its path cannot be a socket's, so it was elsewhere and is gone"


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with Database.embedded(home) as database:
        database.prepare()
    (home / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ClusterError, match="no_such_setting"):
        Database.embedded(home)
    (home / "postgres" / "postgresql.conf").write_text("")
    with Database.embedded(home) as database:
        assert database.prepare() == []
