"""Resumable uploads (tus 1.0.0) to the Storage of one project: create, offset, append, terminate.

One `TusApi` serves one transfer on its thread and keeps its connection between requests; close it when the transfer
ends. Where to go on, how much to send and when to try again is the caller's; so is the proof of success: all bytes
taken does not yet mean that the object exists. What answers mean is decided in `tus_answers.py`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

from lorry.core.cancel import CancelToken
from lorry.core.config import ServerConfig
from lorry.core.errors import ErrorCode, LorryError, NetworkError, OffsetConflictError, RejectedError
from lorry.core.model import BUCKET, UploadTicket
from lorry.core.remote.answers import FRAMING, error_from_transport, not_the_server, read_answer
from lorry.core.remote.http import USER_AGENT, connection_options
from lorry.core.remote.put import SocketGuard
from lorry.core.remote.tus_answers import (
    TUS_VERSION,
    error_from_tus_answer,
    object_version,
    unexpected,
)
from lorry.core.remote.tus_body import PatchBody

#: The route for upload tickets; the other one wants the user's own token, which a transfer never holds.
SIGNED_PATH = "/storage/v1/upload/resumable/sign"
#: A request that meets a busy upload is answered after 3 to 5 s (the server drains the other one), S3 takes longer.
_ASK_TIMEOUT = httpx.Timeout(connect=10.0, write=30.0, read=30.0, pool=10.0)
_APPEND_TIMEOUT = httpx.Timeout(connect=10.0, write=30.0, read=60.0, pool=10.0)
#: The server puts the object together before it answers, and deletes everything if nobody waits for the answer.
_LAST_TIMEOUT = httpx.Timeout(connect=10.0, write=30.0, read=180.0, pool=10.0)
#: A Storage server gives its lock up after 300 s; what it has by then is kept.
_SEND_LIMIT_S = 240.0

_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{1,2048}")
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class TusState:
    """What the server holds of an unfinished upload, and how long it expects the file to be."""

    offset_bytes: int
    length_bytes: int


@dataclass(frozen=True, slots=True)
class TusProgress:
    """Bytes the server holds after a request.

    `is_complete` is the server's word that the object is stored; False proves nothing, not every server says it.
    """

    offset_bytes: int
    is_complete: bool


class TusApi:
    """The resumable uploads of one project, for one transfer. Use as a context manager.

    Every method may raise what `tus_answers.py` maps, and NetworkError when there was no usable answer.
    """

    def __init__(
        self,
        config: ServerConfig,
        base_path: str = SIGNED_PATH,
        *,
        send_limit_s: float = _SEND_LIMIT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect on the first request.

        Args:
            base_path: the collection of another tus server; its upload ids are then taken as they are.
            send_limit_s: seconds one request may take to send its bytes.
            transport: another way to the server than a socket.
        """
        self._base_url = config.url + base_path
        self._host = httpx.URL(config.url).host
        self._is_storage = base_path == SIGNED_PATH
        self._send_limit_s = send_limit_s
        self._guard = SocketGuard()
        self._http = httpx.Client(
            headers={
                "apikey": config.key,
                "user-agent": USER_AGENT,
                "accept-encoding": "identity",
                "tus-resumable": TUS_VERSION,
            },
            transport=transport,
            **connection_options(config),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._http.close()

    def create(self, ticket: UploadTicket, size_bytes: int, content_type: str, token: CancelToken | None = None) -> str:
        """Open an upload of `size_bytes` to the ticket's path and return its id.

        Of the Location only the last segment counts: its origin and path are whatever a proxy made of them. Repeating
        a call whose answer was lost is harmless; the upload nobody knows expires by itself.

        Raises:
            ConflictError: ALREADY_EXISTS.
            ProtocolError: no usable Location, or one of another object.
            Cancelled: the token was set.
        """
        metadata = {"bucketName": BUCKET, "objectName": ticket.storage_path, "contentType": content_type}
        headers = {
            "upload-length": str(size_bytes),
            "upload-metadata": ",".join(f"{key} {_base64(value)}" for key, value in metadata.items()),
        }
        response = self._ask("POST", self._base_url, ticket, headers, token)
        location: str = response.headers.get("location", "")
        try:
            upload_id = urlsplit(location).path.rpartition("/")[2]
        except ValueError as error:
            raise unexpected("a Location that is no address") from error
        if response.status_code != 201 or not _UPLOAD_ID.fullmatch(upload_id):
            raise unexpected(f"HTTP {response.status_code} without a usable Location")
        if self._is_storage:
            object_version(upload_id, ticket.storage_path)
        return upload_id

    def offset(self, ticket: UploadTicket, upload_id: str, token: CancelToken | None = None) -> TusState:
        """Ask how much the server holds. It may be less than it was, and all of it without an object.

        Raises:
            RejectedError: UPLOAD_GONE, the server has dropped the upload or cannot go on with it.
            Cancelled: the token was set.
        """
        response = self._ask("HEAD", self._url(upload_id), ticket, {}, token)
        offset, length = (_number(response, name) for name in ("upload-offset", "upload-length"))
        if offset is None or length is None:
            raise not_the_server(response)
        if offset > length:
            raise RejectedError(ErrorCode.UPLOAD_GONE, f"the server holds {offset} of {length} bytes")
        return TusState(offset, length)

    def append(
        self,
        ticket: UploadTicket,
        upload_id: str,
        offset_bytes: int,
        blocks: Iterable[bytes],
        count_bytes: int,
        token: CancelToken,
        on_sent: Callable[[int], None],
        *,
        is_last: bool,
    ) -> TusProgress:
        """Send exactly `count_bytes` from `blocks` to `offset_bytes`; `on_sent(n)` tells what the socket took.

        The server keeps what it has read of a broken request; how much, only `offset` can tell. With `is_last` the
        request ends the file: a cancel that comes when its last bytes are on their way does not break it any more, and
        a NetworkError or ServerError then has `all_sent` in its context: the object may be there, or everything gone.

        Returns:
            How much the server holds now; it may have taken less than was sent.

        Raises:
            OffsetConflictError: the server holds another number of bytes, or its answer makes no sense; ask `offset`.
            ConflictError: ALREADY_EXISTS, the upload was finished before or the path is taken; ask for the object.
            RejectedError: UPLOAD_GONE among others.
            NetworkError: TIMEOUT also when sending takes over four minutes.
            Cancelled: the token was set and the connection broken.
            SourceError: from `blocks`.
        """
        if count_bytes <= 0:
            raise ValueError("a request without bytes would end an upload whose bytes the server may have lost")
        body = PatchBody(blocks, count_bytes, token, on_sent, self._guard if is_last else None, self._send_limit_s)
        headers = {
            "upload-offset": str(offset_bytes),
            "content-type": "application/offset+octet-stream",
            "content-length": str(count_bytes),
        }
        timeout = _LAST_TIMEOUT if is_last else _APPEND_TIMEOUT
        request = self._http.build_request(
            "PATCH",
            self._url(upload_id),
            content=iter(body),
            headers=headers | _signature(ticket),
            timeout=timeout,
            extensions={"trace": self._guard.trace},
        )
        try:
            response = self._exchange(request, token, lambda: body.may_be_complete)
        except LorryError as error:
            if body.may_be_complete and error.retryable and not isinstance(error, OffsetConflictError):
                error.context["all_sent"] = 1
            raise
        offset = _number(response, "upload-offset")
        if offset is None or not offset_bytes < offset <= offset_bytes + body.given_bytes:
            raise OffsetConflictError(
                ErrorCode.OFFSET_CONFLICT,
                f"{body.given_bytes} bytes sent to {offset_bytes}, now {response.headers.get('upload-offset')!r:.40}",
            )
        return TusProgress(offset, response.headers.get("tus-complete") == "1")

    def terminate(self, ticket: UploadTicket, upload_id: str) -> None:
        """Let the server drop an unfinished upload. Nothing there is success; a finished one is an object now."""
        try:
            self._ask("DELETE", self._url(upload_id), ticket, {}, None)
        except LorryError as error:
            if error.code not in (ErrorCode.UPLOAD_GONE, ErrorCode.ALREADY_EXISTS):
                raise

    def _url(self, upload_id: str) -> str:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise unexpected("an upload id that is none")
        return f"{self._base_url}/{upload_id}"

    def _ask(
        self, method: str, url: str, ticket: UploadTicket, headers: dict[str, str], token: CancelToken | None
    ) -> httpx.Response:
        request = self._http.build_request(
            method,
            url,
            headers=headers | _signature(ticket),
            timeout=_ASK_TIMEOUT,
            extensions={"trace": self._guard.trace},
        )
        return self._exchange(request, token, lambda: False)

    def _exchange(
        self, request: httpx.Request, token: CancelToken | None, is_past_cancel: Callable[[], bool]
    ) -> httpx.Response:
        """Send, read the answer to its end and raise what it means unless it is a success."""
        with ExitStack() as stack:
            self._guard.arm()
            if token is not None:
                token.check()
                stack.enter_context(token.on_cancel(self._guard.break_now))
            try:
                response = self._http.send(request, stream=True)
                stack.callback(response.close)
                content = read_answer(response)
            except (httpx.HTTPError, NetworkError) as error:
                if token is not None and not is_past_cancel():
                    token.check()
                if isinstance(error, NetworkError):
                    raise
                raise error_from_transport(error, self._host) from error
        headers = [(k, v) for k, v in response.headers.raw if k.lower() not in FRAMING]
        answer = httpx.Response(response.status_code, headers=headers, content=content, request=request)
        refused = error_from_tus_answer(answer)
        if refused is not None:
            raise refused
        return answer


def _signature(ticket: UploadTicket) -> dict[str, str]:
    tokens = parse_qs(urlsplit(ticket.upload_url).query).get("token", [""])
    return {"x-signature": tokens[0]}


def _number(response: httpx.Response, name: str) -> int | None:
    text = response.headers.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
