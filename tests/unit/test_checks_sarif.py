"""Reports as SARIF: what the standard's schema requires, and that every finding is there with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lorry.core.checks import RULES, check_file
from lorry.core.checks.sarif import to_sarif

ROWS = (
    '{"conversation_id": "é😀", "turns": [{"role": "human", "content": "Hi"}, '
    '{"role": "assistant", "content": "Yes"}]}\r\n'
    '{"conversation_id": "b", "turns": [}\r\n'
)


def log_of(folder: Path, content: str = ROWS, shown_as: str = "data.jsonl") -> dict[str, Any]:
    path = folder / "data.jsonl"
    path.write_bytes(content.encode())
    # Through JSON, as it is written.
    return dict(json.loads(json.dumps(to_sarif(check_file(path), Path(shown_as), "1.2.3"))))


def test_what_the_schema_requires_of_a_log(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("Lorry", "1.2.3")
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    assert run["invocations"] == [{"executionSuccessful": True}]
    (artifact,) = run["artifacts"]
    assert artifact["length"] == len(ROWS.encode())
    assert re.fullmatch("[0-9a-f]{64}", artifact["hashes"]["sha-256"])


def test_every_rule_is_described_once(tmp_path: Path) -> None:
    rules = log_of(tmp_path)["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.code for rule in RULES]
    for rule, described in zip(RULES, rules, strict=True):
        assert described["shortDescription"] == {"text": rule.message}
        assert described["fullDescription"]["text"] and described["help"]["text"]
        level = {"error": "error", "warning": "warning", "info": "note"}[rule.level]
        assert described["defaultConfiguration"] == {"level": level}


def test_every_finding_is_a_result_with_its_place(tmp_path: Path) -> None:
    run = log_of(tmp_path)["runs"][0]
    found = []
    for result in run["results"]:
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert set(region) == {"startLine", "startColumn"}
        assert location["physicalLocation"]["artifactLocation"] == {"uri": "data.jsonl", "index": 0}
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        path = [entry["fullyQualifiedName"] for entry in location.get("logicalLocations", [])]
        found.append((result["ruleId"], result["level"], region["startLine"], region["startColumn"], path))
    assert found == [
        ("F13", "warning", 1, 1, []),
        ("C04", "error", 1, 46, ["turns[0].role"]),
        ("F06", "note", 1, len(ROWS.split("\r")[0]) + 1, []),
        ("R01", "error", 2, 36, []),
    ]
    assert run["properties"]["countsByCode"] == {"C04": 1, "F06": 1, "F13": 1, "R01": 1}


def test_a_clean_file_has_no_results(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]
    rows = [{"conversation_id": str(n), "turns": [turns[0] | {"content": f"Hi {n}"}, turns[1]]} for n in range(10)]
    assert log_of(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))["runs"][0]["results"] == []


@pytest.mark.parametrize(
    ("shown_as", "uri"),
    [
        ("sets/my data.jsonl", "sets/my%20data.jsonl"),
        ("a:b#c?.jsonl", "a%3Ab%23c%3F.jsonl"),
        ("dé.jsonl", "d%C3%A9.jsonl"),
        ("/srv/x.jsonl", "file:///srv/x.jsonl"),
    ],
)
def test_names_become_addresses(tmp_path: Path, shown_as: str, uri: str) -> None:
    log = log_of(tmp_path, shown_as=shown_as)
    assert log["runs"][0]["artifacts"][0]["location"] == {"uri": uri}
