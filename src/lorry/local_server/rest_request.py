"""A request to the data service, parsed: select list, order, limits, `Prefer`, `Accept`.

Reads query parameters and headers into plain values and SQL fragments; running them is `rest`'s task. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from psycopg import sql

from lorry.local_server.rest_errors import RestError, unsupported
from lorry.local_server.rest_filters import Source, Values, condition, logic, split_top_level

# The cap a hosted project has by default; it applies silently there too.
MAX_ROWS = 1000
OBJECT_TYPE = "application/vnd.pgrst.object+json"

_LOGIC = frozenset({"and", "or", "not.and", "not.or"})
_RESERVED = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict", "apikey"})
_CASTS = frozenset(
    {"text", "varchar", "int", "int2", "int4", "int8", "integer", "bigint", "smallint", "numeric", "real"}
    | {"float4", "float8", "boolean", "bool", "uuid", "json", "jsonb", "date", "timestamp", "timestamptz"}
)
_SELECT_ITEM = re.compile(r"(?:(?P<alias>[^:\s]+):(?!:))?(?P<path>[^:]+?)(?:::(?P<cast>[a-z0-9]+))?$")
_RANGE = re.compile(r"(\d+)-(\d*)$")


@dataclass(frozen=True)
class RestRequest:
    """The parts of a request; `filters` are the parameters that are nobody else's."""

    parameters: Mapping[str, str]
    filters: list[tuple[str, str]]
    preferences: Mapping[str, str]
    is_single: bool
    offset: int
    limit: int | None
    range_error: RestError | None = field(default=None)

    @classmethod
    def parse(cls, method: str, query: str, headers: Mapping[str, str]) -> RestRequest:
        """Raises RestError for what is malformed or unsupported."""
        pairs = parse_qsl(query, keep_blank_values=True)
        parameters = {name: value for name, value in pairs if name in _RESERVED}
        limit, offset = _number(parameters, "limit"), _number(parameters, "offset") or 0
        if limit is not None and limit < 0:
            raise RestError(
                416,
                "PGRST103",
                "Requested range not satisfiable",
                details="Limit should be greater than or equal to zero.",
            )
        if method in ("GET", "HEAD") and (header := _RANGE.match(headers.get("range", "").strip())):
            first, last = int(header.group(1)), header.group(2)
            if last and int(last) < first:
                raise RestError(
                    416,
                    "PGRST103",
                    "Requested range not satisfiable",
                    details="The lower boundary must be lower than or equal to the upper boundary in the Range header.",
                )
            if "limit" not in parameters and "offset" not in parameters:
                offset, limit = first, int(last) - first + 1 if last else None
        return cls(
            parameters=parameters,
            filters=[(name, value) for name, value in pairs if name not in _RESERVED],
            preferences=_preferences(headers.get("prefer", "")),
            is_single=_is_single(headers.get("accept", "*/*")),
            offset=max(offset, 0),
            limit=limit,
        )

    @property
    def wants_count(self) -> bool:
        """Planned and estimated counts are answered exactly: these tables are small."""
        return "count" in self.preferences

    @property
    def wants_rows(self) -> bool:
        """Whether a write answers with the rows it touched."""
        return self.preferences.get("return") == "representation"

    def where(self, source: Source, values: Values) -> sql.Composable:
        """The WHERE clause with a leading space, empty without filters."""
        parts = [
            logic(source, name, text, values) if name in _LOGIC else condition(source, name, text, values)
            for name, text in self.filters
        ]
        return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")

    def select_list(self, source: Source, values: Values) -> sql.Composable:
        """The columns to return, `*` by default; raises RestError (501 for embedding and aggregates)."""
        items = split_top_level(self.parameters.get("select", "")) or ["*"]
        return sql.SQL(", ").join(_select_item(source, item, values) for item in items)

    def order_by(self, source: Source, values: Values) -> sql.Composable:
        """The ORDER BY clause with a leading space, empty without `order`."""
        terms = [_order_term(source, term, values) for term in split_top_level(self.parameters.get("order", ""))]
        return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(terms) if terms else sql.SQL("")

    def window(self, values: Values) -> sql.Composable:
        """LIMIT and OFFSET, never more than MAX_ROWS rows."""
        limit = MAX_ROWS if self.limit is None else min(self.limit, MAX_ROWS)
        return sql.SQL(" LIMIT {} OFFSET {}").format(values.add(limit), values.add(self.offset))


def _select_item(source: Source, item: str, values: Values) -> sql.Composable:
    if item == "*":
        return sql.SQL(", ").join(
            sql.SQL("{}.{}").format(source.prefix, sql.Identifier(name)) for name in source.columns
        )
    if "(" in item or item.startswith("..."):
        raise unsupported("embedding other tables or aggregates in select")
    match = _SELECT_ITEM.match(item.replace('"', ""))
    if match is None:
        raise RestError(400, "PGRST100", f'"failed to parse select parameter ({item})"')
    expression, _ = source.expression(match["path"], values)
    if cast := match["cast"]:
        if cast not in _CASTS:
            raise unsupported(f"the cast to '{cast}'")
        expression = sql.SQL("CAST({} AS {})").format(expression, sql.SQL(cast))
    name = match["alias"] or re.split("->>?", match["path"])[-1]
    # The only identifier that is not from the catalogue: quoted here, and a % must not look like a placeholder.
    return sql.SQL("{} AS {}").format(expression, sql.Identifier(name.replace("%", "%%")))


def _order_term(source: Source, term: str, values: Values) -> sql.Composable:
    path, *modifiers = term.replace('"', "").split(".")
    if "(" in path:
        raise unsupported("ordering by an embedded table")
    expression, _ = source.expression(path, values)
    words = {"asc": " ASC", "desc": " DESC", "nullsfirst": " NULLS FIRST", "nullslast": " NULLS LAST"}
    if not set(modifiers) <= set(words):
        raise RestError(400, "PGRST100", f'"failed to parse order ({term})"')
    return sql.SQL("{}{}").format(expression, sql.SQL("".join(words[modifier] for modifier in modifiers)))


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise RestError(400, "PGRST100", f'"failed to parse {name} parameter ({text})"')
    return int(text)


def _preferences(header: str) -> dict[str, str]:
    preferences: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        # As in RFC 7240 the first of equal names counts.
        preferences.setdefault(name, value)
    if preferences.get("return") == "headers-only":
        raise unsupported("Prefer: return=headers-only")
    return preferences


def _is_single(accept: str) -> bool:
    kinds = [part.split(";")[0].strip() for part in accept.split(",")]
    if OBJECT_TYPE in kinds:
        return True
    if any(kind in ("application/json", "*/*", "application/*", "application/vnd.pgrst.array+json") for kind in kinds):
        return False
    if any(kind.startswith(("text/csv", "application/vnd.pgrst", "application/geo")) for kind in kinds):
        raise unsupported(f"answers as {accept}")
    raise RestError(406, "PGRST107", f"None of these media types are available: {', '.join(kinds)}")
