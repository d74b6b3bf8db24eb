"""The next step of one upload, from what was seen of row, object, unfinished upload and file. Pure: the recovery table.

The same function serves the first start, a retry and the recovery after a crash: nobody remembers "where we were", the
facts decide. Server truth wins over anything noted on this computer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lorry.core.model import DatasetStatus


class Step(StrEnum):
    """One remote effect (or one look); after each, the world is observed again."""

    TAKE_BACK = "take_back"
    LOOK = "look"
    INSERT_ROW = "insert_row"
    PUT = "put"
    OPEN = "open"
    ASK_UPLOAD = "ask_upload"
    SEND = "send"
    AWAIT_OBJECT = "await_object"
    RESTART = "restart"
    PROVE = "prove"
    REMOVE_OBJECT = "remove_object"
    CONFIRM = "confirm"
    VALIDATE = "validate"
    REPORT_FILE = "report_file"
    DONE = "done"
    GONE = "gone"


class FileState(StrEnum):
    """The file on this computer, against its stamp."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known of one upload.

    Attributes:
        size_bytes: size of the file as it was chosen.
        is_resumable: the file is sent in pieces the server keeps, not in one request.
        must_clear: what an earlier attempt or the user gave up has to be removed before anything else.
        looked: row, object and file were looked at since the last unknown outcome.
        row: status of the row, None when there is no row this user can see.
        row_was_seen: an earlier run has seen the row; its absence now means that somebody removed it.
        object_size_bytes: size of the stored object, None when there is none.
        object_is_ours: the object's version is one that came of this file, or no version is known.
        object_proved: the server said it stored the object, or its last bytes were read back.
        has_upload: an unfinished resumable upload is known by its id.
        upload_asked: the server was asked for it since the last unknown outcome.
        upload_offset_bytes, upload_length_bytes: its answer; None when it has dropped the upload.
        awaits_object: the server says that the object exists; it has to appear.
        may_wait: there is patience left for that.
        validation_asked: the validation was asked for since the row said 'validating'.
    """

    size_bytes: int
    is_resumable: bool = False
    must_clear: bool = False
    looked: bool = False
    file: FileState = FileState.UNCHANGED
    row: DatasetStatus | None = None
    row_was_seen: bool = False
    object_size_bytes: int | None = None
    object_is_ours: bool = True
    object_proved: bool = False
    has_upload: bool = False
    upload_asked: bool = False
    upload_offset_bytes: int | None = None
    upload_length_bytes: int | None = None
    awaits_object: bool = False
    may_wait: bool = True
    validation_asked: bool = False


def plan(seen: Observations) -> Step:
    """Decide the next step. A healthy server and file lead to DONE, a removed row to GONE."""
    if seen.must_clear:
        return Step.TAKE_BACK
    if not seen.looked:
        return Step.LOOK
    if seen.row is None:
        if seen.row_was_seen:
            return Step.GONE
        return Step.REMOVE_OBJECT if seen.object_size_bytes is not None else _with_file(seen, Step.INSERT_ROW)
    if seen.row is DatasetStatus.UPLOADING:
        return _uploading(seen) if seen.object_size_bytes is None else _stored(seen)
    if seen.row is DatasetStatus.VALIDATING and not seen.validation_asked:
        return Step.VALIDATE
    return Step.DONE


def _stored(seen: Observations) -> Step:
    """An object is there; the file on this computer does not matter any more if it is the right one."""
    if seen.object_size_bytes != seen.size_bytes or not seen.object_is_ours:
        return Step.REMOVE_OBJECT
    return Step.CONFIRM if seen.object_proved else Step.PROVE


def _uploading(seen: Observations) -> Step:
    """The row waits for its object and there is none yet."""
    if seen.awaits_object:
        return Step.AWAIT_OBJECT if seen.may_wait else Step.RESTART
    if not seen.is_resumable:
        return _with_file(seen, Step.PUT)
    if not seen.has_upload:
        return _with_file(seen, Step.OPEN)
    if not seen.upload_asked:
        return Step.ASK_UPLOAD
    if seen.upload_length_bytes != seen.size_bytes or seen.upload_offset_bytes is None:
        return Step.RESTART
    if seen.upload_offset_bytes == seen.size_bytes:
        # Never an empty request to push it on: it can leave a row of the right size without bytes.
        return Step.AWAIT_OBJECT if seen.may_wait else Step.RESTART
    return _with_file(seen, Step.SEND)


def _with_file(seen: Observations, step: Step) -> Step:
    return step if seen.file is FileState.UNCHANGED else Step.REPORT_FILE
