"""The layouts a dataset file can have: their names and keys, and how a row is recognised.

Pure. Knows nothing of files or findings.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Literal

FORMAT_V4 = "brightrun_lora_v4"
FORMAT_V3 = "brightrun_lora_v3"

RowKind = Literal[
    "conversation",
    "pair",
    "pair_group",
    "metadata",
    "openai_messages",
    "sharegpt",
    "alpaca",
    "prompt_completion",
    "preference",
    "text",
    "unknown",
]

#: Layouts that other tools use, with the name people know them by.
FOREIGN_NAMES: dict[str, str] = {
    "openai_messages": "OpenAI chat",
    "sharegpt": "ShareGPT",
    "alpaca": "Alpaca",
    "prompt_completion": "prompt and completion",
    "preference": "preference pairs (DPO or KTO)",
    "text": "plain text rows",
}

ROLES = ("user", "assistant", "system")
#: Words other tools use for the same roles.
ROLE_WORDS = {
    "human": "user",
    "customer": "user",
    "client": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "agent": "assistant",
    "coach": "assistant",
    "developer": "system",
}

PAIR_KEYS = ("id", "conversation_id", "turn_number", "current_user_input", "target_response")
PAIR_TEXT_KEYS = ("current_user_input", "target_response")
CONVERSATION_KEYS = ("conversation_id", "turns")
#: Of a row with more keys than this the rest is not compared with the known ones: comparing takes time.
MAX_COMPARED_KEYS = 100

#: Keys that stand for a known one in files made elsewhere.
_RENAMED = {
    "role": ("from", "speaker", "author", "sender", "type"),
    "content": ("value", "text", "message", "body", "utterance"),
    "turns": ("dialogue", "dialog", "exchanges", "history"),
    "conversation_id": ("conv_id", "conversationId", "dialog_id", "chat_id", "session_id"),
    "turn_number": ("turn", "turn_index", "turn_no"),
    "current_user_input": ("user_input", "input", "question", "user"),
    "target_response": ("response", "answer", "output", "assistant"),
    "id": ("pair_id", "uuid", "uid"),
}


def row_kind(row: Mapping[str, Any], established: str | None = None) -> RowKind:
    """Say which layout a row belongs to.

    `established` is the kind the rows before it had: with its help a row that lacks an important key is still
    taken for what it was meant to be, so that the finding names the missing key.
    """
    if "turns" in row:
        return "conversation"
    if "training_pairs" in row:
        return "pair_group"
    if any(key in row for key in PAIR_TEXT_KEYS):
        return "pair"
    if "_meta" in row:
        return "metadata"
    foreign = _foreign_kind(row)
    if foreign is not None:
        return foreign
    if established == "conversation" and "conversation_id" in row:
        return "conversation"
    if established == "pair" and any(key in row for key in PAIR_KEYS):
        return "pair"
    if "conversation_id" in row:
        if "turn_number" in row or any(near_key(row, key) for key in PAIR_TEXT_KEYS):
            return "pair"
        if near_key(row, "turns") is not None:
            return "conversation"
    return "unknown"


def _foreign_kind(row: Mapping[str, Any]) -> RowKind | None:
    if isinstance(row.get("messages"), list):
        return "openai_messages"
    if isinstance(row.get("conversations"), list):
        return "sharegpt"
    if "chosen" in row and "rejected" in row:
        return "preference"
    if "prompt" in row and "completion" in row:
        return "preference" if "label" in row else "prompt_completion"
    if "instruction" in row and ("output" in row or "response" in row):
        return "alpaca"
    if isinstance(row.get("text"), str) and "conversation_id" not in row:
        return "text"
    return None


def near_key(row: Iterable[str], wanted: str) -> str | None:
    """Return the key of `row` that was probably meant to be `wanted`: a misspelling or a known other name."""
    keys = [
        key
        for key in islice(row, MAX_COMPARED_KEYS)
        if key not in PAIR_KEYS and key not in CONVERSATION_KEYS and len(key) <= 64
    ]
    folded = {key.lower().replace("-", "_").replace(" ", "_"): key for key in keys}
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.8)
    if close:
        return folded[close[0]]
    for other in _RENAMED.get(wanted, ()):
        if other in keys:
            return other
    return None


def near_keys_of_any_layout(row: Iterable[str]) -> list[tuple[str, str]]:
    """Return (key found, key meant) for every important key that a row nearly has."""
    row = list(islice(row, MAX_COMPARED_KEYS))
    pairs = []
    for wanted in ("conversation_id", "turns", "turn_number", *PAIR_TEXT_KEYS):
        if wanted not in row:
            folded = difflib.get_close_matches(wanted, [key for key in row if len(key) <= 64], n=1, cutoff=0.8)
            if folded:
                pairs.append((folded[0], wanted))
    return pairs


_SPEC_VERSION = re.compile(r"(?:^|[^a-z0-9])v([34])(?:[^0-9]|$)", re.IGNORECASE)
_PLAIN_VERSION = re.compile(r"^\s*([34])(?:\.\d+)*\s*$")


def format_of_metadata(metadata: Mapping[str, Any], container: str) -> str | None:
    """Return the format a file names in its metadata, or None.

    `container` is the key the metadata stood under. A `format_spec` such as ``brightrun-lora-v4`` decides; in a
    `_meta` line the version does too (``4.0.0``). In a document the container itself tells: its version is the
    dataset's own.
    """
    for key in ("format_spec", "version"):
        value = metadata.get(key)
        if isinstance(value, str):
            match = _SPEC_VERSION.search(value)
            if match is None and key == "version" and container == "_meta":
                match = _PLAIN_VERSION.match(value)
            if match is not None:
                return FORMAT_V4 if match[1] == "4" else FORMAT_V3
    return {"training_file_metadata": FORMAT_V4, "dataset_metadata": FORMAT_V3}.get(container)
