"""The figures of the dataset checks against values worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorry.core.checks import check_file
from lorry.core.checks.histograms import SIZE_BINS, TURN_BINS, histogram, rounded_ratio
from lorry.core.checks.statistics import tokens_of


def check(folder: Path, rows: list[Any]) -> Any:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return check_file(path)


def conversation(identity: str, *texts: tuple[str, str]) -> dict[str, Any]:
    return {"conversation_id": identity, "turns": [{"role": role, "content": text} for role, text in texts]}


def test_conversation_lines(tmp_path: Path) -> None:
    # Words are spaces + 1: 3, 1, 5 (two spaces in a row), 2 and 4, 1 (a line break is no space).
    report = check(
        tmp_path,
        [
            conversation(
                "a", ("user", "one two three"), ("assistant", "one"), ("user", "a  b c d"), ("assistant", "b c")
            ),
            conversation("b", ("system", "be kind to all"), ("assistant", "first\nsecond")),
        ],
    )
    figures = report.statistics
    assert figures["lines"] == figures["conversations"] == 2
    assert figures["turns"] == 6
    # The assistant of the second conversation has no user before it.
    assert figures["training_pairs"] == 2
    assert figures["words"] == 3 + 1 + 5 + 2 + 4 + 1
    assert figures["tokens"] == 21  # 20.8
    assert figures["avg_turns_per_conversation"] == 3.0
    assert figures["avg_tokens_per_turn"] == 3.5
    assert [(bar["from"], bar["count"]) for bar in figures["turns_histogram"]] == [(2, 1), (3, 0), (4, 1)]
    # 11 words are 14.3 tokens, 5 words 6.5.
    assert {bar["from"]: bar["count"] for bar in figures["tokens_histogram"] if bar["count"]} == {1: 1, 10: 1}
    # 13 and 8 characters; 3, 3 and 12; 14.
    roles = figures["roles"]
    assert {role: (roles[role]["texts"], roles[role]["characters"]) for role in roles} == {
        "user": (2, 21),
        "assistant": (3, 18),
        "system": (1, 14),
    }
    assert roles["assistant"]["histogram"] == [
        {"from": 1, "to": 9, "count": 2},
        {"from": 10, "to": 14, "count": 1},
    ]
    assert figures["characters"] == 53


def pair(identity: str, conversation_id: str, number: int, question: str, answer: str | None) -> dict[str, Any]:
    return {
        "id": identity,
        "conversation_id": conversation_id,
        "turn_number": number,
        "current_user_input": question,
        "target_response": answer,
        "system_prompt": "be kind",
    }


def test_pair_lines_of_scattered_conversations(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        [
            {"_meta": {"version": "4.0.0", "total_pairs": 4}},
            pair("1", "x", 2, "a b", "c d e"),
            pair("2", "x", 4, "a", "b"),
            pair("3", "y", 2, "a b c d", "e"),
            pair("4", "x", 6, "a", "b c d e f"),
        ],
    )
    figures = report.statistics
    assert (figures["lines"], figures["conversations"], figures["training_pairs"]) == (5, 2, 4)
    assert figures["turns"] == 8
    assert figures["words"] == 5 + 2 + 5 + 6
    assert figures["tokens"] == 23  # 23.4
    assert figures["avg_turns_per_conversation"] == 4.0
    assert figures["avg_tokens_per_turn"] == 2.88  # 23 / 8
    assert {bar["from"]: bar["count"] for bar in figures["turns_histogram"] if bar["count"]} == {2: 1, 6: 1}
    assert (figures["roles"]["system"]["texts"], figures["roles"]["system"]["characters"]) == (4, 28)
    assert report.sample[0]["turns"][:3] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "a b"},
        {"role": "assistant", "content": "c d e"},
    ]


def test_a_v4_document_counts_every_entry_and_only_texts_as_turns(tmp_path: Path) -> None:
    first = [pair("1", "therapeutic", 1, "a b", None), pair("2", "therapeutic", 2, "a b", "c")]
    second = [pair("1", "therapeutic", 1, "a", "b")]
    document = {
        "training_file_metadata": {"total_conversations": 2, "total_training_pairs": 3},
        "conversations": [
            {"conversation_metadata": {"conversation_id": f"c{index}"}, "training_pairs": pairs}
            for index, pairs in enumerate((first, second))
        ],
    }
    path = tmp_path / "data.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    report = check_file(path)
    figures = report.statistics
    assert report.counts_by_code == {"F13": 1, "P03": 1}
    assert (figures["conversations"], figures["training_pairs"], figures["turns"], figures["words"]) == (2, 3, 5, 7)
    assert figures["lines"] == path.read_text(encoding="utf-8").count("\n") + 1


def test_rows_with_mistakes_count_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rows = [
        json.dumps(conversation("a", ("human", "one two"), ("assistant", "three"))),
        '{"conversation_id": "b", "turns": [',
        json.dumps({"conversation_id": "c", "turns": [7, {"role": "user", "content": 5}]}),
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    figures = check_file(path).statistics
    assert (figures["lines"], figures["conversations"], figures["turns"], figures["words"]) == (3, 2, 3, 3)


def test_the_sample_is_the_first_three_conversations_cut_to_a_preview(tmp_path: Path) -> None:
    long = conversation("long", *[("user", "x" * 5000), ("assistant", "y")] * 30)
    report = check(
        tmp_path, [long, *(conversation(str(index), ("user", "q"), ("assistant", "a")) for index in range(5))]
    )
    assert [item["conversation_id"] for item in report.sample] == ["long", "0", "1"]
    assert [item["cut"] for item in report.sample] == [True, False, False]
    assert len(report.sample[0]["turns"]) == 40
    assert report.sample[0]["turns"][0]["content"] == "x" * 3999 + "…"
    assert report.sample[1]["turns"] == [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("words", "tokens"), [(0, 0), (1, 1), (2, 3), (4, 5), (5, 7), (10, 13), (15, 20), (1000001, 1300001)]
)
def test_tokens_are_rounded_once_halves_up(words: int, tokens: int) -> None:
    assert tokens_of(words) == tokens


def test_a_histogram_has_fixed_bins_from_the_first_value_to_the_last() -> None:
    # The bins begin at … 10, 15, 20, 30 …
    assert histogram({9: 1, 10: 2, 14: 3, 29: 1}, SIZE_BINS) == [
        {"from": 1, "to": 9, "count": 1},
        {"from": 10, "to": 14, "count": 5},
        {"from": 15, "to": 19, "count": 0},
        {"from": 20, "to": 29, "count": 1},
    ]
    assert histogram({5000: 1}, TURN_BINS) == [{"from": 1001, "to": None, "count": 1}]
    assert histogram({}, SIZE_BINS) == []


@pytest.mark.parametrize(
    ("numerator", "denominator", "ratio"), [(0, 0, 0.0), (1, 3, 0.33), (2, 3, 0.67), (1, 8, 0.13), (23, 8, 2.88)]
)
def test_ratios_are_rounded_halves_up(numerator: int, denominator: int, ratio: float) -> None:
    assert rounded_ratio(numerator, denominator) == ratio
