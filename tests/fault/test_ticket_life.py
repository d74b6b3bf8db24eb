"""Leave to send a file lasts shorter than the sending: the upload renews it as it goes, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.client import open_core, wait_for_end
from tests.support.fault_server import FaultServer, Throttle
from tests.support.kill_checks import check_server
from tests.support.kill_files import exact_file
from tests.support.uploads import start
from tests.support.workspace import RunningServer, short_folder

from lorry.core.transfers import TransferState

LIFE_S = 1
#: A piece of 6 MiB takes most of a ticket's life, one of 12 MiB more than it.
SLOW = Throttle(15_000_000)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with short_folder() as folder:
        started = RunningServer.start(folder, "--upload-url-life-s", str(LIFE_S))
        yield started
        started.stop()


def test_an_upload_outlives_its_tickets(server: RunningServer, tmp_path: Path) -> None:
    file, user = exact_file(tmp_path, "27MiB"), server.new_user()
    with FaultServer(server.url) as proxy:
        proxy.on("/upload/resumable/sign/", SLOW, method="PATCH")
        with open_core(user, tmp_path / "home", url=proxy.url) as client:
            ended = wait_for_end(client, start(client, file.path))
        sent_bytes = sum(seen.body_bytes for seen in proxy.seen("/upload/resumable/sign/", "PATCH"))
        signatures = {seen.headers["x-signature"] for seen in proxy.seen("/upload/resumable/sign/", "PATCH")}
    assert (ended.state, ended.error) == (TransferState.DONE, None)
    assert sent_bytes == file.size_bytes
    assert len(signatures) > 1
    assert check_server(user, [file], kills=0) == []
