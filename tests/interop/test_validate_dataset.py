"""The Edge Function `validate-dataset` as a whole: the real Deno, supabase's own client, real PostgreSQL and storage.

Its pieces of work are small here, so that files of a few MB take several invocations, and leases short.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.conftest import RunScript, deno_folder
from tests.interop.test_validate_vectors import PLACE
from tests.support.client import open_core, put_object, remove_object, rows, wait_for_end
from tests.support.datasets import Kind, make_dataset
from tests.support.deno import deno_environment
from tests.support.edge_function import Calls, EdgeFunction, edge_function
from tests.support.function_gateway import function_gateway
from tests.support.uploads import await_verdict, start
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.checks import check_file
from lorry.core.model import DatasetStatus

SLICE_BYTES = 32 * 1024 * 1024
UNIT_BYTES = 300_000
LEASE_S = 3
SUFFIX = {"conversation_lines": ".jsonl", "pair_lines": ".jsonl"}


@pytest.fixture(scope="module")
def function(deno: str, workspace_server: RunningServer) -> Iterator[EdgeFunction]:
    environment = deno_environment(deno_folder())
    with edge_function(deno, environment, workspace_server, unit_bytes=UNIT_BYTES, lease_s=LEASE_S) as running:
        yield running


@pytest.fixture
def alice(workspace_server: RunningServer) -> User:
    return workspace_server.new_user()


def manifest(content: bytes) -> dict[str, Any]:
    slices = [content[at : at + SLICE_BYTES] for at in range(0, len(content), SLICE_BYTES)]
    return {
        "algorithm": "sha256",
        "whole": hashlib.sha256(content).hexdigest(),
        "slice_size": SLICE_BYTES,
        "slices": [hashlib.sha256(part).hexdigest() for part in slices],
    }


def confirmed(user: User, content: bytes, *, name: str = "data.jsonl", **columns: Any) -> str:
    """Upload bytes as a dataset and confirm it, as a client does before it calls the function; returns the id."""
    row = user.upload(content, **{"checksums": manifest(content), "file_name": name, **columns})
    with user.client() as client:
        answer = client.post("/rest/v1/rpc/confirm_dataset_upload", json={"p_id": row["id"]})
    assert answer.status_code == 200, answer.text
    return str(row["id"])


def row_of(user: User, dataset_id: str) -> dict[str, Any]:
    (row,) = rows(user.server, id=dataset_id)
    return row


def verdict(user: User, dataset_id: str, limit_s: float = 30) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        row = row_of(user, dataset_id)
        return None if row["status"] == "validating" else row

    row = wait_until(ended, limit_s, "the verdict")
    assert isinstance(row, dict)
    return row


def validated(function: EdgeFunction, user: User, dataset_id: str) -> dict[str, Any]:
    answer = function.call(user.token, dataset_id=dataset_id)
    assert (answer.status_code, answer.json()) == (202, {"success": True, "data": {"status": "validating"}})
    return verdict(user, dataset_id)


def notifications(user: User) -> list[dict[str, Any]]:
    with user.client() as client:
        return list(client.get("/rest/v1/notifications", params={"order": "created_at"}).json())


def invocations(function: EdgeFunction, dataset_id: str) -> list[str]:
    return [said["outcome"] for said in function.outcomes() if said["dataset_id"] == dataset_id]


def made(folder: Path, kind: Kind, size_bytes: int) -> Path:
    return make_dataset(kind, size_bytes, folder / f"data{SUFFIX.get(kind, '.json')}").path


def with_mistakes(path: Path) -> bytes:
    """Mistakes of many kinds all over a file of conversation lines, far apart and across its pieces."""
    lines = path.read_bytes().splitlines(keepends=True)
    step = len(lines) // 12
    for number, (old, new) in enumerate(
        [
            (b'"role":', b'"rol":'),
            (b'"assistant"', b'"gpt"'),
            (b"}]", b"},]"),
            (b'"conversation_id"', b'"conversation-id"'),
            (b'"content": "', b'"content": "ann@example.org '),
            (b'"content": "', b'"content": "<|im_start|>'),
            (b'"turns": [', b'"turns": [7, '),
            (b'{"conversation_id"', b'{"x": 1e999, "conversation_id"'),
        ]
    ):
        line = lines[(number + 1) * step].replace(b'":"', b'": "').replace(b'":[', b'": [')
        assert old in line, (old, line[:200])
        lines[(number + 1) * step] = line.replace(old, new, 1)
    lines.insert(3 * step + 5, b"\n")
    # The last row repeats the first one.
    return b"".join(lines) + lines[0]


@pytest.mark.parametrize("kind", ["conversation_lines", "pair_lines", "v4_document", "v3_document", "array"])
def test_a_good_file_takes_several_invocations_to_ready(
    function: EdgeFunction, alice: User, tmp_path: Path, kind: Kind
) -> None:
    path = made(tmp_path, kind, 1_500_000)
    dataset_id = confirmed(alice, path.read_bytes(), name=path.name)
    row = validated(function, alice, dataset_id)
    expected = check_file(path, declared_format=row["format"]).to_dict()
    assert (row["status"], row["training_ready"], row["error_message"]) == ("ready", True, None)
    assert row["total_training_pairs"] == expected["statistics"]["training_pairs"]
    assert row["total_tokens"] == expected["statistics"]["tokens"]
    assert row["avg_turns_per_conversation"] == expected["statistics"]["avg_turns_per_conversation"]
    assert row["avg_tokens_per_turn"] == expected["statistics"]["avg_tokens_per_turn"]
    assert row["sample_data"] == expected["sample"]
    assert row["validation_errors"]["counts"] == expected["counts"]
    assert row["validation_errors"]["checksums_compared"] is True
    assert row["validation_progress"] is None
    assert len(invocations(function, dataset_id)) >= 4
    assert [note["type"] for note in notifications(alice)] == ["dataset_ready"]


def test_a_bad_file_ends_in_the_findings_of_the_desktop(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    path = made(tmp_path, "conversation_lines", 1_500_000)
    path.write_bytes(with_mistakes(path))
    dataset_id = confirmed(alice, path.read_bytes())
    row = validated(function, alice, dataset_id)
    expected = check_file(path, declared_format=row["format"]).to_dict()
    assert row["status"] == "error"
    assert row["error_message"] == f"The file has {expected['counts']['error']} errors."
    assert expected["counts"]["error"] >= 6
    found = row["validation_errors"]
    assert found["counts"] == expected["counts"]
    assert found["counts_by_code"] == expected["counts_by_code"]
    assert found["total"] == expected["findings_total"]
    places = [[finding[name] for name in PLACE] for finding in found["findings"]]
    assert places == [[finding[name] for name in PLACE] for finding in expected["findings"]]
    (note,) = notifications(alice)
    assert (note["type"], note["priority"]) == ("dataset_error", "high")


def test_only_the_first_hundred_findings_are_in_the_row(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    path = made(tmp_path, "conversation_lines", 1_200_000)
    path.write_bytes(path.read_bytes().replace(b'"assistant"', b'"bot"'))
    row = validated(function, alice, confirmed(alice, path.read_bytes()))
    expected = check_file(path).to_dict()
    assert row["validation_errors"]["counts"] == expected["counts"]
    places = [[finding[name] for name in PLACE] for finding in row["validation_errors"]["findings"]]
    assert places == [[finding[name] for name in PLACE] for finding in expected["findings"][:100]]


def test_the_products_client_uploads_and_gets_the_verdict(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    path = made(tmp_path, "pair_lines", 900_000)
    with function_gateway(function) as url, open_core(alice, tmp_path / "home", url=url) as client:
        dataset_id = start(client, path)
        wait_for_end(client, dataset_id)
        dataset = await_verdict(client, dataset_id)
    assert (dataset.status, dataset.training_ready) == (DatasetStatus.READY, True)
    assert row_of(alice, str(dataset_id))["validation_errors"]["checksums_compared"] is True
    assert len(invocations(function, str(dataset_id))) >= 3


def test_supabase_js_calls_it(function: EdgeFunction, alice: User, tmp_path: Path, run_script: RunScript) -> None:
    dataset_id = confirmed(alice, made(tmp_path, "conversation_lines", 40_000).read_bytes())
    with function_gateway(function) as url:
        seen = run_script(
            "invoke_function.ts", url=url, anonKey=alice.server.anon_key, email=alice.email, password=alice.password,
            datasetId=dataset_id,
        )  # fmt: skip
    assert seen == {
        "invoked": {"success": True, "data": {"status": "validating"}},
        "status": "ready",
        "again": {"success": True, "data": {"status": "ready"}},
        "foreign_status": 404,
    }
    assert len(notifications(alice)) == 1


def test_who_may_ask_for_what(function: EdgeFunction, alice: User) -> None:
    dataset_id = alice.insert()["id"]
    bob = alice.server.new_user()

    def refused(token: str, **body: Any) -> tuple[int, str]:
        answer = function.call(token, **body)
        return answer.status_code, answer.json()["error"]

    assert refused(alice.token, dataset_id=dataset_id) == (409, "The upload of this dataset is not confirmed yet")
    assert refused(bob.token, dataset_id=dataset_id) == (404, "Dataset not found")
    assert refused(alice.token, dataset_id=bob.id) == (404, "Dataset not found")
    assert refused("nonsense", dataset_id=dataset_id)[0] == 401
    assert refused(alice.server.anon_key, dataset_id=dataset_id)[0] in (401, 404)
    assert refused(alice.token, dataset_id="7") == (400, "dataset_id must be a UUID")
    assert refused(alice.token) == (400, "dataset_id is missing")
    with alice.server.bare_client() as http:
        assert http.post(function.url, json={}).status_code == 401
        assert http.get(function.url).status_code == 405
        answer = http.post(function.url, content=b"{", headers={"Authorization": f"Bearer {alice.token}"})
        assert (answer.status_code, answer.json()["error"]) == (400, "The body must be JSON")


def test_other_bytes_than_the_checksums_are_an_error(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    content = made(tmp_path, "conversation_lines", 700_000).read_bytes()
    dataset_id = confirmed(alice, content, checksums=manifest(content[:-2] + b" \n"))
    row = validated(function, alice, dataset_id)
    assert (row["status"], row["training_ready"]) == ("error", False)
    assert row["error_message"].startswith("The stored bytes differ")


@pytest.mark.parametrize("swap", ["gone", "other size", "other version"])
def test_an_object_that_is_not_the_confirmed_one_is_an_error(
    function: EdgeFunction, alice: User, tmp_path: Path, swap: str
) -> None:
    content = made(tmp_path, "conversation_lines", 20_000).read_bytes()
    dataset_id = confirmed(alice, content)
    storage_path = row_of(alice, dataset_id)["storage_path"]
    remove_object(alice.server, storage_path)
    if swap != "gone":
        put_object(alice.server, storage_path, content + b"\n" if swap == "other size" else content)
    row = validated(function, alice, dataset_id)
    words = "not in storage any more" if swap == "gone" else "not the one that was confirmed"
    assert (row["status"], words in row["error_message"]) == ("error", True)


def test_without_checksums_nothing_is_proved_but_all_is_checked(
    function: EdgeFunction, alice: User, tmp_path: Path
) -> None:
    content = made(tmp_path, "conversation_lines", 600_000).read_bytes()
    row = validated(function, alice, confirmed(alice, content, checksums=None))
    assert (row["status"], row["validation_errors"]["checksums_compared"]) == ("ready", False)


def test_the_same_bytes_in_another_dataset_are_a_warning(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    content = made(tmp_path, "conversation_lines", 20_000).read_bytes()
    first = validated(function, alice, confirmed(alice, content))
    second = validated(function, alice, confirmed(alice, content))
    stranger = alice.server.new_user()
    elsewhere = validated(function, stranger, confirmed(stranger, content))
    codes = [row["validation_errors"]["counts_by_code"].get("F17", 0) for row in (first, second, elsewhere)]
    assert codes == [0, 1, 0]


def test_an_error_can_be_validated_again(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    path = made(tmp_path, "conversation_lines", 600_000)
    path.write_bytes(with_mistakes(path))
    dataset_id = confirmed(alice, path.read_bytes())
    first = validated(function, alice, dataset_id)
    assert function.call(alice.token, dataset_id=dataset_id).json()["data"] == {"status": "error"}
    with alice.client() as client:
        assert client.post("/rest/v1/rpc/revalidate_dataset", json={"p_id": dataset_id}).status_code == 200
    second = validated(function, alice, dataset_id)
    assert second["validation_errors"] == first["validation_errors"]
    assert len(notifications(alice)) == 2


def is_held(user: User, dataset_id: str) -> bool:
    progress = row_of(user, dataset_id)["validation_progress"]
    return bool(progress and progress["run"])


@pytest.mark.skipif(os.name == "nt", reason="only on systems with SIGKILL")
def test_a_run_killed_in_its_work_is_taken_over_after_its_lease(
    deno: str, workspace_server: RunningServer, alice: User, tmp_path: Path
) -> None:
    path = made(tmp_path, "pair_lines", 30_000_000)
    dataset_id = confirmed(alice, path.read_bytes())
    environment = deno_environment(deno_folder())
    with edge_function(deno, environment, workspace_server, lease_s=LEASE_S) as first:
        first.call(alice.token, dataset_id=dataset_id)
        wait_until(lambda: is_held(alice, dataset_id), what="a claim")
        first.kill()
    assert is_held(alice, dataset_id)
    with edge_function(deno, environment, workspace_server, lease_s=LEASE_S) as second:

        def asked_again() -> bool:
            # As a client does that polls a row which does not move.
            second.call(alice.token, dataset_id=dataset_id)
            return row_of(alice, dataset_id)["status"] != "validating"

        wait_until(asked_again, 60, "the take-over")
        outcomes = invocations(second, dataset_id)
    row = row_of(alice, dataset_id)
    assert (row["status"], outcomes.count("ended")) == ("ready", 1)
    assert row["total_training_pairs"] == check_file(path).statistics["training_pairs"]
    assert len(notifications(alice)) == 1


def test_a_chain_that_broke_goes_on_from_its_checkpoint(
    function: EdgeFunction, deno: str, workspace_server: RunningServer, alice: User, tmp_path: Path
) -> None:
    path = made(tmp_path, "v4_document", 1_500_000)
    dataset_id = confirmed(alice, path.read_bytes(), name=path.name)
    environment = deno_environment(deno_folder())
    with (
        Calls() as calls,
        edge_function(deno, environment, workspace_server, next_url=calls.url, unit_bytes=UNIT_BYTES) as first,
    ):
        first.call(alice.token, dataset_id=dataset_id)
        wait_until(lambda: calls.count, what="the call for the next piece")
    progress = row_of(alice, dataset_id)["validation_progress"]
    assert 0 < progress["next_byte"] < progress["size"] == path.stat().st_size
    row = validated(function, alice, dataset_id)
    assert row["total_training_pairs"] == check_file(path).statistics["training_pairs"]
    # It did not begin again.
    assert len(invocations(function, dataset_id)) <= 1 + (progress["size"] - progress["next_byte"]) // UNIT_BYTES + 1


def test_two_chains_on_one_dataset_take_turns(
    function: EdgeFunction, deno: str, workspace_server: RunningServer, alice: User, tmp_path: Path
) -> None:
    path = made(tmp_path, "pair_lines", 2_500_000)
    path.write_bytes(path.read_bytes() + path.read_bytes().split(b"\n")[1] + b"\n")
    dataset_id = confirmed(alice, path.read_bytes())
    environment = deno_environment(deno_folder())
    with edge_function(deno, environment, workspace_server, unit_bytes=UNIT_BYTES) as other:
        for running in (function, other, function, other):
            assert running.call(alice.token, dataset_id=dataset_id).status_code == 202
        row = verdict(alice, dataset_id)

        def outcomes_now() -> list[str]:
            return invocations(function, dataset_id) + invocations(other, dataset_id)

        # The last invocation writes its line after the verdict is in the row.
        wait_until(lambda: "ended" in outcomes_now(), what="the last line of the function's log")
        outcomes = outcomes_now()
    expected = check_file(path, declared_format=row["format"]).to_dict()
    assert row["validation_errors"]["counts_by_code"] == expected["counts_by_code"]
    assert row["total_tokens"] == expected["statistics"]["tokens"]
    assert (outcomes.count("ended"), "taken" in outcomes) == (1, True)
    assert len(notifications(alice)) == 1


def test_the_sweep_takes_up_what_was_left_behind(function: EdgeFunction, alice: User, tmp_path: Path) -> None:
    content = made(tmp_path, "conversation_lines", 20_000).read_bytes()
    waiting = [confirmed(alice, content + b" " * number + b"\n") for number in range(3)]
    answer = function.call(alice.server.service_key)
    assert answer.status_code == 202
    assert answer.json()["data"]["waiting"] >= 3
    assert {verdict(alice, dataset_id)["status"] for dataset_id in waiting} == {"ready"}


def test_what_a_file_holds_cannot_stop_the_verdict(function: EdgeFunction, alice: User) -> None:
    """Keys and texts that no database column takes: NUL, halves of characters, very many keys."""
    strange = [
        '{"conversation_id": "a\\u0000", "turns": [{"role": "user\\ud800", "content": "x\\u0000\\udc00"}]}',
        '{"conversation_id": "b", "\\u0000": 1, "\\u0000": 2, "turns": [{"role": "assistant", "content": ""}]}',
        "[" * 200_000,
        json.dumps({"conversation_id": "c", "turns": [], **{f"k{number}": number for number in range(3_000)}}),
    ]
    row = validated(function, alice, confirmed(alice, "\n".join(strange).encode()))
    assert row["status"] == "error"
    assert row["validation_errors"]["counts_by_code"]["F18"] == 1
    assert row["sample_data"][0]["conversation_id"] == "a\ufffd"
