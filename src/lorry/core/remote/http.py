"""The one HTTP layer for JSON calls: origin check, credentials, deadlines, size caps.

`ApiClient` is an `httpx.Client` that the Supabase libraries are given, so that every request they make passes through
`send`: the answer they get back is a success in JSON, anything else has already been raised as a LorryError. Called
from task and transfer threads. What an answer means is decided in `answers.py`; file bytes go through `put.py`.
"""

from __future__ import annotations

import ssl
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import truststore

from lorry import __version__
from lorry.core.config import ServerConfig
from lorry.core.errors import AuthError, ErrorCode, NetworkError, ProtocolError
from lorry.core.remote.answers import FRAMING, error_from_answer, error_from_transport, is_expired_token

#: An answer larger than this is not one of ours.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
#: Seconds for the body of an answer, however slowly its bytes drip in; httpx only limits the single read.
CALL_DEADLINE_S = 30.0
CALL_TIMEOUT = httpx.Timeout(connect=10.0, read=20.0, write=20.0, pool=10.0)
USER_AGENT = f"lorry/{__version__}"
AUTH_PREFIX = "/auth/v1/"
#: Request extension: a part of an object (HTTP 206) is a success too, whatever its type.
AS_BYTES = "lorry_as_bytes"


class TokenSource(Protocol):
    """Who knows the access token (`remote/session.py`)."""

    def access_token(self) -> str:
        """A token good for at least the next request. Raises AuthError when nobody is signed in."""

    def renew(self, refused_token: str) -> str:
        """Another token after the server refused this one. Raises AuthError when there is none to be had."""


def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the operating system's own store, TLS 1.2 at least."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def connection_options(config: ServerConfig) -> dict[str, Any]:
    """Keyword arguments every httpx client of ours gets.

    Redirects are never followed: across origins httpx drops `Authorization` but sends `apikey` and `x-signature` on.
    The system's proxy settings count, except towards this computer.
    """
    options: dict[str, Any] = {"follow_redirects": False, "http2": False}
    if config.url.startswith("https:"):
        options |= {"verify": tls_context(), "trust_env": True}
    else:
        # A context that trusts nobody: there is no TLS here, and loading certificates takes 60 ms (2026-11).
        options |= {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "trust_env": False}
    return options


class ApiClient(httpx.Client):
    """Sends JSON requests to one project as the signed-in user. Thread-safe, like its base.

    Authentication is enforced here and nowhere else: every request outside `/auth/v1/` carries the user's token, so
    without a session it fails with AuthError before anything is sent.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._origin = config.url
        self._tokens: TokenSource | None = None
        super().__init__(
            timeout=CALL_TIMEOUT,
            headers={"apikey": config.key, "user-agent": USER_AGENT, "accept-encoding": "identity"},
            **connection_options(config),
        )

    def use_tokens(self, tokens: TokenSource) -> None:
        """Tell where tokens come from; the session itself needs this client first."""
        self._tokens = tokens

    def send(self, request: httpx.Request, **_ignored: Any) -> httpx.Response:
        """Send one request of ours and return its successful answer, read to the end.

        It is JSON; with the extension AS_BYTES it may be a part of an object.

        Raises:
            LorryError: everything else, see `answers.py`.
        """
        parts = urlsplit(str(request.url))
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"refused to call another origin: {parts.netloc}")
        is_auth = parts.path.startswith(AUTH_PREFIX)
        token = "" if is_auth else self._token_source().access_token()
        response = self._exchange(request, token)
        if token and is_expired_token(response):
            response = self._exchange(request, self._token_source().renew(token))
        if response.status_code == 206 and request.extensions.get(AS_BYTES):
            return response
        error = error_from_answer(response)
        if error is not None:
            raise error
        return response

    def _token_source(self) -> TokenSource:
        if self._tokens is None:
            raise AuthError(ErrorCode.NOT_SIGNED_IN)
        return self._tokens

    def _exchange(self, request: httpx.Request, token: str) -> httpx.Response:
        if token:
            request.headers["authorization"] = f"Bearer {token}"
        deadline = time.monotonic() + CALL_DEADLINE_S
        try:
            response = super().send(request, stream=True, follow_redirects=False)
            try:
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "the answer is too long")
                    if time.monotonic() > deadline:
                        raise NetworkError(ErrorCode.TIMEOUT, f"no whole answer in {CALL_DEADLINE_S:.0f} s")
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise error_from_transport(error, request.url.host) from error
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in FRAMING]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=request)
