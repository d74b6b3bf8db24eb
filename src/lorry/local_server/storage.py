"""The storage service, `/storage/v1`: its routes, and the error shape all of them share.

Uploads are `storage_uploads`, resumable ones `tus`, reading is `storage_downloads`; this module holds the
small rest: deleting, buckets, and clear answers for what is not here. Event loop thread.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lorry.local_server import storage_downloads, storage_rows, storage_uploads, tus
from lorry.local_server.gateway_state import state_of
from lorry.local_server.storage_errors import (
    StorageError,
    bucket_missing,
    invalid_request,
    not_supported,
    object_missing,
)
from lorry.local_server.storage_requests import claims_of, json_body, object_json

_Handler = Callable[[Request], Awaitable[Response]]
_OBJECT = "/{bucket}/{key:path}"


def routes() -> list[Route]:
    """Routes below `/storage/v1`; the first match counts, so fixed words stand before buckets."""
    return [
        *tus.routes(),
        Route("/object/upload/sign" + _OBJECT, _guarded(storage_uploads.sign), methods=["POST"]),
        Route("/object/upload/sign" + _OBJECT, _guarded(storage_uploads.put_signed), methods=["PUT"]),
        Route("/object/sign/{bucket}", _guarded(storage_downloads.sign_many), methods=["POST"]),
        Route("/object/sign" + _OBJECT, _guarded(storage_downloads.sign), methods=["POST"]),
        Route("/object/sign" + _OBJECT, _guarded(storage_downloads.get_signed), methods=["GET"]),
        Route("/object/info/authenticated" + _OBJECT, _guarded(storage_downloads.info), methods=["GET"]),
        Route("/object/info/public" + _OBJECT, _guarded(_no_public_bucket), methods=["GET"]),
        Route("/object/info" + _OBJECT, _guarded(storage_downloads.info), methods=["GET"]),
        Route("/object/list/{bucket}", _guarded(storage_downloads.list_folder), methods=["POST"]),
        Route("/object/list-v2/{bucket}", _guarded(_no_list_v2), methods=["POST"]),
        Route("/object/public" + _OBJECT, _guarded(_no_public_bucket), methods=["GET"]),
        Route("/object/authenticated" + _OBJECT, _guarded(storage_downloads.get), methods=["GET"]),
        Route("/object/copy", _guarded(_no_copy), methods=["POST"]),
        Route("/object/move", _guarded(_no_copy), methods=["POST"]),
        Route("/object/{bucket}", _guarded(_delete_many), methods=["DELETE"]),
        Route("/object" + _OBJECT, _guarded(storage_downloads.get), methods=["GET"]),
        Route("/object" + _OBJECT, _guarded(storage_uploads.post), methods=["POST", "PUT"]),
        Route("/object" + _OBJECT, _guarded(_delete_one), methods=["DELETE"]),
        Route("/bucket", _guarded(_buckets), methods=["GET"]),
        Route("/bucket/{bucket}", _guarded(_bucket), methods=["GET"]),
        Route("/bucket", _guarded(_no_bucket_change), methods=["POST"]),
        Route("/bucket/{rest:path}", _guarded(_no_bucket_change), methods=["POST", "PUT", "DELETE"]),
        Route("/render/{rest:path}", _guarded(_no_render), methods=["GET"]),
    ]


def _guarded(handler: _Handler) -> _Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except StorageError as error:
            # A HEAD answer has no body to explain itself with.
            return Response(status_code=400) if request.method == "HEAD" else error.response()
        except ClientDisconnect:
            return Response(status_code=499)
        except psycopg.DataError as error:
            return invalid_request(error.diag.message_primary or str(error)).response()

    return answer


async def _delete_one(request: Request) -> Response:
    state, claims = state_of(request), claims_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    await storage_rows.find_visible(state.connections, claims, bucket, key)
    gone = await _delete(request, [key])
    if not gone:
        raise StorageError(403, "Unauthorized", "Access denied", "AccessDenied")
    return JSONResponse({"message": "Successfully deleted"})


async def _delete_many(request: Request) -> Response:
    body = await json_body(request)
    keys = body.get("prefixes")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise invalid_request("body must have required property 'prefixes'")
    return JSONResponse(await _delete(request, keys))


async def _delete(request: Request, keys: list[str]) -> list[dict[str, Any]]:
    """The rows go first: a crash in between leaves bytes without a row, which the next start removes."""
    state, claims = state_of(request), claims_of(request)
    rows = await storage_rows.delete(state.connections, claims, request.path_params["bucket"], keys)
    for row in rows:
        await state.files.run(lambda gone=row: state.files.remove(gone["version"], gone["name"]))  # type: ignore[misc]
    return [object_json(row) for row in rows]


async def _buckets(request: Request) -> Response:
    async with state_of(request).connections.as_claims(claims_of(request), read_only=True) as connection:
        cursor = await connection.execute("select to_jsonb(b) as bucket from storage.buckets b order by id")
        return JSONResponse([row["bucket"] for row in await cursor.fetchall()])


async def _bucket(request: Request) -> Response:
    async with state_of(request).connections.as_claims(claims_of(request), read_only=True) as connection:
        cursor = await connection.execute(
            "select to_jsonb(b)::text as bucket from storage.buckets b where id = %s", [request.path_params["bucket"]]
        )
        row = await cursor.fetchone()
    if row is None:
        raise bucket_missing()
    return JSONResponse(json.loads(row["bucket"]))


async def _no_public_bucket(request: Request) -> Response:
    await storage_rows.bucket(state_of(request).connections, request.path_params["bucket"])
    # Every bucket here is private; real Storage words it as a bucket that is not there.
    raise bucket_missing() if request.url.path.startswith("/storage/v1/object/public") else object_missing()


async def _no_list_v2(_request: Request) -> Response:
    raise not_supported("list-v2; use list")


async def _no_copy(_request: Request) -> Response:
    raise not_supported("copying or moving objects")


async def _no_bucket_change(_request: Request) -> Response:
    raise not_supported("changing buckets; migrations do that")


async def _no_render(_request: Request) -> Response:
    raise not_supported("image transformations")
