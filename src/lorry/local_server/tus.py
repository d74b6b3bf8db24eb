"""Resumable uploads (TUS 1.0.0): `/upload/resumable` with an access token, `/upload/resumable/sign` with an
upload token in `x-signature`.

Owns the two routes, creation, HEAD, DELETE and OPTIONS, and the shape of every answer; PATCH is `tus_append`.
Row-level security is asked on every creation, PATCH and DELETE of the first route; a HEAD only needs a valid
token, as on the hosted service. Event loop thread.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime
from uuid import uuid4

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lorry.local_server import storage_rows, tus_append, tus_finish
from lorry.local_server.gateway_state import GatewayState, state_of
from lorry.local_server.storage_errors import StorageError, already_exists
from lorry.local_server.tus_body import BodyEnd, PatchBody
from lorry.local_server.tus_locks import LockTimeoutError
from lorry.local_server.tus_requests import (
    CHUNK_TYPE,
    MAX_HEADERS_BYTES,
    TUS_VERSION,
    Caller,
    TusRefusal,
    UploadMetadata,
    announced_bytes,
    check_headers,
    header_bytes,
    lock_timeout,
    make_id,
    maximum_exceeded,
    never_existed,
    no_length,
    no_longer_exists,
    number,
    read_id,
    signed_caller,
    user_caller,
)
from lorry.local_server.tus_store import UploadFacts

ROUTE = "/upload/resumable"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,termination,expiration"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# A refused body shorter than this is read to its end, a longer one is cut off by closing the connection.
_SHORT_BODY_BYTES = 64 * 1024


def routes() -> list[Route]:
    """Both routes, each with and without an upload id."""
    return [
        Route(ROUTE, _answer, methods=_METHODS),
        Route(f"{ROUTE}/sign", _answer_signed, methods=_METHODS),
        Route(f"{ROUTE}/sign/{{upload_id}}", _answer_signed, methods=_METHODS),
        Route(f"{ROUTE}/{{upload_id}}", _answer, methods=_METHODS),
    ]


async def _answer(request: Request) -> Response:
    return await _guarded(request, is_signed=False)


async def _answer_signed(request: Request) -> Response:
    return await _guarded(request, is_signed=True)


async def _guarded(request: Request, *, is_signed: bool) -> Response:
    """Answer, or refuse in the words of the protocol: plain text, with the real status."""
    if header_bytes(request) > MAX_HEADERS_BYTES:
        words = {"error": "Request Header Fields Too Large", "message": "Client Error", "statusCode": 431}
        return JSONResponse(words, 431, {"Connection": "close"})
    caller: Caller | None = None
    if not is_signed and request.method != "OPTIONS":
        try:
            caller = user_caller(request)
        except StorageError as error:
            return Response(status_code=400) if request.method == "HEAD" else error.response()
    try:
        response = await _dispatch(request, caller)
    except TusRefusal as refusal:
        response = _refusal(request, refusal.status, refusal.text)
    except StorageError as error:
        response = _refusal(request, error.status, error.message)
    except LockTimeoutError:
        response = _refusal(request, 503, lock_timeout().text)
    except psycopg.OperationalError:
        response = _refusal(request, 503, "The database does not answer\n")
    except psycopg.DataError as error:
        response = _refusal(request, 400, error.diag.message_primary or str(error))
    response.headers["Tus-Resumable"] = TUS_VERSION
    return response


def _refusal(request: Request, status: int, text: str) -> Response:
    response = Response(status_code=status) if request.method == "HEAD" else PlainTextResponse(text, status)
    if request.method == "HEAD":
        response.headers["Cache-Control"] = "no-store"
    length_bytes = announced_bytes(request)
    if (length_bytes or 0) > _SHORT_BODY_BYTES or "transfer-encoding" in request.headers:
        response.headers["Connection"] = "close"
    if status == 412:
        response.headers["Tus-Version"] = TUS_VERSION
    return response


async def _dispatch(request: Request, user: Caller | None) -> Response:
    if request.method == "OPTIONS":
        return await _options(state_of(request))
    check_headers(request)
    upload_id, method = request.path_params.get("upload_id"), request.method
    if method == "POST" and upload_id is None:
        return await _create(request, user or signed_caller(request))
    if upload_id is None or method not in ("HEAD", "PATCH", "DELETE"):
        raise TusRefusal(404, "Not found\n")
    path, version = read_id(upload_id)
    if method == "PATCH":
        if "upload-offset" not in request.headers:
            raise TusRefusal(403, "Upload-Offset header required\n")
        if "content-type" not in request.headers:
            raise TusRefusal(403, "Content-Type header required\n")
    caller = user or signed_caller(request)
    caller.check_path(path)
    state = state_of(request)
    facts = await state.files.run(lambda: state.resumable.store.find(version))
    if facts is not None and facts.path != path:
        facts = None
    if method != "HEAD":
        await _check_rights(state, caller, path, facts)
    if facts is None:
        raise never_existed()
    if method == "PATCH":
        response = await tus_append.patch(request, caller, facts)
        return response if "Tus-Complete" in response.headers else _with_expiry(state, facts, response)
    return await (_head(state, facts) if method == "HEAD" else _delete(state, caller, facts))


async def _check_rights(state: GatewayState, caller: Caller, path: str, facts: UploadFacts | None) -> None:
    """Try the object's row as the user; a signed token was tried when it was made."""
    if caller.claims is None:
        return
    bucket_id, _, key = path.partition("/")
    told = UploadMetadata.read(facts.metadata_header).content_type if facts else None
    probe = {"mimetype": told, "contentLength": facts.length_bytes if facts else None}
    await storage_rows.try_upload(state.connections, caller.claims, bucket_id, key, probe, upsert=caller.may_replace)


