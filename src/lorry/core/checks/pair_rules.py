"""The rules for one training pair, in a line of its own or inside a document. Definitions: `rulebook.py`.

Like `turn_rules.py`: findings go to the log, facts come back, nothing remembers other rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lorry.core.checks.formats import PAIR_KEYS
from lorry.core.checks.report import FindingLog, Place
from lorry.core.checks.statistics import words_in
from lorry.core.checks.turn_rules import (
    JsonObject,
    RowFacts,
    answered,
    check_length,
    check_text,
    json_type,
    rename,
)


@dataclass(slots=True)
class PairFacts(RowFacts):
    """`turn_number` is None when it is no integer."""

    identity: str | None = None
    conversation_id: str | None = None
    turn_number: int | None = None


def check_pair(row: JsonObject, place: Place, log: FindingLog, *, in_document: bool) -> PairFacts:
    """Apply P01 to P09, C17 and the rules of texts to a training pair.

    In a document a pair may stand for the user's turn alone: its `target_response` is null, which is only noted.
    """
    facts = PairFacts()
    for key in PAIR_KEYS:
        if key not in row:
            log.add("P01", place, (key,), f"No {key}", rename(row, key))
    facts.identity = _check_text(row, "id", place, log)
    conversation_id = _check_text(row, "conversation_id", place, log)
    if conversation_id is not None and not conversation_id.strip():
        log.add("C18", place, ("conversation_id",), "conversation_id is blank")
        conversation_id = None
    facts.conversation_id = conversation_id
    if "turn_number" in row:
        number = row["turn_number"]
        if isinstance(number, int) and not isinstance(number, bool):
            facts.turn_number = number
        else:
            message = f"turn_number is {json_type(number)}, not a whole number"
            log.add("P02", place, ("turn_number",), message, "Write it without quotes and fraction")
    question = _check_text(row, "current_user_input", place, log)
    if question is not None:
        _count_text(facts, "user", question)
        if not question.strip():
            log.add("P03", place, ("current_user_input",), "current_user_input is blank", level="warning")
        check_text(question, place, ("current_user_input",), facts, log)
    answer = _check_answer(row, facts, place, log, in_document=in_document)
    prompt = row.get("system_prompt")
    if isinstance(prompt, str):
        facts.characters.append(("system", len(prompt)))
        check_text(prompt, place, ("system_prompt",), facts, log)
    roles, spoken = _check_history(row, question, place, log)
    known = [text for text in (prompt, question, answer) if isinstance(text, str)]
    check_length(sum(map(words_in, spoken)) + sum(map(words_in, known)), place, (), log)
    if question is not None and answer is not None and answer.strip():
        facts.answered = answered(tuple(roles), (*spoken, question), answer)
    return facts


def _check_answer(row: JsonObject, facts: PairFacts, place: Place, log: FindingLog, *, in_document: bool) -> str | None:
    target = ("target_response",)
    if "target_response" in row and row["target_response"] is None:
        if in_document:
            message, suggestion = "A turn without an answer: trainers leave it out", "Fine if it is meant"
            log.add("P03", place, target, message, suggestion, level="info")
        else:
            log.add("P03", place, target, "target_response is null", "Write the answer or remove the row")
        return None
    answer = _check_text(row, "target_response", place, log)
    if answer is not None:
        _count_text(facts, "assistant", answer)
        if not answer.strip():
            log.add("P03", place, target, "target_response is blank", "Write the answer or remove the row")
        check_text(answer, place, target, facts, log)
    return answer


def _check_history(row: JsonObject, question: str | None, place: Place, log: FindingLog) -> tuple[list[str], list[str]]:
    """P08 and P09. Returns roles and contents of the entries that have content."""
    history = row.get("conversation_history")
    if history is None:
        return [], []
    if not isinstance(history, list):
        message = f"conversation_history is {json_type(history)}, not a list"
        log.add("P02", place, ("conversation_history",), message, "Write it as a list in [ ]")
        return [], []
    roles: list[str] = []
    spoken: list[str] = []
    for index, entry in enumerate(history):
        if not isinstance(entry, dict):
            message = f"The history entry is {json_type(entry)}, not an object"
            log.add("P08", place, ("conversation_history", index), message)
            continue
        for key in ("role", "content"):
            if key not in entry:
                path = ("conversation_history", index, key)
                log.add("P08", place, path, f"The history entry has no {key}", rename(entry, key))
        role, content = entry.get("role"), entry.get("content")
        if isinstance(content, str):
            roles.append(role if isinstance(role, str) else "")
            spoken.append(content)
    last: Any = history[-1] if history else None
    if isinstance(last, dict) and last.get("role") == "user" and question is not None:
        content = last.get("content")
        if isinstance(content, str) and content != question:
            path = ("conversation_history", len(history) - 1, "content")
            log.add("P09", place, path, "The history ends with another user text than current_user_input")
    return roles, spoken


def _check_text(row: JsonObject, key: str, place: Place, log: FindingLog) -> str | None:
    if key not in row:
        return None
    value: Any = row[key]
    if not isinstance(value, str):
        log.add("P02", place, (key,), f"{key} is {json_type(value)}, not text", "Put it in quotes")
        return None
    return value


def _count_text(facts: PairFacts, role: str, text: str) -> None:
    facts.turns += 1
    facts.words += words_in(text)
    facts.turn_characters += len(text)
    facts.characters.append((role, len(text)))
