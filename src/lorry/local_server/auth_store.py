"""Users, sessions and refresh tokens in the schema `auth`, in GoTrue's tables.

Owns the rotation rules of refresh tokens. Leaves HTTP to `auth`. Called in a transaction of the server.
"""

from __future__ import annotations

import json
import secrets
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from lorry.local_server.auth_errors import AuthError
from lorry.local_server.role_connections import RoleConnection

_APP_METADATA = {"provider": "email", "providers": ["email"]}


async def find_user(connection: RoleConnection, email: str) -> DictRow | None:
    """The user with this address, whatever its case."""
    cursor = await connection.execute("select * from auth.users where lower(email) = lower(%s)", [email])
    return await cursor.fetchone()


async def user_by_id(connection: RoleConnection, user_id: str | UUID) -> DictRow | None:
    """The user with this id."""
    cursor = await connection.execute("select * from auth.users where id = %s", [str(user_id)])
    return await cursor.fetchone()


async def create_user(
    connection: RoleConnection, email: str, password_hash: str, metadata: dict[str, Any]
) -> DictRow | None:
    """Insert a confirmed user with its e-mail identity; None when the address is taken."""
    cursor = await connection.execute(
        """
        insert into auth.users (aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
                                raw_user_meta_data)
        values ('authenticated', 'authenticated', lower(%s), %s, now(), %s::jsonb, %s::jsonb)
        on conflict (lower(email)) do nothing
        returning *
        """,
        [email, password_hash, json.dumps(_APP_METADATA), json.dumps(metadata)],
    )
    user = await cursor.fetchone()
    if user is not None:
        identity = {"sub": str(user["id"]), "email": user["email"], "email_verified": True}
        await connection.execute(
            """
            insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at)
            values (%s, %s, %s::jsonb, 'email', now())
            """,
            [str(user["id"]), user["id"], json.dumps(identity)],
        )
    return user


async def update_user(
    connection: RoleConnection,
    user_id: str,
    *,
    email: str | None,
    password_hash: str | None,
    metadata: dict[str, Any] | None,
) -> DictRow | None:
    """Change what is not None; metadata is merged, keys with null are removed."""
    cursor = await connection.execute(
        """
        update auth.users
           set email = coalesce(lower(%s), email),
               encrypted_password = coalesce(%s, encrypted_password),
               raw_user_meta_data = jsonb_strip_nulls(coalesce(raw_user_meta_data, '{}') || %s::jsonb),
               updated_at = now()
         where id = %s
        returning *
        """,
        [email, password_hash, json.dumps(metadata or {}), user_id],
    )
    return await cursor.fetchone()


async def identities(connection: RoleConnection, user_id: UUID) -> list[DictRow]:
    """The identities shown in a user object."""
    cursor = await connection.execute("select * from auth.identities where user_id = %s", [user_id])
    return await cursor.fetchall()


async def open_session(connection: RoleConnection, user_id: UUID, user_agent: str) -> tuple[UUID, str]:
    """Start a session; returns its id and its first refresh token."""
    cursor = await connection.execute(
        "insert into auth.sessions (user_id, user_agent) values (%s, %s) returning id", [user_id, user_agent]
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("insert returned nothing")
    await connection.execute("update auth.users set last_sign_in_at = now() where id = %s", [user_id])
    return row["id"], await _issue(connection, user_id, row["id"], parent=None)


async def session_exists(connection: RoleConnection, session_id: str) -> bool:
    """Whether this session was not signed out."""
    cursor = await connection.execute("select 1 from auth.sessions where id::text = %s", [session_id])
    return await cursor.fetchone() is not None


async def rotate(connection: RoleConnection, token: str) -> tuple[UUID, UUID, str] | AuthError:
    """Exchange a refresh token; returns user id, session id and the token to use from now on.

    The active token is revoked and gets a child. Its direct parent is accepted too and answers the active
    one, so that a lost answer costs nothing; any older token ends the whole session. Returns the error
    instead of raising it, as ending the session has to be committed.
    """
    # The session row serialises refreshes that arrive together.
    cursor = await connection.execute(
        """
        select s.id from auth.sessions s join auth.refresh_tokens t on t.session_id = s.id
         where t.token = %s for update of s
        """,
        [token],
    )
    session = await cursor.fetchone()
    if session is None:
        return AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    cursor = await connection.execute(
        "select token, parent, revoked, user_id from auth.refresh_tokens where session_id = %s order by id desc",
        [session["id"]],
    )
    rows = await cursor.fetchall()
    used = next(row for row in rows if row["token"] == token)
    active = next((row for row in rows if not row["revoked"]), None)
    if not used["revoked"]:
        await connection.execute(
            "update auth.refresh_tokens set revoked = true, updated_at = now() where token = %s", [token]
        )
        await connection.execute(
            "update auth.sessions set refreshed_at = now(), updated_at = now() where id = %s", [session["id"]]
        )
        return used["user_id"], session["id"], await _issue(connection, used["user_id"], session["id"], token)
    if active is not None and active["parent"] == token:
        return used["user_id"], session["id"], str(active["token"])
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = %s",
        [session["id"]],
    )
    return AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")


async def close_sessions(connection: RoleConnection, user_id: str, session_id: str, scope: str) -> None:
    """Sign out: `global` all sessions of the user, `local` this one, `others` all but this one."""
    await connection.execute(
        """
        delete from auth.sessions
         where user_id = %(user)s
           and (%(scope)s = 'global' or (id::text = %(session)s) = (%(scope)s = 'local'))
        """,
        {"user": user_id, "session": session_id, "scope": scope},
    )


async def _issue(connection: RoleConnection, user_id: UUID, session_id: UUID, parent: str | None) -> str:
    token = secrets.token_urlsafe(24)
    await connection.execute(
        "insert into auth.refresh_tokens (token, user_id, session_id, parent) values (%s, %s, %s, %s)",
        [token, user_id, session_id, parent],
    )
    return token
