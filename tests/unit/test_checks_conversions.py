"""Files of other tools become conversation lines: shapes as they are published, what is left out, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorry.core.checks import (
    CONVERTIBLE,
    FOREIGN_NAMES,
    BrokenFileError,
    CheckStopped,
    ConversionResult,
    LeftOut,
    NothingToConvertError,
    Omission,
    check_file,
    convert,
    converted_path,
)


def dumps(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(folder: Path, content: str | bytes, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def converted(path: Path) -> tuple[ConversionResult, list[dict[str, Any]]]:
    result = convert(path, converted_path(path), check_file(path).layout)
    return result, [json.loads(line) for line in result.target.read_text(encoding="utf-8").splitlines()]


def said(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in conversation["turns"]]


OPENAI = [
    {
        "messages": [
            {"role": "system", "content": "Marv is a factual chatbot that is also sarcastic."},
            {"role": "user", "content": "What's the capital of France?"},
            {"role": "assistant", "content": "Paris", "weight": 0},
            {"role": "user", "content": "Can you be more sarcastic?"},
            {"role": "assistant", "content": "Paris, as if everyone doesn't know that already.", "weight": 1},
        ]
    },
    {
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Two parts:"}, {"type": "text", "text": "answer both."}],
            },
            {"role": "assistant", "content": "Done.", "tool_calls": None, "name": None},
        ],
        "metadata": {"source": "made"},
    },
]


def test_openai_chat(tmp_path: Path) -> None:
    result, (first, second) = converted(write(tmp_path, dumps(*OPENAI), "chat log.jsonl"))
    assert result.target.name == "chat log.conversations.jsonl"
    assert (result.converted, result.left_out, result.omissions) == (2, {}, ())
    assert result.size_bytes == result.target.stat().st_size
    assert first["conversation_id"] == "chat log-000001"
    assert said(first)[0] == ("system", "Marv is a factual chatbot that is also sarcastic.")
    assert [turn.get("weight") for turn in first["turns"]] == [None, None, 0, None, 1]
    assert said(second) == [("system", "Be brief."), ("user", "Two parts:\nanswer both."), ("assistant", "Done.")]
    assert second["metadata"] == {"source": "made"}
    assert second["turns"][2] == {"role": "assistant", "content": "Done."}


SHAREGPT = [
    {
        "id": "identity_0",
        "conversations": [
            {"from": "human", "value": "Who are you?"},
            {"from": "gpt", "value": "I am a language model.\nAsk me anything."},
        ],
    },
    {
        "id": "QWJhYvA_0",
        "system": "Answer in French.",
        "conversations": [{"from": "human", "value": "Hello"}, {"from": "chatgpt", "value": "Bonjour"}],
    },
    {"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hey"}], "tools": ""},
]


@pytest.mark.parametrize("indent", [None, 2])
def test_sharegpt_in_one_array_as_it_is_published(tmp_path: Path, indent: int | None) -> None:
    path = write(tmp_path, json.dumps(SHAREGPT, indent=indent), "sharegpt.json")
    result, (first, second, third) = converted(path)
    assert result.target.name == "sharegpt.conversations.jsonl"
    assert said(first) == [("user", "Who are you?"), ("assistant", "I am a language model.\nAsk me anything.")]
    assert (first["id"], first["conversation_id"]) == ("identity_0", "sharegpt-000001")
    assert said(second) == [("system", "Answer in French."), ("user", "Hello"), ("assistant", "Bonjour")]
    assert said(third) == [("user", "Hi"), ("assistant", "Hey")]
    assert check_file(result.target).counts["error"] == 0


ALPACA = [
    {"instruction": "Give three tips for staying healthy.", "input": "", "output": "Eat, sleep, move."},
    {"instruction": "Add the numbers.", "input": "2 and 3", "output": "5", "system": "You calculate."},
    {"instruction": "And now?", "response": "Bye.", "history": [["Hi", "Hello"], ["How are you?", "Fine"]]},
]


def test_alpaca(tmp_path: Path) -> None:
    _result, (first, second, third) = converted(write(tmp_path, json.dumps(ALPACA, indent=4), "alpaca.json"))
    assert said(first) == [("user", "Give three tips for staying healthy."), ("assistant", "Eat, sleep, move.")]
    assert said(second) == [("system", "You calculate."), ("user", "Add the numbers.\n\n2 and 3"), ("assistant", "5")]
    assert said(third)[:3] == [("user", "Hi"), ("assistant", "Hello"), ("user", "How are you?")]
    assert said(third)[-2:] == [("user", "And now?"), ("assistant", "Bye.")]
    assert set(first) == {"conversation_id", "turns"}


@pytest.mark.parametrize("rows", [OPENAI, SHAREGPT, ALPACA], ids=["openai", "sharegpt", "alpaca"])
def test_a_good_file_of_each_layout_passes_the_checks(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    many = [row | {"number": index} for index, row in enumerate(rows * 20)]
    result, made = converted(write(tmp_path, b"\xef\xbb\xbf" + dumps(*many).replace("\n", "\r\n\n").encode()))
    report = check_file(result.target)
    assert (report.layout, report.counts["error"], report.statistics["conversations"]) == (
        "conversation_lines",
        0,
        len(many),
    )
    assert [row["number"] for row in made] == list(range(len(many)))


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ASKED, ANSWERED = turn("user", "Hi"), turn("assistant", "Yes")
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

REFUSED: dict[str, tuple[str, LeftOut]] = {
    "tool calls": (
        dumps({"messages": [ASKED, turn("assistant", None, tool_calls=[CALL])], "tools": [{}]}),
        LeftOut.TOOL_CALLS,
    ),
    "tool answer": (dumps({"messages": [ASKED, turn("tool", "42", tool_call_id="c1"), ANSWERED]}), LeftOut.TOOL_CALLS),
    "tool use part": (dumps({"messages": [ASKED, turn("assistant", [{"type": "tool_use"}])]}), LeftOut.TOOL_CALLS),
    "picture": (dumps({"messages": [turn("user", [{"type": "text", "text": "?"}, PICTURE]), ANSWERED]}), LeftOut.MEDIA),
    "unknown role": (dumps({"messages": [turn("narrator", "x"), ANSWERED]}), LeftOut.UNKNOWN_ROLE),
    "no role": (dumps({"messages": [{"content": "x"}, ANSWERED]}), LeftOut.UNKNOWN_ROLE),
    "content is a number": (dumps({"messages": [turn("user", 7), ANSWERED]}), LeftOut.NOT_TEXT),
    "content is null": (dumps({"messages": [ASKED, turn("assistant", None)]}), LeftOut.NOT_TEXT),
    "message is text": (dumps({"messages": ["Hi", ANSWERED]}), LeftOut.NOT_TEXT),
    "role is a list": (dumps({"messages": [{"role": [], "content": "x"}, ANSWERED]}), LeftOut.UNKNOWN_ROLE),
    "kind of a part is a list": (dumps({"messages": [turn("user", [{"type": []}]), ANSWERED]}), LeftOut.NOT_TEXT),
    "text part without text": (dumps({"messages": [turn("user", [{"type": "text"}]), ANSWERED]}), LeftOut.NOT_TEXT),
    "no messages": (dumps({"messages": []}), LeftOut.NO_TURNS),
    "no answer": (dumps({"messages": [ASKED]}), LeftOut.NO_ANSWER),
    "blank answer": (dumps({"messages": [ASKED, turn("assistant", " \n")]}), LeftOut.BLANK_ANSWER),
    "broken": ('{"messages": [\n', LeftOut.NOT_JSON),
    "not UTF-8": ('{"messages": [], "x": "\udcff"}\n', LeftOut.NOT_JSON),
    "half of a character": ('{"messages": [], "x": "\\ud800"}\n', LeftOut.NOT_JSON),
    "number of 65 bits": ('{"messages": [], "x": 18446744073709551616}\n', LeftOut.NOT_JSON),
    "deep": ('{"messages": [], "x": ' + "[" * 70 + "]" * 70 + "}\n", LeftOut.NOT_JSON),
    "too long": (dumps({"messages": [turn("user", "x" * (17 << 20)), ANSWERED]}), LeftOut.TOO_LONG),
    "another layout": (dumps(ALPACA[0]), LeftOut.OTHER_LAYOUT),
    "a list": ("[1]\n", LeftOut.OTHER_LAYOUT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_conversation_is_left_out_with_its_reason_and_line(tmp_path: Path, name: str) -> None:
    row, reason = REFUSED[name]
    content = dumps(OPENAI[0]) + "\n" + row + dumps(OPENAI[1])
    result, made = converted(write(tmp_path, content.encode("utf-8", "surrogateescape")))
    assert (result.left_out, result.omissions) == ({reason: 1}, (Omission(3, reason),))
    assert [row["conversation_id"] for row in made] == ["data-000001", "data-000003"]
    assert check_file(result.target).counts["error"] == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"conversations": [{"from": "human", "value": "<image>\nWhat?"}], "image": "a.jpg"}, LeftOut.MEDIA),
        ({"conversations": [{"from": "function_call", "value": "{}"}], "tools": "[]"}, LeftOut.TOOL_CALLS),
        ({"conversations": []}, LeftOut.NO_TURNS),
        ({"instruction": "a", "output": ""}, LeftOut.BLANK_ANSWER),
        ({"instruction": "a", "output": 5}, LeftOut.NOT_TEXT),
        ({"instruction": "a", "output": "b", "images": ["a.png"]}, LeftOut.MEDIA),
        ({"instruction": "a", "output": "b", "history": [["x"]]}, LeftOut.NOT_TEXT),
        ({"instruction": "a", "output": "b", "history": 1}, LeftOut.NOT_TEXT),
    ],
)
def test_reasons_of_the_other_layouts(tmp_path: Path, row: dict[str, Any], reason: LeftOut) -> None:
    path = write(tmp_path, dumps(row))
    with pytest.raises(NothingToConvertError) as caught:
        converted(path)
    assert (caught.value.left_out, caught.value.omissions) == ({reason: 1}, (Omission(1, reason),))
    assert list(tmp_path.iterdir()) == [path]


def test_an_id_of_its_own_is_kept_beside_the_made_one(tmp_path: Path) -> None:
    _result, (row,) = converted(write(tmp_path, dumps(OPENAI[0] | {"conversation_id": "mine"})))
    assert (row["conversation_id"], row["source_conversation_id"]) == ("data-000001", "mine")


def test_ids_do_not_depend_on_the_rows_before(tmp_path: Path) -> None:
    broken = write(tmp_path, "no json\n" + dumps(*OPENAI), "data.jsonl")
    ids = [row["conversation_id"] for row in converted(broken)[1]]
    broken.write_text(dumps(OPENAI[0], *OPENAI))
    assert [row["conversation_id"] for row in converted(broken)[1]][1:] == ids


def test_a_document_that_breaks_off_gives_no_file(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(SHAREGPT)[:-30], "sharegpt.json")
    with pytest.raises(BrokenFileError):
        convert(path, tmp_path / "new.jsonl", "sharegpt")
    assert list(tmp_path.iterdir()) == [path]


def test_stopping_and_progress(tmp_path: Path) -> None:
    path = write(tmp_path, dumps(*OPENAI) * 2000)
    seen: list[tuple[int, int]] = []
    with pytest.raises(CheckStopped):
        convert(path, tmp_path / "new.jsonl", "openai_messages", lambda *step: seen.append(step), lambda: len(seen) > 1)
    assert list(tmp_path.iterdir()) == [path] and len(seen) == 2
    convert(path, tmp_path / "new.jsonl", "openai_messages", lambda *step: seen.append(step))
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    with pytest.raises(FileExistsError):
        convert(path, tmp_path / "new.jsonl", "openai_messages")


def test_every_convertible_layout_has_a_name() -> None:
    assert set(FOREIGN_NAMES) > CONVERTIBLE


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "tool", "human", 7, None, ()]),
        "from": st.sampled_from(["human", "gpt", "system", "bing", "x"]),
        "content": st.text(max_size=5) | VALUES,
        "value": st.text(max_size=5) | VALUES,
        "weight": VALUES,
    },
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGE, max_size=4) | VALUES,
        "conversations": st.lists(MESSAGE, max_size=4) | VALUES,
        "instruction": st.text(max_size=5) | VALUES,
        "output": st.text(max_size=5) | VALUES,
        "history": VALUES,
        "system": VALUES,
        "turns": VALUES,
        "x": VALUES,
    },
)


@given(rows=st.lists(ROW, min_size=1, max_size=6), layout=st.sampled_from(sorted(CONVERTIBLE)))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_converted_passes_the_checks(tmp_path: Path, rows: list[dict[str, Any]], layout: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(dumps(*rows).encode("utf-8", "surrogatepass"))
    target = converted_path(path)
    try:
        result = convert(path, target, layout)
    except NothingToConvertError as error:
        assert sum(error.left_out.values()) == len(rows)
        return
    assert result.converted + sum(result.left_out.values()) == len(rows)
    report = check_file(target)
    assert [finding for finding in report.findings if finding.level == "error"] == []
    assert report.statistics["conversations"] == result.converted
    target.unlink()
