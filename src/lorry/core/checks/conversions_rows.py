"""Rows of other tools as turns of a conversation: OpenAI chat, ShareGPT, Alpaca. Pure.

Each function takes one row and returns its turns, or raises LeftOutError with the reason. Sources of the shapes: the
OpenAI API reference (chat messages and content parts), the ShareGPT files of Vicuna and LLaVA, LLaMA-Factory's data
README (`system`, `history`, `tools`), Stanford Alpaca.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from lorry.core.checks.fixes_rows import meant_role
from lorry.core.checks.formats import ROLES

Turn = dict[str, Any]
Row = Mapping[str, Any]


class LeftOut(StrEnum):
    """Why a row is not converted."""

    NOT_JSON = "not_json"
    TOO_LONG = "too_long"
    OTHER_LAYOUT = "other_layout"
    NO_TURNS = "no_turns"
    TOOL_CALLS = "tool_calls"
    MEDIA = "media"
    UNKNOWN_ROLE = "unknown_role"
    NOT_TEXT = "not_text"
    BLANK_ANSWER = "blank_answer"
    NO_ANSWER = "no_answer"


class LeftOutError(Exception):
    """This row cannot become a conversation."""

    def __init__(self, reason: LeftOut) -> None:
        super().__init__(reason.value)
        self.reason = reason


_TOOL_ROLES = frozenset(("tool", "function", "function_call", "observation", "ipython"))
_TOOL_KEYS = frozenset(("tool_calls", "function_call", "tool_call_id"))
_MEDIA_KEYS = ("image", "images", "video", "videos", "audio", "audios")
_TEXT_PARTS = frozenset(("text", "input_text", "output_text"))
_MORE_ROLES = {"bing": "assistant", "bard": "assistant"}
_TOOL_PARTS = frozenset(("tool_use", "tool_result"))
_BETWEEN_PARTS = "\n"
#: What an OpenAI message may say about itself besides; it stays with the turn.
_KEPT_OF_MESSAGE = ("name", "weight")


def turns_of_openai(row: Row) -> list[Turn]:
    """`messages` with role and content; content is text or a list of text parts."""
    return _turns(row.get("messages"), ("role",), ("content",))


def turns_of_sharegpt(row: Row) -> list[Turn]:
    """`conversations` with from and value, or role and content; the system prompt may stand beside them."""
    if any(row.get(key) for key in _MEDIA_KEYS):
        raise LeftOutError(LeftOut.MEDIA)
    turns = _turns(row.get("conversations"), ("from", "role"), ("value", "content"))
    return _system(row) + turns


def turns_of_alpaca(row: Row) -> list[Turn]:
    """`instruction`, `input` and `output`; earlier rounds may stand in `history`."""
    if any(row.get(key) for key in _MEDIA_KEYS):
        raise LeftOutError(LeftOut.MEDIA)
    turns = _system(row)
    history = row.get("history") or []
    if not isinstance(history, list):
        raise LeftOutError(LeftOut.NOT_TEXT)
    for round_ in history:
        if not isinstance(round_, list) or len(round_) != 2:
            raise LeftOutError(LeftOut.NOT_TEXT)
        turns += [{"role": "user", "content": _text(round_[0])}, {"role": "assistant", "content": _text(round_[1])}]
    asked = [_text(row.get(key) or "") for key in ("instruction", "input")]
    turns.append({"role": "user", "content": "\n\n".join(text for text in asked if text.strip())})
    turns.append({"role": "assistant", "content": _text(row["output"] if "output" in row else row.get("response"))})
    return turns


CONVERSIONS: dict[str, tuple[Callable[[Row], list[Turn]], tuple[str, ...]]] = {
    "openai_messages": (turns_of_openai, ("messages",)),
    "sharegpt": (turns_of_sharegpt, ("conversations", "system")),
    "alpaca": (turns_of_alpaca, ("instruction", "input", "output", "response", "history", "system")),
}


def conversation_of(row: Row, layout: str, conversation_id: str) -> dict[str, Any]:
    """Return the conversation a row of a foreign layout is, with whatever else the row holds. Raises LeftOutError."""
    turns_of, consumed = CONVERSIONS[layout]
    turns = turns_of(row)
    _require_answers(turns)
    taken = ("conversation_id", "turns", *consumed)
    rest = {key: value for key, value in row.items() if key not in taken}
    known_as = row.get("conversation_id")
    source = {} if known_as is None else {"source_conversation_id": known_as}
    return {"conversation_id": conversation_id, "turns": turns, **rest, **source}


def _turns(messages: Any, role_keys: tuple[str, ...], content_keys: tuple[str, ...]) -> list[Turn]:
    if not isinstance(messages, list) or not messages:
        raise LeftOutError(LeftOut.NO_TURNS)
    return [_turn(message, role_keys, content_keys) for message in messages]


def _turn(message: Any, role_keys: tuple[str, ...], content_keys: tuple[str, ...]) -> Turn:
    if not isinstance(message, Mapping):
        raise LeftOutError(LeftOut.NOT_TEXT)
    word = next((message[key] for key in role_keys if key in message), None)
    content = next((message[key] for key in content_keys if key in message), None)
    if len(message) == 2 and word in ROLES:
        return {"role": word, "content": _text(content)}
    if (isinstance(word, str) and word in _TOOL_ROLES) or any(message.get(key) for key in _TOOL_KEYS):
        raise LeftOutError(LeftOut.TOOL_CALLS)
    role = meant_role(word) or _MORE_ROLES.get(str(word).strip().lower())
    if role is None:
        raise LeftOutError(LeftOut.UNKNOWN_ROLE)
    kept = {key: message[key] for key in _KEPT_OF_MESSAGE if message.get(key) is not None}
    return {"role": role, "content": _text(content), **kept}


def _text(content: Any) -> str:
    """Return the text of a message, its parts joined."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise LeftOutError(LeftOut.NOT_TEXT)
    return _BETWEEN_PARTS.join(map(_text_of_part, content))


def _text_of_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str):
        raise LeftOutError(LeftOut.NOT_TEXT)
    if kind not in _TEXT_PARTS:
        raise LeftOutError(LeftOut.TOOL_CALLS if kind in _TOOL_PARTS else LeftOut.MEDIA)
    text = part.get("text")
    if not isinstance(text, str):
        raise LeftOutError(LeftOut.NOT_TEXT)
    return text


def _system(row: Row) -> list[Turn]:
    prompt = row.get("system")
    return [{"role": "system", "content": prompt}] if isinstance(prompt, str) and prompt.strip() else []


def _require_answers(turns: list[Turn]) -> None:
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    if not answers:
        raise LeftOutError(LeftOut.NO_ANSWER)
    if not all(answer.strip() for answer in answers):
        raise LeftOutError(LeftOut.BLANK_ANSWER)
