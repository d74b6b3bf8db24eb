"""The check of 480 MB against plain JSON readers, in one run: ratios, phases and the memory of all processes.

The readers only parse: they count nothing, check nothing and hash nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.bench.checks_process import run_check
from tests.support.datasets import Expected, Kind, make_dataset

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SIZE_BYTES = 480_000_000
MAX_MEMORY_MB = 150
PYTHON_READER = """
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        json.loads(line)
"""
DENO_READER = """
import { TextLineStream } from "./lines.js";
const file = await Deno.open(Deno.args[0]);
for await (const line of file.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())) {
  JSON.parse(line);
}
"""
#: Lines in as few steps as JavaScript allows: one split for every chunk.
DENO_LINES = """
export class TextLineStream extends TransformStream {
  constructor() {
    let rest = "";
    super({
      transform(chunk, out) {
        const lines = (rest + chunk).split("\\n");
        rest = lines.pop();
        for (const line of lines) out.enqueue(line);
      },
      flush(out) { if (rest) out.enqueue(rest); },
    });
  }
}
"""


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def rate(seconds: float) -> str:
    return f"{SIZE_BYTES / 1e6 / seconds:6.0f} MB/s"


def phases(path: Path) -> list[tuple[str, float]]:
    """What parts of the work cost by themselves, on one core."""

    def read() -> None:
        with path.open("rb", buffering=0) as file:
            while file.read(256 * 1024):
                pass

    def hash_twice() -> None:
        with path.open("rb", buffering=0) as file:
            whole, part = hashlib.sha256(), hashlib.sha256()
            while data := file.read(256 * 1024):
                whole.update(data)
                part.update(data)

    def decode() -> None:
        decoder = msgspec.json.Decoder()
        with path.open("rb") as file:
            for line in file:
                decoder.decode(line)

    return [("read", timed(read)), ("hash whole and slices", timed(hash_twice)), ("decode lines", timed(decode))]


@pytest.mark.parametrize("kind", ["pair_lines", "conversation_lines"])
def test_a_large_file(tmp_path: Path, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    made: Expected = make_dataset(kind, SIZE_BYTES, tmp_path / "made.jsonl")
    (tmp_path / "lines.js").write_text(DENO_LINES, encoding="utf-8")
    reader = tmp_path / "reader.js"
    reader.write_text(DENO_READER, encoding="utf-8")
    deno = shutil.which("deno") or str(Path(sys.executable).with_name("deno"))
    readers = {
        "python json": [sys.executable, "-c", PYTHON_READER, str(made.path)],
        "deno JSON.parse": [deno, "run", "--quiet", "--no-config", "--allow-read", str(reader), str(made.path)],
    }
    shared, alone = run_check(made.path, processes=2), run_check(made.path, processes=1)
    seconds = {
        name: timed(lambda command=command: subprocess.run(command, check=True)) for name, command in readers.items()
    }
    with capsys.disabled():
        print(f"\n{kind}, {SIZE_BYTES / 1e6:.0f} MB, {made.lines:,} lines")
        for name, run in (("check, 2 processes", shared), ("check, 1 process", alone)):
            print(f"  {name:22} {rate(run.wall_s)}   cpu {run.cpu_s:5.2f} s   memory {run.peak_mb:5.1f} MB")
        for name, took in seconds.items():
            print(f"  {name:22} {rate(took)}   the check is {took / shared.wall_s:.1f} times as fast")
        for name, took in phases(made.path):
            print(f"    {name:20} {rate(took)}   {took:5.2f} s")
    assert shared.report["checksums"]["whole"] == made.sha256
    assert shared.report["statistics"]["words"] == alone.report["statistics"]["words"] == made.words
    assert shared.report["counts"] == {"error": 0, "warning": 0, "info": 0}
    assert shared.wall_s < min(seconds.values()) / 2
    assert shared.peak_mb < MAX_MEMORY_MB
