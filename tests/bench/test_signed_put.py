"""Our signed PUT against curl's, pair by pair in one run, to the same server; and the memory of `lorry upload`.

Compared is the sending itself, from the first to the last byte of the exchange, with all of curl; the start of Python
and its imports (a quarter of a second, whatever the file's size) are printed beside it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench.measure import Run, run
from tests.support.datasets import make_dataset
from tests.support.workspace import RunningServer, User, short_folder

SIZE_BYTES = 500_000_000
PAIRS = 7


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with short_folder() as folder:
        server = RunningServer.start(folder)
        try:
            yield server.new_user()
        finally:
            server.stop()


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "pairs.jsonl"
    make_dataset("pair_lines", SIZE_BYTES, path)
    return path


def _upload_url(user: User, file: Path) -> tuple[str, str]:
    row = user.insert(file.stat().st_size)
    return f"{user.server.url}/storage/v1{user.sign(row['storage_path']).json()['url']}", row["storage_path"]


def _put_with(user: User, file: Path, tool: str) -> Run:
    url, path = _upload_url(user, file)
    curl = ["curl", "-sS", "-f", "-T", str(file), "-H", "Content-Type: application/x-ndjson", url]
    ours = [sys.executable, "-m", "tests.bench.signed_put", user.server.url, user.server.anon_key, url, str(file)]
    measured = run(curl if tool == "curl" else ours)
    with user.client() as client:
        size = client.get(f"/storage/v1/object/info/lora-datasets/{path}").json()["size"]
        assert size == file.stat().st_size
        client.request("DELETE", "/storage/v1/object/lora-datasets", json={"prefixes": [path]})
    return measured


@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is what we compare with")
def test_signed_put_costs_little_more_than_curl(user: User, big_file: Path) -> None:
    _put_with(user, big_file, "curl")  # warm the page cache for both
    print(f"\nsigned PUT of {big_file.stat().st_size / 1e6:.0f} MB, {PAIRS} pairs")
    wall_ratios, cpu_ratios = [], []
    for _ in range(PAIRS):
        ours, curl = _put_with(user, big_file, "ours"), _put_with(user, big_file, "curl")
        sending = json.loads(ours.output)
        wall_ratios.append(sending["wall_s"] / curl.wall_s)
        cpu_ratios.append(sending["cpu_s"] / curl.cpu_s)
        print(f"  sending wall {sending['wall_s']:.2f} s cpu {sending['cpu_s']:.2f} s | process {ours} | curl {curl}")
    wall, cpu = statistics.median(wall_ratios), statistics.median(cpu_ratios)
    print(f"  median ratios: wall {wall:.2f}x (goal 1.15x), CPU {cpu:.2f}x (goal 2.5x)")
    assert wall <= 1.15
    assert cpu <= 2.5


@pytest.mark.timeout(300)
@pytest.mark.parametrize("megabytes", [1, 100, 500])
def test_upload_command_needs_little_memory(user: User, tmp_path: Path, megabytes: int) -> None:
    file = tmp_path / "pairs.jsonl"
    make_dataset("pair_lines", megabytes * 1_000_000, file)
    environment = {
        "LORRY_URL": user.server.url,
        "LORRY_KEY": user.server.anon_key,
        "LORRY_EMAIL": user.email,
        "LORRY_PASSWORD": user.password,
        "LORRY_HOME": str(tmp_path / "home"),
    }
    measured = run([sys.executable, "-m", "lorry", "upload", str(file)], environment)
    print(f"\nlorry upload of {megabytes} MB: {measured} (goal 120 MB)")
    assert measured.peak_mb <= 120
