"""The auth service, `/auth/v1`: sign-up, password, refresh, user, logout, in GoTrue's shapes.

Addresses are confirmed at once, as nothing here sends mail. Owns requests and answers; tables are
`auth_store`'s. What GoTrue has and this has not is answered 501. Event loop thread, hashing in a thread.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lorry.local_server import auth_store
from lorry.local_server.auth_answers import tokens_response, user_object
from lorry.local_server.auth_errors import AuthError, weak_password
from lorry.local_server.gateway_state import GatewayState, state_of
from lorry.local_server.passwords import hash_password, is_password
from lorry.local_server.role_connections import RoleConnection
from lorry.local_server.tokens import Claims, TokenError, bearer

MIN_PASSWORD = 6
# bcrypt's limit, which GoTrue enforces; kept so that an account made here can be made there.
MAX_PASSWORD_BYTES = 72
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NOT_HERE = ("otp", "magiclink", "verify", "recover", "resend", "authorize", "callback", "sso", "factors")

_Handler = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """Routes below `/auth/v1`."""
    known = [
        Route("/health", _guarded(_health)),
        Route("/settings", _guarded(_settings)),
        Route("/.well-known/jwks.json", _guarded(_jwks)),
        Route("/signup", _guarded(_sign_up), methods=["POST"]),
        Route("/token", _guarded(_token), methods=["POST"]),
        Route("/user", _guarded(_user), methods=["GET", "PUT"]),
        Route("/logout", _guarded(_logout), methods=["POST"]),
    ]
    absent = [
        Route(f"/{name}{rest}", _guarded(_not_supported), methods=["GET", "POST", "PUT", "DELETE"])
        for name in (*_NOT_HERE, "admin")
        for rest in ("", "/{rest:path}")
    ]
    return known + absent


def _guarded(handler: _Handler) -> _Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except AuthError as error:
            return error.response(request)
        except psycopg.DataError:
            # Text PostgreSQL cannot hold, such as a NUL character.
            return AuthError(400, "validation_failed", "The request has a value that cannot be stored").response(
                request
            )

    return answer


async def _health(_request: Request) -> Response:
    return JSONResponse({"version": "local", "name": "GoTrue", "description": "Lorry local workspace"})


async def _jwks(_request: Request) -> Response:
    # The tokens are signed with a shared secret; there is no public key to hand out.
    return JSONResponse({"keys": []})


async def _settings(_request: Request) -> Response:
    return JSONResponse(
        {
            "external": {"email": True, "phone": False},
            "disable_signup": False,
            "mailer_autoconfirm": True,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
        }
    )


async def _not_supported(request: Request) -> Response:
    raise AuthError(501, "not_supported", f"The local workspace does not support {request.url.path}.")


async def _sign_up(request: Request) -> Response:
    state, body = state_of(request), await _body(request)
    email, password = _email_of(body), _text_of(body, "password")
    if not password:
        raise AuthError(400, "validation_failed", "Signup requires a valid password")
    _check_password(password)
    stored = await asyncio.to_thread(hash_password, password)
    async with state.connections.as_server() as connection:
        user = await auth_store.create_user(connection, email, stored, _metadata_of(body) or {})
        if user is None:
            raise AuthError(422, "user_already_exists", "User already registered")
        return await _session_response(state, connection, request, user)


async def _token(request: Request) -> Response:
    grant = request.query_params.get("grant_type")
    if grant == "password":
        return await _sign_in(request)
    if grant == "refresh_token":
        return await _refresh(request)
    if grant in ("pkce", "id_token", "web3"):
        raise AuthError(501, "not_supported", f"The local workspace does not support grant_type={grant}.")
    raise AuthError(400, "unsupported_grant_type", "unsupported_grant_type")


async def _sign_in(request: Request) -> Response:
    state, body = state_of(request), await _body(request)
    if not _text_of(body, "email"):
        if body.get("phone"):
            raise AuthError(400, "phone_provider_disabled", "Phone logins are disabled")
        raise AuthError(400, "validation_failed", "missing email or phone")
    async with state.connections.as_server() as connection:
        user = await auth_store.find_user(connection, _text_of(body, "email"))
    stored = user["encrypted_password"] if user else None
    if not await asyncio.to_thread(is_password, _text_of(body, "password"), stored) or user is None:
        raise AuthError(400, "invalid_credentials", "Invalid login credentials")
    if user["banned_until"] is not None and user["banned_until"].timestamp() > time.time():
        raise AuthError(400, "user_banned", "User is banned")
    async with state.connections.as_server() as connection:
        return await _session_response(state, connection, request, user)


async def _refresh(request: Request) -> Response:
    state, body = state_of(request), await _body(request)
    token = _text_of(body, "refresh_token")
    if not token:
        return JSONResponse(
            {"error": "invalid_request", "error_description": "refresh_token required"}, status_code=400
        )
    async with state.connections.as_server() as connection:
        rotated = await auth_store.rotate(connection, token)
        if isinstance(rotated, AuthError):
            # Answered, not raised: an exception would roll the end of the session back.
            return rotated.response(request)
        user_id, session_id, next_token = rotated
        user = await auth_store.user_by_id(connection, user_id)
        if user is None:
            raise AuthError(400, "session_not_found", "Session not found")
        return await tokens_response(state.tokens, connection, user, session_id, next_token)


async def _user(request: Request) -> Response:
    state = state_of(request)
    async with state.connections.as_server() as connection:
        claims = await _signed_in(state, connection, request)
        if request.method == "GET":
            user = await auth_store.user_by_id(connection, claims["sub"])
            return JSONResponse(await user_object(connection, _found(user)))
    body = await _body(request)
    email = _email_of(body) if body.get("email") else None
    password = _text_of(body, "password") or None
    if password:
        _check_password(password)
    stored = await asyncio.to_thread(hash_password, password) if password else None
    async with state.connections.as_server() as connection:
        other = await auth_store.find_user(connection, email) if email else None
        if other is not None and str(other["id"]) != claims["sub"]:
            raise AuthError(422, "email_exists", "A user with this email address has already been registered")
        user = await auth_store.update_user(
            connection, claims["sub"], email=email, password_hash=stored, metadata=_metadata_of(body)
        )
        if password:
            await auth_store.close_sessions(connection, claims["sub"], str(claims.get("session_id")), "others")
        return JSONResponse(await user_object(connection, _found(user)))


async def _logout(request: Request) -> Response:
    state = state_of(request)
    scope = request.query_params.get("scope", "global")
    if scope not in ("global", "local", "others"):
        raise AuthError(400, "validation_failed", f"Unsupported logout scope {scope!r}")
    async with state.connections.as_server() as connection:
        claims = await _signed_in(state, connection, request)
        await auth_store.close_sessions(connection, claims["sub"], str(claims.get("session_id")), scope)
    return Response(status_code=204)


async def _signed_in(state: GatewayState, connection: RoleConnection, request: Request) -> Claims:
    """Claims of a user whose session still exists; the data services look only at signature and expiry."""
    token = bearer(request.headers.get("authorization"))
    if not token:
        raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
    try:
        claims = state.tokens.verify(token)
    except TokenError as error:
        raise AuthError(403, "bad_jwt", f"invalid JWT: unable to parse or verify signature ({error})") from None
    if "sub" not in claims:
        raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
    if not await auth_store.session_exists(connection, str(claims.get("session_id"))):
        raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
    return claims


async def _session_response(
    state: GatewayState, connection: RoleConnection, request: Request, user: DictRow
) -> Response:
    agent = request.headers.get("user-agent", "")
    session_id, refresh_token = await auth_store.open_session(connection, user["id"], agent)
    fresh = await auth_store.user_by_id(connection, user["id"])
    return await tokens_response(state.tokens, connection, _found(fresh), session_id, refresh_token)


def _found(user: DictRow | None) -> DictRow:
    if user is None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    return user


async def _body(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.body() or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON")
    return document


def _text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {name} is not text")
    return value or ""


def _email_of(body: dict[str, Any]) -> str:
    email = _text_of(body, "email").strip()
    if len(email) > 255 or not _EMAIL.fullmatch(email):
        raise AuthError(400, "validation_failed", "Unable to validate email address: invalid format")
    return email


def _metadata_of(body: dict[str, Any]) -> dict[str, Any] | None:
    data = body.get("data")
    if data is not None and not isinstance(data, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: data is not an object")
    return data


def _check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD:
        raise weak_password(["length"], f"Password should be at least {MIN_PASSWORD} characters.")
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise AuthError(400, "validation_failed", "Password cannot be longer than 72 characters")
