"""The next step of an upload and when to try again: the whole table, and walks through a world that misbehaves."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import pytest

from lorry.core.errors import (
    AuthError,
    ConfigError,
    ConflictError,
    ErrorCode,
    LorryError,
    NetworkError,
    ProtocolError,
    RejectedError,
    ServerError,
    SourceError,
    StoreError,
)
from lorry.core.model import DatasetStatus
from lorry.core.plan import Observations, Step, plan
from lorry.core.retry import MAX_ATTEMPTS, delay_before_retry

SIZE = 1000
UPLOADING, VALIDATING = DatasetStatus.UPLOADING, DatasetStatus.VALIDATING
READY, ERROR = DatasetStatus.READY, DatasetStatus.ERROR


def seen(
    row: DatasetStatus | None,
    object_size_bytes: int | None,
    *,
    looked: bool = True,
    row_was_seen: bool = False,
    validation_asked: bool = False,
) -> Observations:
    return Observations(looked, row, object_size_bytes, SIZE, row_was_seen, validation_asked)


TABLE = [
    # no row yet: a new upload; with an object in the way it is removed first
    (seen(None, None), Step.INSERT_ROW),
    (seen(None, SIZE), Step.REMOVE_OBJECT),
    (seen(None, 3), Step.REMOVE_OBJECT),
    # the row was there and is not any more: somebody removed it, nothing is made anew
    (seen(None, None, row_was_seen=True), Step.GONE),
    (seen(None, SIZE, row_was_seen=True), Step.GONE),
    # the row waits for its object
    (seen(UPLOADING, None), Step.SEND),
    (seen(UPLOADING, None, row_was_seen=True), Step.SEND),
    (seen(UPLOADING, SIZE), Step.CONFIRM),
    (seen(UPLOADING, SIZE - 1), Step.REMOVE_OBJECT),
    (seen(UPLOADING, SIZE + 1), Step.REMOVE_OBJECT),
    (seen(UPLOADING, 0), Step.REMOVE_OBJECT),
    # confirmed
    (seen(VALIDATING, SIZE), Step.VALIDATE),
    (seen(VALIDATING, SIZE, validation_asked=True), Step.DONE),
    (seen(VALIDATING, None), Step.VALIDATE),
    (seen(READY, SIZE), Step.DONE),
    (seen(ERROR, SIZE), Step.DONE),
    (seen(READY, None), Step.DONE),
]


@pytest.mark.parametrize(("observed", "step"), TABLE)
def test_the_facts_decide_the_next_step(observed: Observations, step: Step) -> None:
    assert plan(observed) is step


def test_nothing_is_done_before_looking() -> None:
    statuses = (None, *DatasetStatus)
    for row, size, was_seen, asked in product(statuses, (None, 0, SIZE), (False, True), (False, True)):
        observed = seen(row, size, looked=False, row_was_seen=was_seen, validation_asked=asked)
        assert plan(observed) is Step.LOOK


class World:
    """A server and a line that lose things with seeded chance; the upload's own facts beside them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.row: DatasetStatus | None = None
        self.object: int | None = None
        self.facts = seen(None, None, looked=False)
        self.damage = self.random.random() * 0.6
        self.sends = 0

    def is_lucky(self) -> bool:
        return self.random.random() >= self.damage

    def step(self, step: Step) -> None:
        """Do what the step says; a lost answer means that the effect may be there and nobody knows."""
        if not self.is_lucky() and step is not Step.LOOK:
            if self.is_lucky():
                self.effect(step)
            self.facts = replace(self.facts, looked=False)
            return
        self.effect(step)
        if step is Step.LOOK:
            self.facts = replace(
                self.facts,
                looked=True,
                row=self.row,
                object_size_bytes=self.object,
                row_was_seen=self.facts.row_was_seen or self.row is not None,
            )
        elif step is Step.VALIDATE:
            self.facts = replace(self.facts, validation_asked=True)
        else:
            self.facts = replace(self.facts, looked=False)

    def effect(self, step: Step) -> None:
        if step is Step.INSERT_ROW:
            assert self.row is None, "a second row"
            self.row = UPLOADING
        elif step is Step.SEND:
            self.sends += 1
            assert self.object is None, "an object was overwritten"
            self.object = SIZE if self.is_lucky() else self.random.choice((None, SIZE - 1, 0))
        elif step is Step.REMOVE_OBJECT:
            assert self.row in (None, UPLOADING), "the object of a confirmed dataset was removed"
            self.object = None
        elif step is Step.CONFIRM:
            assert self.object == SIZE, "something incomplete was confirmed"
            self.row = VALIDATING
        elif step is Step.VALIDATE:
            assert self.row in (VALIDATING, READY)
            self.row = READY


@pytest.mark.parametrize("seed", range(300))
def test_every_walk_ends_with_the_whole_file_confirmed_once(seed: int) -> None:
    world = World(seed)
    if seed % 3 == 0:
        world.object = world.random.choice((SIZE, 17))
    for _ in range(2000):
        step = plan(world.facts)
        if step is Step.DONE:
            break
        world.step(step)
    else:
        pytest.fail(f"no end: {world.facts}")
    assert (world.row, world.object) == (READY, SIZE)


@pytest.mark.parametrize("seed", range(50))
def test_a_row_removed_on_the_way_ends_the_walk_without_a_new_one(seed: int) -> None:
    world = World(seed)
    limit = world.random.randrange(1, 8)
    for number in range(2000):
        if number >= limit and world.row is not None:
            world.row, world.facts = None, replace(world.facts, looked=False)
            break
        if plan(world.facts) is Step.DONE:
            return
        world.step(plan(world.facts))
    if not world.facts.row_was_seen:
        return  # nobody had seen the row: making it is right
    world.step(plan(world.facts))
    assert plan(world.facts) is Step.GONE
    assert world.row is None


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


@pytest.mark.parametrize(
    "error",
    [
        AuthError(ErrorCode.SESSION_ENDED),
        RejectedError(ErrorCode.FORBIDDEN),
        ConflictError(ErrorCode.ALREADY_EXISTS),
        SourceError(ErrorCode.FILE_CHANGED),
        StoreError(ErrorCode.DISK_FULL),
        ProtocolError(ErrorCode.UNEXPECTED_ANSWER),
        ConfigError(ErrorCode.BAD_SETTING),
        LorryError(ErrorCode.INTERNAL),
    ],
)
def test_what_stays_wrong_is_not_tried_again(error: LorryError) -> None:
    assert delay_before_retry(error, 1, highest) is None


@pytest.mark.parametrize("kind", [NetworkError, ServerError])
def test_waits_grow_within_bounds_and_end(kind: type[LorryError]) -> None:
    error = kind(ErrorCode.SERVER_BUSY)
    longest = [delay_before_retry(error, attempt, highest) for attempt in range(1, MAX_ATTEMPTS + 2)]
    shortest = [delay_before_retry(error, attempt, lowest) for attempt in range(1, MAX_ATTEMPTS + 2)]
    assert longest == [1.0, 2.0, 4.0, None, None]
    assert shortest == [0.5, 1.0, 2.0, None, None]


def test_the_servers_own_advice_counts_but_not_for_ever() -> None:
    error = ServerError(ErrorCode.SERVER_BUSY, retry_after_s=77.0)
    assert delay_before_retry(error, 1, lowest) == 77.0
    assert delay_before_retry(error, MAX_ATTEMPTS, lowest) is None
