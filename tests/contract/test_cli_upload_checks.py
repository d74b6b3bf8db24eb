"""`lorry upload` checks a file before a byte of it leaves: what stops it, what is only said."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import Program, holds_nothing, program_of, rows
from tests.support.datasets import make_dataset
from tests.support.workspace import User


@pytest.fixture
def lorry(alice: User, tmp_path: Path) -> Program:
    return program_of(alice, tmp_path / "home")


def conversation(number: int, role: str = "user") -> dict[str, Any]:
    turns = [{"role": role, "content": f"Question {number}?"}, {"role": "assistant", "content": "Yes."}]
    return {"conversation_id": f"c{number}", "turns": turns}


def write(path: Path, *documents: Any) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def test_errors_stop_a_file_and_leave_the_others_alone(lorry: Program, alice: User, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.jsonl", conversation(1), conversation(2, "human"), conversation(3, "bot"))
    good = make_dataset("conversation_lines", 20_000, tmp_path / "good.jsonl").path
    ended = lorry.run("upload", bad, good)
    assert ended.status == 1
    assert ended.complaint == (
        f"{bad}: 2 errors, the first on line 2: Unknown role human; `lorry check {bad}` shows all, "
        "--anyway uploads it all the same."
    )
    assert f"{good}: " in ended.stdout
    assert [row["file_name"] for row in rows(alice.server, user_id=alice.id)] == ["good.jsonl"]


def test_errors_as_json(lorry: Program, alice: User, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.jsonl", conversation(1, "human"), [])
    ended = lorry.run("upload", bad, "--json")
    assert (ended.status, ended.stderr) == (1, "")
    document = ended.document
    assert set(document) == {"error", "details"} and document["error"].startswith("2 errors, the first on line 1: ")
    assert document["details"]["uploads"] == [
        {"file": str(bad), "dataset_id": None, "storage_path": None, "status": "failed"}
    ]
    (failure,) = document["details"]["failures"]
    assert (failure["file"], failure["error"], failure["code"]) == (str(bad), document["error"], "file_has_errors")
    assert failure["counts"]["error"] == 2 and failure["counts_by_code"] == {"C04": 1, "F13": 1, "R02": 1}
    assert [(finding["code"], finding["line"]) for finding in failure["findings"]] == [("C04", 1), ("R02", 2)]
    assert holds_nothing(alice)


def test_foreign_formats_name_the_way(lorry: Program, alice: User, tmp_path: Path) -> None:
    chats = write(tmp_path / "chats.jsonl", {"messages": conversation(1)["turns"]})
    texts = write(tmp_path / "texts.jsonl", {"text": "Once"})
    convertible, other = lorry.run_together(("upload", chats), ("upload", texts))
    assert convertible.complaint == (
        f"{chats}: Not a format Lorry uploads: OpenAI chat. "
        f"`lorry check {chats} --convert` makes conversation lines of it."
    )
    assert other.complaint.endswith("Not a format Lorry uploads: plain text rows. Lorry cannot convert this one.")
    assert holds_nothing(alice)


def test_anyway_uploads_and_is_written_down(lorry: Program, alice: User, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.jsonl", conversation(1, "human"))
    ended = lorry.run("upload", bad, "--anyway", "--wait")
    assert ended.status == 1 and "does not accept bad.jsonl" in ended.complaint
    assert "bad.jsonl: 1 error; uploaded all the same (--anyway).\n" in ended.stderr
    (row,) = rows(alice.server, user_id=alice.id)
    assert row["status"] == "error"
    logged = "".join(path.read_text(encoding="utf-8") for path in lorry.home.rglob("*.log*"))
    assert "bad.jsonl although its check found 1 errors: --anyway" in logged


def test_warnings_are_one_line_and_stop_nothing(lorry: Program, alice: User, tmp_path: Path) -> None:
    path = write(tmp_path / "few.jsonl", conversation(1), conversation(2))
    ended = lorry.run("upload", path)
    assert ended.status == 0
    said = [line for line in ended.stderr.splitlines() if "warning" in line]
    assert said == ["few.jsonl: 1 warning, on line 1: Only 2 conversations: too few to learn from."]


@pytest.mark.parametrize(("chosen", "expected"), [((), "v3"), (("--format", "brightrun_lora_v4"), "v4")])
def test_the_format_of_the_file_is_taken_unless_one_is_chosen(
    lorry: Program, alice: User, tmp_path: Path, chosen: tuple[str, ...], expected: str
) -> None:
    path = make_dataset("v3_document", 20_000, tmp_path / "doc.json").path
    ended = lorry.run("upload", path, *chosen)
    assert ended.status == 0
    (row,) = rows(alice.server, user_id=alice.id)
    assert row["format"] == f"brightrun_lora_{expected}"
    assert ("doc.json: 2 warnings" if chosen else "doc.json: 1 warning,") in ended.stderr


def test_what_was_checked_is_what_is_recorded(lorry: Program, alice: User, tmp_path: Path) -> None:
    made = make_dataset("conversation_lines", 20_000, tmp_path / "a.jsonl")
    assert lorry.run("upload", made.path, "--wait").status == 0
    (row,) = rows(alice.server, user_id=alice.id)
    assert row["checksums"]["whole"] == made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()


def test_the_same_content_again_is_said_and_uploaded(lorry: Program, alice: User, tmp_path: Path) -> None:
    path = make_dataset("conversation_lines", 20_000, tmp_path / "a.jsonl").path
    other = make_dataset("conversation_lines", 20_000, tmp_path / "b.jsonl", seed=2).path
    first = lorry.run("upload", path, "--name", "Inheritance and guilt", "--wait")
    assert first.status == 0 and "already here" not in first.stderr
    again = lorry.run("upload", path.rename(tmp_path / "copy.jsonl"), other)
    assert again.status == 0
    said = [line for line in again.stderr.splitlines() if "already here" in line]
    assert len(said) == 1
    assert said[0].startswith('copy.jsonl: The same content is already here: "Inheritance and guilt", uploaded Today ')
    assert said[0].endswith(" It is uploaded as a new dataset.")
    assert len(rows(alice.server, user_id=alice.id)) == 3
