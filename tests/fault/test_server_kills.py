"""The local server is killed while uploads run: when it is back, the client goes on by itself and nothing is missing.

One number makes a round: its files, and at which moments of the uploads the server is killed. A round that fails
prints how to run it alone: `make test-long ARGS="-k server_kills --round=…"`.
"""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import open_core, transfer_of
from tests.support.kill_checks import RECOVERY_LIMIT_S, Complaint, Tally, check_server
from tests.support.kill_files import SIZES, ExactFile, exact_file
from tests.support.workspace import RunningServer, User, short_folder, wait_until

from lorry.core.client import Client
from lorry.core.engine import Temper
from lorry.core.observer import Patience
from lorry.core.transfers import Phase, TransferState

#: Uploads of a round that run side by side.
UPLOADS = 2
#: The client tries again as it does for people, but looks for a finished object sooner.
TEMPER = Temper(patience=Patience(after_lost_answer_s=1.0, poll_s=0.2, object_s=20.0))


@dataclass
class Yard:
    """A server that is killed and started again at the same address, and the files."""

    server: RunningServer
    folder: Path
    files: dict[str, ExactFile]
    tally: Tally = field(default_factory=Tally)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def kill_server(self) -> None:
        """Kill it, and start it again where it was."""
        port = self.server.url.rsplit(":", 1)[1]
        self.server.stop(signal.SIGKILL)
        self.server = RunningServer.start(self.server.data_dir, "--port", port)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("server-kills")
    with short_folder() as data_dir:
        made = Yard(RunningServer.start(data_dir), folder, {size: exact_file(folder, size) for size in SIZES})
        try:
            yield made
            assert made.server.log() == ""
        finally:
            made.server.stop()
            made.tally.print(request.config, "server kills")


def moments(chance: random.Random) -> tuple[str, Callable[[Client, UUID], bool] | float]:
    """When to kill: at a part of the bytes, in a phase, or after a time; with a name for the sum."""
    kind = chance.choice(["bytes", "bytes", "phase", "time"])
    if kind == "time":
        return "after a time", chance.uniform(0.0, 0.4)
    if kind == "phase":
        phase = chance.choice([Phase.CHECKING, Phase.UPLOADING, Phase.FINISHING, Phase.VERIFYING, Phase.VALIDATING])

        def has_phase(client: Client, dataset_id: UUID) -> bool:
            transfer = transfer_of(client, dataset_id)
            return transfer is None or transfer.phase is phase

        return f"when {phase.value}", has_phase
    part = chance.uniform(0.0, 1.0)

    def has_sent(client: Client, dataset_id: UUID) -> bool:
        transfer = transfer_of(client, dataset_id)
        return transfer is None or transfer.progress.sent_bytes >= part * transfer.progress.size_bytes > 0

    return "within the bytes", has_sent


class Round:
    """Uploads of one user, and the kills of the server meanwhile."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self._yard = yard
        self._seed = seed
        self._chance = random.Random(seed)
        self._killed_at: list[str] = []
        self._complaints: list[Complaint] = []
        self._story: list[str] = []
        self._slowest_s = 0.0

    def run(self) -> int:
        """Returns how often the server was killed."""
        yard, chance = self._yard, self._chance
        files = [yard.files[size] for size in chance.sample(sorted(SIZES), UPLOADS)]
        user = yard.server.new_user()
        with open_core(user, yard.folder / f"home-{next(yard.numbers)}", temper=TEMPER) as client:
            ids = [client.upload(file.path, client.inspect_file(file.path)) for file in files]
            for _ in range(chance.randint(1, 4)):
                if not self._kill(client, chance.choice(ids)):
                    break
            began = time.monotonic()
            for dataset_id, file in zip(ids, files, strict=True):
                self._await_end(client, dataset_id, file)
            self._slowest_s = time.monotonic() - began
        user = User(yard.server, user.email, user.password, user.session)
        self._complaints += check_server(user, files, UPLOADS * len(self._killed_at))
        yard.tally.add(
            self._killed_at,
            self._complaints,
            recovery_s=self._slowest_s,
            story=[", ".join(file.path.name for file in files), *self._story],
            replay=f'make test-long ARGS="-k server_kills --round={self._seed}"',
        )
        return len(self._killed_at)

    def _kill(self, client: Client, dataset_id: UUID) -> bool:
        """Kill the server at a moment of one upload; False when all had ended before."""
        name, moment = moments(self._chance)

        def is_now() -> bool:
            assert callable(moment)
            return moment(client, dataset_id) or not _is_any_running(client)

        if callable(moment):
            began = time.monotonic()
            while not is_now() and time.monotonic() - began < RECOVERY_LIMIT_S:
                threading.Event().wait(0.002)
        else:
            threading.Event().wait(moment)
        if not _is_any_running(client):
            return False
        self._story.append(f"killed {name}: {_standing(client)}")
        self._killed_at.append(name)
        self._yard.kill_server()
        return True

    def _await_end(self, client: Client, dataset_id: UUID, file: ExactFile) -> None:
        """Wait for the end of an upload; one that has stopped to ask is told to go on, and counted."""

        def is_done() -> bool:
            transfer = transfer_of(client, dataset_id)
            if transfer is not None and transfer.state is TransferState.FAILED:
                self._complaints.append(Complaint("gave_up", f"{file.path.name}: {transfer.error}"))
                client.retry_upload(dataset_id)
            return transfer is None or transfer.state is TransferState.DONE

        try:
            wait_until(is_done, RECOVERY_LIMIT_S)
        except AssertionError:
            self._complaints.append(Complaint("stuck", f"{file.path.name}: {transfer_of(client, dataset_id)}"))


def _is_any_running(client: Client) -> bool:
    return any(transfer.state is not TransferState.DONE for transfer in client.snapshot())


def _standing(client: Client) -> str:
    return ", ".join(
        f"{transfer.path.name} {transfer.state.value}/{transfer.phase.value}"
        f" {transfer.progress.stored_bytes}/{transfer.progress.sent_bytes}/{transfer.progress.size_bytes}"
        for transfer in client.snapshot()
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--round` only that round, without it all."""
    chosen = metafunc.config.getoption("--round")
    blocks = ["block 0", *(pytest.param(f"block {block}", marks=pytest.mark.long) for block in range(1, 9))]
    metafunc.parametrize("what", [pytest.param(chosen, marks=pytest.mark.long)] if chosen else blocks)


@pytest.mark.timeout(600)
def test_server_kills(yard: Yard, what: str) -> None:
    if what.startswith("block "):
        block, kills = int(what.removeprefix("block ")), 0
        for seed in itertools.count(block * 1000):
            kills += Round(yard, seed).run()
            if kills >= (25 if block else 5):
                break
    else:
        Round(yard, int(what)).run()
    yard.tally.fail_if_any()
