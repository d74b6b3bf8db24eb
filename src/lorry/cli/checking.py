"""`lorry check`: the report as text, JSON or SARIF, and the copies it can write: fixed, or converted.

Exit code 0: clean, 1: errors or warnings in the file, 2: it could not be checked, or what was asked for not written.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorry import __version__
from lorry.cli.check_text import report_text, verdict
from lorry.cli.output import ProgressLine, print_failure, print_result
from lorry.core.checks import (
    CONVERTIBLE,
    FOREIGN_NAMES,
    BrokenFileError,
    FixKind,
    LeftOut,
    NothingToConvertError,
    Report,
    check_file,
    convert,
    converted_path,
    default_fixes,
    fixed_path,
    plan_fixes,
    write_fixed,
)
from lorry.core.checks.sarif import to_sarif
from lorry.text import format as fmt

_MADE = {
    FixKind.BYTE_ORDER_MARK: "byte order mark removed",
    FixKind.LINE_ENDS: "line ends changed to LF",
    FixKind.BLANK_LINES: "blank lines removed",
    FixKind.ONE_ROW_A_LINE: "rows put on lines of their own",
    FixKind.DOCUMENT_NAME: "document copied under a name that ends in .json",
    FixKind.KEY_NAMES: "keys renamed",
    FixKind.ROLE_NAMES: "roles written as user, assistant or system",
    FixKind.REPEATED_ROLES: "turns merged into the turn before",
}
_OPTION_OF = {FixKind.ROLE_NAMES: "--map-roles", FixKind.REPEATED_ROLES: "--merge-turns"}
_REASONS = {
    LeftOut.NOT_JSON: "not JSON that Lorry can read",
    LeftOut.TOO_LONG: "row over 16 MiB",
    LeftOut.OTHER_LAYOUT: "another layout than the first row",
    LeftOut.NO_TURNS: "no turns",
    LeftOut.TOOL_CALLS: "tool calls",
    LeftOut.MEDIA: "images, sound or files",
    LeftOut.UNKNOWN_ROLE: "unknown role",
    LeftOut.NOT_TEXT: "content is not text",
    LeftOut.BLANK_ANSWER: "blank answer",
    LeftOut.NO_ANSWER: "no answer",
}
_LISTED_LINES = 5


class _CannotError(Exception):
    """What was asked for cannot be done; the text is the sentence for the user."""

    def __init__(self, code: str, sentence: str, **details: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = {"code": code, **details}


def run_check(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    path: Path = arguments.file
    shown: list[str] = []
    data: dict[str, Any] = {}
    try:
        with _explained(path):
            progress = _Progress(path, enabled=not arguments.json)
            report = progress.check(path, arguments.format)
            data = report.to_dict()
            shown.append(report_text(report, path, show_all=arguments.all))
            if arguments.sarif is not None:
                _write_sarif(report, path, arguments.sarif)
            if arguments.fix or arguments.map_roles or arguments.merge_turns:
                data["fixed"], text = _fix(path, report, _requested(arguments), progress)
                shown.append(text)
            if arguments.convert:
                data["converted"], text = _convert(path, report, progress)
                shown.append(text)
    except _CannotError as error:
        if shown and not arguments.json:
            print("\n\n".join(shown))
        print_failure(error.sentence, error.details, as_json=arguments.json)
        return 2
    print_result(data, "\n\n".join(shown), as_json=arguments.json)
    return 0 if report.clean else 1


def _requested(arguments: argparse.Namespace) -> tuple[FixKind, ...]:
    asked = ((FixKind.ROLE_NAMES, arguments.map_roles), (FixKind.REPEATED_ROLES, arguments.merge_turns))
    return tuple(kind for kind, is_asked in asked if is_asked)


class _Progress:
    """Steps that read the whole file, each with a line on stderr while it lasts."""

    def __init__(self, path: Path, *, enabled: bool) -> None:
        self._name = fmt.safe_name(path.name)
        self._line = ProgressLine(enabled=enabled, quiet_at_first=True)

    def check(self, path: Path, dataset_format: str | None = None) -> Report:
        """Check a file, a large one with two processes."""
        with self.step("Checking") as tell, _no_cycles():
            is_one_program = getattr(sys, "frozen", False)
            processes = 2 if (os.cpu_count() or 1) > 1 and not is_one_program else 1
            return check_file(path, declared_format=dataset_format, on_progress=tell, processes=processes)

    @contextmanager
    def step(self, word: str) -> Iterator[Callable[[int, int], None]]:
        """Show how far a step is."""
        try:
            yield lambda done, total: self._line.show_text(f"{self._name}: {word}, {done * 100 // max(total, 1)} %")
        finally:
            self._line.end()


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Rows form no cycles; without the collector they are read twice as fast (measured)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say in a sentence what keeps a file from being read or written."""
    name = fmt.safe_name(str(path))
    try:
        yield
    except FileExistsError as error:
        # Only a copy is ever written, so it is the copy's name that was taken meanwhile.
        raise _CannotError("file_exists", f"{fmt.safe_name(str(error))}.", path=str(path)) from error
    except BrokenFileError as error:
        sentence = f"{name} cannot be rewritten: on {fmt.safe_name(str(error))}."
        raise _CannotError("rows_unclear", sentence, path=str(path), line=error.line) from error
    except OSError as error:
        sentence = f"{name} cannot be checked: {error.strerror or 'it cannot be read'}."
        raise _CannotError("file_unreadable", sentence, path=str(path)) from error


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        sentence = f"{fmt.safe_name(str(target))} cannot be written: {error.strerror or error}."
        raise _CannotError("file_unwritable", sentence, path=str(target)) from error


