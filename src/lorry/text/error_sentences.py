"""The table of sentences: for every `ErrorCode` what happened, what it means, and what its button does.

`error_text` hands them out. No Qt, and nothing from `LorryError.detail`: the values a sentence may show come
from the error's context, step and retry advice alone.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from lorry.core.errors import ErrorCode, LorryError
from lorry.text.format import duration, exact_size, safe_name, size


class ErrorAction(StrEnum):
    """What the button of an error does; a front end decides how."""

    NONE = ""
    CHOOSE_FILE = "choose_file"
    RETRY = "retry"
    START_AGAIN = "start_again"
    SIGN_IN = "sign_in"
    COPY_DETAILS = "copy_details"


_Words = tuple[str, str, ErrorAction]


def _value(error: LorryError, key: str) -> str:
    return safe_name(str(error.context.get(key, "")))


def _file(error: LorryError) -> str:
    """ ": name.jsonl", or "" when the error names no file."""
    name = _value(error, "file_name") or _value(error, "path")
    return f": {name}" if name else ""


def _host(error: LorryError, otherwise: str = "the server") -> str:
    return _value(error, "host") or otherwise


def _could_not(error: LorryError) -> str:
    """ "Lorry could not create the dataset." or "" when the step is not known."""
    return f"Lorry could not {error.step}." if error.step else ""


def _wait(error: LorryError) -> str:
    """ "in 54 s" when the server said how long, else "in a minute"."""
    seconds = error.retry_after_s if error.retry_after_s is not None else error.context.get("seconds")
    return f"in {duration(float(seconds))}" if seconds is not None else "in a minute"


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _fixed(what: str, meaning: str, action: ErrorAction = ErrorAction.NONE) -> Callable[[LorryError], _Words]:
    return lambda error: (what, meaning, action)


def _server(what: str, meaning: str, action: ErrorAction = ErrorAction.RETRY) -> Callable[[LorryError], _Words]:
    """`what` may hold {host}; the failed step comes before `meaning`."""
    return lambda error: (what.replace("{host}", _host(error)), _join(_could_not(error), meaning), action)


def _about_file(
    what: str, meaning: str, action: ErrorAction = ErrorAction.CHOOSE_FILE
) -> Callable[[LorryError], _Words]:
    """The file's name follows `what`."""
    return lambda error: (f"{what}{_file(error)}.", meaning, action)


def _too_large(error: LorryError, action: ErrorAction) -> _Words:
    given, limit = error.context.get("size_bytes"), error.context.get("limit_bytes")
    if error.context.get("proxy"):
        refused = f"It refused {size(int(given))}." if given is not None else "It refused the file."
        return "Too large for a proxy between you and the project.", refused, ErrorAction.COPY_DETAILS
    what = f"Too large{_file(error)}." if given is None else f"Too large: {size(int(given))}."
    if limit is None:
        return what, "The project does not accept files of this size.", action
    if given is not None and size(int(given)) == size(int(limit)):
        return (
            f"Too large: {exact_size(int(given))}.",
            f"The project accepts {exact_size(int(limit))} a file.",
            action,
        )
    return what, f"The project accepts {size(int(limit))} a file.", action


def _email_not_confirmed(error: LorryError) -> _Words:
    email = _value(error, "email")
    return (
        "Confirm your e-mail first.",
        f"We sent the link to {email}." if email else "Open the link in the message you got when you signed up.",
        ErrorAction.NONE,
    )


def _bad_setting(error: LorryError) -> _Words:
    field, reason = _value(error, "field"), _value(error, "reason")
    what = f"The setting {field} cannot be used." if field else "A setting cannot be used."
    why = f"{reason[0].upper()}{reason[1:]}." if reason else ""
    return what, _join(why, "Correct it and start Lorry again."), ErrorAction.COPY_DETAILS


