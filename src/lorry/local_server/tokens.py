"""JSON web tokens of one workspace: signing and checking, HS256 with the workspace's secret.

Owns the claims of access tokens, of the two project keys and of the signed storage URLs. Who may do what
with a token is decided by PostgreSQL's row-level security, never here. Pure CPU work, any thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

ALGORITHM = "HS256"
KEY_LIFE_S = 10 * 365 * 24 * 3600
ROLES = frozenset({"anon", "authenticated", "service_role"})

Claims = dict[str, Any]


class TokenFault(StrEnum):
    """Why a token was refused; each service words it in its own way."""

    MISSING = "missing"
    MALFORMED = "malformed"
    SIGNATURE = "signature"
    EXPIRED = "expired"


class TokenError(Exception):
    """A token that must not be trusted."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True)
class Tokens:
    """Signs and verifies with one secret; lives are in seconds."""

    secret: str
    access_life_s: int = 3600
    upload_url_life_s: int = 3600

    def sign(self, claims: Claims, *, life_s: int) -> str:
        """Return a compact token holding `claims` plus `iat` and `exp`."""
        now_s = int(time.time())
        return jwt.encode({**claims, "iat": now_s, "exp": now_s + life_s}, self.secret, algorithm=ALGORITHM)

    def verify(self, token: str | None) -> Claims:
        """Return the claims of a token signed with our secret and not expired.

        Raises TokenError. The audience is not checked, as PostgREST and Storage do not check it by default.
        """
        if not token:
            raise TokenError(TokenFault.MISSING)
        try:
            return dict(jwt.decode(token, self.secret, algorithms=[ALGORITHM], options={"verify_aud": False}))
        except jwt.ExpiredSignatureError:
            raise TokenError(TokenFault.EXPIRED) from None
        except jwt.InvalidSignatureError:
            raise TokenError(TokenFault.SIGNATURE) from None
        except jwt.InvalidTokenError:
            raise TokenError(TokenFault.MALFORMED) from None

    def project_key(self, role: str) -> str:
        """Return the long-lived key of the `anon` or `service_role` role."""
        return self.sign({"iss": "lorry-local", "role": role}, life_s=KEY_LIFE_S)


def bearer(header: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer …` header, None when there is none."""
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def role_of(claims: Claims) -> str:
    """Return the database role a token asks for; anything unknown counts as malformed (TokenError)."""
    role = claims.get("role", "anon")
    if role not in ROLES:
        raise TokenError(TokenFault.MALFORMED)
    return str(role)
