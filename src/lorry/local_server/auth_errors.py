"""Errors of the auth service in GoTrue's two shapes.

With the header `X-Supabase-Api-Version: 2024-01-01` the body is `{code, message}`, without it
`{code: <status>, error_code, msg}`; `x-sb-error-code` is always sent. No I/O.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

API_VERSION_HEADER = "x-supabase-api-version"
API_VERSION = "2024-01-01"


class AuthError(Exception):
    """A refused auth request: HTTP status, GoTrue's error code, a sentence, extra keys of the body."""

    def __init__(self, status: int, code: str, message: str, extra: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra or {}

    def response(self, request: Request) -> JSONResponse:
        """The body in the shape the request's API version asks for."""
        headers = {"x-sb-error-code": self.code}
        if request.headers.get(API_VERSION_HEADER, "") >= API_VERSION:
            headers[API_VERSION_HEADER] = API_VERSION
            return JSONResponse({"code": self.code, "message": self.message, **self.extra}, self.status, headers)
        return JSONResponse(
            {"code": self.status, "error_code": self.code, "msg": self.message, **self.extra},
            self.status,
            headers,
        )


def weak_password(reasons: list[str], message: str) -> AuthError:
    """422 with the reasons the official clients read."""
    return AuthError(422, "weak_password", message, {"weak_password": {"reasons": reasons, "message": message}})
