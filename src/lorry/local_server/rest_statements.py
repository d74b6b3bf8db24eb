"""SQL statements of the data service, one per kind of request.

Each statement returns one row: `body` (JSON text), `row_count`, and `total` where a count was asked for, so a
request is one round trip inside its transaction. Identifiers are from the catalogue, values are bound. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from lorry.local_server.catalogue import Column, Function, Relation
from lorry.local_server.rest_errors import RestError
from lorry.local_server.rest_filters import Source, Values
from lorry.local_server.rest_request import RestRequest


@dataclass(frozen=True)
class Statement:
    """A composed query and its named values."""

    query: sql.Composed
    values: dict[str, Any]


def relation_source(relation: Relation) -> Source:
    """Columns addressed as "public"."table"."column", valid in select, update, delete and returning."""
    return Source(relation.name, sql.Identifier("public", relation.name), relation.columns)


def select(relation: Relation, request: RestRequest) -> Statement:
    """Read rows, with the number of all matching rows when it was asked for."""
    values = Values()
    source = relation_source(relation)
    where = request.where(source, values)
    page = sql.SQL("SELECT {} FROM {}{}{}{}").format(
        request.select_list(source, values),
        source.prefix,
        where,
        request.order_by(source, values),
        request.window(values),
    )
    total = (
        sql.SQL("(SELECT count(*) FROM {}{})").format(source.prefix, where)
        if request.wants_count
        else sql.SQL("NULL::bigint")
    )
    return Statement(_answer(sql.SQL("WITH pgrst_page AS ({})").format(page), request, total), values.bound)


def insert(relation: Relation, request: RestRequest, rows: list[dict[str, Any]], *, is_list: bool) -> Statement:
    """Insert rows of one shape; `resolution=…` makes it an upsert on `on_conflict` or the primary key."""
    values = Values()
    names = _insert_columns(relation, request, rows, is_list=is_list)
    columns = [relation.columns[name] for name in names]
    if columns:
        default_missing = request.preferences.get("missing") == "default"
        target = sql.SQL("({}) SELECT {} FROM {}").format(
            _identifiers(names),
            sql.SQL(", ").join(sql.Identifier("pgrst_body", name) for name in names),
            _records(columns, rows, values, default_missing=default_missing),
        )
    elif rows:
        target = sql.Composed([sql.SQL("DEFAULT VALUES")])
    else:
        raise RestError(400, "PGRST102", "Empty or invalid json")
    write = sql.SQL("INSERT INTO {} {}{}").format(
        sql.Identifier("public", relation.name), target, _conflict(relation, request, names)
    )
    return _write(relation, request, write, values)


def update(relation: Relation, request: RestRequest, changes: dict[str, Any]) -> Statement:
    """Update the rows the filters choose; without a filter it is refused, as on a hosted project."""
    values = Values()
    source = relation_source(relation)
    names = _known(relation, changes)
    _require_filter(request, "UPDATE")
    records = _records([relation.columns[name] for name in names], [changes], values)
    write = sql.SQL("UPDATE {} SET {} FROM {}{}").format(
        source.prefix,
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("pgrst_body", name)) for name in names
        ),
        records,
        request.where(source, values),
    )
    return _write(relation, request, write, values)


def delete(relation: Relation, request: RestRequest) -> Statement:
    """Delete the rows the filters choose; without a filter it is refused, as on a hosted project."""
    values = Values()
    source = relation_source(relation)
    _require_filter(request, "DELETE")
    write = sql.SQL("DELETE FROM {}{}").format(source.prefix, request.where(source, values))
    return _write(relation, request, write, values)


def call(function: Function, request: RestRequest, arguments: dict[str, Any]) -> Statement:
    """Call a function; results with columns take select, filters, order and limits like a table."""
    values = Values()
    kinds = [Column(name, function.arguments[name], function.arguments[name]) for name in arguments]
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Identifier("pgrst_body", name)) for name in arguments
    )
    invocation = sql.SQL("{}({})").format(sql.Identifier("public", function.name), named)
    origin = sql.SQL("{} AS pgrst_call").format(invocation)
    if kinds:
        origin = sql.SQL("{}, LATERAL {}").format(_records(kinds, [arguments], values), origin)
    if function.columns is None:
        scalar = sql.SQL("WITH pgrst_page AS (SELECT to_json(pgrst_call) AS item FROM {}) ").format(origin)
        listed, one = "coalesce(json_agg(item), '[]')", "coalesce(json_agg(item)->0, 'null')"
        body = sql.SQL("SELECT {}::text AS body, count(*) AS row_count, count(*) AS total FROM pgrst_page").format(
            sql.SQL(listed if function.returns_set else one)
        )
        return Statement(sql.SQL("{}{}").format(scalar, body), values.bound)
    source = Source(function.name, sql.Identifier("pgrst_rows"), function.columns)
    where = request.where(source, values)
    query = sql.SQL(
        "WITH pgrst_rows AS MATERIALIZED (SELECT pgrst_call.* FROM {}), pgrst_page AS (SELECT {} FROM pgrst_rows{}{}{})"
    ).format(
        origin,
        request.select_list(source, values),
        where,
        request.order_by(source, values),
        request.window(values),
    )
    total = sql.SQL("(SELECT count(*) FROM pgrst_rows{})").format(where)
    return Statement(_answer(query, request, total, as_object=not function.returns_set), values.bound)


def _answer(
    with_page: sql.Composable, request: RestRequest, total: sql.Composable, *, as_object: bool = False
) -> sql.Composed:
    one = request.is_single or as_object
    shape = (
        "coalesce(json_agg(row_to_json(pgrst_page))->0, 'null')"
        if one
        else "coalesce(json_agg(row_to_json(pgrst_page)), '[]')"
    )
    return sql.SQL("{} SELECT {}::text AS body, count(*) AS row_count, {} AS total FROM pgrst_page").format(
        with_page, sql.SQL(shape), total
    )


def _write(relation: Relation, request: RestRequest, write: sql.Composable, values: Values) -> Statement:
    if {"order", "limit", "offset"} & set(request.parameters):
        raise RestError(501, "not_supported", "The local workspace does not support order or limit on writes.")
    returned = request.select_list(relation_source(relation), values) if request.wants_rows else sql.SQL("1 AS touched")
    query = sql.SQL("WITH pgrst_page AS ({} RETURNING {})").format(write, returned)
    return Statement(_answer(query, request, sql.SQL("count(*)")), values.bound)


def _insert_columns(
    relation: Relation, request: RestRequest, rows: list[dict[str, Any]], *, is_list: bool
) -> list[str]:
    if "columns" in request.parameters:
        listed = [name.strip().strip('"') for name in request.parameters["columns"].split(",") if name.strip()]
        return _known(relation, dict.fromkeys(listed))
    shapes = {frozenset(row) for row in rows}
    if is_list and len(shapes) > 1:
        raise RestError(400, "PGRST102", "All object keys must match")
    return _known(relation, rows[0] if rows else {})


def _known(relation: Relation, given: dict[str, Any]) -> list[str]:
    for name in given:
        if name not in relation.columns:
            raise RestError(
                400,
                "PGRST204",
                f"Could not find the '{name}' column of '{relation.name}' in the schema cache",
            )
    return list(given)


def _records(
    columns: list[Column], rows: list[dict[str, Any]], values: Values, *, default_missing: bool = False
) -> sql.Composable:
    """The JSON rows as a typed row source named pgrst_body; PostgreSQL parses the values, not Python."""
    document: sql.Composable = sql.SQL("{}::json").format(values.add(json.dumps(rows)))
    defaults = [column for column in columns if column.default_sql] if default_missing else []
    if defaults:
        pairs = sql.SQL(", ").join(
            sql.SQL("{}, {}").format(sql.Literal(column.name), sql.SQL(column.default_sql or "NULL"))
            for column in defaults
        )
        document = sql.SQL(
            "(SELECT json_agg(jsonb_build_object({}) || elem) FROM jsonb_array_elements({}::jsonb) AS elem)"
        ).format(pairs, document)
    return sql.SQL("json_to_recordset({}) AS pgrst_body({})").format(
        document,
        sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.full_type)) for column in columns
        ),
    )


def _conflict(relation: Relation, request: RestRequest, names: list[str]) -> sql.Composable:
    resolution = request.preferences.get("resolution")
    if resolution is None:
        return sql.SQL("")
    listed = [name.strip().strip('"') for name in request.parameters.get("on_conflict", "").split(",")]
    target = _known(relation, dict.fromkeys(name for name in listed if name)) or list(relation.key)
    if not target:
        return sql.SQL("")
    changed = [name for name in names if name not in target]
    if resolution == "ignore-duplicates" or not changed:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(_identifiers(target))
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(
        _identifiers(target),
        sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in changed),
    )


def _identifiers(names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _require_filter(request: RestRequest, verb: str) -> None:
    if not request.filters:
        raise RestError(400, "21000", f"{verb} requires a WHERE clause")
