"""Our resumable upload against tus-js-client over a long line, to the same @tus/server through the same proxy.

The line is 80 ms there and back at 400 Mbit/s. Ours is the program's sending with its checksums and its journal. The
share is counted over the sending itself, from the connection to the last answer; the bytes of headers and the way of
the first packet belong to it.
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
from tests.support.pacing_proxy import PacingProxy
from tests.support.tus_server import TusServer

from lorry.core.remote.tus import SIGNED_PATH

SIZE_BYTES = 500_000_000
ROUND_TRIP_S, BYTES_PER_S = 0.08, 50_000_000.0
PAIRS = 2
JS_CLIENT = Path(__file__).with_name("tus_js_client.ts")


@pytest.fixture(scope="module")
def server(deno: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusServer]:  # noqa: F811
    with TusServer(deno, tmp_path_factory.mktemp("tus"), deno_folder(), told=True) as running:
        yield running


@pytest.mark.timeout(900)
def test_resumable_upload_over_a_long_line(server: TusServer, tmp_path: Path, deno: str) -> None:  # noqa: F811
    file = tmp_path / "pairs.jsonl"
    size = make_dataset("pair_lines", SIZE_BYTES, file).size_bytes
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    environment = deno_environment(deno_folder())
    js = [deno, "run", "--no-lock", "--no-config", "--quiet", "-A", str(JS_CLIENT)]

    def send(who: str) -> float:
        """Seconds of the sending itself, on a line of its own."""
        with PacingProxy(server.port, round_trip_s=ROUND_TRIP_S, bytes_per_s=BYTES_PER_S) as line:
            commands = {
                "ours": [sys.executable, "-m", "tests.bench.sending_client", line.url, str(file), str(tmp_path)],
                "js": [*js, f"{line.url}{SIGNED_PATH}", str(file)],
            }
            measured = run(commands[who], environment)
        files = [path for path in server.folder.rglob("*") if path.is_file()]
        (stored,) = [path for path in files if path.suffix != ".json"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == digest
        for path in files:
            path.unlink()
        sending: dict[str, float] = json.loads(measured.output.strip().splitlines()[-1])
        share = size / BYTES_PER_S / sending["wall_s"]
        print(
            f"  {who:5} sending wall {sending['wall_s']:6.2f} s, {share:.1%} of the line, cpu {sending['cpu_s']:5.2f} s"
            f" | {line.figures['connections']} connections, proxy cpu {line.figures['cpu_s']:.2f} s"
        )
        return sending["wall_s"]

    print(f"\n{size / 1e6:.0f} MB, {ROUND_TRIP_S * 1000:.0f} ms, {BYTES_PER_S * 8 / 1e6:.0f} Mbit/s, {PAIRS} pairs")
    found = [(send("js"), send("ours")) for _ in range(PAIRS)]
    ratio = statistics.median(js / ours for js, ours in found)
    share = statistics.median(size / BYTES_PER_S / ours for _js, ours in found)
    print(f"  median: {ratio:.2f}x the throughput (goal 1.4x), {share:.1%} of the line (goal 85 %)")
    assert ratio >= 1.4
    assert share >= 0.85
