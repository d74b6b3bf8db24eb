"""Walks through the plan of an upload in a world that misbehaves, by seeds: every one ends, none does harm.

A seed that fails is printed with its story; `Walk(seed).run()` repeats it.
"""

from __future__ import annotations

from collections import Counter

import pytest
from tests.support.plan_walk import Walk

from lorry.core.model import DatasetStatus
from lorry.core.plan import Step
from lorry.core.retry import MAX_RESTARTS

SEEDS = 20_000


def walk(seed: int) -> tuple[str, Walk]:
    """One walk and what has to be so at its end."""
    world = Walk(seed)
    end = world.run()
    stored = world.object
    if end == "done":
        assert world.row is DatasetStatus.READY
        assert stored is not None and (stored.size, stored.content) == (12, 0)
    elif end == "gone":
        assert world.row is None and (world.is_row_removed or world.older_journals)
    elif end == "file":
        assert world.is_file_touched
    elif end == "cancelled":
        assert world.facts.cancelling and (world.row, stored) == (None, None)
    else:
        assert end in ("exhausted", "cancelled too late", "refused")
    assert world.all_restarts <= MAX_RESTARTS * (1 + world.older_journals)
    return end, world


def test_every_walk_ends_and_none_does_harm() -> None:
    ends: Counter[str] = Counter()
    steps: Counter[Step] = Counter()
    for seed in range(SEEDS):
        try:
            end, world = walk(seed)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
        ends[end] += 1
        steps.update(world.counts)
    assert set(steps) == set(Step), f"never planned: {set(Step) - set(steps)}"
    assert {"done", "gone", "file", "exhausted", "cancelled"} <= set(ends)
    assert ends["done"] > SEEDS / 2, ends


@pytest.mark.parametrize("seed", range(0, 200, 7))
def test_a_walk_is_the_same_each_time(seed: int) -> None:
    first, second = Walk(seed), Walk(seed)
    assert first.run() == second.run()
    assert (first.counts, first.steps, first.facts) == (second.counts, second.steps, second.facts)
