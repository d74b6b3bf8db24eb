"""Every case of resources/checks through the checks: layout, findings with their places, counts and figures.

The same cases are run through the Edge Function. Expected values come from the rules, never from a program.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lorry.core.checks import RULE_OF_CODE, check_file

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "checks"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))


def read(case: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8")))


def bytes_of(vector: dict[str, Any]) -> bytes:
    if "base64" in vector:
        return base64.b64decode(vector["base64"])
    parts = vector.get("parts") or [[vector["text"], 1]]
    return "".join(text * times for text, times in parts).encode()


@pytest.mark.parametrize("case", CASES)
def test_case(tmp_path: Path, case: str) -> None:
    vector = read(case)
    path = tmp_path / vector["name"]
    path.write_bytes(bytes_of(vector))
    report = check_file(path, declared_format=vector.get("format"), known_checksums=vector.get("known_checksums", ()))
    expected = vector["expected"]
    found = [[item.code, item.level, item.line, item.column, item.path] for item in report.findings]
    assert found == expected["findings"]
    assert (report.layout, report.format, report.counts) == (
        expected["layout"],
        expected["format"],
        expected["counts"],
    )
    assert {name: report.statistics[name] for name in expected["statistics"]} == expected["statistics"]
    assert all(item.message and item.suggestion for item in report.findings)


def test_the_cases_are_many_and_show_every_code_but_the_size_limit() -> None:
    shown = {finding[0] for case in CASES for finding in read(case)["expected"]["findings"]}
    assert len(CASES) >= 150
    # A file over 500 MiB is no small case.
    assert set(RULE_OF_CODE) - shown == {"F02"}


def test_the_expected_values_agree_among_themselves() -> None:
    for case in CASES:
        expected = read(case)["expected"]
        findings = expected["findings"]
        assert findings == sorted(findings, key=lambda row: (row[2], row[3], row[0], row[4])), case
        for level, count in expected["counts"].items():
            assert sum(row[1] == level for row in findings) == count, case
