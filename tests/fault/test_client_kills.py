"""The program is killed at random moments and at every point of its work: nothing is lost, doubled, wrong or stuck.

One number makes a round (its file, how often it is killed, where or when), a path like `13MiB/upload/17` one of a walk
over all points. A round that fails prints how to run it alone: `make test-long ARGS="-k client_kills --round=…"`.
"""

from __future__ import annotations

import itertools
import queue
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.client import settings_of
from tests.support.kill_checks import Tally
from tests.support.kill_client import Round
from tests.support.kill_files import SIZES, ExactFile, exact_file
from tests.support.kill_program import Ended, KillServer
from tests.support.workspace import RunningServer, short_folder

#: Rounds that run side by side.
LANES = 2
#: Random moments begin at this part of an upload; before it Lorry only signs in.
SIGNED_IN = 0.35
#: Where the first run of a walk over `resume` ends.
HALF_WAY = {"small": "PUT ", "6MiB+1": "first block", "13MiB": "middle", "40MiB": "answered 204"}


@dataclass
class Yard:
    """What rounds need: a server, places to run the program, files, and how long an upload takes unharmed."""

    server: RunningServer
    folder: Path
    kill_servers: queue.Queue[KillServer]
    prefix: str
    files: dict[str, ExactFile]
    tally: Tally = field(default_factory=Tally)
    unharmed: dict[str, Ended] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def round(self, size: str, name: str) -> Iterator[Round]:
        """A round with a fresh user and profile; counted when it is over. `name` is what `--round` takes."""
        kill_server = self.kill_servers.get()
        try:
            home = self.folder / f"home-{next(self.numbers)}"
            started = Round(kill_server, self.server.new_user(), home, self.files[size])
            yield started
            started.recover()
            self.tally.add(
                started.killed_at,
                started.complaints,
                recovery_s=started.recovery_s,
                story=started.story,
                replay=f'make test-long ARGS="-k client_kills --round={self.prefix}{name}"',
            )
        finally:
            self.kill_servers.put(kill_server)

    def measure(self) -> None:
        """Run uploads unharmed, so that random moments fall within them on any machine."""
        kill_server = self.kill_servers.get()
        for size, file in self.files.items():
            settings = {**settings_of(self.server.new_user()), "LORRY_HOME": str(self.folder / f"unharmed-{size}")}
            ended = kill_server.run(["upload", str(file.path)], settings)
            assert ended.status == 0, ended.output
            self.unharmed[size] = ended
        self.kill_servers.put(kill_server)


@contextmanager
def open_yard(server: RunningServer, folder: Path, prefix: str = "") -> Iterator[Yard]:
    """Files, and as many places to run the program as rounds run side by side."""
    made = Yard(server, folder, queue.Queue(), prefix, {size: exact_file(folder, size) for size in SIZES})
    runners = []
    try:
        for lane in range(LANES):
            (folder / f"lane-{lane}").mkdir()
            runners.append(KillServer(folder / f"lane-{lane}"))
            made.kill_servers.put(runners[-1])
        made.measure()
        yield made
    finally:
        for runner in runners:
            runner.close()


@pytest.fixture(scope="module")
def yard(
    workspace_server: RunningServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Yard]:
    with open_yard(workspace_server, tmp_path_factory.mktemp("kills")) as opened:
        yield opened
        opened.tally.print(request.config, "client kills")


@pytest.fixture(scope="module")
def dropping_yard(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Yard]:
    """With a server that deletes an upload whose last answer nobody waits for, as some do."""
    with short_folder() as data_dir:
        server = RunningServer.start(data_dir, "--tus-drop-unanswered")
        try:
            with open_yard(server, tmp_path_factory.mktemp("dropping"), "dropping/") as opened:
                yield opened
                opened.tally.print(request.config, "client kills, dropping server")
        finally:
            server.stop()


def random_round(yard: Yard, seed: int) -> int:
    """The round of a seed; returns how many kills it had."""
    chance = random.Random(seed)
    size = chance.choice(list(SIZES))
    unharmed = yard.unharmed[size]
    with yard.round(size, str(seed)) as running:
        for _ in range(chance.randint(2, 6)):
            at, part = chance.randint(1, len(unharmed.points)), chance.uniform(SIGNED_IN, 1.05)
            is_timed = chance.random() < 0.5
            ended = running.kill(after_s=part * unharmed.took_s) if is_timed else running.kill(at=at)
            if not ended.is_killed:
                break
    return len(running.killed_at)


def walk_round(yard: Yard, size: str, command: str, number: int) -> bool:
    """Kill `upload`, or the `resume` after an upload killed half-way, at one point; False when it ended before."""
    with yard.round(size, f"{size}/{command}/{number}") as running:
        if command == "resume":
            running.kill(at=HALF_WAY[size])
        return running.kill(at=number).is_killed


def walk(yard: Yard, size: str, command: str) -> None:
    """Kill at the first point, the second, and so on, until runs end before theirs."""
    numbers, is_killed = itertools.count(1), [True]
    with ThreadPoolExecutor(LANES) as pool:
        while all(is_killed):
            batch = itertools.islice(numbers, LANES * 2)
            is_killed = list(pool.map(lambda number: walk_round(yard, size, command, number), batch))
    assert next(numbers) > 15, "a walk over all points has met none"


def run_seeds(yard: Yard, first_seed: int, least_kills: int) -> None:
    """Run rounds side by side until they had so many kills."""
    seeds, kills = itertools.count(first_seed), 0
    with ThreadPoolExecutor(LANES) as pool:
        while kills < least_kills:
            batch = itertools.islice(seeds, LANES * 2)
            kills += sum(pool.map(lambda seed: random_round(yard, seed), batch))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--round` only that round, without it all."""
    chosen = metafunc.config.getoption("--round")
    walks = [f"{size}/{command}" for size in HALF_WAY for command in ("upload", "resume")]
    long = [*(f"random {block}" for block in range(1, 18)), *walks, "dropping/13MiB/upload", "dropping/13MiB/resume"]
    everything = ["random 0", *(pytest.param(what, marks=pytest.mark.long) for what in long)]
    metafunc.parametrize("what", [pytest.param(chosen, marks=pytest.mark.long)] if chosen else everything)


@pytest.mark.timeout(600)
def test_client_kills(what: str, request: pytest.FixtureRequest) -> None:
    is_dropping, what = what.startswith("dropping/"), what.removeprefix("dropping/")
    yard: Yard = request.getfixturevalue("dropping_yard" if is_dropping else "yard")
    if what.startswith("random "):
        block = int(what.removeprefix("random "))
        run_seeds(yard, block * 1000, 50 if block else 40)
    elif "/" not in what:
        random_round(yard, int(what))
    else:
        size, command, *numbers = what.split("/")
        if numbers:
            walk_round(yard, size, command, int(numbers[0]))
        else:
            walk(yard, size, command)
    yard.tally.fail_if_any()
