"""Uploads over a line on which many things go wrong: every one arrives by itself, whole, and hardly a byte twice.

One number makes a round: two files sent side by side, and what happens to each of their requests. A round that fails
prints how to run it alone: `make test-long ARGS="-k network_faults --round=…"`.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from tests.support.client import open_core, transfer_of
from tests.support.fault_server import FaultServer
from tests.support.faults import (
    PORTAL_PAGE,
    Answer,
    CutAnswer,
    CutRequest,
    Drip,
    Duplicate,
    Fault,
    Freeze,
    Rewrite,
    Seen,
    Stall,
    busy,
    portal,
    redirect,
)
from tests.support.kill_checks import Complaint, Tally, check_server
from tests.support.kill_files import SIZES, ExactFile, exact_file
from tests.support.workspace import RunningServer, wait_until

from lorry.core.client import Client
from lorry.core.engine import Temper
from lorry.core.observer import Patience
from lorry.core.transfers import TransferState

UPLOADS = 2
#: Faults of one round, then the line is good.
MOST_FAULTS = 24
END_LIMIT_S = 90.0
#: Tries again as for people, only sooner.
TEMPER = Temper(dice=lambda low, _high: low / 10, patience=Patience(after_lost_answer_s=1.0, poll_s=0.2, object_s=20.0))
#: A server that drains a request for another one needs 3 s to answer.
SHORT = httpx.Timeout(connect=5.0, write=1.5, read=5.0, pool=5.0)

HTML = {"Content-Type": "text/html"}
EXPIRED = Answer(400, b'"exp" claim timestamp check failed', {"Tus-Resumable": "1.0.0", "Content-Type": "text/plain"})
GATEWAY = Answer(502, b"<html><body>Bad Gateway</body></html>", HTML)
AWAY = Answer(503, PORTAL_PAGE, HTML)
LOCKED = Answer(423, b"The file is locked", {"Tus-Resumable": "1.0.0", "Content-Type": "text/plain"})

BODY = re.compile(r"/upload/resumable/sign/|/object/upload/sign/.*\?token=")
#: How likely a request meets a fault: one that carries bytes, another one of the transfer, any other.
LIKELY_BODY, LIKELY_TRANSFER, LIKELY_OTHER = 0.5, 0.3, 0.15


def fault_of(chance: random.Random, seen: Seen, elsewhere: str) -> tuple[str, Fault]:
    """What happens to a request, with a name for the sum."""
    faults: list[tuple[str, Fault]] = [
        ("reset before it", CutRequest(0)),
        ("answer swallowed", CutAnswer(0)),
        ("answer cut", CutAnswer(chance.randrange(1, 60))),
        ("sent twice, first answer", Duplicate(1)),
        ("sent twice, second answer", Duplicate(2)),
        ("502 in HTML", GATEWAY),
        ("503 in HTML", AWAY),
        ("503 in JSON", busy(503)),
        ("portal", portal()),
        ("redirect", redirect(f"{elsewhere}/stolen")),
    ]
    is_tus = "/upload/resumable/" in seen.path
    if not is_tus:
        faults.append(("answer drips", Drip(0.002)))
    if is_tus or "token=" in seen.path:
        faults.append(("ticket expired", EXPIRED))
    if is_tus and seen.method in ("PATCH", "HEAD"):
        faults.append(("locked", LOCKED))
    if seen.method in ("PATCH", "PUT"):
        at = chance.randrange(max(1, seen.content_length))
        faults += [("reset within it", CutRequest(at))] * 6
        faults += [("ended within it", CutRequest(at, in_order=True))] * 3
        faults += [("stalled", Stall(at)), ("frozen", Freeze(at, for_s=6.0))]
    if seen.method == "PATCH":
        offset = chance.choice([None, "-1", "0", "999999999999999", "12 bytes"])
        faults.append(("wrong offset told", Rewrite(headers={"Upload-Offset": offset})))
    return chance.choice(faults)


@dataclass
class Weather:
    """Decides for each request, and keeps what it did."""

    chance: random.Random
    elsewhere: str
    left: int = MOST_FAULTS
    faults: list[tuple[str, Seen]] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Fault | None:
        is_body = seen.method in ("PATCH", "PUT")
        likely = LIKELY_BODY if is_body else LIKELY_TRANSFER if BODY.search(seen.path) else LIKELY_OTHER
        if self.left <= 0 or self.chance.random() >= likely:
            return None
        self.left -= 1
        name, fault = fault_of(self.chance, seen, self.elsewhere)
        self.faults.append((name, seen))
        return fault

    def story(self) -> Iterator[str]:
        for name, seen in self.faults:
            yield f"{name}: {seen.method} {seen.path.split('?')[0][:60]}, {seen.body_bytes} of {seen.content_length}"


@dataclass
class Line:
    """The server behind, the files, and the sums."""

    server: RunningServer
    folder: Path
    files: dict[str, ExactFile]
    tally: Tally = field(default_factory=Tally)
    sent_bytes: int = 0
    file_bytes: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)


@pytest.fixture(scope="module")
def line(
    workspace_server: RunningServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("network-faults")
    made = Line(workspace_server, folder, {size: exact_file(folder, size) for size in SIZES})
    yield made
    more = made.sent_bytes / max(1, made.file_bytes) - 1
    made.tally.print(request.config, f"network faults, {made.file_bytes / 1e6:.0f} MB, {more:.1%} sent again")


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands still is given up within seconds."""
    for name in ("tus._ASK_TIMEOUT", "tus._APPEND_TIMEOUT", "tus._LAST_TIMEOUT", "put._TIMEOUT", "http.CALL_TIMEOUT"):
        monkeypatch.setattr(f"lorry.core.remote.{name}", SHORT)


