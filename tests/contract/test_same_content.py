"""Datasets with the same content: asked for by the SHA-256 in a key of a JSON column, as PostgREST documents it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.client import open_core
from tests.support.workspace import User

ROWS = "/rest/v1/datasets"
FIRST, SECOND = "a" * 64, "b" * 64


def checksums(whole: str) -> dict[str, Any]:
    return {"algorithm": "sha256", "whole": whole, "slice_size": 33_554_432, "slices": [whole]}


@pytest.fixture
def owner(alice: User) -> User:
    """Alice with three datasets of known content and one of which nothing is known."""
    for name, whole in (("one", FIRST), ("two", SECOND), ("three", FIRST)):
        alice.insert(name=name, checksums=checksums(whole))
    alice.insert(name="unknown")
    return alice


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"checksums->>whole=eq.{FIRST}", ["one", "three"]),
        (f"checksums-%3E%3Ewhole=eq.{SECOND}", ["two"]),
        (f"checksums->>whole=neq.{FIRST}", ["two"]),
        (f"checksums->>whole=in.({FIRST},{SECOND})", ["one", "three", "two"]),
        (f"checksums->slices->>0=eq.{SECOND}", ["two"]),
        (f'checksums->whole=eq."{FIRST}"', ["one", "three"]),
        ("checksums->>whole=is.null", ["unknown"]),
        ("checksums->>none=is.null", ["one", "three", "two", "unknown"]),
        (f"checksums->>whole=eq.{'c' * 64}", []),
        (f"or=(checksums->>whole.eq.{SECOND},name.eq.unknown)", ["two", "unknown"]),
    ],
)
def test_a_filter_on_a_key_of_a_json_column(owner: User, query: str, expected: list[str]) -> None:
    with owner.client() as client:
        answer = client.get(f"{ROWS}?select=name&order=name&{query}")
    assert answer.status_code == 200, answer.text
    assert [row["name"] for row in answer.json()] == expected


def test_the_client_finds_the_same_content_newest_first(owner: User, bob: User, tmp_path: Path) -> None:
    bob.insert(name="not hers", checksums=checksums(FIRST))
    with open_core(owner, tmp_path) as client:
        found = client.find_same_content(FIRST)
        assert [dataset.name for dataset in found] == ["three", "one"]
        assert client.find_same_content("c" * 64) == ()
        client.delete_dataset(found[0].id)
        assert [dataset.name for dataset in client.find_same_content(FIRST)] == ["one"]
