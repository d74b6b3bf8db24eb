"""The first conversations of a file, in one shape for every layout, small enough for a preview.

A conversation is ``{"conversation_id", "turns": [{"role", "content"}], "cut"}``; training pairs are put together
again (system prompt, then input and answer of each pair). Long texts and long conversations are cut, which `cut`
tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_CONVERSATIONS = 3
MAX_TURNS = 40
MAX_CHARACTERS = 4000


class Sample:
    """Collects the first conversations; `is_full` tells when later rows can no longer change it."""

    def __init__(self) -> None:
        self._conversations: list[dict[str, Any]] = []
        self._open_identity: object = None
        self.is_full = False

    def add_conversation(self, identity: object, turns: list[Any]) -> None:
        """Add a whole conversation; turns that are no objects are left out."""
        if self._begin(identity):
            for turn in turns:
                if isinstance(turn, Mapping):
                    self._add_turn(turn.get("role"), turn.get("content"))
            self._open_identity = None
        self.is_full = len(self._conversations) >= MAX_CONVERSATIONS

    def add_pair(self, identity: object, pair: Mapping[str, Any]) -> None:
        """Add a pair to its conversation, which begins with the first pair that has another identity."""
        if self.is_full:
            return
        if not self._conversations or identity != self._open_identity:
            if not self._begin(identity):
                self.is_full = True
                return
            if isinstance(pair.get("system_prompt"), str):
                self._add_turn("system", pair["system_prompt"])
        for role, key in (("user", "current_user_input"), ("assistant", "target_response")):
            if isinstance(pair.get(key), str):
                self._add_turn(role, pair[key])
        if len(self._conversations) == MAX_CONVERSATIONS and self._conversations[-1]["cut"]:
            self.is_full = True

    def _begin(self, identity: object) -> bool:
        if len(self._conversations) >= MAX_CONVERSATIONS:
            return False
        shown = _writable(identity) if isinstance(identity, str) else None
        self._conversations.append({"conversation_id": shown, "turns": [], "cut": False})
        self._open_identity = identity
        return True

    def _add_turn(self, role: object, content: object) -> None:
        conversation = self._conversations[-1]
        if len(conversation["turns"]) >= MAX_TURNS:
            conversation["cut"] = True
            return
        text = _writable(content) if isinstance(content, str) else ""
        if len(text) > MAX_CHARACTERS:
            text = text[: MAX_CHARACTERS - 1] + "…"
            conversation["cut"] = True
        conversation["turns"].append({"role": _writable(role) if isinstance(role, str) else "", "content": text})

    def to_list(self) -> list[dict[str, Any]]:
        """Return the conversations as plain JSON values."""
        return self._conversations


def _writable(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 file, pipe or database takes, and NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
