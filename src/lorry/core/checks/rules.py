"""The rules for one row: a conversation, a training pair, or a conversation of a v4 document.

A rule adds findings to the log and returns the facts that the statistics and the checks across rows need. Rows
come as plain JSON values with a place that knows their position. Nothing here remembers other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lorry.core.checks.formats import PAIR_KEYS, ROLE_WORDS, ROLES, near_key
from lorry.core.checks.report import FindingLog, Path, Place
from lorry.core.checks.statistics import words_in

JsonObject = Mapping[str, Any]


@dataclass(slots=True)
class ConversationFacts:
    """What counts of one conversation."""

    identity: str | None = None
    turns: int = 0
    words: int = 0
    training_pairs: int = 0
    words_by_role: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class PairFacts:
    """What counts of one training pair; `turn_number` is None when it is no integer."""

    identity: str | None = None
    conversation_id: str | None = None
    turn_number: int | None = None
    turns: int = 0
    words: int = 0
    words_by_role: list[tuple[str, int]] = field(default_factory=list)


def json_type(value: object) -> str:
    """Name the JSON type of a value for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def check_conversation_id(row: JsonObject, place: Place, log: FindingLog, path: Path = ()) -> str | None:
    """C18: a conversation needs an id that is text and not blank. Returns it, or None."""
    target = (*path, "conversation_id")
    if "conversation_id" not in row:
        log.add("C18", place, target, "No conversation_id", _rename(row, "conversation_id"))
        return None
    identity = row["conversation_id"]
    if not isinstance(identity, str):
        log.add("C18", place, target, f"conversation_id is {json_type(identity)}, not text", "Put it in quotes")
        return None
    if not identity.strip():
        log.add("C18", place, target, "conversation_id is blank", "Give every conversation an id of its own")
        return None
    return identity


def check_conversation(row: JsonObject, place: Place, log: FindingLog) -> ConversationFacts:
    """Apply C01 to C07 and C18 to a conversation."""
    facts = ConversationFacts(identity=check_conversation_id(row, place, log))
    if "turns" not in row:
        log.add("C01", place, ("turns",), "No turns", _rename(row, "turns"))
        return facts
    turns = row["turns"]
    if not isinstance(turns, list):
        log.add(
            "C01",
            place,
            ("turns",),
            f"turns is {json_type(turns)}, not a list",
            "Write turns as a list in [ ]",
        )
        return facts
    if not turns:
        log.add("C01", place, ("turns",), "turns is empty", "Remove the conversation or add its turns")
        return facts
    has_assistant = False
    user_before = False
    for index, turn in enumerate(turns):
        path: Path = ("turns", index)
        if not isinstance(turn, dict):
            log.add("C02", place, path, f"The turn is {json_type(turn)}, not an object")
            continue
        facts.turns += 1
        role, meant_role = _check_role(turn, place, log, path)
        words = _check_content(turn, place, log, path, meant_role)
        has_assistant = has_assistant or meant_role == "assistant"
        if role == "assistant" and user_before:
            facts.training_pairs += 1
        user_before = user_before or role == "user"
        if words is not None:
            facts.words += words
            if role is not None:
                facts.words_by_role.append((role, words))
    if not has_assistant:
        log.add(
            "C07",
            place,
            ("turns",),
            "No assistant turn, so nothing to learn",
            "Add the answer or remove the conversation",
        )
    return facts


def _check_role(turn: JsonObject, place: Place, log: FindingLog, path: Path) -> tuple[str | None, str | None]:
    """C03 and C04. Returns the role if it is a known one, and the role that was probably meant."""
    target = (*path, "role")
    if "role" not in turn:
        log.add("C03", place, target, "No role", _rename(turn, "role"))
        return None, None
    role = turn["role"]
    if not isinstance(role, str):
        log.add("C04", place, target, f"role is {json_type(role)}, not text", "Use user, assistant or system")
        return None, None
    if role in ROLES:
        return role, role
    folded = role.strip().lower()
    meant = folded if folded in ROLES else ROLE_WORDS.get(folded)
    suggestion = f"Write {meant}" if meant else "Use user, assistant or system"
    log.add("C04", place, target, f"Unknown role {_shown(role)}", suggestion)
    return None, meant


