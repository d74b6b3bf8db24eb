"""Reading from the storage service: object info, folder lists, signed and plain downloads with ranges.

What a role does not see is missing for it, never forbidden. Event loop thread; disk reads in
`object_files`' threads.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlencode

from psycopg import sql
from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from lorry.local_server import storage_rows
from lorry.local_server.gateway_state import state_of
from lorry.local_server.storage_errors import StorageError, invalid_request, object_missing
from lorry.local_server.storage_requests import address_claims, claims_of, json_body, object_json

DEFAULT_LIST_LIMIT = 100
_SORTABLE = frozenset({"name", "created_at", "updated_at", "last_accessed_at"})
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")

_LIST = """
with visible as (
  select id, metadata, created_at, updated_at, last_accessed_at, substr(name, length(%(folder)s) + 1) as rest
    from storage.objects
   where bucket_id = %(bucket)s and starts_with(name, %(folder)s)
), level as (
  select split_part(rest, '/', 1) as name,
         case when strpos(rest, '/') = 0 then id end as id,
         case when strpos(rest, '/') = 0 then metadata end as metadata,
         case when strpos(rest, '/') = 0 then created_at end as created_at,
         case when strpos(rest, '/') = 0 then updated_at end as updated_at,
         case when strpos(rest, '/') = 0 then last_accessed_at end as last_accessed_at
    from visible
)
select distinct * from level
 where starts_with(lower(name), lower(%(search)s))
 order by {column} {direction} nulls first, name
 limit %(limit)s offset %(offset)s
"""


async def info(request: Request) -> Response:
    """The object's row, in Storage's names."""
    row = await _visible(request)
    metadata = row["metadata"] or {}
    return JSONResponse(
        {
            "id": str(row["id"]),
            "name": row["name"],
            "version": row["version"],
            "bucket_id": row["bucket_id"],
            "size": metadata.get("size"),
            "content_type": metadata.get("mimetype"),
            "cache_control": metadata.get("cacheControl"),
            "etag": metadata.get("eTag"),
            "metadata": row["user_metadata"] or {},
            "last_modified": metadata.get("lastModified"),
            "created_at": row["created_at"].isoformat(),
        }
    )


async def list_folder(request: Request) -> Response:
    """One folder level; sub-folders come with id null."""
    body = await json_body(request)
    prefix = body.get("prefix")
    if not isinstance(prefix, str):
        raise invalid_request("body must have required property 'prefix'")
    sort = body.get("sortBy") or {}
    column, direction = sort.get("column") or "name", sort.get("order") or "asc"
    if column not in _SORTABLE or direction not in ("asc", "desc"):
        raise invalid_request("body/sortBy is not valid")
    limit, offset = body.get("limit", DEFAULT_LIST_LIMIT), body.get("offset", 0)
    if not (isinstance(limit, int) and isinstance(offset, int) and limit >= 1 and offset >= 0):
        raise invalid_request("body/limit and body/offset must be numbers")
    folder = prefix.strip("/")
    query = sql.SQL(_LIST).format(column=sql.Identifier(column), direction=sql.SQL(direction))
    async with state_of(request).connections.as_claims(claims_of(request), read_only=True) as connection:
        cursor = await connection.execute(
            query,
            {
                "bucket": request.path_params["bucket"],
                "folder": f"{folder}/" if folder else "",
                "search": str(body.get("search") or ""),
                "limit": limit,
                "offset": offset,
            },
        )
        rows = await cursor.fetchall()
    return JSONResponse([_listed(row) for row in rows])


async def sign(request: Request) -> Response:
    """A signed download address for one object the user sees."""
    body = await json_body(request)
    life_s = _life_s(body)
    await _visible(request)
    return JSONResponse({"signedURL": _signed_address(request, request.path_params["key"], life_s)})


async def sign_many(request: Request) -> Response:
    """Signed download addresses for several objects, an error for each that is missing."""
    body = await json_body(request)
    life_s, keys = _life_s(body), body.get("paths")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise invalid_request("body must have required property 'paths'")
    state, claims = state_of(request), claims_of(request)
    answers: list[dict[str, Any]] = []
    for key in keys:
        try:
            await storage_rows.find_visible(state.connections, claims, request.path_params["bucket"], key)
        except StorageError:
            message = "Either the object does not exist or you do not have access to it"
            answers.append({"error": message, "path": key, "signedURL": None})
            continue
        answers.append({"error": None, "path": key, "signedURL": _signed_address(request, key, life_s)})
    return JSONResponse(answers)


async def get_signed(request: Request) -> Response:
    """Download by a signed address."""
    address_claims(request, "download")
    row = await storage_rows.find(
        state_of(request).connections, request.path_params["bucket"], request.path_params["key"]
    )
    if row is None:
        raise object_missing()
    return await _serve(request, row)


async def get(request: Request) -> Response:
    """Download with the user's own token."""
    return await _serve(request, await _visible(request))


