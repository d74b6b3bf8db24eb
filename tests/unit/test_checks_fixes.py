"""Safe fixes: what they promise is gone afterwards, nothing else changes, and no file is ever written over."""

from __future__ import annotations

import json
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.dataset_mutations import mutant
from tests.support.datasets import make_dataset

from lorry.core.checks import CheckStopped, Report, check_file
from lorry.core.checks.fixes import (
    BrokenFileError,
    Fix,
    FixKind,
    default_fixes,
    fixed_path,
    plan_fixes,
    preview,
    write_fixed,
)

BOM = b"\xef\xbb\xbf"
ALL = tuple(FixKind)


def conversation(number: int, *turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    spoken = turns or ({"role": "user", "content": f"Question {number}?"}, {"role": "assistant", "content": "Yes."})
    return {"conversation_id": f"c{number}", "turns": list(spoken), **more}


def pair(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"p{number}",
        "conversation_id": f"c{number}",
        "turn_number": 2,
        "current_user_input": f"Question {number}?",
        "target_response": "Yes.",
    }
    return row | changes


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write(folder: Path, content: bytes, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def fixed(path: Path, kinds: tuple[FixKind, ...]) -> Path:
    target = fixed_path(path, kinds)
    write_fixed(path, target, kinds)
    return target


def kinds_of(report: Report) -> dict[FixKind, Fix]:
    return {fix.kind: fix for fix in plan_fixes(report)}


CONVERSATIONS = [conversation(number) for number in range(10)]


@pytest.mark.parametrize(
    ("content", "kind", "code", "expected"),
    [
        (BOM + lines(*CONVERSATIONS), FixKind.BYTE_ORDER_MARK, "F05", lines(*CONVERSATIONS)),
        (lines(*CONVERSATIONS).replace(b"\n", b"\r\n"), FixKind.LINE_ENDS, "F06", lines(*CONVERSATIONS)),
        (lines(*CONVERSATIONS).replace(b"\n", b"\r\r\n"), FixKind.LINE_ENDS, "F06", lines(*CONVERSATIONS)),
        (b"\n \t\n" + lines(*CONVERSATIONS) + b"\n  ", FixKind.BLANK_LINES, "F09", lines(*CONVERSATIONS)),
        (json.dumps(CONVERSATIONS).encode(), FixKind.ONE_ROW_A_LINE, "F07", lines(*CONVERSATIONS)),
        (
            b"".join(json.dumps(row, indent=2).encode() + b"\n" for row in CONVERSATIONS),
            FixKind.ONE_ROW_A_LINE,
            "F08",
            None,
        ),
    ],
    ids=["mark", "line ends", "two CR", "blank lines", "array", "objects over several lines"],
)
def test_a_fix_of_the_arrangement(
    tmp_path: Path, content: bytes, kind: FixKind, code: str, expected: bytes | None
) -> None:
    path = write(tmp_path, content)
    report = check_file(path)
    assert plan_fixes(report) == (Fix(kind, (code,), 1),)
    target = fixed(path, (kind,))
    assert target == tmp_path / "data.fixed.jsonl"
    assert check_file(target).counts_by_code == {}
    assert path.read_bytes() == content
    if expected is not None:
        assert target.read_bytes() == expected
    else:
        assert [json.loads(line) for line in target.read_bytes().splitlines()] == CONVERSATIONS


def test_only_what_was_chosen_is_fixed(tmp_path: Path) -> None:
    content = BOM + lines(*CONVERSATIONS[:5]) + b"\r\n" + lines(*CONVERSATIONS[5:]).replace(b"\n", b"\r\n")
    path = write(tmp_path, content)
    assert fixed(path, ()).read_bytes() == content
    assert fixed(path, (FixKind.BLANK_LINES,)).read_bytes() == content.replace(b"\n\r\n", b"\n")
    assert fixed(path, (FixKind.LINE_ENDS, FixKind.KEY_NAMES)).read_bytes() == content.replace(b"\r\n", b"\n")


def test_a_document_under_the_wrong_name_is_copied_under_the_right_one(tmp_path: Path) -> None:
    made = make_dataset("v4_document", 60_000, tmp_path / "doc.json")
    path = made.path.rename(tmp_path / "doc.jsonl")
    report = check_file(path)
    assert [(fix.kind, fix.codes) for fix in plan_fixes(report)] == [(FixKind.DOCUMENT_NAME, ("F08",))]
    target = fixed(path, (FixKind.DOCUMENT_NAME,))
    assert target.name == "doc.fixed.json"
    assert target.read_bytes() == path.read_bytes()
    assert check_file(target).counts["error"] == 0


def test_an_array_of_pairs_without_answers_keeps_its_form(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(10)] + [pair(10, target_response=None)]
    path = write(tmp_path, json.dumps(rows).encode())
    assert set(kinds_of(check_file(path))) == {FixKind.DOCUMENT_NAME}
    assert check_file(fixed(path, (FixKind.DOCUMENT_NAME,))).counts["error"] == 0


USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}

#: A row with a mistake, the fixes, and what becomes of its text.
ROW_FIXES: dict[str, tuple[str, tuple[FixKind, ...], str]] = {
    "keys of another tool": (
        '{"conversation_id": "x", "turns": [{"from": "user", "value": "a"}, {"from":"assistant","value":"b"}]}',
        (FixKind.KEY_NAMES,),
        '{"conversation_id": "x", "turns": [{"role": "user", "content": "a"}, {"role":"assistant","content":"b"}]}',
    ),
    "keys and words of another tool": (
        '{"conversation_id": "x", "turns": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}',
        (FixKind.KEY_NAMES, FixKind.ROLE_NAMES),
        '{"conversation_id": "x", "turns": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
    ),
    "misspelt keys of a row": (
        '{"convresation_id": "x", "turnz": [{"role": " User", "content": "a"}, {"role": "BOT", "content": "b"}]}',
        (FixKind.KEY_NAMES, FixKind.ROLE_NAMES),
        '{"conversation_id": "x", "turns": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
    ),
    "numbers stay as they are written": (
        '{"n": 1.50, "big": 123456789012345678, "conversationId":"x" , "turns":[ {"Role":"user","content":"\\u00e9"},'
        '{"role":"assistant","content":"b"} ]}',
        (FixKind.KEY_NAMES,),
        '{"n": 1.50, "big": 123456789012345678, "conversation_id":"x" , "turns":[ {"role":"user","content":"\\u00e9"},'
        '{"role":"assistant","content":"b"} ]}',
    ),
    "repeated roles": (
        '{"conversation_id": "x", "turns": [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "w": 1},'
        ' {"role": "assistant", "content": "c"}]}',
        (FixKind.REPEATED_ROLES,),
        '{"conversation_id": "x", "turns": [{"role": "user", "content": "a\\n\\nb", "w": 1},'
        ' {"role": "assistant", "content": "c"}]}',
    ),
    "repeated roles, content first": (
        '{"conversation_id": "x", "turns": [{"content": "a", "role": "user"}, {"role": "assistant", "content": "c"},'
        ' {"role": "assistant", "content": "d", "w": 1}, {"role": "assistant", "content": "é"}]}',
        (FixKind.REPEATED_ROLES,),
        '{"conversation_id": "x", "turns": [{"content": "a", "role": "user"}, {"role": "assistant",'
        ' "content": "c\\n\\nd\\n\\né", "w": 1}]}',
    ),
}


@pytest.mark.parametrize("name", ROW_FIXES)
def test_a_fix_inside_a_row_changes_nothing_else(tmp_path: Path, name: str) -> None:
    before, kinds, after = ROW_FIXES[name]
    around = lines(*CONVERSATIONS).replace(b": ", b" :  ")
    path = write(tmp_path, around + before.encode() + b"\n" + around)
    assert set(kinds) <= set(kinds_of(check_file(path)))
    target = fixed(path, kinds)
    assert target.read_bytes() == around + after.encode() + b"\n" + around
    assert check_file(write(tmp_path, after.encode() + b"\n", "one.jsonl")).counts["error"] == 0


def test_rows_of_a_document_are_fixed_where_they_stand(tmp_path: Path) -> None:
    text = '{"dataset_metadata": {"version": "3.0"},\n "training_pairs": [\n  %s,\n  %s\n ], "x": [1]}\n'
    wrong = json.dumps(pair(2)).replace("target_response", "response")
    path = write(tmp_path, (text % (json.dumps(pair(1)), wrong)).encode(), "doc.json")
    target = fixed(path, (FixKind.KEY_NAMES, FixKind.LINE_ENDS, FixKind.BLANK_LINES))
    assert target.name == "doc.fixed.json"
    assert target.read_bytes() == (text % (json.dumps(pair(1)), json.dumps(pair(2)))).encode()


def test_a_pair_in_a_group_is_fixed(tmp_path: Path) -> None:
    group = {"conversation_metadata": {"conversationId": "g"}, "training_pairs": [pair(1)]}
    text = json.dumps({"training_file_metadata": {}, "conversations": [group]}).replace("turn_number", "turn_index")
    report = check_file(fixed(write(tmp_path, text.encode(), "doc.json"), (FixKind.KEY_NAMES,)))
    assert report.counts["error"] == 0


@pytest.mark.parametrize(
    "turn",
    [
        {"speaker": "user", "type": "message", "content": "a"},
        {"role": "user", "text": "a", "message": "b"},
        {"role": "user", "text": 7},
    ],
)
def test_a_key_that_may_mean_two_things_is_left_alone(tmp_path: Path, turn: dict[str, Any]) -> None:
    content = lines(conversation(1, turn, ANSWER))
    assert fixed(write(tmp_path, content), (FixKind.KEY_NAMES,)).read_bytes() == content


def test_rows_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    deep = b'{"conversation_id": "x", "turns": ' + b"[" * 5000 + b"]" * 5000 + b"}\n"
    bad = [b"not json\n", b'{"turnz": [1}\n', b'{"conversation_id": "\xff", "turnz": []}\n', deep, b"7\n", b"[]\n"]
    content = b"".join(bad) + lines(*CONVERSATIONS)
    assert fixed(write(tmp_path, content), ALL).read_bytes() == content


def test_a_row_over_the_limit_is_copied(tmp_path: Path) -> None:
    long = lines(conversation(99, {"role": "human", "content": "x" * (17 * 1024 * 1024)}, ANSWER))
    path = write(tmp_path, BOM + lines(*CONVERSATIONS) + long + lines(*CONVERSATIONS))
    assert fixed(path, ALL).read_bytes() == lines(*CONVERSATIONS) + long + lines(*CONVERSATIONS)


@pytest.mark.parametrize(
    ("content", "line"), [(b'[{"a": 1},\n {"b": \'x\'}]', 2), (b"[{}, {}", 1), (b"[{} {}]", 1), (b'[{"a": "\n"}]', 1)]
)
def test_an_array_whose_rows_cannot_be_told_apart_is_refused(tmp_path: Path, content: bytes, line: int) -> None:
    path = write(tmp_path, content)
    assert FixKind.ONE_ROW_A_LINE not in kinds_of(check_file(path))
    with pytest.raises(BrokenFileError) as caught:
        write_fixed(path, tmp_path / "new.jsonl", (FixKind.ONE_ROW_A_LINE,))
    assert caught.value.line == line
    assert names(tmp_path) == [path.name]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = write(tmp_path, BOM + lines(*CONVERSATIONS))
    first, second = fixed(path, (FixKind.BYTE_ORDER_MARK,)), fixed(path, ())
    assert (first.name, second.name) == ("data.fixed.jsonl", "data.fixed-2.jsonl")
    for target in (path, first):
        before = target.read_bytes()
        with pytest.raises(FileExistsError):
            write_fixed(path, target, ALL)
        assert target.read_bytes() == before
    assert names(tmp_path) == ["data.fixed-2.jsonl", "data.fixed.jsonl", "data.jsonl"]


def test_a_name_taken_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path, target = write(tmp_path, BOM + lines(*CONVERSATIONS)), tmp_path / "taken.jsonl"
    with pytest.raises(FileExistsError):
        write_fixed(path, target, ALL, on_progress=lambda _done, _total: target.write_text("mine") and None)
    assert target.read_text() == "mine"
    assert names(tmp_path) == ["data.jsonl", "taken.jsonl"]


def test_a_file_that_changes_meanwhile_gives_no_copy(tmp_path: Path) -> None:
    path = write(tmp_path, lines(*CONVERSATIONS))
    with pytest.raises(OSError, match="changed"):
        write_fixed(path, tmp_path / "new.jsonl", ALL, on_progress=lambda _done, _total: path.write_text("x") and None)
    assert names(tmp_path) == ["data.jsonl"]


def test_stopping_leaves_nothing_behind_and_progress_grows(tmp_path: Path) -> None:
    made = make_dataset("pair_lines", 3_000_000, tmp_path / "data.jsonl")
    seen: list[tuple[int, int]] = []
    with pytest.raises(CheckStopped):
        write_fixed(
            made.path,
            tmp_path / "new.jsonl",
            ALL,
            on_progress=lambda done, total: seen.append((done, total)),
            should_stop=lambda: len(seen) > 2,
        )
    assert names(tmp_path) == ["data.jsonl"]
    result = write_fixed(made.path, tmp_path / "new.jsonl", ALL, on_progress=lambda *step: seen.append(step))
    assert seen[-1] == (made.size_bytes, made.size_bytes)
    assert (tmp_path / "new.jsonl").read_bytes() == made.path.read_bytes()
    assert (result.changes, result.size_bytes) == ({}, made.size_bytes)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_the_copy_has_the_permissions_of_the_original(tmp_path: Path) -> None:
    path = write(tmp_path, lines(*CONVERSATIONS))
    path.chmod(0o640)
    assert stat.S_IMODE(fixed(path, ()).stat().st_mode) == 0o640


def test_the_preview_shows_the_first_places(tmp_path: Path) -> None:
    wrong = lines(conversation(77, {"role": "human", "content": "a" * 500}, ANSWER))
    path = write(tmp_path, BOM + lines(CONVERSATIONS[0]) + b" \n" + wrong + lines(*CONVERSATIONS[1:]))
    kinds = (FixKind.BYTE_ORDER_MARK, FixKind.BLANK_LINES, FixKind.ROLE_NAMES)
    mark, blank, role = preview(path, kinds)
    assert (mark.line, mark.before, mark.after) == (1, "‹BOM›", "")
    assert (blank.line, blank.before, blank.after) == (2, " ␊", "")
    assert (role.line, role.kinds) == (3, (FixKind.ROLE_NAMES,))
    assert '"role": "human"' in role.before and '"role": "user"' in role.after
    assert role.before.endswith("…") and len(role.before) < 200
    assert preview(path, kinds, limit=2) == (mark, blank)
    assert names(tmp_path) == ["data.jsonl"]


def test_what_is_made_only_when_asked_for(tmp_path: Path) -> None:
    row = conversation(1, {"role": "human", "content": "a"}, {"role": "user", "content": "b"}, ANSWER)
    path = write(tmp_path, lines(row).replace(b"\n", b"\r\n") * 2)
    plan = plan_fixes(check_file(path))
    assert default_fixes(plan) == (FixKind.LINE_ENDS,)
    assert [fix.kind for fix in plan if fix.is_on_request] == [FixKind.ROLE_NAMES, FixKind.REPEATED_ROLES]
    assert [(fix.findings, fix.is_exact) for fix in plan if fix.is_on_request] == [(2, True), (2, True)]


def test_an_empty_file_is_not_fixed(tmp_path: Path) -> None:
    for content in (b"", BOM, b"\r\n\n"):
        assert plan_fixes(check_file(write(tmp_path, content))) == ()


# -- properties ------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["Hi there", "", " ", "é😀", 'quote " and \\', "line\nbreak", "\u2028", "x" * 300])
SPEAKERS = st.sampled_from(["user", "assistant", "system", "human", "GPT", " bot "])
TURN = st.builds(
    lambda keys, speaker, text: {keys[0]: speaker, keys[1]: text},
    st.sampled_from([("role", "content"), ("from", "value"), ("Role", "Content"), ("speaker", "text")]),
    SPEAKERS,
    TEXTS,
)
SPOKEN = st.builds(
    lambda key, turns: {key: turns},
    st.sampled_from(["turns", "turns", "turnz"]),
    st.lists(TURN, min_size=1, max_size=6),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of conversations with mistakes that fixes know, in any arrangement; every row has its own id."""
    rows = [{"conversation_id": f"c{n}"} | draw(SPOKEN) for n in range(draw(st.integers(1, 8)))]
    mark = draw(st.sampled_from([b"", BOM]))
    arrangement = draw(st.sampled_from(["lines", "array", "indented array", "sequence", "array in .json"]))
    if arrangement == "lines":
        ends = [draw(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n \n"])) for _row in rows]
        made = [json.dumps(row, ensure_ascii=False).encode() + end for row, end in zip(rows, ends, strict=True)]
        return "data.jsonl", mark + b"".join(made)
    if arrangement == "sequence":
        return "data.jsonl", mark + b"\n".join(json.dumps(row, indent=1).encode() for row in rows)
    indent = None if arrangement == "array" else 2
    name = "data.json" if arrangement.endswith(".json") else "data.jsonl"
    return name, mark + json.dumps(rows, indent=indent, ensure_ascii=False).encode()


def parsed(path: Path, report: Report) -> list[Any]:
    text = path.read_bytes().decode("utf-8-sig")
    if report.layout == "conversation_lines" and not text.lstrip().startswith("["):
        decoder, rows, at = json.JSONDecoder(), [], 0
        while (rest := text[at:].lstrip()) and (at := len(text) - len(rest)) >= 0:
            row, length = decoder.raw_decode(rest)
            rows.append(row)
            at += length
        return rows
    return list(json.loads(text))


def merged(turns: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The turns under their right names, as a reader of the file would understand them."""
    words = {"human": "user", "gpt": "assistant", "bot": "assistant"}
    said: list[tuple[str, str]] = []
    for turn in turns:
        role, text = turn.values()
        role = words.get(role.strip().lower(), role.strip().lower())
        if said and role == said[-1][0] and role != "system":
            said[-1] = (role, f"{said[-1][1]}\n\n{text}")
        else:
            said.append((role, text))
    return said


@given(file=files())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_promises_are_kept_and_content_stays(tmp_path: Path, file: tuple[str, bytes]) -> None:
    name, content = file
    path = write(tmp_path, content, name)
    report = check_file(path)
    plan = plan_fixes(report)
    target = fixed(path, ALL if not plan else tuple(fix.kind for fix in plan) + tuple(ROW_KINDS))
    after = check_file(target)
    for fix in plan:
        if fix.is_exact:
            assert not set(fix.codes) & set(after.counts_by_code), fix
    for code in ("F05", "F06", "F07", "F08", "F09", "C03", "C04", "C09", "R03"):
        assert code not in after.counts_by_code
    if not any(fix.kind is FixKind.KEY_NAMES for fix in plan):
        assert after.counts["error"] <= report.counts["error"]
    # Under a right key a text is looked at for the first time: what it lacks itself is all that may come to light.
    assert {finding.code for finding in after.findings if finding.level == "error"} <= {"C06", "C07"}
    before_rows, after_rows = parsed(path, report), parsed(target, after)
    assert [row["conversation_id"] for row in after_rows] == [row["conversation_id"] for row in before_rows]
    for before, row in zip(before_rows, after_rows, strict=True):
        assert [(turn["role"], turn["content"]) for turn in row["turns"]] == merged(list(before.values())[1])
    target.unlink()


ROW_KINDS = (FixKind.KEY_NAMES, FixKind.ROLE_NAMES, FixKind.REPEATED_ROLES)


@pytest.mark.parametrize("seed", range(400))
def test_safe_fixes_of_any_broken_file_clear_what_they_promise_and_add_no_error(tmp_path: Path, seed: int) -> None:
    """Mutated files of every layout: the fixes that need no agreement, keys aside, can only make a file better."""
    made = mutant(seed)
    path = write(tmp_path, made.content, made.name)
    report = check_file(path)
    plan = [fix for fix in plan_fixes(report) if fix.is_exact and not fix.is_on_request]
    target = fixed(path, tuple(fix.kind for fix in plan))
    after = check_file(target)
    for fix in plan:
        assert not set(fix.codes) & set(after.counts_by_code), fix
    assert after.counts["error"] <= report.counts["error"]
    assert set(after.counts_by_code) <= set(report.counts_by_code)
    assert after.statistics["words"] == report.statistics["words"]


def random_bytes(seed: int) -> bytes:
    dice = random.Random(seed)
    pieces: list[Callable[[], bytes]] = [
        lambda: dice.randbytes(dice.randrange(40)),
        lambda: b"\r\n" * dice.randrange(3),
        lambda: lines(conversation(dice.randrange(9))),
        lambda: BOM,
        lambda: dice.choice([b"[", b"]", b"{", b"}", b'"', b",", b"\n"]),
    ]
    return b"".join(dice.choice(pieces)() for _index in range(dice.randrange(1, 30)))


@pytest.mark.parametrize("seed", range(100))
def test_hostile_files_give_a_copy_or_a_refusal(tmp_path: Path, seed: int) -> None:
    path = write(tmp_path, random_bytes(seed), "data.json" if seed % 3 else "data.jsonl")
    try:
        target = fixed(path, ALL)
    except BrokenFileError:
        assert names(tmp_path) == [path.name]
    else:
        assert target.stat().st_size <= path.stat().st_size + 2000
