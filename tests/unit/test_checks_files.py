"""Made files and the shipped samples through the checks and the check process: figures, progress, stopping."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.datasets import KINDS, Expected, Kind, make_dataset, parse_size

from lorry.core.checks import CheckStopped, check_file, parts

SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"
FIGURES = ("lines", "conversations", "turns", "training_pairs", "words", "tokens")
LAYOUT_NAMES = {kind: kind for kind in KINDS}
FORMATS = {"pair_lines": "brightrun_lora_v4", "v4_document": "brightrun_lora_v4", "v3_document": "brightrun_lora_v3"}


def make(folder: Path, kind: Kind, size_bytes: int) -> Expected:
    return make_dataset(kind, size_bytes, folder / f"made{'.jsonl' if kind.endswith('lines') else '.json'}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size_bytes", [1_000, 60_000, 1_500_000])
def test_made_files_are_clean_and_their_figures_right(tmp_path: Path, kind: Kind, size_bytes: int) -> None:
    made = make(tmp_path, kind, size_bytes)
    report = check_file(made.path)
    assert {name: report.statistics[name] for name in FIGURES} == {name: getattr(made, name) for name in FIGURES}
    assert report.counts_by_code == ({"F13": 1} if made.conversations < 10 else {})
    assert (report.layout, report.format) == (LAYOUT_NAMES[kind], FORMATS.get(kind))
    assert report.size_bytes == made.size_bytes == made.path.stat().st_size
    assert size_bytes * 0.3 <= made.size_bytes <= max(size_bytes, 8_000)


def test_made_files_repeat_with_the_seed_and_differ_without(tmp_path: Path) -> None:
    first, again, other = (
        make_dataset("pair_lines", 50_000, tmp_path / str(index), seed=seed) for index, seed in enumerate((1, 1, 2))
    )
    assert first.sha256 == again.sha256 != other.sha256


def test_sizes_are_read_as_people_write_them() -> None:
    assert [parse_size(text) for text in ("512", "40KB", "1.5 MB", "500MiB")] == [512, 40_000, 1_500_000, 524_288_000]


@pytest.mark.parametrize(
    ("name", "layout", "conversations"),
    [
        ("financial-coaching-sample.jsonl", "pair_lines", 12),
        ("support-conversations-sample.jsonl", "conversation_lines", 12),
    ],
)
def test_shipped_samples_are_clean_and_small(name: str, layout: str, conversations: int) -> None:
    report = check_file(SAMPLES / name, declared_format="brightrun_lora_v4")
    assert [item.to_dict() for item in report.findings] == []
    assert report.layout == layout
    assert report.statistics["conversations"] >= conversations
    assert report.size_bytes < 100_000


def test_shipped_samples_do_not_repeat_themselves() -> None:
    for path in SAMPLES.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts = [row["target_response"] for row in rows if "target_response" in row]
        texts += [turn["content"] for row in rows for turn in row.get("turns", ()) if turn["role"] != "system"]
        assert len(set(texts)) == len(texts) > 20


def test_progress_grows_to_the_whole_file(tmp_path: Path) -> None:
    made = make(tmp_path, "conversation_lines", 2_000_000)
    seen: list[tuple[int, int]] = []
    check_file(made.path, on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _total in seen] == sorted(done for done, _total in seen)
    assert seen[0] == (0, made.size_bytes)
    assert seen[-1] == (made.size_bytes, made.size_bytes)
    assert len(seen) > 4


@pytest.mark.parametrize("kind", ["pair_lines", "v4_document"])
def test_a_check_can_be_stopped(tmp_path: Path, kind: Kind) -> None:
    made = make(tmp_path, kind, 3_000_000)
    seen: list[int] = []
    with pytest.raises(CheckStopped):
        check_file(made.path, on_progress=lambda done, _total: seen.append(done), should_stop=lambda: len(seen) > 2)
    assert len(seen) == 3


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "none.jsonl")
    with pytest.raises(IsADirectoryError):
        check_file(tmp_path)


WORKER = [sys.executable, "-m", "lorry.core.checks.worker"]


def run_worker(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run([*WORKER, *map(str, arguments)], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_check_process_reports_a_clean_file(tmp_path: Path) -> None:
    made = make(tmp_path, "pair_lines", 2_000_000)
    code, messages = run_worker(made.path, "--format", "brightrun_lora_v4")
    assert code == 0
    assert messages[0] == {"progress": {"bytes": 0, "total": made.size_bytes}}
    assert all(list(message) == ["progress"] for message in messages[:-1])
    report = messages[-1]["report"]
    direct = check_file(made.path, declared_format="brightrun_lora_v4").to_dict()
    assert {**report, "seconds": 0} == {**direct, "seconds": 0}


def test_the_check_process_reports_findings_with_exit_1(tmp_path: Path) -> None:
    made = make(tmp_path, "pair_lines", 60_000)
    code, messages = run_worker(made.path, "--format", "brightrun_lora_v3", "--max-findings-per-code", "0")
    assert code == 1
    assert messages[-1]["report"]["counts_by_code"]["M02"] == 1
    assert messages[-1]["report"]["findings"] == []


def test_the_check_process_says_why_it_cannot_run(tmp_path: Path) -> None:
    code, messages = run_worker(tmp_path / "none.jsonl")
    assert code == 2
    assert messages == [{"error": f"No such file or directory: {tmp_path / 'none.jsonl'}"}]


def test_the_check_process_shows_findings_before_the_report_and_knows_what_was_uploaded(tmp_path: Path) -> None:
    made = make(tmp_path, "pair_lines", 200_000)
    code, messages = run_worker(
        made.path, "--findings", "--known-checksum", made.sha256, "--format", "brightrun_lora_v3"
    )
    shown = [message["finding"]["code"] for message in messages if "finding" in message]
    assert (code, sorted(shown)) == (1, ["F17", "M02"])
    report = messages[-1]["report"]
    assert [item["code"] for item in report["findings"]] == ["F17", "M02"]
    assert report["checksums"] == {
        "algorithm": "sha256",
        "whole": made.sha256,
        "slice_size": 33_554_432,
        "slices": [made.sha256],
    }


def spoil(path: Path, positions: Sequence[float]) -> None:
    """Put mistakes of many kinds into lines at these shares of a file."""
    lines = path.read_bytes().split(b"\n")
    last = len(lines) - 2
    odd = [b"{", b"", b"7", b'{"messages": []}', lines[5], lines[9] + b"\r", b'{"a": NaN, "a": 2}', lines[20][:-1]]
    for number, share in enumerate(positions):
        lines.insert(int(last * share), odd[number % len(odd)])
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize("kind", ["pair_lines", "conversation_lines"])
@pytest.mark.parametrize("spoilt", [(), (0.1, 0.9, 0.7, 0.2), tuple(index / 24 for index in range(24))])
def test_two_processes_give_the_same_report_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, spoilt: tuple[float, ...]
) -> None:
    monkeypatch.setattr(parts, "MIN_SHARED_BYTES", 1_000_000)
    made = make(tmp_path, kind, 2_500_000)
    spoil(made.path, spoilt)
    told: list[str] = []
    # Were the file checked in one piece after all, there would be no part to put together.
    joined: list[int] = []
    put_together = parts._put_together
    monkeypatch.setattr(parts, "_put_together", lambda *both: joined.append(1) or put_together(*both))
    shared = check_file(made.path, processes=2, on_finding=lambda item: told.append(item.code)).to_dict()
    alone = check_file(made.path).to_dict()
    assert {**shared, "seconds": 0} == {**alone, "seconds": 0}
    assert sorted(told) == sorted(item["code"] for item in alone["findings"])
    assert joined == [1]
    assert (alone["counts"]["error"] > 0) is bool(spoilt)


def test_a_file_that_cannot_be_shared_is_checked_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MIN_SHARED_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    row = {"conversation_id": "a", "turns": [{"role": "user", "content": "x" * 20_000}]}
    path.write_text("\n".join(json.dumps(row) for _ in range(2)) + "\n", encoding="utf-8")
    report = check_file(path, processes=2)
    assert report.statistics["lines"] == 2
    assert report.counts_by_code["C07"] == 2


def endless_pipe(folder: Path) -> Path:
    """A file whose reading never ends while the test holds its other side open."""
    path = folder / "pipe.jsonl"
    os.mkfifo(path)
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and SIGTERM are not on Windows")
@pytest.mark.parametrize("how", ["sigterm", "stdin"])
def test_the_check_process_stops_at_once_when_told(tmp_path: Path, how: str) -> None:
    path = endless_pipe(tmp_path)
    process = subprocess.Popen(
        [*WORKER, str(path), "--stop-on-stdin-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    # Opening the pipe waits for the reader, so from here on the process is inside check_file.
    with path.open("wb"):
        if how == "sigterm":
            process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin is not None
            process.stdin.close()
        assert process.wait(timeout=10) == 128 + signal.SIGTERM
    assert process.stdout is not None
    process.stdout.close()
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()


def test_the_check_process_loads_neither_the_window_nor_the_network() -> None:
    script = "import sys, lorry.core.checks.worker; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"PySide6", "supabase", "httpx", "pydantic"} & set(done.stdout.split())
