"""Every rule of the dataset checks on a small file: code, level, line, column and path, all found and nothing else.

A bad row stands alone among good ones, once near the start, where rows are read one by one, and once after enough
rows for whole blocks to be taken at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorry.core.checks import MAX_FILE_BYTES, Report, check_file

Found = tuple[str, str, int, int, str]


def conversation(number: int, **changes: Any) -> dict[str, Any]:
    question = {"role": "user", "content": f"May I ask question {number}?"}
    turns = [question, {"role": "assistant", "content": "Please do."}]
    return {"conversation_id": f"c{number}", "turns": turns, **changes}


def pair(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "conversation_id": f"c{number}",
        "turn_number": 2,
        "current_user_input": f"May I ask question {number}?",
        "target_response": "Please do.",
        **changes,
    }


def without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def dumps(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def conversations(first: int, number: int) -> str:
    return dumps(*(conversation(index) for index in range(first, first + number)))


def pairs(first: int, number: int) -> str:
    return dumps(*(pair(index) for index in range(first, first + number)))


def check(folder: Path, content: str | bytes, name: str = "data.jsonl", **options: Any) -> Report:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return check_file(path, **options)


def found(report: Report) -> list[Found]:
    return [(item.code, item.level, item.line, item.column, item.path) for item in report.findings]


def dumps_ascii(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def conversation_text(number: int, odd_value: str) -> str:
    """A conversation with one key more, whose value is written as it is."""
    return json.dumps(conversation(number))[:-1] + ', "x": ' + odd_value + "}\n"


def turns(*items: Any) -> dict[str, Any]:
    return conversation(99, turns=list(items))


USER = {"role": "user", "content": "May I ask?"}
ASSISTANT = {"role": "assistant", "content": "Please do."}

#: What is found: code, level, where in the row (a column, or the text that stands there), path.
Expected = list[tuple[str, str, int | str, str]]

CONVERSATION_ROWS: dict[str, tuple[str, Expected]] = {
    "R01 trailing comma": ('{"conversation_id": "c99", "turns": [],}', [("R01", "error", ",}", "")]),
    "R01 trailing comma in a list": ('{"turns": [1, ]}', [("R01", "error", ", ]", "")]),
    "R01 single quotes": ("{'conversation_id': 'c99'}", [("R01", "error", 2, "")]),
    "R01 None": ('{"conversation_id": None}', [("R01", "error", "None", "")]),
    "R01 unescaped quote": ('{"conversation_id": "he said "no" twice"}', [("R01", "error", '"no', "")]),
    "R01 after wide characters": ('{"é😀": "ok" "x"}', [("R01", "error", 13, "")]),
    "R01 cut row": ('{"conversation_id": "c99", "turns": [', [("R01", "error", 38, "")]),
    "R01 two objects": ('{"a": 1} {"b": 2}', [("R01", "error", 10, "")]),
    "R01 bare word": ("hello", [("R01", "error", 1, "")]),
    "R01 tab in a text": ('{"conversation_id": "a\tb"}', [("R01", "error", "\t", "")]),
    "R01 unknown escape": ('{"conversation_id": "a\\xb"}', [("R01", "error", "\\", "")]),
    "R02 a list": ("[1, 2]", [("R02", "error", 1, "")]),
    "R02 indented text": ('  "x"', [("R02", "error", 3, "")]),
    "R03 nothing known": ('{"question": "?"}', [("R03", "error", 1, "")]),
    "F18 deep": ('{"turns": ' + "[" * 70 + "]" * 70 + "}", [("F18", "error", 74, "")]),
    "F18 deep beside the turns": (
        conversation_text(99, "[" * 64 + "]" * 64),
        # The object itself is the first level.
        [("F18", "error", conversation_text(99, "").index("x") + 4 + 64, "")],
    ),
    "F18 deep behind brackets in a text": (
        conversation_text(99, "[" * 50 + '"' + "]" * 50 + '",' + "[" * 14 + "]" * 64),
        [("F18", "error", conversation_text(99, "").index("x") + 4 + 50 + 53 + 14, "")],
    ),
    "F19 NaN": (conversation_text(99, "NaN"), [("F19", "error", "NaN", "")]),
    "F19 minus infinity": (conversation_text(99, "-Infinity"), [("F19", "error", "-Inf", "")]),
    "F19 too large": (conversation_text(99, "-1.5E+999"), [("F19", "error", "-1.5", "")]),
    "F19 65 bits": (conversation_text(99, str(2**63)), [("F19", "error", str(2**63), "")]),
    "F19 5,000 digits": (conversation_text(99, "9" * 5000), [("F19", "error", "9" * 5000, "")]),
    "F19 none of these": (conversation_text(99, f'[{2**63 - 1}, {-(2**63)}, 1e-999, "1e999", 1e300]'), []),
    "F20 first half": (
        dumps_ascii(turns(USER, {**ASSISTANT, "content": "a \ud83d"})),
        [("F20", "error", "\\ud83d", "")],
    ),
    "F20 second half": (conversation_text(99, '"\\uDE00"'), [("F20", "error", "\\uDE00", "")]),
    "F20 none of these": (conversation_text(99, '"\\ud83d\\ude00 \\\\ud83d"'), []),
    "C01 missing": (dumps({"conversation_id": "c99"}), [("C01", "error", 1, "turns")]),
    "C01 no list": (dumps(conversation(99, turns={"a": 1})), [("C01", "error", '{"a"', "turns")]),
    "C01 empty": (dumps(conversation(99, turns=[])), [("C01", "error", "[", "turns")]),
    "C02": (dumps(turns(USER, ASSISTANT, "hm")), [("C02", "error", '"hm"', "turns[2]")]),
    "C03 role": (dumps(turns(USER, {"content": "Yes."}, ASSISTANT)), [("C03", "error", '{"content"', "turns[1].role")]),
    "C03 content": (dumps(turns({"role": "user"}, ASSISTANT)), [("C03", "error", '{"role"', "turns[0].content")]),
    "C04 other word": (
        dumps(turns({**USER, "role": "human"}, ASSISTANT)),
        [("C04", "error", '"human', "turns[0].role")],
    ),
    "C04 no text": (dumps(turns({**USER, "role": 1}, ASSISTANT)), [("C04", "error", "1,", "turns[0].role")]),
    "C05": (dumps(turns(USER, {**ASSISTANT, "content": ["x"]})), [("C05", "error", '["x', "turns[1].content")]),
    "C06 assistant": (
        dumps(turns(USER, {**ASSISTANT, "content": " \n"})),
        [("C06", "error", '" \\n"', "turns[1].content")],
    ),
    "C06 user": (dumps(turns({**USER, "content": ""}, ASSISTANT)), [("C06", "warning", '""', "turns[0].content")]),
    "C07": (dumps(turns(USER)), [("C07", "error", "[", "turns")]),
    "C18 missing": (dumps(without(conversation(99), "conversation_id")), [("C18", "error", 1, "conversation_id")]),
    "C18 blank": (dumps(conversation(99, conversation_id=" ")), [("C18", "error", '" "', "conversation_id")]),
    "C18 no text": (dumps(conversation(99, conversation_id=7)), [("C18", "error", "7", "conversation_id")]),
    "C18 repeated": (dumps(conversation(99, conversation_id="c0")), [("C18", "error", '"c0"', "conversation_id")]),
    "C18 repeated further right": (
        '{"note": "c0", "turns": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Hm."}], '
        '"conversation_id":"c0"}',
        [("C18", "error", '"c0"}', "conversation_id")],
    ),
    "F14": (dumps(pair(99)), [("F14", "error", 1, "")]),
}

PAIR_ROWS: dict[str, tuple[str, Expected]] = {
    "P01": (dumps(without(pair(99), "target_response")), [("P01", "error", 1, "target_response")]),
    "P01 twice": (
        dumps(without(pair(99), "id", "turn_number")),
        [("P01", "error", 1, "id"), ("P01", "error", 1, "turn_number")],
    ),
    "P02 number for text": (dumps(pair(99, current_user_input=5)), [("P02", "error", "5", "current_user_input")]),
    "P02 text for number": (dumps(pair(99, turn_number="2")), [("P02", "error", '"2"', "turn_number")]),
    "P02 true for number": (dumps(pair(99, turn_number=True)), [("P02", "error", "true", "turn_number")]),
    "P02 fraction for number": (dumps(pair(99, turn_number=2.0)), [("P02", "error", "2.0", "turn_number")]),
    "P02 id": (dumps(pair(99, id=None)), [("P02", "error", "null", "id")]),
    "P03 blank answer": (dumps(pair(99, target_response="\t ")), [("P03", "error", '"\\t "', "target_response")]),
    "P03 no answer": (dumps(pair(99, target_response=None)), [("P03", "error", "null", "target_response")]),
    "P03 blank question": (dumps(pair(99, current_user_input="")), [("P03", "warning", '""', "current_user_input")]),
    "P06": (dumps(pair(99, id="p0")), [("P06", "error", '"p0"', "id")]),
    "P07 across runs": (dumps(pair(99, conversation_id="c0")), [("P07", "warning", "2,", "turn_number")]),
    "P07 none": (dumps(pair(99, conversation_id="c0", turn_number=4)), []),
    "C18 blank": (dumps(pair(99, conversation_id="")), [("C18", "error", '""', "conversation_id")]),
    "M03": ('{"_meta": {"file_name": "x"}}', [("M03", "error", '{"file', "_meta")]),
    "F14": (dumps(conversation(99)), [("F14", "error", 1, "")]),
}

ROWS = [
    pytest.param(kind, row, expected, before, id=f"{kind.__name__}, {name}, after {before}")
    for kind, table in ((conversations, CONVERSATION_ROWS), (pairs, PAIR_ROWS))
    for name, (row, expected) in table.items()
    for before in (10, 40)
]


@pytest.mark.parametrize(("kind", "row", "expected", "before"), ROWS)
def test_one_row(tmp_path: Path, kind: Any, row: str, expected: Expected, before: int) -> None:
    row = row.rstrip("\n") + "\n"
    report = check(tmp_path, kind(0, before) + row + kind(before, 30))
    assert found(report) == [
        (code, level, before + 1, where if isinstance(where, int) else row.index(where) + 1, path)
        for code, level, where, path in expected
    ]
    assert report.findings_total == len(expected)
    assert report.clean is not bool(expected)


def test_turn_numbers_that_fall_within_a_run(tmp_path: Path) -> None:
    rows = [pair(1, turn_number=4), pair(2, conversation_id="c1"), pair(3, conversation_id="c1")]
    report = check(tmp_path, pairs(10, 40) + dumps(*rows) + pairs(60, 30))
    column = dumps(rows[1]).index("2, ") + 1
    assert found(report) == [("P07", "warning", line, column, "turn_number") for line in (42, 43)]
    assert [item.message for item in report.findings] == ["turn_number goes from 4 back to 2", "turn_number stays at 2"]


def test_a_repeated_conversation_id_names_both_lines(tmp_path: Path) -> None:
    report = check(tmp_path, conversations(0, 20) + dumps(conversation(20, conversation_id="c4")))
    assert [item.message for item in report.findings] == ["conversation_id is already used on line 5"]


HINTS = {
    '{"a": [1, 2,]}': "Remove the comma",
    "{'a': 1}": "Write \" instead of '",
    '{"a": None}': "Write null",
    '{"a": True}': "Write true",
    '{"a": "he said "no""}': 'Write \\" instead of "',
    '{"a": 1}\r{"a": 2}': "The lines end with CR alone; save the file with LF line ends",
    '{"conversation_id": "c99", "trns": []}': "Rename trns to turns",
    '{"convresation_id": "x", "turn_nr": 3}': "Rename convresation_id to conversation_id",
    '{"conversation_id": "c99", "turns": [{"from": "user", "content": "a"}]}': "Rename from to role",
    '{"conversation_id": "c99", "turns": [{"role": "gpt", "content": "a"}]}': "Write assistant",
    '{"conversation_id": "c99", "turns": [{"role": "User", "content": "a"}]}': "Write user",
    '{"id": "x", "conversation_id": "c", "turn_number": 1, "current_user_input": "a", "target_reponse": "b"}': (
        "Rename target_reponse to target_response"
    ),
}


@pytest.mark.parametrize(("row", "hint"), HINTS.items())
def test_a_usual_mistake_gets_a_hint(tmp_path: Path, row: str, hint: str) -> None:
    report = check(tmp_path, row + "\n" + row + "\n")
    assert any(hint in item.suggestion for item in report.findings)


GOOD = conversations(0, 12)
FEW = ("F13", "warning", 1, 1, "")

FILES: dict[str, tuple[str, str | bytes, list[Found]]] = {
    "F01 empty": ("a.jsonl", b"", [("F01", "error", 1, 1, "")]),
    "F01 blank": ("a.jsonl", b" \n\r\n\t", [("F01", "error", 1, 1, "")]),
    "F01 only a mark": ("a.jsonl", b"\xef\xbb\xbf", [("F01", "error", 1, 1, ""), ("F05", "warning", 1, 1, "")]),
    "F03 Latin-1": (
        "a.jsonl",
        GOOD.encode() + dumps(conversation(99, conversation_id="né")).encode("latin-1"),
        [("F03", "error", 13, 23, "")],
    ),
    "F03 in a key of its own, late": (
        "a.jsonl",
        conversations(0, 300).encode()
        + dumps(conversation(999, x="é")).encode("latin-1")
        + conversations(400, 9).encode(),
        [("F03", "error", 301, dumps(conversation(999, x="é")).index("é") + 1, "")],
    ),
    "F04 UTF-16 with mark": ("a.jsonl", GOOD.encode("utf-16"), [("F04", "error", 1, 1, "")]),
    "F04 UTF-16 without mark": ("a.jsonl", GOOD.encode("utf-16-be"), [("F04", "error", 1, 1, "")]),
    "F04 UTF-32": ("a.json", GOOD.encode("utf-32"), [("F04", "error", 1, 1, "")]),
    "F04 NUL in a text": ("a.jsonl", GOOD + '{"conversation_id": "a\0b"}\n', [("F04", "error", 13, 23, "")]),
    "F05": ("a.jsonl", b"\xef\xbb\xbf" + GOOD.encode(), [("F05", "warning", 1, 1, "")]),
    "F06": (
        "a.jsonl",
        conversations(0, 30).replace("\n", "\r\n"),
        [("F06", "info", 1, conversations(0, 1).index("\n") + 1, "")],
    ),
    "F07": ("a.jsonl", json.dumps([conversation(index) for index in range(12)]), [("F07", "error", 1, 1, "")]),
    "F07 over lines": (
        "a.jsonl",
        json.dumps([conversation(index) for index in range(12)], indent=1),
        [("F07", "error", 1, 1, "")],
    ),
    "F08": (
        "a.jsonl",
        "\n".join(json.dumps(conversation(index), indent=2) for index in range(12)),
        [("F08", "error", 1, 1, "")],
    ),
    "F08 one document": (
        "a.jsonl",
        json.dumps({"dataset_metadata": {}, "training_pairs": [pair(index) for index in range(12)]}, indent=2),
        [("F08", "error", 1, 1, "")],
    ),
    "F09": ("a.jsonl", conversations(0, 20) + "\n  \n" + conversations(20, 20) + "\n", [("F09", "warning", 21, 1, "")]),
    "F10": ("a.jsonl", GOOD + '{"conversation_id": "c9', [("F10", "error", 13, 21, "")]),
    "F10 inside a character": ("a.jsonl", (GOOD + '{"x": "é').encode()[:-1], [("F10", "error", 13, 7, "")]),
    "F10 document": (
        "a.json",
        json.dumps([conversation(index) for index in range(12)])[:-1],
        [("F10", "error", 1, len(json.dumps([*map(conversation, range(12))])), "")],
    ),
    "F11 long": (
        "a.jsonl",
        GOOD + dumps(conversation(99, x="y" * 1_000_000)) + conversations(100, 9),
        [("F11", "warning", 13, 1, "")],
    ),
    "F11 too long": (
        "a.jsonl",
        GOOD + dumps(conversation(99, x="y" * 17_000_000)) + conversations(100, 9) + "7\n",
        [("F11", "error", 13, 1, ""), ("R02", "error", 23, 1, "")],
    ),
    "F11 too long element": (
        "a.json",
        json.dumps([*map(conversation, range(12)), conversation(99, x="y\\{" * 6_000_000), conversation(13)]),
        [("F11", "error", 1, len(json.dumps([*map(conversation, range(12))])) + 2, "")],
    ),
    "F13": ("a.jsonl", conversations(0, 9), [FEW]),
    "no last line end": ("a.jsonl", GOOD[:-1], []),
    "space around rows": ("a.jsonl", GOOD.replace("}\n", "} \n"), []),
    "R03 once for a foreign layout": (
        "a.jsonl",
        dumps(*[{"messages": [USER, ASSISTANT]}] * 30),
        [("R03", "error", 1, 1, "")],
    ),
    "M01 in lines": (
        "a.jsonl",
        '{"_meta": {"version": "4.0.0", "total_pairs": 40}}\n' + pairs(0, 39),
        [("M01", "warning", 1, 47, "_meta.total_pairs")],
    ),
}


@pytest.mark.parametrize(("name", "content", "expected"), FILES.values(), ids=FILES)
def test_a_file(tmp_path: Path, name: str, content: str | bytes, expected: list[Found]) -> None:
    assert found(check(tmp_path, content, name)) == expected


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    report = check_file(path)
    assert found(report) == [("F02", "error", 1, 1, "")]
    assert "500 MiB" in report.findings[0].message
    assert report.size_bytes == MAX_FILE_BYTES + 1


def document(first: int = 0, number: int = 12, **metadata: Any) -> dict[str, Any]:
    groups = [
        {
            "conversation_metadata": {"conversation_id": f"c{index}"},
            "training_pairs": [
                pair(1, turn_number=2, current_user_input=f"May I ask {index}?"),
                pair(2, turn_number=4, current_user_input=f"May I ask {index} again?"),
            ],
        }
        for index in range(first, first + number)
    ]
    totals = {"total_conversations": number, "total_training_pairs": 2 * number, **metadata}
    return {
        "training_file_metadata": {"format_spec": "brightrun-lora-v4", **totals},
        "consultant_profile": {"name": "Mara", "notes": ["a ] in a text", 'a " too']},
        "conversations": groups,
    }


@pytest.mark.parametrize("style", ["one line", "a line each", "indented"])
def test_a_repeated_id_in_an_array_is_found_again(tmp_path: Path, style: str) -> None:
    rows = [conversation(index) for index in range(60)]
    rows[51]["conversation_id"] = rows[52]["conversation_id"] = "c7"
    text = json.dumps(rows, indent=2 if style == "indented" else None)
    if style == "a line each":
        text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    report = check(tmp_path, text, "a.json")
    assert [item.path for item in report.findings] == ["[51].conversation_id", "[52].conversation_id"]
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines, 1) if '"c7"' in line)
    for item in report.findings:
        assert lines[item.line - 1][item.column - 1 :].startswith('"c7"')
        assert item.message == f"conversation_id is already used on line {first}"


def test_ids_of_pairs_may_repeat_between_the_conversations_of_a_document(tmp_path: Path) -> None:
    assert found(check(tmp_path, json.dumps(document(), indent=2), "a.json")) == []


@pytest.mark.parametrize("indent", [None, 2])
def test_findings_in_a_document_have_the_path_from_its_root(tmp_path: Path, indent: int | None) -> None:
    data = document(number=40, total_conversations=41)
    data["conversations"][30]["training_pairs"][1]["target_response"] = " "
    data["conversations"][31]["training_pairs"][1]["turn_number"] = 2
    data["conversations"][32]["training_pairs"][1]["id"] = "p1"
    data["conversations"][33]["conversation_metadata"]["conversation_id"] = "c3"
    data["conversations"][34]["training_pairs"] = []
    data["conversations"][35]["training_pairs"][0]["target_response"] = None
    text = json.dumps(data, indent=indent)
    report = check(tmp_path, text, "a.json")
    path = "conversations[{}].training_pairs[{}]."
    expected = [
        ("M01", "warning", "training_file_metadata.total_conversations", "41"),
        ("M01", "warning", "training_file_metadata.total_training_pairs", "80"),
        ("P03", "error", path.format(30, 1) + "target_response", '" "'),
        ("P07", "warning", path.format(31, 1) + "turn_number", "2"),
        ("P06", "error", path.format(32, 1) + "id", '"p1"'),
        ("C18", "error", "conversations[33].conversation_metadata.conversation_id", '"c3"'),
        ("C01", "error", "conversations[34].training_pairs", "[]"),
        ("P03", "info", path.format(35, 0) + "target_response", "null"),
    ]
    assert [(item.code, item.level, item.path) for item in report.findings] == [row[:3] for row in expected]
    lines = text.split("\n")
    for item, (_code, _level, _path, value) in zip(report.findings, expected, strict=True):
        assert lines[item.line - 1][item.column - 1 :].startswith(value), item


def test_a_broken_element_of_an_indented_document_does_not_hide_the_next_ones(tmp_path: Path) -> None:
    text = json.dumps(document(number=40), indent=2, ensure_ascii=False)
    lines = text.split("\n")
    odd = [number for number, line in enumerate(lines) if "Please do." in line][45]
    lines[odd] = lines[odd].replace("Please do.", 'Please "do.')
    later = [number for number, line in enumerate(lines) if "May I ask " in line][70]
    lines[later] = lines[later].replace('"May I ask 35?"', "5")
    report = check(tmp_path, "\n".join(lines), "a.json")
    # Of 40 conversations with two pairs each, one is lost.
    assert found(report) == [
        ("M01", "warning", 4, 28, "training_file_metadata.total_conversations"),
        ("M01", "warning", 5, 29, "training_file_metadata.total_training_pairs"),
        ("R01", "error", odd + 1, lines[odd].index('"do.') + 1, ""),
        (
            "P02",
            "error",
            later + 1,
            lines[later].index("5,") + 1,
            "conversations[35].training_pairs[0].current_user_input",
        ),
    ]
    assert report.statistics["conversations"] == 39


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        ('[\n{"conversation_id": "a", "turns": []},\n]', 2, 38),
        ("[1 2]", 1, 4),
        ('{"training_pairs": [}', 1, 21),
        ('{"dataset_metadata": {}, training_pairs: []}', 1, 26),
        ('{"dataset_metadata": {} "training_pairs": []}', 1, 25),
        ('{"dataset_metadata" {}}', 1, 21),
        ("[] []", 1, 4),
    ],
)
def test_a_document_that_is_no_json(tmp_path: Path, content: str, line: int, column: int) -> None:
    assert ("R01", "error", line, column, "") in found(check(tmp_path, content, "a.json"))


@pytest.mark.parametrize(
    ("head", "chosen", "format_found", "codes"),
    [
        ('{"_meta": {"version": "4.0.0"}}', "brightrun_lora_v4", "brightrun_lora_v4", []),
        ('{"_meta": {"version": "4.0.0"}}', "brightrun_lora_v3", "brightrun_lora_v4", ["M02"]),
        ('{"_meta": {"version": "brightrun-lora-v3"}}', "brightrun_lora_v4", "brightrun_lora_v3", ["M02"]),
        ('{"_meta": {"version": "1.0", "format_spec": "brightrun-lora-v4"}}', None, "brightrun_lora_v4", []),
        ('{"_meta": {"version": "1.0"}}', "brightrun_lora_v4", None, []),
    ],
)
def test_the_format_of_the_file_is_compared_with_the_chosen_one(
    tmp_path: Path, head: str, chosen: str | None, format_found: str | None, codes: list[str]
) -> None:
    report = check(tmp_path, head + "\n" + pairs(0, 20), declared_format=chosen)
    assert (report.format, [item.code for item in report.findings]) == (format_found, codes)


LAYOUTS: dict[str, tuple[str, str]] = {
    "conversation_lines": ("a.jsonl", GOOD),
    "pair_lines": ("a.jsonl", '{"_meta": {}}\n' + pairs(0, 3)),
    "v4_document": ("a.json", json.dumps(document())),
    "v3_document": ("a.json", json.dumps({"dataset_metadata": {}, "training_pairs": [pair(1)]})),
    "array": ("a.json", json.dumps([conversation(1)])),
    "openai_messages": ("a.jsonl", dumps({"messages": [USER]})),
    "sharegpt": ("a.jsonl", dumps({"conversations": [{"from": "human", "value": "x"}]})),
    "alpaca": ("a.json", json.dumps([{"instruction": "x", "input": "", "output": "y"}])),
    "prompt_completion": ("a.jsonl", dumps({"prompt": "x", "completion": "y"})),
    "preference": ("a.jsonl", dumps({"prompt": "x", "chosen": "y", "rejected": "z"})),
    "text": ("a.jsonl", dumps({"text": "Once upon a time"})),
    "unknown": ("a.jsonl", dumps({"question": "?"})),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_is_recognised(tmp_path: Path, layout: str) -> None:
    name, content = LAYOUTS[layout]
    assert check(tmp_path, content, name).layout == layout


def test_findings_beyond_the_limit_are_counted_but_not_kept(tmp_path: Path) -> None:
    content = conversations(0, 10) + "7\n" * 500 + dumps(*[conversation(1)] * 30)
    report = check(tmp_path, content, max_findings_per_code=5)
    assert report.counts_by_code == {"C18": 30, "C19": 30, "R02": 500}
    assert (report.findings_total, report.counts["error"]) == (560, 530)
    assert [item.line for item in report.findings if item.code == "R02"] == [11, 12, 13, 14, 15]
    assert [item.line for item in report.findings if item.code == "C18"] == [511, 512, 513, 514, 515]
    assert [item.line for item in report.findings if item.code == "C19"] == [511, 512, 513, 514, 515]
