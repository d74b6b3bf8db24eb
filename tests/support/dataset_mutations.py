"""Small dataset files of every layout with mistakes in them, the same for the same seed.

A file begins valid; then a few mutations change rows, values, lines or bytes. Nothing here knows what is right: two
implementations of the checks are compared on the result, or one is watched for crashing.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_WORDS = (
    "the", "budget", "feels", "heavy", "today", "and", "I", "do", "not", "know", "où", "to", "begin", "–", "naïve",
    "数", "plan", "🙂", "€50", "ok",
)  # fmt: skip
#: Texts with something in them that a rule looks for, or nearly.
_ODD_TEXTS = (
    "",
    "   ",
    "\u2003\u00a0",
    "\ufeff",
    "\x1c",
    "a\x07b",
    "caf\u00c3\u00a9",
    "it\u00e2\u20ac\u2122s",
    "fin \ufffd",
    "\u0080",
    "see <|im_start|> here",
    "[INST] x [/INST]",
    "</s>",
    "<s",
    "key sk-abcdefghijklmnop1234",
    "AKIAABCDEFGHIJKLMNOP",
    "-----BEGIN RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefgh12",
    "write to jo.doe@example.org or ann@example.com",
    "GB33BUKB20201555555555",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "4111-1111-1111-1112",
    "378282246310005",
    "12345678901234567890",
    "\ud83d",
    "\udc00x",
    "x " * 900,
    "word " * 3300,
    "NaN",
    'quote " and \\ slash',
    "line\nbreak\r\ttab",
    "\u2028",
    "🙂" * 30,
)
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2.0,
    2.5,
    1e3,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    [],
    {},
    [1, "a", None],
    {"a": 1},
    "text",
    "",
    "assistant",
    [[[[]]]],
)
_ROLES = ("user", "assistant", "system", "human", "gpt", " Assistant", "USER", "bot", "narrator", "", "developer")
_KEYS = (
    "conversation_id", "conversationid", "Conversation-ID", "conv_id", "turns", "turn", "Turns", "dialogue", "id", "ID",
    "turn_number", "turnnumber", "current_user_input", "current_userinput", "user_input", "target_response", "response",
    "target_respons", "role", "from", "content", "text", "value", "messages", "conversations", "_meta", "chosen",
    "rejected", "prompt", "completion", "instruction", "output", "training_pairs", "conversation_history", "metadata",
    "system_prompt", "persona", "quality_score", "x", "é", "a.b", "",
)  # fmt: skip
_RAW_PIECES = (
    b"NaN", b"-Infinity", b"1e999", b"123456789012345678901234567890", b"\\ud800", b"\\u12", b"\\x", b'"', b"'",
    b",", b",,", b"}", b"{", b"[", b"]", b":", b" :", b"\t", b"\r", b"\r\n", b"\n", b"\n\n", b"\x00", b"\x01", b"\xff",
    b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xef\xbb\xbf", b"None", b"True", b"undefined", b"tru", b"-", b"01",
    b"1.", b"\\", b'\\"', b"\xe2\x80\xa8", b"{}", b"[]", b"null", b'"a":1,', b'"id":"1",', b'{"_meta":{}}', b"[" * 70,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file to check: its name, its bytes, the format chosen for it."""

    seed: int
    name: str
    content: bytes
    declared_format: str | None


def mutant(seed: int) -> Mutant:
    """The file of a seed."""
    return _Maker(seed).make()


