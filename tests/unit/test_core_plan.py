"""The next step of an upload: the recovery table row by row, and what holds for every combination of observations."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest

from lorry.core.model import DatasetStatus
from lorry.core.plan import FileState, Observations, Step, plan

SIZE = 1000
UPLOADING, VALIDATING = DatasetStatus.UPLOADING, DatasetStatus.VALIDATING
READY, ERROR = DatasetStatus.READY, DatasetStatus.ERROR
CHANGED, OUT_OF_REACH = FileState.CHANGED, FileState.OUT_OF_REACH
#: A row that waits for a file sent in pieces, and the unfinished upload as the server tells it.
PIECES: dict[str, Any] = {"row": UPLOADING, "row_was_seen": True, "is_resumable": True}
OPENED: dict[str, Any] = PIECES | {"has_upload": True}
HALF: dict[str, Any] = OPENED | {"upload_asked": True, "upload_offset_bytes": 600, "upload_length_bytes": SIZE}
ALL_TAKEN: dict[str, Any] = HALF | {"upload_offset_bytes": SIZE}
STORED: dict[str, Any] = {"row": UPLOADING, "row_was_seen": True, "object_size_bytes": SIZE}

TABLE: dict[str, tuple[dict[str, Any], Step]] = {
    "nothing was looked at": ({"looked": False}, Step.LOOK),
    "given up, whatever else": (STORED | {"must_clear": True, "looked": False}, Step.TAKE_BACK),
    # no row
    "a new upload": ({}, Step.INSERT_ROW),
    "a new upload, the file has changed": ({"file": CHANGED}, Step.REPORT_FILE),
    "a new upload, the file is gone": ({"file": OUT_OF_REACH}, Step.REPORT_FILE),
    "an object in the way": ({"object_size_bytes": SIZE}, Step.REMOVE_OBJECT),
    "an object in the way, the file is gone": ({"object_size_bytes": 3, "file": OUT_OF_REACH}, Step.REMOVE_OBJECT),
    "the row was removed elsewhere": ({"row_was_seen": True}, Step.GONE),
    "the row was removed elsewhere, its object not": ({"row_was_seen": True, "object_size_bytes": SIZE}, Step.GONE),
    "the row was removed elsewhere, the file too": ({"row_was_seen": True, "file": OUT_OF_REACH}, Step.GONE),
    # the row waits, one request
    "one request, to be sent": ({"row": UPLOADING}, Step.PUT),
    "one request, the file has changed": ({"row": UPLOADING, "file": CHANGED}, Step.REPORT_FILE),
    "one request, the file is gone": ({"row": UPLOADING, "file": OUT_OF_REACH}, Step.REPORT_FILE),
    "one request, the object has to appear": ({"row": UPLOADING, "awaits_object": True}, Step.AWAIT_OBJECT),
    "one request, it does not appear": ({"row": UPLOADING, "awaits_object": True, "may_wait": False}, Step.RESTART),
    # the row waits, pieces
    "pieces, none open": (PIECES, Step.OPEN),
    "pieces, none open, the file has changed": (PIECES | {"file": CHANGED}, Step.REPORT_FILE),
    "pieces, the server was not asked": (OPENED, Step.ASK_UPLOAD),
    "pieces, not asked, the file is gone": (OPENED | {"file": OUT_OF_REACH}, Step.ASK_UPLOAD),
    "pieces, none arrived": (HALF | {"upload_offset_bytes": 0}, Step.SEND),
    "pieces, a part arrived": (HALF, Step.SEND),
    "pieces, all but the last byte": (HALF | {"upload_offset_bytes": SIZE - 1}, Step.SEND),
    "pieces, the file has changed": (HALF | {"file": CHANGED}, Step.REPORT_FILE),
    "pieces, the file is gone": (HALF | {"file": OUT_OF_REACH}, Step.REPORT_FILE),
    "pieces, dropped by the server": (HALF | {"upload_offset_bytes": None}, Step.RESTART),
    "pieces, of another length": (HALF | {"upload_length_bytes": SIZE + 1}, Step.RESTART),
    "pieces, all taken": (ALL_TAKEN, Step.AWAIT_OBJECT),
    "pieces, all taken, the file is gone": (ALL_TAKEN | {"file": OUT_OF_REACH}, Step.AWAIT_OBJECT),
    "pieces, all taken, no object comes": (ALL_TAKEN | {"may_wait": False}, Step.RESTART),
    "pieces, the object has to appear": (OPENED | {"awaits_object": True}, Step.AWAIT_OBJECT),
    "pieces, it does not appear": (OPENED | {"awaits_object": True, "may_wait": False}, Step.RESTART),
    # the row waits, an object is there
    "stored, nobody said so": (STORED, Step.PROVE),
    "stored and proved": (STORED | {"object_proved": True}, Step.CONFIRM),
    "stored and proved, the file has changed": (STORED | {"object_proved": True, "file": CHANGED}, Step.CONFIRM),
    "stored, the file is gone": (STORED | {"file": OUT_OF_REACH}, Step.PROVE),
    "stored, pieces are open": (HALF | STORED | {"object_proved": True}, Step.CONFIRM),
    "stored one byte short": (STORED | {"object_size_bytes": SIZE - 1}, Step.REMOVE_OBJECT),
    "stored one byte long": (STORED | {"object_size_bytes": SIZE + 1, "object_proved": True}, Step.REMOVE_OBJECT),
    "stored empty": (STORED | {"object_size_bytes": 0}, Step.REMOVE_OBJECT),
    "stored by another upload": (STORED | {"object_is_ours": False, "object_proved": True}, Step.REMOVE_OBJECT),
    # confirmed
    "confirmed": (STORED | {"row": VALIDATING}, Step.VALIDATE),
    "confirmed, the validation was asked for": (STORED | {"row": VALIDATING, "validation_asked": True}, Step.DONE),
    "confirmed, its object cannot be seen": ({"row": VALIDATING}, Step.VALIDATE),
    "confirmed, its object has another size": ({"row": VALIDATING, "object_size_bytes": 1}, Step.VALIDATE),
    "ready": (STORED | {"row": READY}, Step.DONE),
    "ready, the file is gone": (STORED | {"row": READY, "file": OUT_OF_REACH}, Step.DONE),
    "refused by the validation": (STORED | {"row": ERROR}, Step.DONE),
    "refused, its object is gone": ({"row": ERROR}, Step.DONE),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_facts_decide_the_next_step(name: str) -> None:
    facts, step = TABLE[name]
    assert plan(Observations(**{"size_bytes": SIZE, "looked": True, **facts})) is step


def test_the_table_has_every_step() -> None:
    assert {step for _facts, step in TABLE.values()} == set(Step)


CHOICES: dict[str, tuple[Any, ...]] = {
    "is_resumable": (True, False),
    "file": tuple(FileState),
    "row": (None, *DatasetStatus),
    "row_was_seen": (True, False),
    "object_size_bytes": (None, 0, SIZE - 1, SIZE),
    "object_is_ours": (True, False),
    "object_proved": (True, False),
    "has_upload": (True, False),
    "upload_asked": (True, False),
    "upload_offset_bytes": (None, 0, 600, SIZE),
    "upload_length_bytes": (SIZE, SIZE + 1),
    "awaits_object": (False, True),
    "may_wait": (True, False),
}
#: What has to be so for a step to be right, whatever else was seen.
ONLY_IF: dict[Step, dict[str, tuple[Any, ...]]] = {
    Step.INSERT_ROW: {"row": (None,), "row_was_seen": (False,), "object_size_bytes": (None,), "file": ("unchanged",)},
    Step.PUT: {"row": (UPLOADING,), "object_size_bytes": (None,), "file": ("unchanged",), "awaits_object": (False,)},
    Step.OPEN: {"row": (UPLOADING,), "object_size_bytes": (None,), "file": ("unchanged",), "has_upload": (False,)},
    Step.SEND: {
        "row": (UPLOADING,),
        "object_size_bytes": (None,),
        "file": ("unchanged",),
        "has_upload": (True,),
        "upload_asked": (True,),
        "upload_offset_bytes": (0, 600),
        "upload_length_bytes": (SIZE,),
        "awaits_object": (False,),
    },
    Step.RESTART: {"row": (UPLOADING,), "object_size_bytes": (None,)},
    Step.REMOVE_OBJECT: {"row": (None, UPLOADING), "object_size_bytes": (0, SIZE - 1, SIZE)},
    Step.PROVE: {"row": (UPLOADING,), "object_size_bytes": (SIZE,), "object_is_ours": (True,)},
    Step.CONFIRM: {
        "row": (UPLOADING,),
        "object_size_bytes": (SIZE,),
        "object_is_ours": (True,),
        "object_proved": (True,),
    },
    Step.VALIDATE: {"row": (VALIDATING,)},
    Step.GONE: {"row": (None,), "row_was_seen": (True,)},
    Step.DONE: {"row": (VALIDATING, READY, ERROR)},
    Step.REPORT_FILE: {"file": ("changed", "out_of_reach"), "object_size_bytes": (None,)},
}


def test_whatever_was_seen_no_step_is_taken_that_could_harm() -> None:
    steps: Counter[Step] = Counter()
    for values in product(*CHOICES.values()):
        facts = dict(zip(CHOICES, values, strict=True))
        step = plan(Observations(size_bytes=SIZE, looked=True, **facts))
        steps[step] += 1
        for name, allowed in ONLY_IF.get(step, {}).items():
            assert facts[name] in allowed, (step, name, facts)
    assert set(steps) == set(Step) - {Step.LOOK, Step.TAKE_BACK}


def test_before_a_look_nothing_is_decided_but_what_was_given_up() -> None:
    names = [name for name in CHOICES if name not in ("may_wait", "upload_length_bytes", "object_is_ours")]
    for values in product(*(CHOICES[name] for name in names)):
        facts = dict(zip(names, values, strict=True))
        assert plan(Observations(size_bytes=SIZE, looked=False, **facts)) is Step.LOOK
        assert plan(Observations(size_bytes=SIZE, must_clear=True, **facts)) is Step.TAKE_BACK