async def _visible(request: Request) -> DictRow:
    return await storage_rows.find_visible(
        state_of(request).connections,
        claims_of(request),
        request.path_params["bucket"],
        request.path_params["key"],
    )


async def _serve(request: Request, row: DictRow) -> Response:
    state, metadata = state_of(request), row["metadata"] or {}
    path = state.files.path_of(row["version"], row["name"])
    size = int(metadata.get("size", 0))
    if not await state.files.run(path.is_file):
        raise StorageError(500, "Internal", "The object's bytes are missing", "InternalError")
    headers = {
        "Content-Type": metadata.get("mimetype") or "application/octet-stream",
        "Cache-Control": metadata.get("cacheControl") or "no-cache",
        "ETag": metadata.get("eTag") or "",
        "Last-Modified": _http_date(metadata.get("lastModified"), row["updated_at"]),
        "Accept-Ranges": "bytes",
    }
    if "download" in request.query_params:
        name = request.query_params["download"] or row["name"].rsplit("/", 1)[-1]
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    if request.headers.get("if-none-match") == headers["ETag"] != "":
        return Response(status_code=304, headers=headers)
    first, length, status = 0, size, 200
    if "range" in request.headers:
        first, length = _range(request.headers["range"], size)
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
        status = 206
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(state.files.blocks(path, first, length), status, headers)


def _range(header: str, size: int) -> tuple[int, int]:
    """First byte and length; raises 416 for what cannot be satisfied and for several ranges at once."""
    match = _RANGE.match(header.strip())
    first_text, last_text = match.groups() if match else ("", "")
    if first_text:
        first, last = int(first_text), min(int(last_text), size - 1) if last_text else size - 1
    elif last_text:
        first, last = max(size - int(last_text), 0), size - 1
    else:
        first, last = 0, -1
    if first > last or first >= size:
        raise StorageError(416, "InvalidRange", "The requested range is not satisfiable")
    return first, last - first + 1


def _signed_address(request: Request, key: str, life_s: int) -> str:
    bucket = request.path_params["bucket"]
    claims = {"url": f"{bucket}/{key}", "scope": "download"}
    token = state_of(request).tokens.sign(claims, life_s=life_s)
    return f"/object/sign/{bucket}/{quote(key)}?{urlencode({'token': token})}"


def _life_s(body: dict[str, Any]) -> int:
    # storage3 sends the number as text.
    text = str(body.get("expiresIn", ""))
    if not text.isdigit() or int(text) < 1:
        raise invalid_request("body must have required property 'expiresIn'")
    return min(int(text), 366 * 24 * 3600)


def _listed(row: DictRow) -> dict[str, Any]:
    if row["id"] is None:
        return dict(row)
    return object_json({**row, "owner": None})


def _http_date(text: str | None, fallback: datetime) -> str:
    moment = datetime.fromisoformat(text) if text else fallback
    return format_datetime(moment.astimezone(UTC), usegmt=True)
