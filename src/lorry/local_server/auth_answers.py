"""Answers of the auth service: the session object and the user object, in GoTrue's shape.

Reads the rows it is given and the identities beside them; decides nothing. Event loop thread.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow
from starlette.responses import JSONResponse, Response

from lorry.local_server import auth_store
from lorry.local_server.role_connections import RoleConnection
from lorry.local_server.tokens import Tokens


async def tokens_response(
    tokens: Tokens, connection: RoleConnection, user: DictRow, session_id: UUID, refresh_token: str
) -> Response:
    """A session: access token, refresh token, their life and the user."""
    life_s = tokens.access_life_s
    claims = {
        "aud": "authenticated",
        "role": "authenticated",
        "sub": str(user["id"]),
        "email": user["email"],
        "phone": "",
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(time.time())}],
        "session_id": str(session_id),
        "is_anonymous": False,
    }
    return JSONResponse(
        {
            "access_token": tokens.sign(claims, life_s=life_s),
            "token_type": "bearer",
            "expires_in": life_s,
            "expires_at": int(time.time()) + life_s,
            "refresh_token": refresh_token,
            "user": await user_object(connection, user),
        }
    )


async def user_object(connection: RoleConnection, user: DictRow) -> dict[str, Any]:
    """A user as clients know it, with its identities."""
    confirmed_at = _moment(user["email_confirmed_at"])
    return {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"],
        "email_confirmed_at": confirmed_at,
        "phone": "",
        "confirmed_at": confirmed_at,
        "last_sign_in_at": _moment(user["last_sign_in_at"]),
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "identities": [
            {
                "identity_id": str(identity["id"]),
                "id": identity["provider_id"],
                "user_id": str(identity["user_id"]),
                "identity_data": identity["identity_data"],
                "provider": identity["provider"],
                "last_sign_in_at": _moment(identity["last_sign_in_at"]),
                "created_at": _moment(identity["created_at"]),
                "updated_at": _moment(identity["updated_at"]),
            }
            for identity in await auth_store.identities(connection, user["id"])
        ],
        "created_at": _moment(user["created_at"]),
        "updated_at": _moment(user["updated_at"]),
        "is_anonymous": False,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
