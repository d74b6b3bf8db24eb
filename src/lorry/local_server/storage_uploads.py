"""Uploads of the storage service: signing an upload, the signed PUT, the plain POST.

An upload is all or nothing: bytes are made durable first, then the row is written, then the answer is sent;
a sender that goes away leaves neither. Event loop thread; disk work in `object_files`' threads.
"""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorry.local_server import storage_rows
from lorry.local_server.gateway_state import GatewayState, state_of
from lorry.local_server.storage_errors import already_exists, invalid_request, too_large
from lorry.local_server.storage_requests import address_claims, claims_of
from lorry.local_server.storage_rows import StoredUpload
from lorry.local_server.upload_body import open_body, receive


async def sign(request: Request) -> Response:
    """Answer a signed upload address if the user could insert this object now."""
    state, claims = state_of(request), claims_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    text = await request.body()
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json") and not text:
        raise invalid_request("Body cannot be empty when content-type is set to 'application/json'")
    upsert = _wants_upsert(request)
    probe = {"mimetype": kind, "contentLength": len(text)}
    await storage_rows.try_upload(state.connections, claims, bucket, key, probe, upsert=upsert)
    token = state.tokens.sign(
        {"owner": claims.get("sub"), "url": f"{bucket}/{key}", "upsert": upsert, "scope": "upload"},
        life_s=state.tokens.upload_url_life_s,
    )
    address = f"/object/upload/sign/{bucket}/{key}?{urlencode({'token': token})}"
    return JSONResponse({"url": address, "token": token})


async def put_signed(request: Request) -> Response:
    """Take the bytes for a signed address: its token alone decides, for whom and whether it may replace."""
    claims = address_claims(request, "upload")
    key, _object_id = await _store(request, owner=claims.get("owner"), upsert=bool(claims.get("upsert")))
    return JSONResponse({"Key": key})


async def post(request: Request) -> Response:
    """Take an upload with the user's own token; PUT replaces, as real Storage does."""
    state, claims = state_of(request), claims_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    upsert = request.method == "PUT" or _wants_upsert(request)
    await storage_rows.bucket(state.connections, bucket)
    probe = {"mimetype": request.headers.get("content-type", ""), "contentLength": _announced_bytes(request)}
    await storage_rows.try_upload(state.connections, claims, bucket, key, probe, upsert=upsert)
    stored_key, object_id = await _store(request, owner=claims.get("sub"), upsert=upsert)
    return JSONResponse({"Id": object_id, "Key": stored_key})


async def _store(request: Request, *, owner: str | None, upsert: bool) -> tuple[str, str]:
    """Receive, make durable, write the row; returns `bucket/key` and the object's id."""
    state = state_of(request)
    bucket_id, key = request.path_params["bucket"], request.path_params["key"]
    storage_rows.check_key(key)
    bucket = await storage_rows.bucket(state.connections, bucket_id)
    if not upsert and await storage_rows.find(state.connections, bucket_id, key) is not None:
        raise already_exists()
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    announced = _announced_bytes(request)
    if not is_form and bucket.size_limit_bytes is not None and (announced or 0) > bucket.size_limit_bytes:
        raise too_large()
    body = await open_body(request)
    bucket.check_type(body.mime_type)
    version = str(uuid4())
    incoming = await state.files.run(lambda: state.files.begin(version))
    try:
        await receive(body.blocks, state.files, incoming, bucket.size_limit_bytes)
        digest = await state.files.run(lambda: state.files.keep(incoming, version, key))
    except BaseException:
        # Not awaited in a thread: a cancelled request must clean up as well.
        incoming.discard()
        raise
    upload = StoredUpload(
        bucket_id=bucket_id,
        key=key,
        version=version,
        owner=owner,
        size_bytes=incoming.size_bytes,
        md5=digest,
        mime_type=body.mime_type,
        cache_control=body.cache_control,
        user_metadata=body.user_metadata,
    )
    return f"{bucket_id}/{key}", await _commit(state, upload, upsert=upsert)


async def _commit(state: GatewayState, upload: StoredUpload, *, upsert: bool) -> str:
    try:
        object_id, replaced = await storage_rows.commit_upload(state.connections, upload, upsert=upsert)
    except BaseException:
        state.files.remove(upload.version, upload.key)
        raise
    if replaced is not None:
        await state.files.run(lambda: state.files.remove(replaced, upload.key))
    return object_id


def _wants_upsert(request: Request) -> bool:
    return request.headers.get("x-upsert", "").lower() == "true"


def _announced_bytes(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdigit() else None