def run_round(line: Line, seed: int) -> int:
    """Send two files through a seeded weather and look at what came of it; returns how many faults there were."""
    chance = random.Random(seed)
    files = [line.files[size] for size in chance.sample(sorted(SIZES), UPLOADS)]
    user = line.server.new_user()
    complaints: list[Complaint] = []
    with FaultServer() as elsewhere, FaultServer(line.server.url, seed=seed) as proxy:
        weather = Weather(chance, elsewhere.url)
        home = line.folder / f"home-{next(line.numbers)}"
        with open_core(user, home, url=proxy.url, temper=TEMPER) as client:
            proxy.set_weather(weather)
            began = time.monotonic()
            ids = [client.upload(file.path, client.inspect_file(file.path)) for file in files]
            for dataset_id in ids:
                await_end(client, dataset_id, complaints)
            took_s = time.monotonic() - began
            proxy.clear()
        bodies = [seen for seen in proxy.requests if seen.method in ("PATCH", "PUT") and BODY.search(seen.path)]
        if elsewhere.requests:
            complaints.append(Complaint("lost", f"something went elsewhere: {elsewhere.requests}"))
    sent_bytes, file_bytes = sum(seen.body_bytes for seen in bodies), sum(file.size_bytes for file in files)
    hit_bytes = sum(seen.content_length for _name, seen in weather.faults if seen in bodies)
    if sent_bytes > 1.01 * file_bytes + hit_bytes:
        what = f"{sent_bytes} bytes sent for {file_bytes}, while faults met requests of {hit_bytes}"
        complaints.append(Complaint("sent_again", what))
    complaints += check_server(user, files, len(weather.faults))
    line.sent_bytes += sent_bytes
    line.file_bytes += file_bytes
    line.tally.add(
        [name for name, _seen in weather.faults],
        complaints,
        recovery_s=took_s,
        story=[", ".join(file.path.name for file in files), *weather.story()],
        replay=f'make test-long ARGS="-k network_faults --round={seed}"',
    )
    return len(weather.faults)


def await_end(client: Client, dataset_id: UUID, complaints: list[Complaint]) -> None:
    """Wait until an upload is done; one that stops is told to go on, and counted."""

    def is_done() -> bool:
        transfer = transfer_of(client, dataset_id)
        if transfer is not None and transfer.state is TransferState.FAILED:
            complaints.append(Complaint("gave_up", f"{transfer.path.name}: {transfer.error}"))
            client.retry_upload(dataset_id)
        return transfer is None or transfer.state is TransferState.DONE

    try:
        wait_until(is_done, END_LIMIT_S)
    except AssertionError:
        complaints.append(Complaint("stuck", f"{transfer_of(client, dataset_id)}"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--round` only that round, without it all."""
    chosen = metafunc.config.getoption("--round")
    blocks = ["block 0", *(pytest.param(f"block {block}", marks=pytest.mark.long) for block in range(1, 22))]
    metafunc.parametrize("what", [pytest.param(chosen, marks=pytest.mark.long)] if chosen else blocks)


@pytest.mark.timeout(600)
def test_network_faults(line: Line, what: str) -> None:
    if what.startswith("block "):
        block, faults = int(what.removeprefix("block ")), 0
        for seed in itertools.count(block * 1000):
            faults += run_round(line, seed)
            if faults >= (50 if block else 100):
                break
    else:
        run_round(line, int(what))
    line.tally.fail_if_any()
