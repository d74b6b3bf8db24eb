"""Makes dataset files of a wanted size in every layout, with figures that are known beforehand.

Files are the same for the same kind, size and seed, and are valid: the checks must find nothing. Rows are made once
as templates with fields of fixed width that are filled in, so writing keeps up with the disk (over 200 MB/s). Expected
figures are counted from the templates, not by the code under test. Command line:
``python -m tests.support.datasets KIND SIZE OUT`` with a size such as 40KB or 500MB (powers of ten) or 500MiB.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

Kind = Literal["conversation_lines", "pair_lines", "v4_document", "v3_document", "array"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_TEMPLATES = 48
_CHUNK_BYTES = 1024 * 1024
# Filled in for each conversation: ten digits, wide enough for any file.
_NUMBER = "0000000000"
#: The same number in letters, in a text of each conversation, so that no two of them are alike.
_NAME = "aaaaaaaaaa"
_LETTERS = bytes.maketrans(b"0123456789", b"abcdefghij")

_OPENINGS = (
    "I keep putting off",
    "My partner and I argue about",
    "I feel ashamed of",
    "Last night I could not sleep because of",
    "Everyone at work seems to have sorted out",
    "I promised myself to look at",
    "After the funeral we found out about",
    "I finally opened the letter about",
)
_SUBJECTS = (
    "the credit card balance",
    "our savings for the house",
    "my late mother's will",
    "the pension I never read about",
    "a loan to my brother",
    "the tax bill",
    "what we spend on the children",
    "the offer of early retirement",
)
_FEELINGS = (
    "and it makes my stomach turn.",
    "and I do not know where to begin.",
    "although nothing bad has happened yet.",
    "which is silly, I know – but there it is.",
    "and I would rather talk about anything else.",
    "so I said nothing, again.",
)
_ANSWERS = (
    "Thank you for telling me, that is a hard thing to say out loud.",
    "Let us take one small step today and leave the rest for later.",
    "What you describe is very common, and it does not say anything about your worth.",
    "Write down three numbers: what comes in, what must go out, and what is left.",
    "Before we calculate anything: what would it change for you to have this settled?",
    "A plan of €50 a month beats a perfect plan that never starts.",
    "You have already done the part most people avoid.",
    "We can look at the letter together, line by line.",
)
_ARCS = ("shame_to_acceptance", "panic_to_plan", "grief_to_calm", "conflict_to_alignment")
_SYSTEM_PROMPT = (
    "You are a warm and practical guide for people who find money hard to talk about. Name the feeling first, then "
    "explain one thing at a time, with numbers, and ask before you teach."
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The figures of a made file. `words` are spaces + 1 of each counted text, `tokens` 1.3 times that."""

    path: Path
    sha256: str
    size_bytes: int
    lines: int
    conversations: int
    turns: int
    training_pairs: int
    words: int

    @property
    def tokens(self) -> int:
        """Estimated tokens, halves rounded up."""
        return (13 * self.words + 5) // 10


@dataclass(frozen=True, slots=True)
class _Template:
    """The bytes of one conversation, split where its number goes, in digits or in letters, and its figures."""

    parts: tuple[bytes, ...]
    lines: int
    turns: int
    training_pairs: int
    words: int

    def fill(self, number: int) -> bytes:
        digits = b"%010d" % number
        filling = {_NUMBER.encode(): digits, _NAME.encode(): digits.translate(_LETTERS)}
        return b"".join([filling.get(part, part) for part in self.parts])


def make_dataset(kind: Kind, size_bytes: int, path: Path, *, seed: int = 1) -> Expected:
    """Write a file of `kind` of about `size_bytes` (never more, unless one conversation alone is larger)."""
    chooser = random.Random(f"{kind} {seed}")
    templates = [_make_template(kind, chooser) for _ in range(_TEMPLATES)]
    with path.open("wb") as file:
        writer = _Writer(file)
        return replace(_write(kind, templates, size_bytes, writer, chooser), path=path)


