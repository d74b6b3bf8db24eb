"""Everything that can go wrong, as classes a caller can act on.

    LorryError            code, detail (for logs and "Copy details", never a sentence for users)
      NetworkError        no usable answer: refused, reset, timeout, TLS, DNS, a portal's page
      ServerError         the server is there but cannot serve now: 5xx, 429, 544
      ConflictError       somebody else is changing the same thing
        OffsetConflictError the server holds another number of bytes: ask it, then go on from there
      AuthError           nobody is signed in, or the sign-in was refused
      RejectedError       the server understood and said no: 403, 404, 413, 415, 422
      SourceError         the file on this computer: missing, unreadable, empty, changed
      StoreError          Lorry's own files: disk full, locked, damaged
      ProtocolError       the answer makes no sense
    Cancelled             not an error: never logged as one, never shown

The sentences for each code live in `lorry.text.error_text`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable names of failures; tests walk all of them to see that each has a sentence."""

    # NetworkError
    OFFLINE = "offline"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    HOST_NOT_FOUND = "host_not_found"
    TLS = "tls"
    NOT_THE_SERVER = "not_the_server"
    # ServerError
    SERVER_BUSY = "server_busy"
    SERVER_BROKEN = "server_broken"
    # ConflictError
    ALREADY_EXISTS = "already_exists"
    OFFSET_CONFLICT = "offset_conflict"
    BUSY_ELSEWHERE = "busy_elsewhere"
    # AuthError
    NOT_SIGNED_IN = "not_signed_in"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a code, not a password
    EMAIL_NOT_CONFIRMED = "email_not_confirmed"
    TOO_MANY_TRIES = "too_many_tries"
    SESSION_ENDED = "session_ended"
    TICKET_EXPIRED = "ticket_expired"
    # RejectedError
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    TOO_LARGE_FOR_PROJECT = "too_large_for_project"
    TYPE_REFUSED = "type_refused"
    INVALID_VALUE = "invalid_value"
    OBJECT_MISSING = "object_missing"
    OBJECT_DIFFERS = "object_differs"
    UPLOAD_GONE = "upload_gone"
    FUNCTION_MISSING = "function_missing"
    PROJECT_NOT_PREPARED = "project_not_prepared"
    # SourceError
    FILE_MISSING = "file_missing"
    FILE_IS_FOLDER = "file_is_folder"
    FILE_NOT_REGULAR = "file_not_regular"
    FILE_UNREADABLE = "file_unreadable"
    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"
    FILE_WRONG_TYPE = "file_wrong_type"
    FILE_CHANGED = "file_changed"
    FILE_NAME_REFUSED = "file_name_refused"
    # StoreError
    DISK_FULL = "disk_full"
    STORE_LOCKED = "store_locked"
    STORE_DAMAGED = "store_damaged"
    STORE_TOO_NEW = "store_too_new"
    # ProtocolError
    UNEXPECTED_ANSWER = "unexpected_answer"
    # Configuration and set-up
    BAD_SETTING = "bad_setting"
    SECRET_KEY = "secret_key"  # noqa: S105 - a code, not a key
    WORKSPACE_FAILED = "workspace_failed"
    # Anything that is a bug of ours
    INTERNAL = "internal"


class LorryError(Exception):
    """A failure with a code.

    Attributes:
        code: what happened.
        detail: technical text for the log and "Copy details"; may hold text from a server, never a secret.
        retry_after_s: seconds the server asked to wait, or None.
        step: what was being done ("sign in", "create the dataset", …), set once by the layer that knows.
        context: values the sentence may show, e.g. {"size_bytes": 1, "limit_bytes": 2, "field": "name"}.
    """

    #: True when the same request may work later without anybody changing anything.
    retryable = False
    _stops_upload = False

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        step: str = "",
        context: dict[str, str | int] | None = None,
    ) -> None:
        super().__init__(f"{code.value}: {detail}" if detail else code.value)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.step = step
        self.context: dict[str, str | int] = dict(context or {})

    @property
    def is_final(self) -> bool:
        """True when an upload cannot go on as it is, so that what it made on the server is taken back.

        A file that is only out of reach may come back.
        """
        return self._stops_upload and self.code not in (ErrorCode.FILE_MISSING, ErrorCode.FILE_UNREADABLE)


class NetworkError(LorryError):
    retryable = True


class ServerError(LorryError):
    retryable = True


class ConflictError(LorryError):
    _stops_upload = True


class OffsetConflictError(ConflictError):
    retryable = True
    _stops_upload = False


class AuthError(LorryError):
    pass


class RejectedError(LorryError):
    _stops_upload = True


class SourceError(LorryError):
    _stops_upload = True


class StoreError(LorryError):
    pass


class ProtocolError(LorryError):
    _stops_upload = True


class ConfigError(LorryError):
    """A setting or environment variable cannot be used."""


class CancelReason(StrEnum):
    """Why work was told to stop."""

    PAUSE = "pause"
    CANCEL = "cancel"
    SIGNED_OUT = "signed_out"
    SHUTDOWN = "shutdown"


class Cancelled(Exception):
    """Raised inside work that was told to stop."""

    def __init__(self, reason: CancelReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@contextmanager
def during(step: str) -> Iterator[None]:
    """Name the step in every LorryError that leaves the block, unless a deeper layer already has."""
    try:
        yield
    except LorryError as error:
        error.step = error.step or step
        raise
