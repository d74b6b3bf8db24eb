"""Errors of the storage service: HTTP 400 with the real status as text in `statusCode`.

Only an unsatisfiable range (416), faults of the server (500) and what is missing here (501) keep their HTTP
status. No I/O.
"""

from __future__ import annotations

from starlette.responses import JSONResponse

from lorry.local_server.tokens import TokenFault

_KEEPS_STATUS = frozenset({416, 500, 501})
_TOKEN_WORDS = {
    TokenFault.EXPIRED: '"exp" claim timestamp check failed',
    TokenFault.SIGNATURE: "signature verification failed",
    TokenFault.MALFORMED: "Invalid Compact JWS",
    TokenFault.MISSING: "Invalid Compact JWS",
}


class StorageError(Exception):
    """A refused storage request: the real status, the short name and the sentence clients compare."""

    def __init__(self, status: int, error: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.error, self.message, self.code = status, error, message, code or error

    def response(self) -> JSONResponse:
        """The JSON body of all `/object` routes."""
        return JSONResponse(
            {
                "statusCode": str(self.status),
                "error": self.error,
                "message": self.message,
                "code": self.code,
            },
            status_code=self.status if self.status in _KEEPS_STATUS else 400,
        )


def access_denied() -> StorageError:
    """Row-level security said no."""
    return StorageError(403, "Unauthorized", "new row violates row-level security policy", "AccessDenied")


def already_exists() -> StorageError:
    """The name is taken and the request is no upsert."""
    return StorageError(409, "Duplicate", "The resource already exists", "KeyAlreadyExists")


def bucket_missing() -> StorageError:
    """No such bucket, or none this role may see."""
    return StorageError(404, "Bucket not found", "Bucket not found", "NoSuchBucket")


def object_missing() -> StorageError:
    """No such object, or none this role may see."""
    return StorageError(404, "not_found", "Object not found", "NoSuchKey")


def too_large() -> StorageError:
    """Over the bucket's size limit."""
    return StorageError(413, "Payload too large", "The object exceeded the maximum allowed size", "EntityTooLarge")


def type_refused(kind: str) -> StorageError:
    """Not one of the bucket's types."""
    return StorageError(415, "invalid_mime_type", f"mime type {kind} is not supported", "InvalidMimeType")


def invalid_key(key: str) -> StorageError:
    """A name Storage does not accept."""
    return StorageError(400, "InvalidKey", f"Invalid key: {key}")


def invalid_request(message: str) -> StorageError:
    """A parameter is missing or malformed."""
    return StorageError(400, "Error", message, "InvalidRequest")


def not_supported(what: str) -> StorageError:
    """What real Storage can do and this server cannot."""
    return StorageError(501, "not_supported", f"The local workspace does not support {what}.")


def token_refused(fault: TokenFault, *, is_user_token: bool) -> StorageError:
    """A bad access token counts as 403, a bad token in an address as 400."""
    message = _TOKEN_WORDS[fault]
    return StorageError(403, "Unauthorized", message) if is_user_token else StorageError(400, "InvalidJWT", message)
