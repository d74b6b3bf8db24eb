"""The gateway: one Starlette application that mounts auth, rest, storage and functions.

Owns what is in front of them: the project key, cross-origin headers, health, and the connections by which
applications keep this server alive. Leaves starting and stopping to `serving`. Event loop thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from os import getpid

import psycopg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from lorry.local_server import auth, functions, rest, storage
from lorry.local_server.gateway_state import GatewayState, project_key_of, state_of
from lorry.local_server.tokens import TokenError

SERVICE_NAME = "lorry-workspace"
_KEY_ROLES = frozenset({"anon", "service_role"})
_EXPOSED = [
    *("Content-Range", "Content-Length", "ETag", "x-sb-error-code", "x-supabase-api-version"),
    *("Location", "Tus-Complete", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version"),
    *("Upload-Defer-Length", "Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset"),
]
_REFLECTED = ["authorization", "apikey", "content-type", "x-client-info", "x-upsert", "x-supabase-api-version"]


class ProjectKeyGuard:
    """Lets only requests with a key of this project through, as the hosted gateway does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or hand the request on."""
        request = Request(scope, receive)
        refusal = _key_refusal(request)
        await (refusal or self._app)(scope, receive, send)


def _key_refusal(request: Request) -> Response | None:
    key = project_key_of(request)
    if not key:
        return JSONResponse(
            {
                "message": "No API key found in request",
                "hint": "No `apikey` request header or url param was found.",
            },
            401,
        )
    try:
        if state_of(request).tokens.verify(key).get("role") in _KEY_ROLES:
            return None
    except TokenError:
        pass
    return JSONResponse(
        {"message": "Invalid API key", "hint": "Double check your Supabase `anon` or `service_role` API key."}, 401
    )


def create_app(state: GatewayState) -> Starlette:
    """Build the application around the services in `state`."""
    app = Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/workspace/hold", _hold, methods=["GET"]),
            Mount("/auth/v1", ProjectKeyGuard(_router(auth.routes()))),
            Mount("/rest/v1", ProjectKeyGuard(_router(rest.routes()))),
            Mount("/functions/v1", ProjectKeyGuard(_router(functions.routes()))),
            Mount("/storage/v1", _router(storage.routes())),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["*"],
                allow_headers=["*", *_REFLECTED],
                expose_headers=_EXPOSED,
                max_age=3600,
            )
        ],
        exception_handlers={psycopg.OperationalError: _database_away},
    )
    app.state.gateway = state
    return app


def _router(routes: list[Route]) -> Router:
    listed: list[BaseRoute] = list(routes)
    return Router(listed, redirect_slashes=False)


async def _database_away(_request: Request, error: Exception) -> Response:
    return JSONResponse(
        {"code": "PGRST001", "message": "The database does not answer", "details": str(error), "hint": None}, 503
    )


async def _health(request: Request) -> Response:
    return JSONResponse({"service": SERVICE_NAME, "pid": getpid(), "holds": state_of(request).holds.count})


async def _hold(request: Request) -> Response:
    """Stay open until the caller goes away or the server stops; meanwhile the server outlives its parent."""
    refusal = _key_refusal(request)
    return refusal or StreamingResponse(_held(state_of(request)), media_type="text/plain")


async def _held(state: GatewayState) -> AsyncIterator[bytes]:
    state.holds.count += 1
    try:
        yield b"held\n"
        await state.closing.wait()
    finally:
        state.holds.count -= 1
        state.holds.changed.set()
