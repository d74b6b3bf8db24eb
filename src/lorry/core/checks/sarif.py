"""A report as SARIF 2.1.0 (OASIS standard), the form in which editors and code hosts show findings of checks.

Pure. Info becomes SARIF's "note". Columns are counted in code points, which the run says. A report keeps the first
findings of each code; how many there are in all is in the run's properties.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lorry.core.checks.report import Finding, Report
from lorry.core.checks.rulebook import RULES, Level

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Level, str] = {"error": "error", "warning": "warning", "info": "note"}
_INDEX_OF_CODE = {rule.code: index for index, rule in enumerate(RULES)}


def to_sarif(report: Report, path: Path, version: str) -> dict[str, Any]:
    """Return the report of the file at `path`, named as given, as a SARIF log. `version` is that of Lorry."""
    location = {"uri": _uri(path)}
    run = {
        "tool": {"driver": {"name": "Lorry", "semanticVersion": version, "rules": _rules()}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "artifacts": [
            {
                "location": location,
                "length": report.size_bytes,
                "hashes": {"sha-256": report.checksums["whole"]},
            }
        ],
        "results": [_result(finding, location) for finding in report.findings],
        "properties": {
            "layout": report.layout,
            "format": report.format,
            "counts": report.counts,
            "countsByCode": report.counts_by_code,
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.message},
            "fullDescription": {"text": rule.definition},
            "help": {"text": rule.suggestion},
            "defaultConfiguration": {"level": _LEVELS[rule.level]},
        }
        for rule in RULES
    ]


def _result(finding: Finding, location: dict[str, str]) -> dict[str, Any]:
    place: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {**location, "index": 0},
            "region": {"startLine": finding.line, "startColumn": finding.column},
        }
    }
    if finding.path:
        place["logicalLocations"] = [{"fullyQualifiedName": finding.path, "kind": "property"}]
    return {
        "ruleId": finding.code,
        "ruleIndex": _INDEX_OF_CODE[finding.code],
        "level": _LEVELS[finding.level],
        "message": {"text": f"{finding.message}. {finding.suggestion}." if finding.suggestion else finding.message},
        "locations": [place],
    }


def _uri(path: Path) -> str:
    """A relative name stays relative, so that the log means the same on another computer."""
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
