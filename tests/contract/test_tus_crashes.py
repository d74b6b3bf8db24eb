"""The server is killed: between parts, within one, between bytes and row. What was acknowledged is there again."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.tus import MIB, TusUpload, content_of, resumable_files, rows_blocked
from tests.support.workspace import BUCKET, RunningServer, User, short_folder, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a workspace of this test alone."""
    with short_folder() as path:
        yield path


def restart(server: RunningServer, *uploads: TusUpload, how: int = signal.SIGKILL) -> RunningServer:
    """End the server and start it again on its folder; the uploads go on with the new one."""
    server.stop(how)
    started = RunningServer.start(server.data_dir)
    for upload in uploads:
        upload.user = User(started, upload.user.email, upload.user.password, upload.user.session)
    return started


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "stop"])
def test_an_upload_goes_on_after_the_server_ended_between_and_within_parts(folder: Path, how: int) -> None:
    server = RunningServer.start(folder)
    content = content_of(20 * MIB)
    upload = TusUpload.of_new_row(server.new_user(), len(content))
    assert upload.create(len(content)).status_code == 201
    assert upload.patch(0, content[: 6 * MIB]).status_code == 204
    server = restart(server, upload, how=how)
    assert upload.offset() == 6 * MIB
    with upload.begin_patch(6 * MIB, 14 * MIB, content[6 * MIB : 11 * MIB]):
        wait_until(lambda: upload.bytes_on_disk() > 8 * MIB, what="a part that is being written")
        server = restart(server, upload, how=how)
    offset = upload.offset()
    assert 8 * MIB < offset <= 11 * MIB
    assert upload.patch(offset, content[offset:]).headers["tus-complete"] == "1"
    upload.assert_object_is(content)
    assert server.log() == ""
    server.stop()


def test_a_stop_lets_a_sender_know_what_arrived(folder: Path) -> None:
    server = RunningServer.start(folder)
    upload = TusUpload.of_new_row(server.new_user(), 4 * MIB)
    assert upload.create(4 * MIB).status_code == 201
    with upload.begin_patch(0, 4 * MIB, bytes(2 * MIB)) as stalled:
        wait_until(lambda: upload.bytes_on_disk() >= MIB, what="the first bytes")
        server.process.send_signal(signal.SIGTERM)
        answer = stalled.makefile("rb").read().decode().lower()
    assert answer.startswith("http/1.1 204")
    assert f"upload-offset: {2 * MIB}\r\n" in answer
    server.stop()
    assert (upload.bytes_on_disk(), server.process.returncode) == (2 * MIB, 0)


def test_bytes_in_their_place_get_their_row_at_the_next_start(folder: Path) -> None:
    server = RunningServer.start(folder)
    content = content_of(3 * MIB)
    upload = TusUpload.of_new_row(server.new_user(), len(content), "signed")
    assert upload.create(len(content)).status_code == 201

    def send() -> None:
        with pytest.raises(httpx.TransportError):
            upload.patch(0, content)

    sender = threading.Thread(target=send)
    with rows_blocked(server):
        sender.start()
        wait_until(lambda: not upload.bytes_path.exists(), what="the bytes in their place")
        server.stop(signal.SIGKILL)
    sender.join()
    server = restart(server, upload)
    upload.assert_object_is(content)
    assert upload.offset() == len(content)
    assert upload.patch(len(content), b"").status_code == 409
    assert server.log() == ""
    server.stop()


def test_complete_bytes_that_were_not_placed_become_the_object(folder: Path) -> None:
    """As a kill between the last byte and the move leaves it: made here by putting the last bytes into the file."""
    server = RunningServer.start(folder)
    content = content_of(MIB)
    user = server.new_user()
    asked, started = (TusUpload.of_new_row(user, len(content)) for _ in range(2))
    for upload in (asked, started):
        assert upload.create(len(content)).status_code == 201
        assert upload.patch(0, content[:1000]).status_code == 204
    with asked.bytes_path.open("ab") as file:
        file.write(content[1000:])
    rescued = asked.patch(len(content), b"")
    assert (rescued.status_code, rescued.headers["tus-complete"]) == (204, "1")
    asked.assert_object_is(content)
    with started.bytes_path.open("ab") as file:
        file.write(content[1000:])
    server = restart(server, asked, started)
    assert started.has_object()
    started.assert_object_is(content)
    asked.assert_object_is(content)
    server.stop()


def test_an_object_that_was_deleted_does_not_come_back(folder: Path) -> None:
    server = RunningServer.start(folder)
    upload = TusUpload.of_new_row(server.new_user(), 4)
    assert upload.create(4, content=b"0123").status_code == 201
    with upload.user.client() as client:
        assert client.delete(f"/storage/v1/object/{BUCKET}/{upload.path}").status_code == 200
    assert upload.head().status_code == 410
    # Nor when a crash left its bytes.
    version = upload.bytes_path.stem
    left = folder / "objects" / "stored" / version[:2] / f"{version}.jsonl"
    left.write_bytes(b"0123")
    server = restart(server, upload)
    assert not left.exists() and not upload.has_object()
    assert upload.head().status_code == 410
    server.stop()


def test_what_a_crash_left_half_made_is_swept(folder: Path) -> None:
    server = RunningServer.start(folder)
    upload = TusUpload.of_new_row(server.new_user(), 10)
    assert upload.create(10).status_code == 201
    kept = resumable_files(server)
    for name in ("00000000-0000-4000-8000-000000000000.part", "x.json.0123abcd"):
        (folder / "objects" / "resumable" / name).write_bytes(b"left")
    server = restart(server, upload)
    assert resumable_files(server) == kept
    assert upload.patch(0, b"0123456789").headers["tus-complete"] == "1"
    server.stop()


@pytest.mark.parametrize(
    ("seed", "rounds"), [(4711, 4), *(pytest.param(seed, 20, marks=pytest.mark.long) for seed in range(10))]
)
def test_seeded_kills_lose_nothing(folder: Path, seed: int, rounds: int) -> None:
    """Kills at random moments of running uploads: every acknowledged byte is there, every object right, none twice."""
    chance = random.Random(seed)
    server = RunningServer.start(folder)
    person, done = server.new_user(), 0
    content = content_of(12 * MIB, seed=3)
    upload = TusUpload.of_new_row(person, len(content), "signed")
    assert upload.create(len(content)).status_code == 201
    for _ in range(rounds):
        acknowledged, moment = upload.offset(), chance.uniform(0.0, 0.12)
        killer = threading.Timer(moment, server.process.kill)
        killer.start()
        try:
            while acknowledged < len(content):
                end = min(acknowledged + chance.choice([1, 300_000, 2 * MIB, 6 * MIB]), len(content))
                acknowledged = int(upload.patch(acknowledged, content[acknowledged:end]).headers["upload-offset"])
        except httpx.TransportError:
            pass
        killer.join()
        server = restart(server, upload)
        person = upload.user
        offset = upload.offset()
        assert offset >= acknowledged
        assert upload.has_object() == (offset == len(content))
        if offset == len(content):
            upload.assert_object_is(content)
            done += 1
            upload = TusUpload.of_new_row(person, len(content), "signed")
            assert upload.create(len(content)).status_code == 201
    offset = upload.offset()
    assert upload.patch(offset, content[offset:]).headers["tus-complete"] == "1"
    upload.assert_object_is(content)
    with person.client() as client:
        rows = client.get("/rest/v1/datasets?select=id").json()
    assert len(rows) == done + 1
    server.stop()
