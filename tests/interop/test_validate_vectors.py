"""The checks of the Edge Function against the desktop's: the shared cases, and mutated files by seeds.

One Deno process runs many files. A file is also checked in short stretches, the state written down and read again
between them, as the invocations of the function do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.conftest import SCRIPTS, deno_folder
from tests.support.dataset_mutations import Mutant, mutant
from tests.support.deno import deno_environment

from lorry.core.checks import check_file
from lorry.core.paths import resource_dir

CASES = sorted((resource_dir() / "checks").glob("*.json"))
SEEDS_A_PROCESS = 1000
#: Seeds of `make test` and of `make test-long`.
FEW, MANY = range(2_000), range(2_000, 52_000)
COMPARED = ("layout", "format", "counts", "counts_by_code", "statistics", "sample")
PLACE = ("code", "level", "line", "column", "path")
LIMIT_S = 300

Files = list[dict[str, Any]]
CheckAll = Callable[[Files], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def check_all(deno: str) -> CheckAll:
    """Check files ``{name, content, format?, isKnown?, unit?}`` with the function's own code; returns the reports."""
    environment = deno_environment(deno_folder())

    def run(files: Files) -> list[dict[str, Any]]:
        lines = []
        for file in files:
            content = base64.b64encode(file["content"]).decode()
            lines.append(json.dumps({**file, "content": None, "base64": content}))
        ended = subprocess.run(
            [deno, "run", "--no-lock", "--no-config", "--quiet", str(SCRIPTS / "validate_vectors.ts")],
            input="\n".join(lines),
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            env=environment,
        )
        assert ended.returncode == 0, ended.stderr[-4000:]
        reports = [json.loads(line) for line in ended.stdout.rstrip("\n").split("\n")]
        assert len(reports) == len(files)
        return reports

    return run


def places(report: dict[str, Any]) -> list[list[Any]]:
    return [[finding[name] for name in PLACE] for finding in report["findings"]]


def content_of(case: dict[str, Any]) -> bytes:
    if "base64" in case:
        return base64.b64decode(case["base64"])
    parts = case.get("parts") or [[case.get("text", ""), 1]]
    return "".join(text * times for text, times in parts).encode()


def objections(case: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What of a report differs from the expected: name, expected, found."""
    if "crash" in report:
        return report
    expected = case["expected"]
    found = {**{name: report[name] for name in ("layout", "format", "counts")}, "findings": places(report)}
    wrong = {name: (expected[name], found[name]) for name in found if expected[name] != found[name]}
    statistics = {
        name: (value, report["statistics"].get(name))
        for name, value in expected.get("statistics", {}).items()
        if report["statistics"].get(name) != value
    }
    return {**wrong, **statistics}


@pytest.mark.parametrize("unit", [None, 64], ids=["at once", "in stretches"])
def test_every_shared_case(check_all: CheckAll, unit: int | None) -> None:
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in CASES]
    assert len(cases) >= 150
    files: Files = []
    for case in cases:
        content = content_of(case)
        known = hashlib.sha256(content).hexdigest() in case.get("known_checksums", ())
        # Rows of many MB in stretches of 64 bytes would be read for hours.
        step = unit and max(unit, len(content) // 50)
        files.append(
            {"name": case["name"], "content": content, "format": case.get("format"), "isKnown": known, "unit": step}
        )
    reports = check_all(files)
    wrong = {path.stem: found for path, case, report in zip(CASES, cases, reports, strict=True)
             if (found := objections(case, report))}  # fmt: skip
    assert wrong == {}


def differences(made: Mutant, report: dict[str, Any], folder: Path) -> list[str]:
    """What the two implementations say differently about a file."""
    if "crash" in report:
        return [report["crash"]]
    path = folder / made.name
    path.write_bytes(made.content)
    try:
        own = check_file(path, declared_format=made.declared_format, max_findings_per_code=1000).to_dict()
    except Exception as error:
        return [f"crash here: {error!r}"]
    finally:
        path.unlink()
    found = [f"{name}: {own[name]} here, {report[name]} there" for name in COMPARED if own[name] != report[name]]
    ours, theirs = places(own), places(report)
    found += [f"only here: {place}" for place in ours if place not in theirs]
    return found + [f"only there: {place}" for place in theirs if place not in ours]


def disagreements(check_all: CheckAll, seeds: range, folder: Path) -> Iterator[str]:
    for start in range(seeds.start, seeds.stop, SEEDS_A_PROCESS):
        mutants = [mutant(seed) for seed in range(start, min(start + SEEDS_A_PROCESS, seeds.stop))]
        files = [
            {
                "name": made.name,
                "content": made.content,
                "format": made.declared_format,
                # Half of the files in stretches, of lengths that fall anywhere.
                "unit": 40 + made.seed % 997 if made.seed % 2 else None,
            }
            for made in mutants
        ]
        for made, report in zip(mutants, check_all(files), strict=True):
            for difference in differences(made, report, folder):
                replay = f"python -m pytest tests/interop/test_validate_vectors.py -k one_seed --round {made.seed}"
                yield f"seed {made.seed}: {difference[:600]}\n  replay: {replay}"


def test_two_thousand_mutated_files_are_judged_alike(check_all: CheckAll, tmp_path: Path) -> None:
    assert "\n".join(disagreements(check_all, FEW, tmp_path)) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fifty_thousand_mutated_files_are_judged_alike(check_all: CheckAll, tmp_path: Path) -> None:
    assert "\n".join(disagreements(check_all, MANY, tmp_path)) == ""


def test_one_seed(check_all: CheckAll, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """The seed given with ``--round``, else the first one."""
    seed = int(pytestconfig.getoption("--round") or 0)
    assert "\n".join(disagreements(check_all, range(seed, seed + 1), tmp_path)) == ""
