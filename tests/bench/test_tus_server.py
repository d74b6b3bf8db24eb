"""A resumable upload in parts of 6 MiB against one signed PUT, turn by turn in one run, to the same server.

Compared is the server: both are sent by the same plain HTTP client from memory. Its peak memory is printed beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.tus import MIB, TusUpload, content_of
from tests.support.workspace import BUCKET, RunningServer, User, short_folder

SIZE_BYTES = 500 * MIB
PART_BYTES = 6 * MIB
TURNS = 7
BLOCKS = [content_of(MIB, seed) for seed in range(8)]


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with short_folder() as folder:
        server = RunningServer.start(folder)
        try:
            yield server.new_user()
        finally:
            server.stop()


def _blocks(first_byte: int, length: int) -> Iterator[bytes]:
    for at in range(first_byte, first_byte + length, MIB):
        yield BLOCKS[at // MIB % len(BLOCKS)]


def _put_s(user: User) -> float:
    path = user.insert(SIZE_BYTES)["storage_path"]
    where = f"/storage/v1{user.sign(path).json()['url']}"
    headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(SIZE_BYTES)}
    with user.server.bare_client(**headers) as client:
        began = time.monotonic()
        answer = client.put(where, content=_blocks(0, SIZE_BYTES))
        took_s = time.monotonic() - began
    assert answer.status_code == 200, answer.text
    _delete(user, path)
    return took_s


def _tus_s(user: User, route: str) -> float:
    upload = TusUpload.of_new_row(user, SIZE_BYTES, route)
    began = time.monotonic()
    assert upload.create(SIZE_BYTES).status_code == 201
    with upload.client() as client:
        for offset in range(0, SIZE_BYTES, PART_BYTES):
            length = min(PART_BYTES, SIZE_BYTES - offset)
            headers = {"Upload-Offset": str(offset), "Content-Length": str(length)}
            headers["Content-Type"] = "application/offset+octet-stream"
            answer = client.patch(upload.url, content=_blocks(offset, length), headers=headers)
            assert answer.status_code == 204, answer.text
    took_s = time.monotonic() - began
    assert answer.headers["tus-complete"] == "1"
    assert upload.info().json()["size"] == SIZE_BYTES
    _delete(user, upload.path)
    return took_s


def _delete(user: User, path: str) -> None:
    with user.client() as client:
        client.request("DELETE", f"/storage/v1/object/{BUCKET}", json={"prefixes": [path]})


@pytest.mark.timeout(900)
def test_parts_of_6_mib_cost_little_more_than_one_put(user: User) -> None:
    _put_s(user)
    ratios: dict[str, list[float]] = {"signed": [], "jwt": []}
    print(f"\n{SIZE_BYTES // MIB} MiB, {TURNS} turns: one signed PUT, then {PART_BYTES // MIB} MiB parts on each route")
    for _ in range(TURNS):
        put_s = _put_s(user)
        took_s = {route: _tus_s(user, route) for route in ratios}
        for route, seconds in took_s.items():
            ratios[route].append(seconds / put_s)
        print(f"  PUT {put_s:.2f} s | signed {took_s['signed']:.2f} s | jwt {took_s['jwt']:.2f} s")
    medians = {route: statistics.median(values) for route, values in ratios.items()}
    status = Path(f"/proc/{user.server.process.pid}/status").read_text()
    peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
    print(f"  median ratios: {medians} (goal 1.3x) | server {' '.join(peak[0].split())}")
    assert medians["signed"] <= 1.3