def _write_sarif(report: Report, path: Path, target: Path) -> None:
    if target.exists() and target.samefile(path):
        raise _CannotError("bad_usage", "--sarif names the dataset itself.", path=str(target))
    log = json.dumps(to_sarif(report, path, __version__), indent=2)
    with _writing(target), tempfile.TemporaryDirectory(prefix=".lorry-", dir=target.parent) as folder:
        whole = Path(folder) / "report.sarif"
        whole.write_text(log + "\n", encoding="utf-8")
        whole.replace(target)


def _fix(
    path: Path, report: Report, requested: tuple[FixKind, ...], progress: _Progress
) -> tuple[dict[str, Any] | None, str]:
    plan = plan_fixes(report)
    kinds = default_fixes(plan) + tuple(fix.kind for fix in plan if fix.kind in requested)
    offers = [fix for fix in plan if fix.is_on_request and fix.kind not in kinds]
    offer = [f"Only when asked for: {_OPTION_OF[fix.kind]} ({_MADE[fix.kind]})." for fix in offers]
    if not kinds:
        return None, "\n".join(["Nothing here that Lorry fixes by itself.", *offer])
    target = fixed_path(path, kinds)
    with _writing(target), progress.step("Writing the fixed copy") as tell:
        result = write_fixed(path, target, kinds, tell)
    after = progress.check(target)
    data = {
        "file": str(target),
        "changes": {kind.value: number for kind, number in result.changes.items()},
        "counts": after.counts,
        "counts_by_code": after.counts_by_code,
    }
    lines = [f"Fixed copy: {fmt.safe_name(str(target))}"]
    lines += [f"  {number:>7,}  {_MADE[kind]}" for kind, number in result.changes.items()]
    lines.append(f"It has: {verdict(after.counts, after.layout)}.")
    return data, "\n".join(lines + offer)


def _convert(path: Path, report: Report, progress: _Progress) -> tuple[dict[str, Any], str]:
    name = fmt.safe_name(path.name)
    if report.layout not in FOREIGN_NAMES:
        what = "Lorry does not know its layout" if report.layout == "unknown" else "it is in a layout Lorry uploads"
        raise _CannotError("not_convertible", f"{name} is not converted: {what}.", layout=report.layout)
    if report.layout not in CONVERTIBLE:
        sentence = f"{name} is not converted: Lorry has no conversion for {FOREIGN_NAMES[report.layout]}."
        raise _CannotError("not_convertible", sentence, layout=report.layout)
    target = converted_path(path)
    try:
        with _writing(target), progress.step("Converting") as tell:
            result = convert(path, target, report.layout, tell)
    except NothingToConvertError as error:
        why = ", ".join(f"{_REASONS[reason]} ({number:,})" for reason, number in error.left_out.items())
        sentence = f"{name} is not converted: no row of it can be a conversation: {why}."
        raise _CannotError("nothing_to_convert", sentence, left_out=_plain(error.left_out)) from error
    after = progress.check(target)
    data = {
        "file": str(target),
        "converted": result.converted,
        "left_out": _plain(result.left_out),
        "omissions": [{"line": omission.line, "reason": omission.reason.value} for omission in result.omissions],
        "counts": after.counts,
        "counts_by_code": after.counts_by_code,
    }
    lines = [f"Converted copy: {fmt.safe_name(str(target))}, {fmt.plural(result.converted, 'conversation')}"]
    for reason, number in result.left_out.items():
        places = [f"{omission.line:,}" for omission in result.omissions if omission.reason is reason]
        more = ", …" if number > _LISTED_LINES else ""
        lines.append(f"  {number:>7,}  left out, {_REASONS[reason]}: line {', '.join(places[:_LISTED_LINES])}{more}")
    lines.append(f"It has: {verdict(after.counts, after.layout)}.")
    return data, "\n".join(lines)


def _plain(left_out: Mapping[LeftOut, int]) -> dict[str, int]:
    return {reason.value: number for reason, number in left_out.items()}
