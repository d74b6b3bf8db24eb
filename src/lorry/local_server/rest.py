"""The data service, `/rest/v1`: a subset of PostgREST over the tables and functions of `public`.

Owns requests, statuses and headers; SQL is composed in `rest_statements`, and PostgreSQL decides what the
token's role may see and do. What PostgREST has and this has not is answered 501. Event loop thread.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lorry.local_server import rest_statements as statements
from lorry.local_server.catalogue import Catalogue, Function
from lorry.local_server.gateway_state import GatewayState, state_of
from lorry.local_server.rest_errors import RestError, database_error, unsupported
from lorry.local_server.rest_request import OBJECT_TYPE, RestRequest
from lorry.local_server.rest_statements import Statement
from lorry.local_server.tokens import Claims, TokenError, TokenFault, role_of

MAX_BODY_BYTES = 16 * 1024 * 1024
_READS = ("GET", "HEAD")


def routes() -> list[Route]:
    """Routes below `/rest/v1`."""
    return [
        Route("/", _index, methods=["GET"]),
        Route("/rpc/{name}", _rpc, methods=["GET", "HEAD", "POST"]),
        Route("/{name}", _relation, methods=["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"]),
    ]


async def _index(request: Request) -> Response:
    names = state_of(request).catalogue.relation_names()
    return JSONResponse(
        {"swagger": "2.0", "info": {"title": "local workspace"}, "paths": {f"/{name}": {} for name in names}}
    )


async def _relation(request: Request) -> Response:
    try:
        return await _answer_relation(state_of(request), request)
    except RestError as error:
        return error.response()


async def _rpc(request: Request) -> Response:
    try:
        return await _answer_rpc(state_of(request), request)
    except RestError as error:
        return error.response()


async def _answer_relation(state: GatewayState, request: Request) -> Response:
    claims = _claims(state, request)
    _check_profile(request)
    parsed = RestRequest.parse(request.method, request.url.query, request.headers)
    name = request.path_params["name"]
    relation = await state.catalogue.relation(name)
    if relation is None:
        raise RestError(404, "PGRST205", f"Could not find the table 'public.{name}' in the schema cache")
    if request.method in _READS:
        row = await _run(state, claims, parsed, statements.select(relation, parsed), read_only=True)
        return _rows_response(request, parsed, row)
    if request.method == "POST":
        document = await _json_body(request)
        rows, is_list = (document, True) if isinstance(document, list) else ([document], False)
        if not all(isinstance(item, dict) for item in rows):
            raise RestError(400, "PGRST102", "Empty or invalid json")
        if not rows:
            return _write_response(parsed, {"body": "[]", "row_count": 0}, created=True)
        statement = statements.insert(relation, parsed, rows, is_list=is_list)
        return _write_response(parsed, await _run(state, claims, parsed, statement), created=True)
    if request.method == "PATCH":
        changes = await _json_body(request)
        if not isinstance(changes, dict):
            raise RestError(400, "PGRST102", "Empty or invalid json")
        if not changes:
            return _write_response(parsed, {"body": "[]", "row_count": 0})
        statement = statements.update(relation, parsed, changes)
        return _write_response(parsed, await _run(state, claims, parsed, statement))
    if request.method == "DELETE":
        statement = statements.delete(relation, parsed)
        return _write_response(parsed, await _run(state, claims, parsed, statement))
    raise unsupported("PUT; send an upsert with POST and Prefer: resolution=merge-duplicates")


async def _answer_rpc(state: GatewayState, request: Request) -> Response:
    claims = _claims(state, request)
    _check_profile(request)
    parsed = RestRequest.parse(request.method, request.url.query, request.headers)
    overloads = await state.catalogue.functions(request.path_params["name"])
    if request.method in _READS:
        known = {argument for overload in overloads for argument in overload.arguments}
        arguments: Any = {name: value for name, value in parsed.filters if name in known}
        parsed.filters[:] = [pair for pair in parsed.filters if pair[0] not in known]
    else:
        arguments = await _json_body(request, default={})
        if not isinstance(arguments, dict):
            raise unsupported("calling a function with one unnamed argument")
    function = _choose(state.catalogue, request.path_params["name"], overloads, arguments)
    statement = statements.call(function, parsed, arguments)
    row = await _run(state, claims, parsed, statement, read_only=request.method in _READS)
    if function.return_type == "void":
        return Response(status_code=204)
    return _rows_response(request, parsed, row, is_listed=function.returns_set)


def _choose(catalogue: Catalogue, name: str, overloads: list[Function], arguments: dict[str, Any]) -> Function:
    given = set(arguments)
    for overload in overloads:
        if overload.accepts(given):
            return overload
    listed = ", ".join(sorted(given))
    described = f"with parameters {listed}" if given else "without parameters"
    raise RestError(
        404,
        "PGRST202",
        f"Could not find the function public.{name}{f'({listed})' if given else ''} in the schema cache",
        details=f"Searched for the function public.{name} {described}, but no matches were found in the schema cache.",
    )


async def _run(
    state: GatewayState, claims: Claims, parsed: RestRequest, statement: Statement, *, read_only: bool = False
) -> DictRow:
    """Run one statement; a wrong number of rows is raised inside, so that a write is rolled back."""
    try:
        async with state.connections.as_claims(claims, read_only=read_only) as connection:
            cursor = await connection.execute(statement.query, statement.values)
            row = await cursor.fetchone()
            if row is not None:
                _check_row_count(parsed, int(row["row_count"]), is_read=read_only)
    except psycopg.Error as error:
        raise database_error(error, is_anonymous=role_of(claims) == "anon") from error
    if row is None:
        raise RestError(500, "XX000", "the statement returned nothing")
    return row


def _check_row_count(parsed: RestRequest, row_count: int, *, is_read: bool) -> None:
    if parsed.is_single and (is_read or parsed.wants_rows) and row_count != 1:
        raise RestError(
            406,
            "PGRST116",
            "Cannot coerce the result to a single JSON object",
            details=f"The result contains {row_count} rows",
        )
    allowed = parsed.preferences.get("max-affected", "")
    if parsed.preferences.get("handling") == "strict" and allowed.isdigit() and row_count > int(allowed):
        raise RestError(
            400,
            "PGRST124",
            "Query result exceeds max-affected preference constraint",
            details=f"The query affects {row_count} rows",
        )


def _rows_response(request: Request, parsed: RestRequest, row: DictRow, *, is_listed: bool = True) -> Response:
    count, total = int(row["row_count"]), row["total"] if parsed.wants_count else None
    if total is not None and parsed.offset > total:
        raise RestError(
            416,
            "PGRST103",
            "Requested range not satisfiable",
            details=f"An offset of {parsed.offset} was requested, but there are only {total} rows.",
        )
    shown = f"{parsed.offset}-{parsed.offset + count - 1}" if count and total != 0 else "*"
    status = 206 if is_listed and total is not None and count < total else 200
    headers = {"Content-Range": f"{shown}/{'*' if total is None else total}"}
    return _json_text(row["body"] if request.method != "HEAD" else "", status, parsed, headers)


def _write_response(parsed: RestRequest, row: DictRow, *, created: bool = False) -> Response:
    applied = [
        f"{name}={value}"
        for name, value in parsed.preferences.items()
        if name in ("return", "resolution", "missing", "count")
    ]
    headers = {"Preference-Applied": ", ".join(applied)} if applied else {}
    if parsed.wants_count:
        headers["Content-Range"] = f"*/{row['row_count']}"
    if parsed.wants_rows:
        return _json_text(row["body"], 201 if created else 200, parsed, headers)
    return Response(status_code=201 if created else 204, headers=headers)


def _json_text(text: str, status: int, parsed: RestRequest, headers: dict[str, str]) -> Response:
    kind = OBJECT_TYPE if parsed.is_single else "application/json"
    return Response(text, status, headers={**headers, "Content-Type": f"{kind}; charset=utf-8"})


async def _json_body(request: Request, default: Any = None) -> Any:
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip()
    if kind != "application/json":
        raise unsupported(f"bodies of type {kind}")
    text = bytearray()
    async for block in request.stream():
        text += block
        if len(text) > MAX_BODY_BYTES:
            raise RestError(413, "PGRST102", "Request body too large")
    if not text and default is not None:
        return default
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RestError(400, "PGRST102", "Empty or invalid json") from None


def _claims(state: GatewayState, request: Request) -> Claims:
    try:
        return state.claims_of(request)
    except TokenError as error:
        if error.fault is TokenFault.EXPIRED:
            raise RestError(401, "PGRST303", "JWT expired") from None
        raise RestError(401, "PGRST301", f"JWT could not be trusted ({error.fault})") from None


def _check_profile(request: Request) -> None:
    header = "accept-profile" if request.method in _READS else "content-profile"
    if request.headers.get(header, "public") != "public":
        raise RestError(
            406,
            "PGRST106",
            f"Invalid schema: {request.headers[header]}",
            hint="Only the following schemas are exposed: public",
        )
