"""Files made to break a checker, and the promise that the quick way and the row-by-row way agree.

Hypothesis mutates valid files and invents JSON-like bytes; whatever comes out, the check ends with a report whose
positions lie inside the file.
"""

from __future__ import annotations

import json
import random
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.datasets import KINDS, Kind, make_dataset

from lorry.core.checks import Report, batch, check_file

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check_bytes(content: bytes, name: str = "a.jsonl") -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        report = check_file(path)
    lines = content.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    for item in report.findings:
        assert 1 <= item.line <= len(lines), item
        assert 1 <= item.column <= len(lines[item.line - 1]) + 1, item
        assert item.message
    json.dumps(report.to_dict(), allow_nan=False).encode()
    return report


DEEP = 100_000
HOSTILE: dict[str, bytes] = {
    "deep lists": b"[" * DEEP,
    "deep closed lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a row": b'{"conversation_id": "a", "turns": ' + b"[" * DEEP + b"]" * DEEP + b"}\n",
    "closing only": b"]}" * DEEP,
    "long integer": b'{"turns": ' + b"7" * 5000 + b"}\n",
    "long fraction": b'{"turns": 0.' + b"7" * 50000 + b"e-99999}\n",
    "lone surrogates": b'{"conversation_id": "\\ud800", "turns": [{"role": "\\udfff", "content": "\\uDBFF"}]}\n' * 4,
    "raw surrogate bytes": b'{"conversation_id": "\xed\xa0\x80"}\n',
    "NUL only": b"\0" * 5000,
    "one NUL": b"\0",
    "UTF-16": '{"a": 1}\n'.encode("utf-16-le"),
    "CR only": b'{"conversation_id": "a", "turns": []}\r' * 50,
    "LF only": b"\n" * 5000,
    "quotes": b'"' * 4999,
    "backslashes": b'{"a": "' + b"\\" * 5001 + b'"}\n',
    "open string": b'{"a": "' + b"x" * 600_000,
    "all bytes": bytes(range(256)) * 20,
    "commas": b"," * 1000 + b"\n" + b"[" + b"," * 1000,
    "many keys": ("{" + ",".join(f'"k{index}": {index}' for index in range(20000)) + "}\n").encode(),
    "long key": b'{"' + b"k" * 200_000 + b'": 1, "turns": [{"role": "' + b"r" * 5000 + b'", "content": "x"}]}\n',
    "same key": b'{"turns": 1, "turns": [], "turns": {"turns": 2}}\n',
    "direction marks": '{"turns": [{"role": "\u200b", "content": "\u202e\u2066\ufeff"}]}\n'.encode(),
    "metadata that is none": b'{"_meta": 5}\n{"_meta": null}\n{"_meta": {"total_pairs": 1e5, "version": []}}\n',
    "document that is none": b'{"training_file_metadata": [], "conversations": {"a": []}, "training_pairs": 7}',
    "lists in lists": b'{"conversations": [[{}, []], {"training_pairs": [[]]}, {"training_pairs": [{}]}]}',
}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_end_in_a_report(content: bytes, name: str) -> None:
    assert check_bytes(content, name).counts["error"] > 0 or b"_meta" in content


def test_a_giant_line_is_passed_over_without_being_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}]
    row = json.dumps({"conversation_id": "a", "turns": turns}).encode()
    with path.open("wb") as file:
        file.write(row + b'\n{"conversation_id": "')
        for _ in range(40):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + row.replace(b'"a"', b'"b"') + b"\n")
    tracemalloc.start()
    report = check_file(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(item.code, item.line) for item in report.findings] == [("F13", 1), ("F11", 2)]
    assert report.statistics["conversations"] == 2
    assert peak < 40_000_000


