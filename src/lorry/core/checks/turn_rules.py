"""The rules for a conversation: its id, its turns, their roles and their order.

A rule adds findings to the log and returns the facts that the statistics and the checks across rows need. Rows come
as plain JSON values with a place that knows their position. Nothing here remembers other rows. Definitions:
`rulebook.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lorry.core.checks import texts
from lorry.core.checks.formats import ROLE_WORDS, ROLES, near_key
from lorry.core.checks.report import FindingLog, Path, Place
from lorry.core.checks.rulebook import MAX_TOKENS
from lorry.core.checks.statistics import tokens_of, words_in

JsonObject = Mapping[str, Any]
#: What an answer is an answer to, and the answer; hashes of this process (see `identities.py`).
Answered = tuple[int, int]


@dataclass(slots=True)
class RowFacts:
    """What counts of a conversation or a training pair.

    `characters` has the length of every text by its role, also of those that belong to no turn (system prompts).
    """

    turns: int = 0
    words: int = 0
    characters: list[tuple[str, int]] = field(default_factory=list)
    turn_characters: int = 0
    personal_data: list[tuple[str, int]] = field(default_factory=list)
    answered: Answered | None = None


@dataclass(slots=True)
class ConversationFacts(RowFacts):
    """`alternates` is whether trainers that want user and assistant in turns would take it."""

    identity: str | None = None
    training_pairs: int = 0
    alternates: bool = False


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


def rename(row: JsonObject, wanted: str) -> str:
    """Suggest the key of `row` that was probably meant to be `wanted`, or to add it."""
    near = near_key(row, wanted)
    return f"Rename {shown(near)} to {wanted}" if near else f"Add {wanted}"


def shown(text: str) -> str:
    """Cut a text of the file to what a sentence can hold."""
    clean = "".join(character if character.isprintable() else "·" for character in text[:40])
    return clean + "…" if len(text) > 40 else clean


def check_text(text: str, place: Place, path: Path, facts: RowFacts, log: FindingLog) -> None:
    """F12, C16, C22 and C23 for one text of a row."""
    for found in texts.look_into(text):
        log.add(found.code, place, path, found.message)
        if found.kind:
            facts.personal_data.append((found.kind, found.number))


def check_length(words: int, place: Place, path: Path, log: FindingLog) -> None:
    """C17: `words` are those of everything a trainer would put into one sample."""
    tokens = tokens_of(words)
    if tokens > MAX_TOKENS:
        log.add("C17", place, path, f"About {tokens:,} tokens, over the limit of {MAX_TOKENS:,}")


def check_conversation_id(row: JsonObject, place: Place, log: FindingLog, path: Path = ()) -> str | None:
    """C18: a conversation needs an id that is text and not blank. Returns it, or None."""
    target = (*path, "conversation_id")
    if "conversation_id" not in row:
        log.add("C18", place, target, "No conversation_id", rename(row, "conversation_id"))
        return None
    identity = row["conversation_id"]
    if not isinstance(identity, str):
        log.add("C18", place, target, f"conversation_id is {json_type(identity)}, not text", "Put it in quotes")
        return None
    if not identity.strip():
        log.add("C18", place, target, "conversation_id is blank")
        return None
    return identity


def check_conversation(row: JsonObject, place: Place, log: FindingLog) -> ConversationFacts:
    """Apply C01 to C18 and the rules of texts to a conversation."""
    facts = ConversationFacts(identity=check_conversation_id(row, place, log))
    if "turns" not in row:
        log.add("C01", place, ("turns",), "No turns", rename(row, "turns"))
        return facts
    turns = row["turns"]
    if not isinstance(turns, list):
        log.add("C01", place, ("turns",), f"turns is {json_type(turns)}, not a list")
        return facts
    if not turns:
        log.add("C01", place, ("turns",), "turns is empty", "Remove the conversation or add its turns")
        return facts
    #: Index and meant role of every object turn.
    roles: list[tuple[int, str | None]] = []
    user_before = False
    for index, turn in enumerate(turns):
        path: Path = ("turns", index)
        if not isinstance(turn, dict):
            log.add("C02", place, path, f"The turn is {json_type(turn)}, not an object")
            continue
        facts.turns += 1
        role, meant_role = _check_role(turn, place, log, path)
        roles.append((index, meant_role))
        _check_content(turn, place, log, path, role, meant_role, facts)
        if role == "assistant" and user_before:
            facts.training_pairs += 1
        user_before = user_before or role == "user"
    if not any(meant == "assistant" for _index, meant in roles):
        log.add("C07", place, ("turns",), "No assistant turn, so nothing to learn")
    _check_order(roles, place, log)
    check_length(facts.words, place, ("turns",), log)
    facts.answered = answered_by_turns(turns)
    facts.alternates = alternates([turn.get("role") for turn in turns if isinstance(turn, dict)])
    return facts


def answered_by_turns(turns: list[Any]) -> Answered | None:
    """Hash a whole conversation: the turns before the answer, and the answer; None if it is not whole."""
    roles: list[str] = []
    contents: list[str] = []
    for turn in turns:
        if not isinstance(turn, dict):
            return None
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            return None
        roles.append(role)
        contents.append(content)
    if len(turns) >= 2 and roles[-1] == "assistant":
        return answered(tuple(roles), tuple(contents[:-1]), contents[-1])
    return hash((tuple(roles), tuple(contents), "")), 0


def answered(roles: tuple[str, ...], history: tuple[str, ...], answer: str) -> Answered:
    """Hash a history and its answer."""
    return hash((roles, history)), hash(answer)


def alternates(roles: list[Any]) -> bool:
    """Whether roles are user, assistant, user, assistant … to the end, after a system turn if there is one."""
    rest = roles[1:] if roles[:1] == ["system"] else roles
    return bool(rest) and len(rest) % 2 == 0 and rest == ["user", "assistant"] * (len(rest) // 2)


def _check_order(roles: list[tuple[int, str | None]], place: Place, log: FindingLog) -> None:
    """C08 to C11."""
    before: str | None = None
    has_begun = False
    for number, (index, role) in enumerate(roles):
        target: Path = ("turns", index, "role")
        if role == "system":
            if number:
                log.add("C11", place, target, "A system turn that is not the first one")
        else:
            if role == "assistant" and not has_begun:
                log.add("C10", place, target, "The conversation starts with the assistant")
            has_begun = True
            if role is not None and role == before:
                log.add("C09", place, target, f"{role} twice in a row")
        before = role
    if roles and roles[-1][1] in ("user", "system") and any(role == "assistant" for _index, role in roles):
        index, role = roles[-1]
        log.add("C08", place, ("turns", index), f"The conversation ends with a {role} turn")


def _check_role(turn: JsonObject, place: Place, log: FindingLog, path: Path) -> tuple[str | None, str | None]:
    """C03 and C04. Returns the role if it is a known one, and the role that was probably meant."""
    target = (*path, "role")
    if "role" not in turn:
        log.add("C03", place, target, "No role", rename(turn, "role"))
        return None, None
    role = turn["role"]
    if not isinstance(role, str):
        log.add("C04", place, target, f"role is {json_type(role)}, not text")
        return None, None
    if role in ROLES:
        return role, role
    folded = role.strip().lower()
    meant = folded if folded in ROLES else ROLE_WORDS.get(folded)
    log.add("C04", place, target, f"Unknown role {shown(role)}", f"Write {meant}" if meant else "")
    return None, meant


def _check_content(
    turn: JsonObject,
    place: Place,
    log: FindingLog,
    path: Path,
    role: str | None,
    meant_role: str | None,
    facts: ConversationFacts,
) -> None:
    """C03, C05, C06 and the rules of texts."""
    target = (*path, "content")
    if "content" not in turn:
        log.add("C03", place, target, "No content", rename(turn, "content"))
        return
    content = turn["content"]
    if not isinstance(content, str):
        log.add("C05", place, target, f"content is {json_type(content)}, not text")
        return
    if not content.strip():
        if meant_role == "assistant":
            log.add("C06", place, target, "The assistant's content is blank")
        elif meant_role == "user":
            log.add("C06", place, target, "The user's content is blank", level="warning")
    facts.words += words_in(content)
    facts.turn_characters += len(content)
    if role is not None:
        facts.characters.append((role, len(content)))
    check_text(content, place, target, facts, log)
