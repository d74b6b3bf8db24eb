"""Safe fixes of a dataset file, written to a copy beside it; the file itself is never touched.

`plan_fixes` tells from a report which fixes apply, `preview` shows the first places that would change, `write_fixed`
writes the copy. One streaming pass each; rows that need no fix keep their bytes. Runs in the thread of its caller.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from lorry.core.checks.fixes_rows import FixKind
from lorry.core.checks.fixes_stream import Change, fixed_pieces
from lorry.core.checks.new_files import free_path, new_file
from lorry.core.checks.preflight import CheckStopped
from lorry.core.checks.raw_rows import BrokenFileError, RowFile

#: Made only when asked for by name: they change what a conversation says.
ON_REQUEST = frozenset((FixKind.ROLE_NAMES, FixKind.REPEATED_ROLES))
_RENAME_CODES = ("R03", "C01", "C03", "C18", "P01", "P08")
#: How F08 ends for a document, which is whole as it is and only has the wrong name.
_NAME_IT_JSON = "Name the file .json"
_EXCERPT_BEFORE, _EXCERPT = 40, 160
_PICTURES = {**{code: chr(0x2400 + code) for code in range(0x20)}, 0x7F: "\u2421", 0xFEFF: "‹BOM›"}


class _Found(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def suggestion(self) -> str | None: ...


class Checked(Protocol):
    """What the fixes are planned from: a report of this package, or one that came out of the check process."""

    @property
    def layout(self) -> str: ...
    @property
    def counts_by_code(self) -> Mapping[str, int]: ...
    @property
    def findings(self) -> Sequence[_Found]: ...


@dataclass(frozen=True, slots=True)
class Fix:
    """A fix that applies to a file.

    `findings` is how many findings of `codes` it clears: exactly all of them if `is_exact`, else at most so many,
    because a key may mean two things or not every finding is kept in a report.
    """

    kind: FixKind
    codes: tuple[str, ...]
    findings: int
    is_exact: bool = True

    @property
    def is_on_request(self) -> bool:
        """Whether somebody has to agree to this fix by name."""
        return self.kind in ON_REQUEST


@dataclass(frozen=True, slots=True)
class Place:
    """A place that changes: its line in the original, and an excerpt before and after, control characters shown."""

    line: int
    before: str
    after: str
    kinds: tuple[FixKind, ...]


@dataclass(frozen=True, slots=True)
class FixResult:
    """A written copy and how many changes of each kind were made in it."""

    target: Path
    changes: dict[FixKind, int]
    size_bytes: int


def plan_fixes(report: Checked) -> tuple[Fix, ...]:
    """Return the fixes that apply to a checked file, in the order in which they are best shown."""
    counts = report.counts_by_code
    plan = [
        Fix(kind, (code,), counts[code])
        for kind, code in (
            (FixKind.BYTE_ORDER_MARK, "F05"),
            (FixKind.LINE_ENDS, "F06"),
            (FixKind.BLANK_LINES, "F09"),
        )
        if counts.get(code)
    ]
    arrangement = _arrangement_fix(report)
    plan += [arrangement] if arrangement else []
    renames = [f for f in report.findings if f.code in _RENAME_CODES and (f.suggestion or "").startswith("Rename ")]
    if renames:
        codes = tuple(sorted({finding.code for finding in renames}))
        plan.append(Fix(FixKind.KEY_NAMES, codes, len(renames), is_exact=False))
    roles = [f for f in report.findings if f.code == "C04" and (f.suggestion or "").startswith("Write ")]
    # Under a misspelt key a role is not looked at, so its word shows only once the key is right.
    hides_roles = any((finding.suggestion or "").endswith((" to role", " to turns")) for finding in renames)
    if roles or hides_roles:
        plan.append(Fix(FixKind.ROLE_NAMES, ("C04",), len(roles), is_exact=len(roles) == counts.get("C04")))
    if counts.get("C09"):
        can_all = not any(counts.get(code) for code in ("C02", "C03", "C05"))
        plan.append(Fix(FixKind.REPEATED_ROLES, ("C09",), counts["C09"], is_exact=can_all))
    # Without its blank lines a file of nothing else would be no better.
    return () if counts.get("F01") else tuple(plan)


def _arrangement_fix(report: Checked) -> Fix | None:
    """F07 and F08: rows to lines, or another name for what is a document."""
    counts = report.counts_by_code
    code = next((code for code in ("F07", "F08") if counts.get(code)), None)
    # Where a row cannot be read to its end nobody knows for sure where it ends.
    is_unreadable = any(counts.get(broken) for broken in ("R01", "F04", "F10", "F18"))
    is_too_long = any(f.code == "F11" and f.level == "error" for f in report.findings)
    if code is None or report.layout == "unknown" or is_unreadable or is_too_long:
        return None
    is_document = any(f.code == "F08" and f.suggestion == _NAME_IT_JSON for f in report.findings)
    # A pair without an answer is a turn in a document, but a mistake in a line.
    has_open_pairs = any(f.code == "P03" and f.level == "info" for f in report.findings)
    if is_document or (has_open_pairs and code == "F07"):
        return Fix(FixKind.DOCUMENT_NAME, (code,), counts[code])
    return None if has_open_pairs else Fix(FixKind.ONE_ROW_A_LINE, (code,), counts[code])


def default_fixes(plan: Collection[Fix]) -> tuple[FixKind, ...]:
    """Return the fixes of a plan that need nobody's agreement."""
    return tuple(fix.kind for fix in plan if not fix.is_on_request)


