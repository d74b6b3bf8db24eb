"""Filters of the data service: `column=op.value`, `or=(…)`, `and=(…)`, `not.` in front of each.

Turns query parameters into SQL conditions. Identifiers come from the catalogue, values are always bound.
Operators outside the supported set raise a 501. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from lorry.local_server.catalogue import Column
from lorry.local_server.rest_errors import RestError, column_missing, unsupported

_COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_PATTERNS = {"like": "LIKE", "ilike": "ILIKE"}
_IS = {"null": "NULL", "not_null": "NOT NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}
_JSON_STEP = re.compile(r"(->>|->)")
MAX_DEPTH = 16


@dataclass
class Values:
    """Collects bound values; `add` returns the placeholder to put into the statement."""

    bound: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any) -> sql.Placeholder:
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return sql.Placeholder(name)


@dataclass(frozen=True)
class Source:
    """Where columns come from: a relation's or a function result's name in SQL and its columns."""

    name: str
    prefix: sql.Composable
    columns: Mapping[str, Column]

    def column(self, name: str) -> Column:
        """Look a column up; raises RestError 42703."""
        column = self.columns.get(name)
        if column is None:
            raise column_missing(self.name, name)
        return column

    def expression(self, path: str, values: Values) -> tuple[sql.Composable, str]:
        """SQL for `column` or `column->key->>key` and the type to compare it as."""
        steps = _JSON_STEP.split(path)
        column = self.column(steps[0])
        composed: sql.Composable = sql.SQL("{}.{}").format(self.prefix, sql.Identifier(column.name))
        compared_as = column.bare_type
        for arrow, key in zip(steps[1::2], steps[2::2], strict=True):
            is_index = key.lstrip("-").isdigit()
            step = values.add(int(key) if is_index else key)
            kind = sql.SQL("int4" if is_index else "text")
            composed = sql.SQL("({} {} {}::{})").format(composed, sql.SQL(arrow), step, kind)
            compared_as = "text" if arrow == "->>" else "jsonb"
        return composed, compared_as


def condition(source: Source, path: str, text: str, values: Values) -> sql.Composable:
    """One filter, e.g. path `status`, text `not.in.(ready,error)`."""
    negated = text.startswith("not.")
    operator, dot, value = text.removeprefix("not.").partition(".")
    if not dot:
        raise _unparsable(text)
    composed = _compare(source, path, operator, value, values)
    return sql.SQL("NOT ({})").format(composed) if negated else composed


def _compare(source: Source, path: str, operator: str, value: str, values: Values) -> sql.Composable:
    left, compared_as = source.expression(path, values)
    if operator in _COMPARISONS:
        return sql.SQL("{} {} {}").format(left, sql.SQL(_COMPARISONS[operator]), values.add(value))
    if operator in _PATTERNS:
        # PostgREST offers * for %, which need not be percent-encoded in an address.
        pattern = values.add(value.replace("*", "%"))
        return sql.SQL("{} {} {}").format(left, sql.SQL(_PATTERNS[operator]), pattern)
    if operator == "is":
        if value.lower() not in _IS:
            raise _unparsable(f"is.{value}")
        return sql.SQL("{} IS {}").format(left, sql.SQL(_IS[value.lower()]))
    if operator == "in":
        if not (value.startswith("(") and value.endswith(")")):
            raise _unparsable(f"in.{value}")
        wanted = values.add(_split_list(value[1:-1]))
        return sql.SQL("{} = ANY({}::{}[])").format(left, wanted, sql.SQL(compared_as))
    raise unsupported(f"the filter operator '{operator}'")


def logic(source: Source, joiner: str, text: str, values: Values, depth: int = 0) -> sql.Composable:
    """A tree such as `(a.eq.1,not.and(b.gt.2,b.lt.9))`; `joiner` is `and`, `or`, `not.and` or `not.or`."""
    if depth > MAX_DEPTH or not (text.startswith("(") and text.endswith(")")):
        raise _unparsable(text)
    parts: list[sql.Composable] = []
    for item in split_top_level(text[1:-1]):
        nested = re.match(r"(?:not\.)?(?:and|or)(?=\()", item)
        if nested:
            parts.append(logic(source, nested.group(), item[nested.end() :], values, depth + 1))
            continue
        path, _, rest = _cut_column(item)
        parts.append(condition(source, path, _unquote_value(rest), values))
    if not parts:
        raise _unparsable(text)
    joined = sql.SQL("({})").format(sql.SQL(f" {joiner.removeprefix('not.').upper()} ").join(parts))
    return sql.SQL("NOT {}").format(joined) if joiner.startswith("not.") else joined


def split_top_level(text: str) -> list[str]:
    """Cut at commas that stand outside brackets and double quotes; raises RestError when unbalanced."""
    parts, depth, quoted, start, index = [], 0, False, 0, 0
    while index < len(text):
        char = text[index]
        if char == "\\" and quoted:
            index += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "({":
            depth += 1
        elif not quoted and char in ")}":
            depth -= 1
        elif not quoted and char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
        if depth < 0:
            break
        index += 1
    if depth or quoted:
        raise _unparsable(text)
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _cut_column(item: str) -> tuple[str, str, str]:
    if item.startswith('"'):
        name, quote, rest = item[1:].partition('"')
        return name, quote, rest.removeprefix(".")
    return item.partition(".")


def _unquote_value(text: str) -> str:
    """Inside a tree a comparison's value may be quoted: `eq."a,b"`; lists unquote their own items."""
    head, quote, tail = text.partition('"')
    if not quote or head.endswith("(") or not head.endswith(".") or not text.endswith('"'):
        return text
    return head + _unescape(tail[:-1])


def _split_list(text: str) -> list[str]:
    return [
        _unescape(item[1:-1]) if len(item) > 1 and item[0] == item[-1] == '"' else item
        for item in split_top_level(text)
    ]


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _unparsable(text: str) -> RestError:
    return RestError(400, "PGRST100", f'"failed to parse filter ({text})"')
