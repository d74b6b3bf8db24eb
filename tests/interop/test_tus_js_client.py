"""tus-js-client, which nobody here wrote, uploads to the workspace server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.interop.conftest import RunScript
from tests.support.workspace import BUCKET, RunningServer

MIB = 1024 * 1024
ROUTES = ("jwt", "signed")
CASES = ("whole", "at once", "open length", "pause", "stored", "abort", "wrong offset", "wrong token")
NAMES = [f"{route} {case}" for route in ROUTES for case in CASES] + [f"parallel {number}" for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def seen(
    run_script: RunScript, workspace_server: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the script observed, run once."""
    user = workspace_server.new_user()
    keys = {name: user.insert(20 * MIB)["storage_path"] for name in NAMES}
    folder: Path = tmp_path_factory.mktemp("urls")
    return run_script(
        "tus_js_client.ts",
        url=workspace_server.url,
        token=user.token,
        bucket=BUCKET,
        uploads={name: {"key": key, "token": user.sign(key).json()["token"]} for name, key in keys.items()},
        folder=str(folder),
    )


def test_every_object_has_the_bytes_that_were_sent(seen: dict[str, Any]) -> None:
    expected = {name: 400 if name.endswith(" abort") else seen["sha256"] for name in NAMES}
    assert seen["objects"] == expected


@pytest.mark.parametrize("route", ROUTES)
def test_a_pause_keeps_what_was_acknowledged(seen: dict[str, Any], route: str) -> None:
    assert 5 * MIB <= seen[f"{route} paused at"] < seen["size"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_stored_address_is_found_and_continued(seen: dict[str, Any], route: str) -> None:
    assert seen[f"{route} found"] == [1, True]
    assert seen[f"{route} went on from"] is True


@pytest.mark.parametrize("route", ROUTES)
def test_an_abort_deletes_the_upload(seen: dict[str, Any], route: str) -> None:
    assert seen[f"{route} aborted"] == [404, 400]


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_offset_is_a_conflict_the_client_recovers_from(seen: dict[str, Any], route: str) -> None:
    assert seen[f"{route} conflicts"] == [[409, "Upload-Offset conflict\n"]]


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_token_is_refused(seen: dict[str, Any], route: str) -> None:
    assert seen[f"{route} refused"] == [400, 400]