async def _options(state: GatewayState) -> Response:
    row = await state.connections.fetch_one("select max(file_size_limit) as largest from storage.buckets")
    headers = {"Tus-Resumable": TUS_VERSION, "Tus-Version": TUS_VERSION, "Tus-Extension": EXTENSIONS}
    if row is not None and row["largest"] is not None:
        headers["Tus-Max-Size"] = str(row["largest"])
    return Response(status_code=204, headers=headers)


async def _create(request: Request, caller: Caller) -> Response:
    state = state_of(request)
    facts = await _new_facts(request, caller)
    store, body, offset = state.resumable.store, PatchBody(request), 0
    async with state.resumable.locks.hold(facts.version, body.stop_in):
        await state.files.run(lambda: store.create(facts))
        if request.headers.get("content-type") == CHUNK_TYPE:
            try:
                offset = await tus_append.take(request, facts, body, 0)
                if body.end is BodyEnd.CUT and offset != facts.length_bytes:
                    # Its sender never learns the address, so nobody could go on.
                    raise no_longer_exists()
            except TusRefusal:
                await state.files.run(lambda: store.terminate(facts))
                raise
        is_complete = offset == facts.length_bytes
        if is_complete:
            await tus_append.end_held(state, facts, may_replace=caller.may_replace)
    if is_complete:
        await tus_append.end_unheld(state, facts, body, may_replace=caller.may_replace)
    response = Response(status_code=201, headers={"Location": _address(request, facts)})
    if offset:
        response.headers["Upload-Offset"] = str(offset)
    if body.end is BodyEnd.STOPPED:
        response.headers["Connection"] = "close"
    if not is_complete:
        return _with_expiry(state, facts, response)
    response.headers["Tus-Complete"] = "1"
    return response


async def _new_facts(request: Request, caller: Caller) -> UploadFacts:
    """Everything a creation must be refused for, in the order of the hosted service."""
    state, length_bytes = state_of(request), number(request, "upload-length")
    if (length_bytes is None) == ("upload-defer-length" not in request.headers):
        raise no_length()
    header = request.headers.get("upload-metadata", "")
    metadata = UploadMetadata.read(header)
    bucket = await storage_rows.bucket(state.connections, metadata.bucket_id)
    if bucket.size_limit_bytes is not None and (length_bytes or 0) > bucket.size_limit_bytes:
        raise maximum_exceeded()
    facts = UploadFacts(
        version=str(uuid4()),
        bucket_id=metadata.bucket_id,
        key=metadata.key,
        owner=caller.owner,
        length_bytes=length_bytes,
        metadata_header=header,
        may_replace=caller.may_replace,
        created_s=time.time(),
    )
    caller.check_path(facts.path)
    await _check_rights(state, caller, facts.path, facts)
    if metadata.content_type is not None:
        bucket.check_type(metadata.content_type)
    return facts


async def _head(state: GatewayState, facts: UploadFacts) -> Response:
    store = state.resumable.store
    async with state.resumable.locks.hold(facts.version):
        current = await state.files.run(lambda: store.find(facts.version))
        if current is None:
            raise never_existed()
        if store.is_expired(current):
            raise no_longer_exists()
        offset = await tus_finish.repaired_offset(state, current)
    headers = {"Cache-Control": "no-store", "Upload-Offset": str(offset), "Upload-Metadata": current.metadata_header}
    if current.length_bytes is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(current.length_bytes)
    return Response(status_code=200, headers=headers)


async def _delete(state: GatewayState, caller: Caller, facts: UploadFacts) -> Response:
    store = state.resumable.store
    async with state.resumable.locks.hold(facts.version):
        current = await state.files.run(lambda: store.find(facts.version))
        if current is None:
            raise never_existed()
        if current.version in state.resumable.unanswered:
            raise lock_timeout()
        if current.is_finished:
            if caller.may_replace:
                raise TusRefusal(400, "Cannot terminate an already completed upload")
            raise already_exists()
        await state.files.run(lambda: store.terminate(current))
    return Response(status_code=204)


def _with_expiry(state: GatewayState, facts: UploadFacts, response: Response) -> Response:
    ends_s = state.resumable.store.expires_s(facts)
    if ends_s is not None:
        response.headers["Upload-Expires"] = format_datetime(datetime.fromtimestamp(ends_s, UTC), usegmt=True)
    return response


def _address(request: Request, facts: UploadFacts) -> str:
    """Absolute, as the hosted service sends it."""
    return f"{request.url.replace(query='')}".rstrip("/") + f"/{make_id(facts.path, facts.version)}"
