"""Errors of the data service in PostgREST's shape: `{code, message, details, hint}` and a status.

Owns the table from SQLSTATE to HTTP status (PostgREST documentation, "Errors"). No I/O.
"""

from __future__ import annotations

import psycopg
from starlette.responses import JSONResponse

NOT_SUPPORTED = "not_supported"

_EXACT = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53400": 500,
    "57P01": 503,
    "P0001": 400,
}
_BY_CLASS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}


class RestError(Exception):
    """A request the data service refuses; `status` is the HTTP status."""

    def __init__(
        self, status: int, code: str, message: str, *, details: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details, self.hint = status, code, message, details, hint

    def response(self) -> JSONResponse:
        """The answer a PostgREST client expects."""
        headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{self.message}"'}
        return JSONResponse(
            {"code": self.code, "message": self.message, "details": self.details, "hint": self.hint},
            status_code=self.status,
            headers=headers if self.code in ("PGRST301", "PGRST303") else None,
        )


def unsupported(what: str) -> RestError:
    """A clear 501 for what real PostgREST can do and this server cannot."""
    return RestError(501, NOT_SUPPORTED, f"The local workspace does not support {what}.")


def column_missing(relation: str, column: str) -> RestError:
    """PostgreSQL's own answer to an unknown column in select, filter or order."""
    return RestError(400, "42703", f"column {relation}.{column} does not exist")


def database_error(error: psycopg.Error, *, is_anonymous: bool) -> RestError:
    """Map an error of PostgreSQL; a permission error is 401 for anon and 403 for a signed-in user."""
    # Without a state the driver itself refused a value, such as text with a NUL character.
    state = error.sqlstate or ("22021" if isinstance(error, psycopg.DataError) else "XX000")
    diagnostics = error.diag
    message = diagnostics.message_primary or str(error) or "database error"
    return RestError(
        _status(state, message, is_anonymous=is_anonymous),
        state,
        message,
        details=diagnostics.message_detail,
        hint=diagnostics.message_hint,
    )


def _status(state: str, message: str, *, is_anonymous: bool) -> int:
    if state == "42501":
        return 401 if is_anonymous else 403
    if state.startswith("PT"):
        # A function chose its own status: raise ... using errcode = 'PT404'.
        return int(state[2:]) if state[2:].isdigit() and 100 <= int(state[2:]) <= 599 else 500
    if state == "21000":
        return 400 if message.endswith("requires a WHERE clause") else 500
    return _EXACT.get(state) or _BY_CLASS.get(state[:2], 400)
