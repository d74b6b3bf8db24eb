"""A check's report as text for a terminal: verdict, findings by code, figures with small histograms. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lorry.core.checks import CONVERTIBLE, FOREIGN_NAMES, RULE_OF_CODE, Finding, Report
from lorry.text import format as fmt

#: Findings of a code that are listed unless all are asked for.
_LISTED = 10
_BAR_CHARACTERS = 24
_HISTOGRAM_ROWS = 12
_LABEL_ROWS = 5
_LAYOUTS = {
    "conversation_lines": "Conversation lines",
    "pair_lines": "Training-pair lines",
    "v4_document": "v4 document",
    "v3_document": "v3 document",
    "array": "Array",
    "unknown": "Unknown layout",
}
_LEVELS = (("error", "Errors"), ("warning", "Warnings"), ("info", "Notes"))
_LABELS = (("personas", "Personas"), ("emotional_arcs", "Emotional arcs"), ("topics", "Topics"))
_PERSONAL = (("email", "e-mail address", "es"), ("iban", "IBAN", "s"), ("card", "card number", "s"))


def verdict(counts: Mapping[str, int], layout: str) -> str:
    """The one line that says how the file is."""
    if layout in FOREIGN_NAMES:
        return f"Not a format Lorry uploads: {FOREIGN_NAMES[layout]}"
    errors, warnings = counts.get("error", 0), counts.get("warning", 0)
    if not errors:
        return f"{fmt.plural(warnings, 'warning')}, no errors" if warnings else "No errors, no warnings"
    return f"{fmt.plural(errors, 'error')}, {fmt.plural(warnings, 'warning') if warnings else 'no warnings'}"


def report_text(report: Report, path: Path, *, show_all: bool = False) -> str:
    """The whole report. Of each code the first findings are listed, or all that were kept."""
    blocks = [[f"{fmt.safe_name(path.name)}: {verdict(report.counts, report.layout)}", *_hints(report, path)]]
    blocks += _findings(report, show_all=show_all)
    if report.layout != "unknown":
        blocks.append(_figures(report))
        blocks += _distributions(report.statistics)
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _hints(report: Report, path: Path) -> Iterator[str]:
    if report.layout in CONVERTIBLE:
        yield f"Make conversation lines of it with: lorry check {fmt.safe_name(str(path))} --convert"
    elif report.layout in FOREIGN_NAMES:
        yield "Lorry cannot convert this one."
    elif report.counts["error"]:
        yield "Errors stop the upload unless you choose --anyway."


def _findings(report: Report, *, show_all: bool) -> Iterator[list[str]]:
    for level, title in _LEVELS:
        found = sorted((f for f in report.findings if f.level == level), key=lambda f: f.code)
        if found:
            yield [f"{title}", *_by_code(found, report, show_all=show_all)]


def _by_code(found: Sequence[Finding], report: Report, *, show_all: bool) -> Iterator[str]:
    for code, group in groupby(found, key=lambda finding: finding.code):
        items = list(group)
        has_levels = len({f.level for f in report.findings if f.code == code}) > 1
        total = len(items) if has_levels else report.counts_by_code[code]
        rule = RULE_OF_CODE[code]
        is_shared = len({item.suggestion for item in items}) == 1
        # One finding's own advice stands beside it, that of many or of the rule above them.
        is_above = is_shared and (len(items) > 1 or items[0].suggestion == rule.suggestion)
        advice = f" {_sentence(items[0].suggestion)}" if is_above else ""
        yield f"  {code}  {rule.message}{f' ({total:,})' if total > 1 else ''}.{advice}"
        listed = items if show_all else items[:_LISTED]
        for item in listed:
            own = f" {_sentence(item.suggestion)}" if not is_above else ""
            where = f" [{fmt.safe_name(item.path)}]" if item.path else ""
            said = "" if item.message == rule.message else f"  {_sentence(item.message)}"
            yield f"       line {item.line}:{item.column}{said}{own}{where}"
        if total > len(listed):
            hint = "; --all lists them" if len(items) > len(listed) else ""
            yield f"       and {total - len(listed):,} more{hint}"


def _sentence(text: str) -> str:
    shown = fmt.safe_name(text)
    return shown if shown.endswith((".", "…", "?")) else f"{shown}."


def _figures(report: Report) -> list[str]:
    figures = report.statistics
    layout = _LAYOUTS.get(report.layout) or FOREIGN_NAMES.get(report.layout, report.layout)
    parts = [layout, fmt.format_label(report.format) if report.format else "", fmt.size(report.size_bytes)]
    lines = [", ".join(part for part in parts if part)]
    if figures["conversations"]:
        lines.append(
            f"{fmt.plural(figures['conversations'], 'conversation')}, {fmt.plural(figures['turns'], 'turn')}, "
            f"{fmt.plural(figures['training_pairs'], 'training pair')}, {fmt.tokens(figures['tokens'])} tokens"
        )
        lines.append(
            f"{figures['avg_turns_per_conversation']:g} turns per conversation, "
            f"≈ {figures['avg_tokens_per_turn']:g} tokens per turn"
        )
    if quality := figures["quality"]:
        lines.append(f"Quality score {quality['mean']:g} on average, {quality['min']:g} to {quality['max']:g}")
    personal = [
        fmt.plural(figures["personal_data"][kind], word, word + ending)
        for kind, word, ending in _PERSONAL
        if figures["personal_data"][kind]
    ]
    if personal:
        lines.append(f"Personal data: {', '.join(personal)}")
    return lines


def _distributions(figures: Mapping[str, Any]) -> Iterator[list[str]]:
    yield _histogram("Turns per conversation", figures["turns_histogram"])
    yield _histogram("Tokens per conversation (estimated)", figures["tokens_histogram"])
    for role, entry in figures["roles"].items():
        yield _histogram(f"Characters per message: {role}", entry["histogram"])
    for kind, title in _LABELS:
        values = figures[kind]["values"]
        rows = [(fmt.safe_name(value["name"]), value["count"]) for value in values[:_LABEL_ROWS]]
        rest = figures[kind]["other"] + sum(value["count"] for value in values[_LABEL_ROWS:])
        yield [*_bars(title, rows), *([f"  and {rest:,} others"] if rest else [])]


def _histogram(title: str, bins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Bars of a histogram; neighbours are put together when there are too many of them."""
    width = -(-len(bins) // _HISTOGRAM_ROWS) or 1
    rows = []
    for start in range(0, len(bins), width):
        group = bins[start : start + width]
        first, last = group[0]["from"], group[-1]["to"]
        span = f"{first:,}+" if last is None else f"{first:,}" if first == last else f"{first:,}–{last:,}"
        rows.append((span, sum(entry["count"] for entry in group)))
    return _bars(title, rows)


def _bars(title: str, rows: Sequence[tuple[str, int]]) -> list[str]:
    if not rows:
        return []
    block = "█" if _can_show("█") else "#"
    label_width = max(len(label) for label, _count in rows)
    highest = max(1, *(count for _label, count in rows))
    lines = [title]
    for label, count in rows:
        bar = block * (-(-count * _BAR_CHARACTERS // highest))
        lines.append(f"  {label:<{label_width}}  {bar}{' ' if bar else ''}{count:,}")
    return lines


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
