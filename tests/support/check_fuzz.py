"""Seeded hostile files for the checks: mutations of the cases in resources/checks, each checked to its end.

Run as a process of its own, so that its memory is known: ``python -m tests.support.check_fuzz SEED COUNT`` prints one
JSON line with the number of files, the largest memory of the process in bytes, and how often each code was found.
"""

from __future__ import annotations

import base64
import json
import random
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lorry.core.checks import Report, check_file

CASES = Path(__file__).resolve().parents[2] / "resources" / "checks"
_MAX_SEED_BYTES = 20_000
_PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"\xff", b"\xc3"),
    *(
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"\\udc00",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 25,
        b"-",
        b"0",
        b"tru",
    ),
    *(b'"role"', b'"turns"', b'"content"', b'"user"', b'"assistant"', b'"system"', b'"conversation_id"', b"null"),
    *(b'"_meta": {}', b'"training_pairs": []', b'"turn_number": 2', b"<|im_end|>", b"a@b.example", b"\xef\xbb\xbf"),
    *(b"[" * 70, b'{"a":' * 70, b"4111111111111111", "é😀Ã©".encode(), b'"a": 1, "a": 2', b"}\n{", b"\n\n"),
]


def seeds() -> list[tuple[str, bytes]]:
    """The cases that are small: name and bytes of each file."""
    found = []
    for path in sorted(CASES.glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        if "parts" not in case:
            data = case["text"].encode() if "text" in case else base64.b64decode(case["base64"])
            if data and len(data) <= _MAX_SEED_BYTES:
                found.append((case["name"], data))
    return found


def mutate(data: bytes, others: list[tuple[str, bytes]], chooser: random.Random) -> bytes:
    """Change a file in one to six places."""
    changed = bytearray(data)
    for _ in range(chooser.randint(1, 6)):
        at = chooser.randrange(len(changed) + 1)
        match chooser.randrange(6):
            case 0:
                changed[at : at + chooser.choice((0, 1, 5))] = chooser.choice(_PIECES)
            case 1:
                del changed[at : at + chooser.choice((1, 3, 40))]
            case 2:
                changed[at:at] = changed[at : at + chooser.choice((1, 30, 300))]
            case 3:
                other = chooser.choice(others)[1]
                start = chooser.randrange(len(other))
                changed[at:at] = other[start : start + chooser.choice((5, 50, 500))]
            case 4:
                changed[at : at + 1] = bytes([chooser.randrange(256)])
            case _:
                # Enough rows for the quick way, with the mutations among them.
                changed += chooser.choice(others)[1] * chooser.choice((1, 1, 4))
    return bytes(changed)


def inspect(report: Report, data: bytes) -> None:
    """Raise AssertionError if a report is not one: positions outside the file, counts that do not add up."""
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    for item in report.findings:
        assert 1 <= item.line <= len(lines), item
        assert 1 <= item.column <= len(lines[item.line - 1]) + 1, item
        assert item.message and item.suggestion, item
    assert sum(report.counts.values()) == sum(report.counts_by_code.values()) == report.findings_total
    json.dumps(report.to_dict(), allow_nan=False).encode()


def run(seed: int, count: int) -> Counter[str]:
    """Check so many mutated files; returns how many of them had each code."""
    chooser = random.Random(seed)
    originals = seeds()
    codes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            name, data = chooser.choice(originals)
            mutated = mutate(data, originals, chooser)
            path = Path(folder) / name
            path.write_bytes(mutated)
            try:
                report = check_file(path)
                inspect(report, mutated)
            except Exception as error:
                error.add_note(f"seed {seed}, file {number}, {name}: {mutated[:2000]!r}")
                raise
            codes.update(report.counts_by_code.keys())
    return codes


def _peak_bytes() -> int:
    """The most memory this program has held; on Linux `ru_maxrss` would also count the one it was started from."""
    status = Path("/proc/self/status")
    if status.exists():
        marks = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(marks[0][1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: list[str]) -> int:
    """Run with the seed and the number of files named on the command line."""
    codes = run(int(arguments[0]), int(arguments[1]))
    print(json.dumps({"files": int(arguments[1]), "peak_bytes": _peak_bytes(), "codes": dict(codes)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
