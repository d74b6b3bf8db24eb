"""The next step of one upload, from what was seen of its row and its object. Pure; the recovery table lives here.

The same function serves the first start, a retry and the recovery after a crash: nobody remembers "where we were", the
facts decide. Server truth wins over anything noted on this computer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lorry.core.model import DatasetStatus


class Step(StrEnum):
    """One remote effect (or one look); after each, the world is observed again."""

    LOOK = "look"
    INSERT_ROW = "insert_row"
    SEND = "send"
    REMOVE_OBJECT = "remove_object"
    CONFIRM = "confirm"
    VALIDATE = "validate"
    DONE = "done"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known of one upload.

    Attributes:
        looked: row and object were asked for since the last unknown outcome.
        row: status of the row, None when there is no row this user can see.
        object_size_bytes: size of the stored object, None when there is none.
        size_bytes: size of the file.
        row_was_seen: an earlier run has seen the row; its absence now means that somebody removed it.
        validation_asked: the validation was asked for since the row said 'validating'.
    """

    looked: bool
    row: DatasetStatus | None
    object_size_bytes: int | None
    size_bytes: int
    row_was_seen: bool = False
    validation_asked: bool = False


def plan(seen: Observations) -> Step:
    """Decide the next step. Ends in DONE or GONE after at most one pass through each other step per change."""
    if not seen.looked:
        return Step.LOOK
    if seen.row is None:
        if seen.row_was_seen:
            return Step.GONE
        return Step.REMOVE_OBJECT if seen.object_size_bytes is not None else Step.INSERT_ROW
    if seen.row is DatasetStatus.UPLOADING:
        if seen.object_size_bytes is None:
            return Step.SEND
        return Step.CONFIRM if seen.object_size_bytes == seen.size_bytes else Step.REMOVE_OBJECT
    if seen.row is DatasetStatus.VALIDATING and not seen.validation_asked:
        return Step.VALIDATE
    return Step.DONE
