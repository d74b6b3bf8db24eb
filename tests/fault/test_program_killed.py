"""The program ends in the middle of an upload: killed, told to stop, started twice. The next start brings it home."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.client import Program, objects, program_of, rows
from tests.support.datasets import Expected, make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import Before, Stall, Throttle
from tests.support.uploads import BYTES
from tests.support.workspace import BUCKET, User, wait_until

SLOW, CRAWLING = Throttle(4_000_000), Throttle(1_000_000)


@pytest.fixture
def made(tmp_path: Path) -> Expected:
    # Larger than the kernel's buffers, so that half of it is on the way when the program ends.
    return make_dataset("conversation_lines", 9_000_000, tmp_path / "coaching.jsonl")


@pytest.fixture
def lorry(alice: User, proxy: FaultServer, tmp_path: Path) -> Program:
    return program_of(alice, tmp_path / "home", url=proxy.url)


def half_way(proxy: FaultServer, made: Expected) -> None:
    """Wait until the server has a good part of the file."""

    def has_part() -> bool:
        return any(seen.body_bytes > made.size_bytes // 4 for seen in proxy.seen(BYTES))

    wait_until(has_part, 40, "half of the file")


def run_for(process: subprocess.Popen[str], proxy: FaultServer, count: int) -> None:
    """Wait until the program has made so many requests more, or has ended."""
    enough = len(proxy.requests) + count
    wait_until(lambda: len(proxy.requests) >= enough or process.poll() is not None, 60, "requests")


def end(process: subprocess.Popen[str], how: int) -> tuple[int, str, str]:
    process.send_signal(how)
    stdout, stderr = process.communicate(timeout=30)
    return process.returncode, stdout, stderr


def resume(lorry: Program) -> list[dict[str, str]]:
    ended = lorry.run("resume", "--wait", "--json")
    assert ended.status == 0, ended
    return list(ended.document["data"]["uploads"])


def assert_whole(user: User, made: Expected) -> None:
    (row,) = rows(user.server, user_id=user.id)
    assert row["status"] == "ready"
    assert objects(user.server, user.id) == [row["id"]]
    assert len(objects(user.server, f"{user.id}/{row['id']}")) == 1
    with user.client() as http:
        content = http.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content
    assert hashlib.sha256(content).hexdigest() == made.sha256


def test_a_killed_upload_is_resumed_to_one_ready_dataset(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(BYTES, SLOW)
    process = lorry.start("upload", made.path, "--wait", "--name", "Survivor")
    half_way(proxy, made)
    assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL
    assert [row["status"] for row in rows(alice.server, user_id=alice.id)] == ["uploading"]
    proxy.clear()
    (upload,) = resume(lorry)
    assert upload["status"] == "ready"
    assert rows(alice.server, user_id=alice.id)[0]["name"] == "Survivor"
    assert_whole(alice, made)
    assert resume(lorry) == []


@pytest.mark.parametrize(
    "where",
    [
        "/rest/v1/datasets",
        "/object/upload/sign/[^?]*$",
        pytest.param("/object/info/", marks=pytest.mark.long),
        "/rpc/confirm_dataset_upload",
        pytest.param("/functions/v1/validate-dataset", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("is_done", [False, pytest.param(True, marks=pytest.mark.long)], ids=["before", "after"])
def test_killed_at_any_request_it_is_resumed_to_one_ready_dataset(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected, where: str, is_done: bool
) -> None:
    running: list[subprocess.Popen[str]] = []

    def kill() -> None:
        running[0].kill()
        running[0].wait()

    rule = proxy.on(where, Before(kill) if is_done else Stall(), method="" if "info" in where else "POST", times=1)
    running.append(lorry.start("upload", made.path, "--wait"))
    wait_until(lambda: rule.used, 40, "the request")
    kill()
    running[0].communicate()
    proxy.clear()
    (upload,) = resume(lorry)
    assert upload["status"] == "ready"
    assert_whole(alice, made)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(8))
def test_killed_again_and_again_it_comes_home(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected, seed: int
) -> None:
    moments = random.Random(seed)
    proxy.on(BYTES, Throttle(4_000_000))
    process = lorry.start("upload", made.path)
    # Before that the file is only being checked: nothing is there to be resumed.
    wait_until(lambda: rows(alice.server, user_id=alice.id), 40, "the row")
    for _ in range(5):
        run_for(process, proxy, moments.randrange(1, 8))
        end(process, signal.SIGKILL)
        process = lorry.start("resume")
    process.communicate(timeout=60)
    resume(lorry)
    wait_until(lambda: rows(alice.server, user_id=alice.id)[0]["status"] == "ready", what="the verdict")
    assert_whole(alice, made)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, id="terminated"),
        pytest.param(signal.SIGINT, id="interrupted", marks=pytest.mark.long),
    ],
)
def test_a_stopped_upload_says_how_to_go_on_and_does(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected, how: int
) -> None:
    proxy.on(BYTES, SLOW)
    process = lorry.start("upload", made.path, "--wait")
    half_way(proxy, made)
    status, stdout, stderr = end(process, how)
    assert (status, stdout) == (130, "")
    assert "lorry: Stopped. What was started can go on with: lorry resume" in stderr
    assert "Traceback" not in stderr
    proxy.clear()
    assert [upload["status"] for upload in resume(lorry)] == ["ready"]
    assert_whole(alice, made)


def test_a_second_program_leaves_a_running_upload_alone(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(BYTES, CRAWLING)
    process = lorry.start("upload", made.path, "--wait", "--json")
    half_way(proxy, made)
    assert resume(lorry) == []
    second = lorry.run("resume")
    assert (second.status, second.stdout) == (0, "Nothing to resume.\n")
    proxy.clear()
    stdout, _stderr = process.communicate(timeout=60)
    assert json.loads(stdout)["data"]["uploads"][0]["status"] == "ready"
    assert sum(seen.body_bytes for seen in proxy.seen(BYTES, "PATCH")) == made.size_bytes
    assert_whole(alice, made)


def test_a_file_that_is_gone_at_the_next_start_is_told_and_goes_on_when_it_is_back(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected
) -> None:
    proxy.on(BYTES, SLOW)
    process = lorry.start("upload", made.path)
    half_way(proxy, made)
    end(process, signal.SIGKILL)
    proxy.clear()
    away = made.path.rename(made.path.with_suffix(".away"))
    ended = lorry.run("resume", "--json")
    assert ended.status == 1
    (failure,) = ended.document["details"]["failures"]
    assert (failure["code"], failure["file"]) == ("file_missing", str(made.path))
    # The drive may only be unplugged, so what the server has is kept.
    assert [row["status"] for row in rows(alice.server, user_id=alice.id)] == ["uploading"]
    away.rename(made.path)
    assert [upload["status"] for upload in resume(lorry)] == ["ready"]
    assert_whole(alice, made)


def test_uploads_of_another_account_are_not_resumed(
    lorry: Program, proxy: FaultServer, alice: User, made: Expected, tmp_path: Path
) -> None:
    proxy.on(BYTES, SLOW)
    process = lorry.start("upload", made.path)
    half_way(proxy, made)
    end(process, signal.SIGKILL)
    proxy.clear()
    bob = alice.server.new_user()
    assert resume(program_of(bob, lorry.home, url=proxy.url)) == []
    assert rows(alice.server, user_id=bob.id) == []
    assert [upload["status"] for upload in resume(lorry)] == ["ready"]
    assert_whole(alice, made)
