"""An upload is stopped at each of its commit points in each way, and must be whole afterwards, once.

A point is a write of the journal or a request that changes the server, the Nth until a run survives. One that fails
prints how to run it alone: `make test ARGS="-k commit_points --round=SIZE/MISHAP/NUMBER"`.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.client import QUICK, open_core, rows, wait_for_end
from tests.support.commit_points import Killed, Mishap, Points, jobs_in, restore_journal
from tests.support.kill_files import ExactFile, exact_file
from tests.support.uploads import one_of_each, start
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.observer import Patience
from lorry.core.transfers import TransferState

SIZES = ("small", "6MiB", "6MiB+1", "40MiB")
#: Each point with one of the mishaps, in turn.
IN_TURN = "in turn"
#: What runs each time; the rest is long.
SHORT = (*(f"small/{mishap}" for mishap in Mishap), f"6MiB+1/{IN_TURN}")
TEMPER = replace(QUICK, patience_s=30.0, patience=Patience(after_lost_answer_s=0.05, poll_s=0.05, object_s=10.0))


@dataclass
class Tally:
    """What all runs came to."""

    runs: Counter[str] = field(default_factory=Counter)
    points: set[str] = field(default_factory=set)
    survived: int = 0

    def __str__(self) -> str:
        runs = ", ".join(f"{count} {name}" for name, count in sorted(self.runs.items()))
        return f"{self.runs.total()} runs ({runs}) at {len(self.points)} kinds of points: {self.survived} whole"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExactFile]:
    folder = tmp_path_factory.mktemp("files")
    return {size: exact_file(folder, size) for size in SIZES}


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Filled by all tests of the module and printed at its end."""
    made = Tally()
    yield made
    capture, terminal = (request.config.pluginmanager.get_plugin(n) for n in ("capturemanager", "terminalreporter"))
    assert capture is not None and terminal is not None
    with capture.global_and_fixture_disabled():
        terminal.write_line(f"\ncommit points: {made}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--round` only that run, without it all."""
    chosen = metafunc.config.getoption("--round")
    if "what" not in metafunc.fixturenames:
        return
    walks = [f"{size}/{mishap}" for size in SIZES for mishap in (*Mishap, IN_TURN)]
    everything = [pytest.param(walk, marks=[] if walk in SHORT else [pytest.mark.long]) for walk in walks]
    metafunc.parametrize("what", [chosen] if chosen.count("/") == 2 else everything)


def mishap_of(word: str, number: int, point: str) -> Mishap | None:
    """What happens at a point, None if it cannot happen there."""
    chosen = [Mishap(word)] if word != IN_TURN else [*Mishap][number % 5 :] + [*Mishap][: number % 5]
    return next((mishap for mishap in chosen if mishap.can_strike(point)), None)


@pytest.mark.timeout(600)
def test_stopped_at_any_commit_point_an_upload_becomes_whole(
    workspace_server: RunningServer, tmp_path: Path, files: dict[str, ExactFile], tally: Tally, what: str
) -> None:
    size, word, *numbers = what.split("/")
    names: list[str] = []
    for number in map(int, numbers) if numbers else itertools.count(1):
        mishap = mishap_of(word, number, names[number - 1] if number <= len(names) else "POST")
        if mishap is None:
            continue
        user, home = workspace_server.new_user(), tmp_path / f"{number}"
        points = Points(mishap, number, home)
        try:
            with points:
                stop_at(points, user, home, files[size].path)
                if mishap is Mishap.OLDER_JOURNAL and points.is_dead:
                    older = points.older_journals()
                    if older:
                        restore_journal(home, random.Random(number).choice(older))
            bring_home(user, home, files[size], knows_checksums=mishap is not Mishap.OLDER_JOURNAL)
        except (Exception, Killed) as error:
            reached = "\n    ".join(points.names)
            replay = f'make test ARGS="-k commit_points --round={size}/{mishap}/{number}"'
            pytest.fail(f"{type(error).__name__}: {error}\n    {reached}\n    replay: {replay}")
        if number > len(points.names):
            break
        names = points.names
        tally.runs[mishap] += points.has_struck
        tally.points.add(names[number - 1])
        tally.survived += points.has_struck
    assert numbers or number > 7, "a walk over all points has met hardly any"


def stop_at(points: Points, user: User, home: Path, path: Path) -> None:
    """Upload the file until the point, and to the end if it does not stop there."""
    with ExitStack() as stack:
        client = stack.enter_context(open_core(user, home, temper=TEMPER))
        stack.callback(points.disarm)
        points.arm()
        with suppress(Killed):
            dataset_id = start(client, path)
            wait_until(lambda: points.is_dead or has_ended(client), 60, "the point, or the end")
            if not points.is_dead:
                ended = wait_for_end(client, dataset_id)
                assert ended.state is TransferState.DONE, ended.error


def has_ended(client: Client) -> bool:
    return all(entry.state in (TransferState.DONE, TransferState.FAILED) for entry in client.snapshot())


def bring_home(user: User, home: Path, file: ExactFile, *, knows_checksums: bool) -> None:
    """A new start takes up what is there, and there must be one dataset, whole.

    A journal from before the last byte does not know the checksums of an object that is there.
    """
    with open_core(user, home, temper=TEMPER) as client:
        ids = client.resume_interrupted()
        if not ids and not rows(user.server, user_id=user.id):
            ids = [start(client, file.path)]  # it never began; nothing may be left of it either
        for dataset_id in ids:
            ended = wait_for_end(client, dataset_id)
            assert ended.state is TransferState.DONE, ended.error
        assert client.interrupted_count == 0
    path = one_of_each(user)
    with user.client() as http:
        content = http.get(f"/storage/v1/object/{BUCKET}/{path}").content
    assert hashlib.sha256(content).hexdigest() == file.sha256
    (row,) = rows(user.server, user_id=user.id)
    assert row["status"] in ("validating", "ready"), row["status"]
    if knows_checksums or row["checksums"] is not None:
        assert row["checksums"]["whole"] == file.sha256
    assert jobs_in(home) == 0
    assert not list((home / "uploads").glob("*"))
