"""Small readings of a storage request: who asks, the JSON body, and an object's row as JSON.

No I/O besides reading the body.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow
from starlette.requests import Request

from lorry.local_server.gateway_state import state_of
from lorry.local_server.storage_errors import StorageError, invalid_request, token_refused
from lorry.local_server.tokens import Claims, TokenError, bearer, role_of


def claims_of(request: Request) -> Claims:
    """Claims of the bearer token, the only thing Storage looks at; `apikey` is not read."""
    header = request.headers.get("authorization")
    if header is None:
        raise invalid_request("headers must have required property 'authorization'")
    try:
        claims = state_of(request).tokens.verify(bearer(header))
        role_of(claims)
    except TokenError as error:
        raise token_refused(error.fault, is_user_token=True) from None
    return claims


def address_claims(request: Request, scope: str) -> Claims:
    """Claims of the `token` parameter of a signed address made for this very path.

    `scope` is `upload` or `download`; a token of one is no token of the other, nor is a user's access token.
    """
    token = request.query_params.get("token")
    if not token:
        raise invalid_request("querystring must have required property 'token'")
    try:
        claims = state_of(request).tokens.verify(token)
    except TokenError as error:
        raise token_refused(error.fault, is_user_token=False) from None
    if claims.get("scope") != scope:
        raise _signature(f"Token is not scoped for {scope}")
    if claims.get("url") != f"{request.path_params['bucket']}/{request.path_params['key']}":
        raise _signature("The token was made for another path")
    return claims


async def json_body(request: Request) -> dict[str, Any]:
    """The body as an object; an empty body announced as JSON is refused, as Storage does."""
    text = await request.body()
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid_request("Body cannot be empty when content-type is set to 'application/json'")
    return document


def object_json(row: DictRow) -> dict[str, Any]:
    """A row of storage.objects with times and ids as text."""
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return shown | {"id": str(row["id"]), "owner": str(row["owner"]) if row["owner"] else ""}


def _signature(message: str) -> StorageError:
    return StorageError(400, "InvalidSignature", message)