def _check_content(turn: JsonObject, place: Place, log: FindingLog, path: Path, role: str | None) -> int | None:
    """C03, C05 and C06. Returns the words of the content if it is text."""
    target = (*path, "content")
    if "content" not in turn:
        log.add("C03", place, target, "No content", _rename(turn, "content"))
        return None
    content = turn["content"]
    if not isinstance(content, str):
        log.add("C05", place, target, f"content is {json_type(content)}, not text")
        return None
    if not content.strip():
        if role == "assistant":
            log.add(
                "C06",
                place,
                target,
                "The assistant's content is blank",
                "Write the answer or remove the turn",
            )
        elif role == "user":
            log.add("C06", place, target, "The user's content is blank", level="warning")
    return words_in(content)


def check_pair(row: JsonObject, place: Place, log: FindingLog, *, in_document: bool, path: Path = ()) -> PairFacts:
    """Apply P01 to P03 to a training pair.

    In a document a pair may stand for the user's turn alone: its `target_response` is null, which is only noted.
    """
    facts = PairFacts()
    for key in PAIR_KEYS:
        if key not in row:
            log.add("P01", place, (*path, key), f"No {key}", _rename(row, key))
    facts.identity = _check_text(row, "id", place, log, path)
    conversation_id = _check_text(row, "conversation_id", place, log, path)
    if conversation_id is not None and not conversation_id.strip():
        log.add("C18", place, (*path, "conversation_id"), "conversation_id is blank")
        conversation_id = None
    facts.conversation_id = conversation_id
    if "turn_number" in row:
        number = row["turn_number"]
        if isinstance(number, int) and not isinstance(number, bool):
            facts.turn_number = number
        else:
            log.add(
                "P02",
                place,
                (*path, "turn_number"),
                f"turn_number is {json_type(number)}, not a whole number",
            )
    question = _check_text(row, "current_user_input", place, log, path)
    if question is not None:
        _count_text(facts, "user", question)
        if not question.strip():
            log.add("P03", place, (*path, "current_user_input"), "current_user_input is blank", level="warning")
    _check_answer(row, facts, place, log, path, in_document=in_document)
    prompt = row.get("system_prompt")
    if isinstance(prompt, str):
        facts.words_by_role.append(("system", words_in(prompt)))
    return facts


def _check_answer(
    row: JsonObject, facts: PairFacts, place: Place, log: FindingLog, path: Path, *, in_document: bool
) -> None:
    target = (*path, "target_response")
    if "target_response" in row and row["target_response"] is None:
        if in_document:
            log.add("P03", place, target, "A turn without an answer: trainers leave it out", level="info")
        else:
            log.add("P03", place, target, "target_response is null", "Write the answer or remove the row")
        return
    answer = _check_text(row, "target_response", place, log, path)
    if answer is not None:
        _count_text(facts, "assistant", answer)
        if not answer.strip():
            log.add("P03", place, target, "target_response is blank", "Write the answer or remove the row")


def _check_text(row: JsonObject, key: str, place: Place, log: FindingLog, path: Path) -> str | None:
    if key not in row:
        return None
    value = row[key]
    if not isinstance(value, str):
        log.add("P02", place, (*path, key), f"{key} is {json_type(value)}, not text", "Put it in quotes")
        return None
    return value


def _count_text(facts: PairFacts, role: str, text: str) -> None:
    words = words_in(text)
    facts.turns += 1
    facts.words += words
    facts.words_by_role.append((role, words))


def _rename(row: JsonObject, wanted: str) -> str:
    near = near_key(row, wanted)
    return f"Rename {_shown(near)} to {wanted}" if near else f"Add {wanted}"


def _shown(text: str) -> str:
    shown = "".join(character if character.isprintable() else "·" for character in text[:40])
    return shown + "…" if len(text) > 40 else shown