@pytest.mark.parametrize("kind", ["conversation_lines", "pair_lines", "v4_document", "array"])
def test_memory_does_not_follow_the_size_of_the_file(tmp_path: Path, kind: Kind) -> None:
    peaks = []
    for size_bytes in (2_000_000, 6_000_000):
        made = make_dataset(kind, size_bytes, tmp_path / f"a{size_bytes}.json")
        tracemalloc.start()
        check_file(made.path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_500_000


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEY_WORDS = (
    "conversation_id turns role content id turn_number current_user_input target_response system_prompt _meta "
    "training_pairs conversation_metadata messages x"
)
KEYS = st.sampled_from(KEY_WORDS.split())
OBJECTS = st.dictionaries(KEYS, JSON_VALUES, max_size=4)
ROWS = st.dictionaries(KEYS, JSON_VALUES | OBJECTS | st.lists(OBJECTS, max_size=3), max_size=5)


@SETTINGS
@given(rows=st.lists(ROWS, max_size=5), name=st.sampled_from(["a.jsonl", "a.json"]), indent=st.sampled_from([None, 1]))
def test_any_rows_end_in_a_report(rows: list[Any], name: str, indent: int | None) -> None:
    check_bytes("\n".join(json.dumps(row, indent=indent) for row in rows).encode(), name)
    check_bytes(json.dumps(rows, indent=indent).encode(), name)
    check_bytes(json.dumps({"training_file_metadata": {}, "conversations": rows}, indent=indent).encode(), name)


@SETTINGS
@given(
    content=st.binary(max_size=300)
    | st.text(alphabet='{}[]",:\\ntrue0123456789eE-. \r\n\0é', max_size=300).map(str.encode)
)
def test_any_bytes_end_in_a_report(content: bytes) -> None:
    check_bytes(content, "a.jsonl")
    check_bytes(content, "a.json")


def replace_text(data: bytearray, random_place: int, chooser: random.Random) -> None:
    pieces = [
        b'"',
        b"\\",
        b"{",
        b"]",
        b",",
        b"\n",
        b"\r\n",
        b"\xff",
        b"\0",
        b"\\ud800",
        b"NaN",
        b"1e999",
        b"9" * 25,
        b" ",
    ]
    data[random_place : random_place + chooser.choice((0, 1, 5))] = chooser.choice(pieces)


def delete_text(data: bytearray, random_place: int, chooser: random.Random) -> None:
    del data[random_place : random_place + chooser.choice((1, 3, 40))]


def swap_word(data: bytearray, random_place: int, chooser: random.Random) -> None:
    words = [b'"user"', b'"assistant"', b'"turns"', b'"content"', b'"conversation_id"', b'"turn_number": 2', b'"id"']
    words += [b'"target_response"', b'"current_user_input"', b"May", b"conversation-0000000003"]
    old, new = chooser.sample(words, 2)
    at = data.find(old, random_place)
    if at >= 0:
        data[at : at + len(old)] = new


def repeat_text(data: bytearray, random_place: int, chooser: random.Random) -> None:
    length = chooser.choice((1, 30, 3000))
    data[random_place:random_place] = data[random_place : random_place + length]


MUTATIONS: list[Callable[[bytearray, int, random.Random], None]] = [replace_text, delete_text, swap_word, repeat_text]


@pytest.mark.parametrize("style", ["as made", "compact"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_whole_blocks_give_the_same_report_as_single_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, seed: int, style: str
) -> None:
    chooser = random.Random(f"{kind} {seed}")
    path = tmp_path / ("a.jsonl" if kind.endswith("lines") else "a.json")
    make_dataset(kind, 150_000, path, seed=seed)
    data = bytearray(path.read_bytes())
    if style == "compact":
        rows = data.splitlines() if kind.endswith("lines") else [data]
        data = bytearray(b"\n".join(json.dumps(json.loads(row), separators=(",", ":")).encode() for row in rows))
    for _ in range(seed % 4 + 1 if kind.endswith("lines") else 1):
        chooser.choice(MUTATIONS)(data, chooser.randrange(len(data)), chooser)
    path.write_bytes(data)
    quick = check_file(path).to_dict()
    monkeypatch.setattr(batch.Quick, "is_ready", lambda _self: False)
    slow = check_file(path).to_dict()
    assert {**quick, "seconds": 0} == {**slow, "seconds": 0}