class _Writer:
    """Hashes and counts what it writes, in chunks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)

    def sha256(self) -> str:
        return self._hash.hexdigest()


def _write(
    kind: Kind, templates: list[_Template], size_bytes: int, writer: _Writer, chooser: random.Random
) -> Expected:
    order = [chooser.randrange(_TEMPLATES) for _ in range(4096)]
    start, separator, end = _frame(kind)
    # Totals stand at the front of some layouts, so the conversations are chosen before anything is written.
    budget = size_bytes - len(start(0, 0)) - len(end)
    sizes = [len(template.fill(0)) + len(separator) for template in templates]
    # The shortest conversation comes first, so that a file of 1 KB can be made.
    order[0] = sizes.index(min(sizes))
    chosen = 0
    used = 0
    while True:
        size = sizes[order[chosen % len(order)]]
        if chosen and used + size > budget:
            break
        used += size
        chosen += 1
    counts = [0] * _TEMPLATES
    for index, template_index in enumerate(order):
        counts[template_index] += chosen // len(order) + (index < chosen % len(order))

    def total(figure: Callable[[_Template], int]) -> int:
        return sum(count * figure(template) for count, template in zip(counts, templates, strict=True))

    pairs = total(lambda template: template.training_pairs)
    writer.write(start(chosen, pairs))
    pending: list[bytes] = []
    pending_bytes = 0
    for number in range(chosen):
        pending.append(templates[order[number % len(order)]].fill(number))
        pending_bytes += len(pending[-1])
        if pending_bytes >= _CHUNK_BYTES or number == chosen - 1:
            writer.write(separator.join(pending))
            writer.write(separator if number < chosen - 1 else b"")
            pending, pending_bytes = [], 0
    writer.write(end)
    lines = start(chosen, pairs).count(b"\n") + end.count(b"\n") + separator.count(b"\n") * (chosen - 1)
    return Expected(
        path=Path(),
        sha256=writer.sha256(),
        size_bytes=writer.size_bytes,
        lines=lines + total(lambda template: template.lines),
        conversations=chosen,
        turns=total(lambda template: template.turns),
        training_pairs=pairs,
        words=total(lambda template: template.words),
    )


def _frame(kind: Kind) -> tuple[Callable[[int, int], bytes], bytes, bytes]:
    """What stands before, between and after the conversations. Totals are padded, so the size is known before."""
    if kind == "conversation_lines":
        return lambda _conversations, _pairs: b"", b"\n", b"\n"
    if kind == "array":
        return lambda _conversations, _pairs: b"[\n", b",\n", b"\n]\n"
    if kind == "pair_lines":
        meta = b'{"_meta": {"file_name": "made", "version": "4.0.0", "total_pairs": %10d}}\n'
        return lambda _conversations, pairs: meta % pairs, b"\n", b"\n"
    profile = b'  "consultant_profile": {"name": "Mara Lindqvist", "techniques": ["one step", "plain numbers"]},\n'
    if kind == "v4_document":
        head = (
            b'{\n  "training_file_metadata": {\n    "format_spec": "brightrun-lora-v4",\n'
            b'    "total_conversations": %10d,\n    "total_training_pairs": %10d\n  },\n'
            + profile
            + b'  "conversations": [\n'
        )
        return lambda conversations, pairs: head % (conversations, pairs), b",\n", b"\n  ]\n}\n"
    head = (
        b'{\n  "dataset_metadata": {\n    "dataset_name": "made",\n    "version": "1.2.0",\n'
        b'    "total_conversations": %10d,\n    "total_turns": %10d\n  },\n' + profile + b'  "training_pairs": [\n'
    )
    return lambda conversations, pairs: head % (conversations, pairs), b",\n", b"\n  ]\n}\n"


def _make_template(kind: Kind, chooser: random.Random) -> _Template:
    texts = [_make_text(chooser, is_answer=bool(index % 2)) for index in range(2 * chooser.randint(1, 5))]
    texts[0] = f"My name is {_NAME}. {texts[0]}"
    words = sum(text.count(" ") + 1 for text in texts)
    if kind in ("conversation_lines", "array"):
        text = json.dumps(_conversation(texts), ensure_ascii=chooser.random() < 0.2)
    else:
        pairs = _pairs(texts, chooser)
        if kind == "pair_lines":
            text = "\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs)
        elif kind == "v4_document":
            metadata = {"conversation_id": f"conversation-{_NUMBER}", "total_turns": len(pairs)}
            text = _indented({"conversation_metadata": metadata, "training_pairs": pairs})
        else:
            text = ",\n".join(_indented(pair) for pair in pairs)
    parts = tuple(re.split(f"({_NUMBER}|{_NAME})".encode(), text.encode()))
    return _Template(parts, text.count("\n"), len(texts), len(texts) // 2, words)


def _indented(value: dict[str, Any]) -> str:
    return "    " + json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n    ")


def _make_text(chooser: random.Random, *, is_answer: bool) -> str:
    if is_answer:
        return " ".join(chooser.sample(_ANSWERS, chooser.randint(1, 4)))
    sentences = [" ".join(map(chooser.choice, (_OPENINGS, _SUBJECTS, _FEELINGS))) for _ in range(chooser.randint(1, 3))]
    return ("\n\n" if chooser.random() < 0.3 else " ").join(sentences)


def _conversation(texts: list[str]) -> dict[str, Any]:
    roles = ("user", "assistant")
    turns = [{"role": roles[index % 2], "content": text} for index, text in enumerate(texts)]
    return {"conversation_id": f"conversation-{_NUMBER}", "turns": turns, "source": "made"}


def _pairs(texts: list[str], chooser: random.Random) -> list[dict[str, Any]]:
    arc = chooser.choice(_ARCS)
    history: list[dict[str, Any]] = []
    pairs = []
    for index in range(0, len(texts), 2):
        pairs.append(
            {
                "id": f"turn{index + 2}-{_NUMBER}",
                "conversation_id": f"conversation-{_NUMBER}",
                "turn_number": index + 2,
                "conversation_metadata": {"client_persona": "The Worrier", "emotional_arc_key": arc},
                "system_prompt": _SYSTEM_PROMPT,
                "conversation_history": list(history),
                "current_user_input": texts[index],
                "emotional_context": {"detected_emotions": {"primary": "worry", "intensity": 0.7}},
                "target_response": texts[index + 1],
                "training_metadata": {"quality_score": 4, "human_reviewed": False, "reviewer_notes": None},
            }
        )
        for offset, role in enumerate(("user", "assistant")):
            state = {"primary": "worry", "intensity": 0.5}
            history.append(
                {"turn": index + offset + 1, "role": role, "content": texts[index + offset], "emotional_state": state}
            )
    return pairs


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``40KB``, ``1.5MB`` or ``500MiB``."""
    match = re.fullmatch(r"([0-9.]+)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError(f"not a size: {text}")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def main(arguments: list[str]) -> int:
    """Make the file named on the command line and print its figures as JSON."""
    if len(arguments) != 3 or arguments[0] not in KINDS:
        print(f"usage: python -m tests.support.datasets {{{','.join(KINDS)}}} SIZE OUT", file=sys.stderr)
        return 2
    made = make_dataset(KINDS[KINDS.index(arguments[0])], parse_size(arguments[1]), Path(arguments[2]))
    figures = {name: getattr(made, name) for name in ("sha256", "size_bytes", "lines", "conversations", "turns")}
    figures |= {name: getattr(made, name) for name in ("training_pairs", "words", "tokens")}
    print(json.dumps({"path": str(made.path), **figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
