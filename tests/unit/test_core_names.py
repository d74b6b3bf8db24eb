"""Names on the way to the server: drafts, safe object names and paths, content types."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lorry.core.model import MAX_FILE_BYTES, DatasetDraft, DatasetFormat
from lorry.core.remote.objects import safe_object_name, storage_path
from lorry.core.remote.put import content_type

#: The rule of the `datasets` table for the last part of a storage path.
SERVER_RULE = re.compile(r"[A-Za-z0-9._-]{1,100}")


def draft(**changed: object) -> DatasetDraft:
    values = {"name": "Coaching", "file_name": "a.jsonl", "file_size": 10} | changed
    return DatasetDraft.model_validate(values)


def bad_fields(**changed: object) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        draft(**changed)
    return {str(problem["loc"][0]) for problem in caught.value.errors()}


def assert_safe(safe: str) -> None:
    assert SERVER_RULE.fullmatch(safe), safe
    assert safe.strip("."), safe


@given(st.text(min_size=1, max_size=300))
def test_any_file_name_becomes_one_the_server_takes(name: str) -> None:
    assert_safe(safe_object_name(name))


@given(st.text(min_size=1, max_size=300), st.sampled_from([".jsonl", ".json", ".JSONL", ".Json"]))
def test_the_extension_of_a_dataset_is_kept(stem: str, suffix: str) -> None:
    name = f"x{stem.replace('/', '_')}{suffix}"
    safe = safe_object_name(name)
    assert_safe(safe)
    assert PurePosixPath(safe).suffix == suffix


@given(st.from_regex(SERVER_RULE, fullmatch=True).map(lambda text: f"a{text[:90]}z.jsonl"))
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert safe_object_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("data.jsonl", "data.jsonl"),
        ("Résumé final.jsonl", "Resume_final.jsonl"),
        ("e\u0301.json", "e.json"),
        ("数据集.jsonl", "___.jsonl"),
        ("بيانات.jsonl", "______.jsonl"),
        ("\u202egnp.jsonl", "_gnp.jsonl"),
        ("a/b/c.jsonl", "c.jsonl"),
        ("../../etc/passwd.json", "passwd.json"),
        ("..jsonl", "dataset.jsonl"),
        ("...", "dataset"),
        ("..", "dataset"),
        (".", "dataset"),
        ("%2e%2e.jsonl", "_2e_2e.jsonl"),
        ("q?a=1&b#c.jsonl", "q_a_1_b_c.jsonl"),
        ("x" * 250 + ".jsonl", "x" * 94 + ".jsonl"),
        ("😀.jsonl", "_.jsonl"),
    ],
)
def test_known_names(name: str, safe: str) -> None:
    assert safe_object_name(name) == safe


def test_a_path_is_user_dataset_and_safe_name() -> None:
    user, dataset = uuid4(), UUID(int=7)
    assert storage_path(user, dataset, "Mein Datensatz.jsonl") == f"{user}/{dataset}/Mein_Datensatz.jsonl"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "application/x-ndjson"),
        ("A.JSONL", "application/x-ndjson"),
        ("a.b.json", "application/json"),
        ("a.txt", "application/octet-stream"),
        ("json", "application/json"),
    ],
)
def test_the_content_type_follows_the_extension(name: str, kind: str) -> None:
    assert content_type(name) == kind


@pytest.mark.parametrize("length", [2, 3, 199, 200])
def test_a_name_within_the_bounds(length: int) -> None:
    assert draft(name="x" * length).name == "x" * length
    assert len(draft(name="é" * length).name) == length


@pytest.mark.parametrize("name", ["", "x", " x ", "\u2003x\u2003", "x" * 201, "é" * 201, "   ", None, 7])
def test_a_name_outside_the_bounds(name: object) -> None:
    assert bad_fields(name=name) == {"name"}


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x00b", "a\x7fb", "a\u0085b", "\x1b[2Jboo"])
def test_a_name_with_control_characters(name: str) -> None:
    assert bad_fields(name=name) == {"name"}


def test_spaces_around_a_name_do_not_count() -> None:
    assert draft(name=f"  {'x' * 200}\n").name == "x" * 200


def test_a_draft_is_v4_and_without_description_by_default() -> None:
    made = draft()
    assert (made.format, made.description) == (DatasetFormat.BRIGHTRUN_LORA_V4, None)
    assert draft(format="brightrun_lora_v3").format is DatasetFormat.BRIGHTRUN_LORA_V3


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"file_size": 0}, {"file_size"}),
        ({"file_size": -1}, {"file_size"}),
        ({"file_size": 1.5}, {"file_size"}),
        ({"file_size": None}, {"file_size"}),
        ({"file_name": ""}, {"file_name"}),
        ({"file_name": "a/b.jsonl"}, {"file_name"}),
        ({"file_name": "a\\b.jsonl"}, {"file_name"}),
        ({"file_name": "a\nb.jsonl"}, {"file_name"}),
        ({"file_name": "x" * 256}, {"file_name"}),
        ({"file_name": "caf\udce9.jsonl"}, {"file_name"}),
        ({"format": "brightrun_lora_v5"}, {"format"}),
        ({"format": ""}, {"format"}),
        ({"description": 7}, {"description"}),
        ({"owner": "somebody"}, {"owner"}),
        ({"name": "", "file_size": 0, "format": "?"}, {"name", "file_size", "format"}),
    ],
)
def test_each_bad_field_is_named(changed: dict[str, object], fields: set[str]) -> None:
    assert bad_fields(**changed) == fields


@pytest.mark.parametrize("size", [1, MAX_FILE_BYTES, MAX_FILE_BYTES + 1, 10**13])
def test_how_large_a_file_may_be_is_for_the_project_to_say(size: int) -> None:
    assert draft(file_size=size).file_size == size


def test_a_draft_does_not_change() -> None:
    made = draft()
    with pytest.raises(ValidationError):
        made.name = "other"