def fixed_path(path: Path, kinds: Collection[FixKind]) -> Path:
    """Return a name for the copy that nothing has yet: ``name.fixed.jsonl``, with the ending its content needs."""
    suffix = path.suffix
    if FixKind.DOCUMENT_NAME in kinds:
        suffix = ".json"
    elif FixKind.ONE_ROW_A_LINE in kinds or suffix.lower() == ".ndjson":
        suffix = ".jsonl"
    return free_path(path, "fixed", suffix)


def preview(
    path: Path, kinds: Collection[FixKind], limit: int = 20, should_stop: Callable[[], bool] | None = None
) -> tuple[Place, ...]:
    """Return the first places that these fixes change. Raises as `write_fixed` does, but writes nothing."""

    def changes() -> Iterator[Change]:
        with path.open("rb", buffering=0) as file, path.open("rb", buffering=0) as again:
            for piece in fixed_pieces(RowFile.of(file, path), again, frozenset(kinds), keep_texts=True):
                if should_stop is not None and should_stop():
                    raise CheckStopped
                yield from piece.changes

    return tuple(_place(change) for change in islice(changes(), limit))


def write_fixed(
    path: Path,
    target: Path,
    kinds: Collection[FixKind],
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FixResult:
    """Write a fixed copy of `path` to `target`, which appears only when it is whole and on disk.

    Raises:
        FileExistsError: the target is there already.
        BrokenFileError: rows are to be put on lines of their own, but where one ends cannot be told.
        CheckStopped: `should_stop` said so; nothing is left behind.
        OSError: reading or writing failed, or the file changed meanwhile; nothing is left behind.
    """
    changes: Counter[FixKind] = Counter()
    size_bytes = 0
    with path.open("rb", buffering=0) as file, path.open("rb", buffering=0) as again, new_file(target, path) as copy:
        rows = RowFile.of(file, path)
        before = os.fstat(file.fileno())
        for piece in fixed_pieces(rows, again, frozenset(kinds)):
            if should_stop is not None and should_stop():
                raise CheckStopped
            copy.write(piece.data)
            size_bytes += len(piece.data)
            for change in piece.changes:
                changes.update(change.kinds)
            if on_progress is not None:
                on_progress(piece.done_bytes, rows.size_bytes)
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise OSError(errno.EBUSY, "The file changed while it was read", str(path))
        if FixKind.DOCUMENT_NAME in kinds and rows.arrangement == "document":
            changes[FixKind.DOCUMENT_NAME] = 1
    return FixResult(target, {kind: changes[kind] for kind in FixKind if changes[kind]}, size_bytes)


def _place(change: Change) -> Place:
    before, after = change.before.decode("utf-8", "replace"), change.after.decode("utf-8", "replace")
    same = 0
    for ours, theirs in zip(before, after, strict=False):
        if ours != theirs:
            break
        same += 1
    start = max(0, same - _EXCERPT_BEFORE)
    return Place(change.line, _excerpt(before, start), _excerpt(after, start), tuple(change.kinds))


def _excerpt(text: str, start: int) -> str:
    shown = text[start : start + _EXCERPT].translate(_PICTURES)
    return ("…" if start and shown else "") + shown + ("…" if len(text) > start + _EXCERPT else "")


__all__ = [
    "BrokenFileError",
    "Fix",
    "FixKind",
    "FixResult",
    "Place",
    "default_fixes",
    "fixed_path",
    "plan_fixes",
    "preview",
    "write_fixed",
]