def _invalid_value(error: LorryError) -> _Words:
    field = _value(error, "field")
    what = f"The project refused the {field}." if field else "The project refused a value."
    return what, "Change it and upload again.", ErrorAction.COPY_DETAILS


def _workspace_failed(error: LorryError) -> _Words:
    log = _value(error, "log_path")
    meaning = f"Its log says why: {log}" if log else "Start Lorry again, or connect to another project."
    return "The local workspace did not start.", meaning, ErrorAction.COPY_DETAILS


def _internal(error: LorryError) -> _Words:
    return (
        "Something in Lorry went wrong.",
        _join(_could_not(error), "This is a mistake in the program; the details help to find it."),
        ErrorAction.COPY_DETAILS,
    )


SENTENCES: dict[ErrorCode, Callable[[LorryError], _Words]] = {
    ErrorCode.OFFLINE: _server("No connection to {host}.", "Check the network, then try again."),
    ErrorCode.TIMEOUT: _server("No answer from {host} in time.", "Try again; the connection may be slow."),
    ErrorCode.CONNECTION_LOST: _server("The connection to {host} was lost.", "Try again when it is back."),
    ErrorCode.HOST_NOT_FOUND: _server(
        "Project not found: {host}.",
        "Check the address and the network. Free projects pause after about a week without use.",
    ),
    ErrorCode.TLS: _server(
        "The connection to {host} is not safe.",
        "Its certificate was not accepted, so nothing was sent. Check the computer's clock and any proxy.",
        ErrorAction.COPY_DETAILS,
    ),
    ErrorCode.NOT_THE_SERVER: _server(
        "Something else answered in place of {host}.",
        "A sign-in page of the network or a proxy may be in between. Open a web page, then try again.",
    ),
    ErrorCode.SERVER_BUSY: lambda error: (
        "The server is busy.",
        _join(_could_not(error), f"Try again {_wait(error)}."),
        ErrorAction.RETRY,
    ),
    ErrorCode.SERVER_BROKEN: _server("The server has a problem.", "Nothing is wrong with your file. Try again."),
    ErrorCode.ALREADY_EXISTS: _server(
        "Something with this name is already in the project.", "Nothing was replaced.", ErrorAction.RETRY
    ),
    ErrorCode.BUSY_ELSEWHERE: _fixed(
        "Another copy of Lorry is uploading this file.", "Cancel it there, or wait until it has ended."
    ),
    ErrorCode.OFFSET_CONFLICT: _server(
        "The server has another part of the file than expected.",
        "Nothing is lost: the upload goes on from what the server has.",
    ),
    ErrorCode.NOT_SIGNED_IN: _fixed(
        "You are not signed in.", "Sign in to see and upload datasets.", ErrorAction.SIGN_IN
    ),
    ErrorCode.WRONG_PASSWORD: _fixed(
        "E-mail or password is not right.", "After several tries, wait a minute or reset the password."
    ),
    ErrorCode.EMAIL_NOT_CONFIRMED: _email_not_confirmed,
    ErrorCode.TOO_MANY_TRIES: lambda error: (
        "Too many tries.",
        f"Try again {_wait(error)}.",
        ErrorAction.NONE,
    ),
    ErrorCode.SESSION_ENDED: _fixed(
        "Please sign in again.", "The session has ended. Your uploads are kept.", ErrorAction.SIGN_IN
    ),
    ErrorCode.TICKET_EXPIRED: _server(
        "The permission to send this file has run out.", "Lorry asks for a new one when you try again."
    ),
    ErrorCode.FORBIDDEN: _fixed(
        "You may not upload to this project.", "Ask its owner for access.", ErrorAction.COPY_DETAILS
    ),
    ErrorCode.NOT_FOUND: _fixed("Dataset not found.", "It was deleted, or it belongs to somebody else."),
    ErrorCode.TOO_LARGE_FOR_PROJECT: lambda error: _too_large(error, ErrorAction.COPY_DETAILS),
    ErrorCode.TYPE_REFUSED: _fixed(
        "The project refuses this file type.",
        "Its storage has to accept JSON files; its owner can change that.",
        ErrorAction.COPY_DETAILS,
    ),
    ErrorCode.INVALID_VALUE: _invalid_value,
    ErrorCode.OBJECT_MISSING: _fixed(
        "The stored file is not there.", "The server did not keep it; upload it again.", ErrorAction.START_AGAIN
    ),
    ErrorCode.OBJECT_DIFFERS: _fixed(
        "The stored file differs from yours.", "It was not accepted; upload it again.", ErrorAction.START_AGAIN
    ),
    ErrorCode.UPLOAD_GONE: _fixed(
        "The server has dropped the unfinished upload.",
        "The part that was sent is gone; the file has to be sent again from its start.",
        ErrorAction.START_AGAIN,
    ),
    ErrorCode.FUNCTION_MISSING: _fixed(
        "The project cannot validate datasets yet.",
        "The file is stored and stays there. Its owner has to install the function validate-dataset.",
        ErrorAction.COPY_DETAILS,
    ),
    ErrorCode.PROJECT_NOT_PREPARED: _fixed(
        "The project is not prepared for Lorry.",
        "Its tables or its storage are missing; its owner has to apply Lorry's migrations.",
        ErrorAction.COPY_DETAILS,
    ),
    ErrorCode.FILE_MISSING: _about_file("File not found", "It was moved or deleted since you chose it."),
    ErrorCode.FILE_IS_FOLDER: _about_file("This is a folder", "Choose one .jsonl or .json file."),
    ErrorCode.FILE_NOT_REGULAR: _about_file("Not an ordinary file", "Choose one .jsonl or .json file."),
    ErrorCode.FILE_UNREADABLE: _about_file("The file cannot be read", "Check that you may open it."),
    ErrorCode.FILE_EMPTY: _about_file("The file is empty", "There is nothing to upload."),
    ErrorCode.FILE_TOO_LARGE: lambda error: _too_large(error, ErrorAction.CHOOSE_FILE),
    ErrorCode.FILE_WRONG_TYPE: _about_file(
        "Not a .jsonl or .json file", "Datasets end in .jsonl or .json; choose another file."
    ),
    ErrorCode.FILE_NAME_REFUSED: _about_file(
        "The file's name cannot be stored", "It has a backslash or characters nobody can see. Rename the file."
    ),
    ErrorCode.FILE_CHANGED: _about_file(
        "The file changed while it was being uploaded",
        "What was sent so far cannot be used.",
        ErrorAction.START_AGAIN,
    ),
    ErrorCode.DISK_FULL: _fixed("The disk is full.", "Uploads are stopped until there is room.", ErrorAction.RETRY),
    ErrorCode.STORE_LOCKED: _fixed("Another copy of Lorry is running.", "Close it, then try again.", ErrorAction.RETRY),
    ErrorCode.STORE_DAMAGED: _fixed(
        "Lorry's own files are damaged.",
        "Your datasets and the project are not touched; Lorry needs to be set up again on this computer.",
        ErrorAction.COPY_DETAILS,
    ),
    ErrorCode.STORE_TOO_NEW: _fixed(
        "A newer Lorry was used on this computer.", "Install that version, or a later one, to go on."
    ),
    ErrorCode.UNEXPECTED_ANSWER: lambda error: (
        "The server answered in a way Lorry does not understand.",
        _join(_could_not(error), "Try again; if it stays, the details help to find out why."),
        ErrorAction.RETRY,
    ),
    ErrorCode.BAD_SETTING: _bad_setting,
    ErrorCode.SECRET_KEY: _fixed(
        "This is a secret key. It was not stored.",
        "Use the publishable key, and replace this one in the dashboard because it has been on a clipboard.",
    ),
    ErrorCode.WORKSPACE_FAILED: _workspace_failed,
    ErrorCode.INTERNAL: _internal,
}