class _Maker:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seed = seed

    def make(self) -> Mutant:
        rng = self._random
        layout = rng.choice(("conversations", "conversations", "pairs", "pairs", "v4", "v3", "array", "mixed"))
        rows = self._rows(layout)
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
            self._change_value(rows)
        content, suffix = self._written(layout, rows)
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            content = self._change_bytes(content)
        if rng.random() < 0.1:
            suffix = rng.choice((".json", ".jsonl", ".ndjson", ".JSONL", "", ".txt"))
        if rng.random() < 0.04:
            content = b"\xef\xbb\xbf" + content
        if rng.random() < 0.05:
            content = content.replace(b"\n", b"\r\n")
        declared = rng.choice((None, "brightrun_lora_v4", "brightrun_lora_v3"))
        return Mutant(self._seed, f"data{suffix}", content, declared)

    def _odd_value(self) -> Any:
        # A copy, since later mutations may change lists and objects.
        return copy.deepcopy(self._random.choice(_ODD_VALUES))

    def _text(self) -> str:
        rng = self._random
        if rng.random() < 0.06:
            return rng.choice(_ODD_TEXTS)
        return " ".join(rng.choices(_WORDS, k=rng.randint(1, 12)))

    def _rows(self, layout: str) -> list[Any]:
        rng = self._random
        number = rng.choice((1, 2, 3, 5, 11, 14))
        if layout == "mixed":
            return [self._conversation(i) if rng.random() < 0.5 else self._pair(i, i) for i in range(number)]
        if layout == "conversations" or (layout == "array" and rng.random() < 0.5):
            return [self._conversation(i) for i in range(number)]
        if layout == "v4":
            return [self._group(i) for i in range(number)]
        pairs = [self._pair(i // 3, i) for i in range(number * 2)]
        if layout == "pairs" and rng.random() < 0.5:
            meta = {"version": rng.choice(("4.0.0", "3", "v3")), "total_pairs": rng.choice((len(pairs), 3))}
            pairs.insert(0, {"_meta": meta})
        return pairs

    def _conversation(self, index: int) -> dict[str, Any]:
        rng = self._random
        turns = [
            {"role": ("user", "assistant")[turn % 2], "content": self._text()}
            for turn in range(rng.choice((2, 2, 4, 3)))
        ]
        if rng.random() < 0.2:
            turns.insert(0, {"role": "system", "content": self._text()})
        row: dict[str, Any] = {"conversation_id": f"c{index}", "turns": turns}
        if rng.random() < 0.2:
            row["metadata"] = self._labels()
        if rng.random() < 0.2:
            row["x"] = self._odd_value()
        return row

    def _labels(self) -> dict[str, Any]:
        rng = self._random
        keys = ("persona", "persona_key", "emotional_arc", "topic", "training_topic", "quality_score")
        return {key: rng.choice((*_WORDS, 4.5, 3, 100, 101, 0.005, None)) for key in rng.sample(keys, 2)}

    def _pair(self, conversation: int, index: int) -> dict[str, Any]:
        rng = self._random
        question = self._text()
        row = {
            "id": f"p{index}",
            "conversation_id": f"c{conversation}",
            "turn_number": 2 * index + 2,
            "conversation_metadata": self._labels(),
            "system_prompt": "Be kind",
            "conversation_history": [
                {"turn": 1, "role": "user", "content": self._text()},
                {"turn": 2, "role": "assistant", "content": self._text()},
            ],
            "current_user_input": question,
            "target_response": self._text(),
            "training_metadata": {"quality_score": rng.choice((4, 4.5, 3.75, 2))},
        }
        if rng.random() < 0.3:
            row["conversation_history"].append({"turn": 3, "role": "user", "content": question})
        return row

    def _group(self, index: int) -> dict[str, Any]:
        pairs = [self._pair(index, turn) for turn in range(self._random.randint(1, 3))]
        labels = {"conversation_id": f"c{index}", "scaffolding": self._labels()}
        return {"conversation_metadata": labels, "training_pairs": pairs}

    def _written(self, layout: str, rows: list[Any]) -> tuple[bytes, str]:
        rng = self._random
        ascii_only = rng.random() < 0.3
        separators = rng.choice(((",", ":"), (", ", ": "), (",", ":"), (" , ", " : ")))
        dump: Callable[..., str] = json.dumps
        if layout in ("conversations", "pairs", "mixed"):
            lines = [dump(row, ensure_ascii=ascii_only, separators=separators) for row in rows]
            text = "\n".join(lines) + rng.choice(("\n", "\n", ""))
            return text.encode("utf-8", "surrogatepass"), ".jsonl"
        totals = {"total_conversations": len(rows), "total_training_pairs": rng.choice((len(rows), 6, 2.0, True))}
        if layout == "v4":
            document: Any = {"training_file_metadata": {"version": "1.0", **totals}, "conversations": rows}
        elif layout == "v3":
            document = {
                "dataset_metadata": {"total_turns": len(rows)},
                "consultant_profile": {},
                "training_pairs": rows,
            }
        else:
            document = rows
        indent = rng.choice((None, None, 1, 2))
        text = dump(document, ensure_ascii=ascii_only, indent=indent, separators=None if indent else separators)
        return text.encode("utf-8", "surrogatepass"), ".json"

    def _change_value(self, rows: list[Any]) -> None:
        """Change one value or key somewhere in the rows, or the rows themselves."""
        rng = self._random
        if not rows:
            return
        if rng.random() < 0.25:
            self._change_rows(rows)
            return
        holder: Any = rows
        for _ in range(rng.choice((1, 2, 2, 3, 4, 5))):
            inner = [value for value in _values(holder) if isinstance(value, dict | list) and value]
            if not inner:
                break
            holder = rng.choice(inner)
        if not holder:
            return
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        how = rng.random()
        if how < 0.25:
            holder[key] = self._odd_value()
        elif how < 0.45:
            holder[key] = rng.choice(_ODD_TEXTS)
        elif how < 0.55:
            holder[key] = rng.choice(_ROLES)
        elif how < 0.7:
            del holder[key]
        elif isinstance(holder, dict) and how < 0.9:
            holder[rng.choice(_KEYS)] = holder.pop(key)
        elif isinstance(holder, list):
            holder.append(json.loads(json.dumps(holder[key])))
        else:
            holder[rng.choice(_KEYS)] = self._odd_value()

    def _change_rows(self, rows: list[Any]) -> None:
        rng = self._random
        index = rng.randrange(len(rows))
        how = rng.random()
        if how < 0.4:
            rows.insert(rng.randrange(len(rows) + 1), json.loads(json.dumps(rows[index])))
        elif how < 0.6:
            rows.append(rows.pop(index))
        elif how < 0.7:
            rows[index] = self._odd_value()
        elif how < 0.8:
            rows.append({"messages": [{"role": "user", "content": "Hi"}]})
        elif how < 0.9:
            rows.append({"_meta": {"version": "4.0.0"}})
        else:
            copied = json.loads(json.dumps(rows[index]))
            turns = copied.get("turns") if isinstance(copied, dict) else None
            if isinstance(turns, list) and turns and isinstance(turns[-1], dict):
                turns[-1]["content"] = "Another answer"
            elif isinstance(copied, dict):
                copied["target_response"] = "Another answer"
            rows.append(copied)

    def _change_bytes(self, content: bytes) -> bytes:
        rng = self._random
        if not content:
            return content
        at = rng.randrange(len(content))
        how = rng.random()
        if how < 0.35:
            return content[:at] + rng.choice(_RAW_PIECES) + content[at:]
        if how < 0.5:
            return content[:at] + content[at + rng.choice((1, 1, 2, 10)) :]
        if how < 0.6:
            return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        if how < 0.7:
            return content[:at]
        if how < 0.85:
            return self._beside_structure(content)
        lines = content.split(b"\n")
        line = rng.randrange(len(lines))
        if how < 0.93:
            lines.insert(line, rng.choice((b"", b"  ", lines[line], b"\r", b"[]", b"{")))
        else:
            lines[line] = lines[line].replace(b",", b",\n", rng.choice((1, 3)))
        return b"\n".join(lines)

    def _beside_structure(self, content: bytes) -> bytes:
        """Put something before or in the place of a bracket, comma, colon or quote."""
        rng = self._random
        places = [index for index, byte in enumerate(content[:20_000]) if byte in b'{}[],:"']
        if not places:
            return content
        at = rng.choice(places)
        return content[:at] + rng.choice(_RAW_PIECES) + content[at + rng.choice((0, 1)) :]


def _values(holder: Any) -> list[Any]:
    return list(holder.values()) if isinstance(holder, dict) else list(holder)
