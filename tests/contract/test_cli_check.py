"""`lorry check` as people and scripts use it: report, copies, SARIF, exit codes. No server is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import Program
from tests.support.datasets import make_dataset

BOM = b"\xef\xbb\xbf"
USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}


@pytest.fixture
def alone(tmp_path: Path) -> Program:
    return Program(tmp_path / "home", {"LORRY_URL": "http://nowhere.example", "LORRY_KEY": "x"})


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def conversation(number: int, *turns: dict[str, str]) -> dict[str, Any]:
    return {"conversation_id": f"c{number}", "turns": list(turns) or [{**USER, "content": f"Hi {number}"}, ANSWER]}


def write(folder: Path, content: bytes, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


GOOD = lines(*(conversation(number) for number in range(10)))


def test_the_report_of_a_clean_file(alone: Program, tmp_path: Path) -> None:
    text, plain = (
        alone.run("check", write(tmp_path, GOOD)),
        alone.run("check", tmp_path / "data.jsonl", PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
    )
    assert (text.status, text.stderr) == (0, "")
    verdict, _empty, size, figures, averages, *_rest = text.stdout.splitlines()
    assert verdict == "data.jsonl: No errors, no warnings"
    assert size == f"Conversation lines, {len(GOOD) / 1000:.1f} kB"
    assert figures == "10 conversations, 20 turns, 10 training pairs, ≈ 39 tokens"
    assert averages == "2 turns per conversation, ≈ 1.95 tokens per turn"
    assert f"Turns per conversation\n  2  {'█' * 24} 10\n" in text.stdout
    assert plain.status == 0 and f"  2  {'#' * 24} 10\n" in plain.stdout


def test_the_report_of_a_file_with_findings(alone: Program, tmp_path: Path) -> None:
    rows = [conversation(number, {"role": "human", "content": "Hi"}, ANSWER) for number in range(15)]
    path = write(tmp_path, lines(*rows) + b'{"conversation_id": "x", "turns": [1,]}\n')
    text, everything = alone.run_together(("check", path), ("check", path, "--all"))
    assert text.status == everything.status == 1
    assert text.stdout.startswith("data.jsonl: 16 errors, 14 warnings\nErrors stop the upload unless")
    assert "\nErrors\n  C04  Unknown role (15). Write user.\n       line 1:" in text.stdout
    assert "       line 16:37  Not JSON: a comma before ]. Remove the comma.\n" in text.stdout
    assert "       and 5 more; --all lists them\n" in text.stdout
    assert "more" not in everything.stdout and "line 15:" in everything.stdout


def test_lists_are_cut_and_no_name_reaches_the_terminal_raw(alone: Program, tmp_path: Path) -> None:
    row = conversation(1, {"role": "\x1b[31m\u202e", "content": "Hi"}, ANSWER)
    ended = alone.run("check", write(tmp_path, lines(row), "a\u202eb.jsonl"))
    assert ended.status == 1
    assert "\x1b" not in ended.stdout and "\u202e" not in ended.stdout


def test_a_large_file_shows_progress_and_json_is_silent(alone: Program, tmp_path: Path) -> None:
    made = make_dataset("conversation_lines", 40_000_000, tmp_path / "large.jsonl")
    spoken, silent = alone.run("check", made.path), alone.run("check", made.path, "--json")
    assert re.search(r"^large\.jsonl: Checking, \d+ %$", spoken.stderr, re.MULTILINE)
    assert silent.stderr == ""
    assert silent.document["data"]["statistics"]["conversations"] == made.conversations


def test_a_foreign_file_is_named_and_converted(alone: Program, tmp_path: Path) -> None:
    rows = [{"messages": [{**USER, "content": f"Hi {number}"}, ANSWER]} for number in range(12)]
    path = write(tmp_path, lines(*rows, {"messages": [USER]}), "chats.jsonl")
    named, converted = alone.run("check", path), alone.run("check", path, "--convert")
    assert named.status == converted.status == 1
    assert named.stdout.startswith("chats.jsonl: Not a format Lorry uploads: OpenAI chat\n")
    assert f"lorry check {path} --convert" in named.stdout
    target = tmp_path / "chats.conversations.jsonl"
    assert f"Converted copy: {target}, 12 conversations\n" in converted.stdout
    assert "1  left out, no answer: line 13\n" in converted.stdout
    assert converted.stdout.endswith("It has: No errors, no warnings.\n")
    assert alone.run("check", target).status == 0
    again = alone.run("check", path, "--convert", "--json").document["data"]["converted"]
    assert again.pop("counts_by_code") == {}
    assert again == {
        "file": str(tmp_path / "chats.conversations-2.jsonl"),
        "converted": 12,
        "left_out": {"no_answer": 1},
        "omissions": [{"line": 13, "reason": "no_answer"}],
        "counts": {"error": 0, "warning": 0, "info": 0},
    }


@pytest.mark.parametrize(
    ("row", "said", "code"),
    [
        (conversation(1), "data.jsonl is not converted: it is in a layout Lorry uploads.", "not_convertible"),
        ({"x": 1}, "data.jsonl is not converted: Lorry does not know its layout.", "not_convertible"),
        ({"text": "x"}, "Lorry has no conversion for plain text rows.", "not_convertible"),
        ({"messages": [USER]}, "no row of it can be a conversation: no answer (1).", "nothing_to_convert"),
    ],
)
def test_what_cannot_be_converted(alone: Program, tmp_path: Path, row: dict[str, Any], said: str, code: str) -> None:
    path = write(tmp_path, lines(row))
    text, as_json = alone.run_together(("check", path, "--convert"), ("check", path, "--convert", "--json"))
    assert text.status == as_json.status == 2
    assert text.complaint.endswith(said) and text.stdout.startswith("data.jsonl: ")
    assert as_json.document["error"] == text.complaint and as_json.document["details"]["code"] == code
    assert [entry for entry in tmp_path.iterdir() if entry.is_file()] == [path]


def test_the_fixed_copy_says_what_changed(alone: Program, tmp_path: Path) -> None:
    wrong = conversation(99, {"role": "human", "content": "Hi"}, USER, ANSWER)
    content = BOM + (GOOD + b"\n" + lines(wrong)).replace(b"\n", b"\r\n")
    path = write(tmp_path, content)
    fixed = alone.run("check", path, "--fix")
    assert fixed.status == 1
    assert f"Fixed copy: {tmp_path / 'data.fixed.jsonl'}\n" in fixed.stdout
    for said in ("1  byte order mark removed", "11  line ends changed to LF", "1  blank lines removed"):
        assert f"  {said}\n" in fixed.stdout
    assert "It has: 1 error, 1 warning.\n" in fixed.stdout
    assert "--map-roles" in fixed.stdout and "--merge-turns" in fixed.stdout
    assert (tmp_path / "data.fixed.jsonl").read_bytes() == GOOD + lines(wrong)
    asked = alone.run("check", path, "--map-roles", "--merge-turns", "--json").document["data"]["fixed"]
    assert asked == {
        "file": str(tmp_path / "data.fixed-2.jsonl"),
        "changes": {"byte_order_mark": 1, "line_ends": 11, "blank_lines": 1, "role_names": 1, "repeated_roles": 1},
        "counts": {"error": 0, "warning": 0, "info": 0},
        "counts_by_code": {},
    }
    assert path.read_bytes() == content


def test_nothing_to_fix(alone: Program, tmp_path: Path) -> None:
    text, as_json = alone.run_together(
        ("check", write(tmp_path, GOOD), "--fix"), ("check", tmp_path / "data.jsonl", "--fix", "--json")
    )
    assert text.status == as_json.status == 0
    assert text.stdout.endswith("Nothing here that Lorry fixes by itself.\n")
    assert as_json.document["data"]["fixed"] is None
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["data.jsonl"]


def test_the_report_keeps_its_shape(alone: Program, tmp_path: Path) -> None:
    document = alone.run("check", write(tmp_path, GOOD), "--json").document
    assert set(document["data"]) == {
        "layout", "format", "clean", "counts", "counts_by_code", "findings", "findings_total", "statistics",
        "sample", "checksums", "size_bytes", "seconds",
    }  # fmt: skip


def test_sarif_beside_the_report(alone: Program, tmp_path: Path) -> None:
    path = write(tmp_path, b"no json\n")
    target = tmp_path / "report.sarif"
    target.write_text("an older report")
    ended = alone.run("check", path, "--sarif", target, "--json")
    assert ended.status == 1 and ended.document["data"]["counts"]["error"] == 1
    (result,) = json.loads(target.read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("R01", "error")
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file()) == ["data.jsonl", "report.sarif"]


def test_sarif_that_cannot_be_written(alone: Program, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    itself, nowhere = alone.run_together(
        ("check", path, "--sarif", path), ("check", path, "--sarif", tmp_path / "none" / "x.sarif")
    )
    assert itself.status == nowhere.status == 2
    assert itself.complaint == "--sarif names the dataset itself."
    assert "x.sarif cannot be written: No such file or directory." in nowhere.complaint
    assert path.read_bytes() == GOOD
