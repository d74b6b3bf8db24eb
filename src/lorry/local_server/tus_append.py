"""Taking the bytes of a resumable upload: what fits, the writing, and the end of the last part.

An answer is given only after the bytes it speaks of are synced; a sender that goes away keeps what arrived.
Called by `tus` for PATCH and for a creation with bytes. Event loop thread; disk work in `object_files`'
threads.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from lorry.local_server import storage_rows, tus_finish
from lorry.local_server.gateway_state import GatewayState, state_of
from lorry.local_server.storage_errors import already_exists
from lorry.local_server.tus_body import BodyEnd, PatchBody
from lorry.local_server.tus_requests import (
    Caller,
    TusRefusal,
    announced_bytes,
    lock_timeout,
    maximum_exceeded,
    never_existed,
    no_length,
    no_longer_exists,
    number,
    offset_conflict,
)
from lorry.local_server.tus_store import UploadFacts
from lorry.local_server.upload_body import receive


async def patch(request: Request, caller: Caller, facts: UploadFacts) -> Response:
    """Append to an upload; the caller's rights were checked."""
    state, asked_offset = state_of(request), number(request, "upload-offset")
    uploads, body = state.resumable, PatchBody(request)
    async with uploads.locks.hold(facts.version, body.stop_in):
        # It may have changed while this request waited for its turn.
        current = await state.files.run(lambda: uploads.store.find(facts.version))
        if current is None:
            raise never_existed()
        if uploads.store.is_expired(current):
            raise no_longer_exists()
        if current.is_finished:
            raise already_exists()
        if current.version in uploads.unanswered:
            raise lock_timeout()
        offset = await tus_finish.repaired_offset(state, current)
        if offset != asked_offset:
            raise offset_conflict()
        current = await _with_declared_length(request, current, offset)
        if offset == current.length_bytes:
            # All was there, and an empty body asks for nothing but the object, which the repair has made.
            if (announced_bytes(request) or 0) > 0:
                raise TusRefusal(413, "upload's size exceeded\n")
            if number(request, "upload-length") is not None:
                await tus_finish.repaired_offset(state, current)
            return Response(status_code=204, headers={"Upload-Offset": str(offset), "Tus-Complete": "1"})
        offset = await take(request, current, body, offset)
        is_complete = offset == current.length_bytes
        if is_complete:
            await end_held(state, current, may_replace=caller.may_replace)
    if is_complete:
        await end_unheld(state, current, body, may_replace=caller.may_replace)
    headers = {"Upload-Offset": str(offset)}
    if is_complete:
        headers["Tus-Complete"] = "1"
    if body.end is BodyEnd.STOPPED:
        headers["Connection"] = "close"
    return Response(status_code=204, headers=headers)


async def take(request: Request, facts: UploadFacts, body: PatchBody, offset: int) -> int:
    """Write and sync what the body brings; returns the new offset.

    Raises TusRefusal 413 for more than fits: announced, nothing is written; found out on the way, all of this
    request's bytes are given back, as its sender means another file than was declared.
    """
    state = state_of(request)
    files, store = state.files, state.resumable.store
    room_bytes = await _room_bytes(state, facts, offset)
    if room_bytes is not None and (announced_bytes(request) or 0) > room_bytes:
        raise maximum_exceeded() if facts.length_bytes is None else TusRefusal(413, "upload's size exceeded\n")
    incoming = await files.run(lambda: store.append(facts))
    try:
        await receive(body.blocks(room_bytes), files, incoming, None)
        if body.end is BodyEnd.TOO_LONG:
            await files.run(lambda: incoming.cut_to(offset))
        new_offset = await files.run(lambda: store.appended(facts, incoming))
    except BaseException:
        # Not awaited in a thread: a cancelled request must clean up as well.
        incoming.close()
        raise
    if body.end is BodyEnd.TOO_LONG:
        raise maximum_exceeded()
    return new_offset


async def end_held(state: GatewayState, facts: UploadFacts, *, may_replace: bool) -> None:
    """The last byte is durable and the upload still held: make the object, or leave that to `end_unheld`."""
    if state.resumable.drops_unanswered:
        state.resumable.unanswered.add(facts.version)
    else:
        await tus_finish.finish(state, facts, may_replace=may_replace)


async def end_unheld(state: GatewayState, facts: UploadFacts, body: PatchBody, *, may_replace: bool) -> None:
    """With the imitated fault: make the object only for a sender that waits for the answer, else delete all."""
    uploads = state.resumable
    if facts.version not in uploads.unanswered:
        return
    loop = asyncio.get_running_loop()
    window_s = tus_finish.answer_window_s(facts.length_bytes or 0)
    ends_s = loop.time() + window_s
    try:
        is_gone = await body.is_cut_within(window_s)
        await asyncio.sleep(max(ends_s - loop.time(), 0))
        async with uploads.locks.hold(facts.version):
            if not is_gone:
                await tus_finish.finish(state, facts, may_replace=may_replace)
                return
            await state.files.run(lambda: uploads.store.drop_bytes(facts))
    finally:
        uploads.unanswered.discard(facts.version)
    raise no_longer_exists()


async def _with_declared_length(request: Request, facts: UploadFacts, offset: int) -> UploadFacts:
    length_bytes = number(request, "upload-length")
    if length_bytes is None:
        return facts
    if facts.length_bytes is not None or length_bytes < offset:
        raise no_length()
    state = state_of(request)
    bucket = await storage_rows.bucket(state.connections, facts.bucket_id)
    if bucket.size_limit_bytes is not None and length_bytes > bucket.size_limit_bytes:
        raise maximum_exceeded()
    return await state.files.run(lambda: state.resumable.store.declare_length(facts, length_bytes))


async def _room_bytes(state: GatewayState, facts: UploadFacts, offset: int) -> int | None:
    if facts.length_bytes is not None:
        return facts.length_bytes - offset
    bucket = await storage_rows.bucket(state.connections, facts.bucket_id)
    return None if bucket.size_limit_bytes is None else bucket.size_limit_bytes - offset
