"""Our resumable upload against tus-js-client with 6 MiB chunks, pair by pair in one run, to the same @tus/server.

Compared is the sending itself, from the request that creates the upload to the last answer; ours is the program's own,
with its journal. The goals hold for a file that was checked before, as all are in the window: each 32 MiB is hashed on
its way and compared with the check. Beside it stands a file nobody has checked, of which two SHA-256 are made; the
other client makes none.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench.measure import run
from tests.interop.conftest import deno, deno_folder  # noqa: F401 - deno is a fixture
from tests.support.datasets import make_dataset
from tests.support.deno import deno_environment
from tests.support.tus_server import TusServer

from lorry.core.remote.tus import SIGNED_PATH

SIZE_BYTES = 500_000_000
PAIRS = 5
JS_CLIENT = Path(__file__).with_name("tus_js_client.ts")


@pytest.fixture(scope="module")
def server(deno: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusServer]:  # noqa: F811
    with TusServer(deno, tmp_path_factory.mktemp("tus"), deno_folder(), told=True) as running:
        yield running


@pytest.mark.timeout(900)
def test_resumable_upload_against_tus_js_client(server: TusServer, tmp_path: Path, deno: str) -> None:  # noqa: F811
    file = tmp_path / "pairs.jsonl"
    make_dataset("pair_lines", SIZE_BYTES, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    environment = deno_environment(deno_folder())
    ours = [sys.executable, "-m", "tests.bench.sending_client", server.url, str(file), str(tmp_path)]
    js = [deno, "run", "--no-lock", "--no-config", "--quiet", "-A", str(JS_CLIENT)]
    commands = {"js": [*js, f"{server.url}{SIGNED_PATH}", str(file)], "ours": [*ours, "--checked"], "unchecked": ours}

    def send(who: str) -> dict[str, float]:
        measured = run(commands[who], environment)
        files = [path for path in server.folder.rglob("*") if path.is_file()]
        (stored,) = [path for path in files if path.suffix != ".json"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == digest
        for path in files:
            path.unlink()
        sending: dict[str, float] = json.loads(measured.output.strip().splitlines()[-1])
        print(f"  {who:9} sending wall {sending['wall_s']:5.2f} s cpu {sending['cpu_s']:5.2f} s | process {measured}")
        return sending

    print(f"\n{SIZE_BYTES / 1e6:.0f} MB to @tus/server, {PAIRS} rounds")
    send("js")  # warm the page cache for both
    ratios: dict[str, list[tuple[float, float]]] = {"ours": [], "unchecked": []}
    for _ in range(PAIRS):
        js = send("js")
        for who, found in ratios.items():
            sending = send(who)
            found.append((sending["wall_s"] / js["wall_s"], sending["cpu_s"] / js["cpu_s"]))
    medians = {
        who: tuple(statistics.median(each) for each in zip(*found, strict=True)) for who, found in ratios.items()
    }
    for who, (wall, cpu) in medians.items():
        print(f"  median ratios, {who}: wall {wall:.2f}x (goal 0.9x), CPU {cpu:.2f}x (goal 0.6x)")
    wall, cpu = medians["ours"]
    assert wall <= 0.9
    assert cpu <= 0.6
