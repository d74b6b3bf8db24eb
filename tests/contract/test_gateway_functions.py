"""The validation function over HTTP: a confirmed upload gets its verdict from the real checks."""

from __future__ import annotations

import hashlib
import json
import signal
from typing import Any
from uuid import uuid4

import pytest
from tests.support.workspace import BUCKET, RunningServer, User, short_folder, wait_until

FUNCTION = "/functions/v1/validate-dataset"


def conversation(index: int) -> bytes:
    turns = [
        {"role": "user", "content": f"question number {index}"},
        {"role": "assistant", "content": f"answer number {index}"},
    ]
    return json.dumps({"conversation_id": f"c{index}", "turns": turns}).encode() + b"\n"


GOOD = b"".join(conversation(index) for index in range(12))
BAD = GOOD + b'{"conversation_id": "c99", "turns": []}\n'


def confirmed(user: User, content: bytes, **columns: Any) -> dict[str, Any]:
    row = user.upload(content, **columns)
    with user.client() as client:
        answer = client.post("/rest/v1/rpc/confirm_dataset_upload", json={"p_id": row["id"]})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def read(user: User, dataset_id: str) -> dict[str, Any]:
    with user.client(Accept="application/vnd.pgrst.object+json") as client:
        return dict(client.get(f"/rest/v1/datasets?id=eq.{dataset_id}").json())


def verdict(user: User, dataset_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        row = read(user, dataset_id)
        return row if row["status"] in ("ready", "error") else None

    row: dict[str, Any] = wait_until(ended, 40, "the verdict")
    return row


def invoke(user: User, dataset_id: str) -> tuple[int, Any]:
    with user.client() as client:
        answer = client.post(FUNCTION, json={"dataset_id": dataset_id})
    return answer.status_code, answer.json()


def test_a_good_file_becomes_ready(alice: User) -> None:
    row = confirmed(alice, GOOD)
    assert invoke(alice, row["id"]) == (202, {"success": True, "data": {"status": "validating"}})
    done = verdict(alice, row["id"])
    assert (done["status"], done["training_ready"], done["error_message"]) == ("ready", True, None)
    assert done["total_training_pairs"] == 12
    assert done["avg_turns_per_conversation"] == 2.0
    assert done["total_tokens"] > 0
    assert done["validated_at"]
    assert len(done["sample_data"]) == 3
    assert done["validation_errors"]["counts"]["error"] == 0
    with alice.client() as client:
        notes = client.get("/rest/v1/notifications?select=type").json()
    assert notes == [{"type": "dataset_ready"}]


def test_a_bad_file_ends_in_error_with_findings(alice: User) -> None:
    row = confirmed(alice, BAD)
    invoke(alice, row["id"])
    done = verdict(alice, row["id"])
    assert (done["status"], done["training_ready"]) == ("error", False)
    assert done["error_message"]
    finding = done["validation_errors"]["findings"][0]
    assert (finding["code"], finding["level"], finding["line"]) == ("C01", "error", 13)
    # A finished run is not repeated by asking again.
    assert invoke(alice, row["id"]) == (202, {"success": True, "data": {"status": "error"}})


def test_an_error_can_be_validated_again(alice: User) -> None:
    row = confirmed(alice, BAD)
    invoke(alice, row["id"])
    first = verdict(alice, row["id"])
    with alice.client() as client:
        again = client.post("/rest/v1/rpc/revalidate_dataset", json={"p_id": row["id"]}).json()
    assert again["status"] == "validating"
    invoke(alice, row["id"])
    second = verdict(alice, row["id"])
    assert second["validation_errors"] == first["validation_errors"]
    assert second["validated_at"] > first["validated_at"]


def test_asking_many_times_runs_once(alice: User) -> None:
    row = confirmed(alice, GOOD)
    for _ in range(5):
        assert invoke(alice, row["id"])[0] == 202
    verdict(alice, row["id"])
    with alice.client() as client:
        assert len(client.get("/rest/v1/notifications").json()) == 1


def test_other_peoples_datasets_are_not_found(alice: User, bob: User) -> None:
    row = confirmed(alice, GOOD)
    missing = (404, {"error": "Dataset not found", "details": None})
    assert invoke(bob, row["id"]) == missing
    assert invoke(bob, str(uuid4())) == missing
    anonymous = User(alice.server, "", "", {"access_token": alice.server.anon_key})
    assert invoke(anonymous, row["id"]) == missing
    assert read(alice, row["id"])["status"] == "validating"


def test_only_confirmed_uploads_are_validated(alice: User) -> None:
    row = alice.upload(GOOD)
    assert invoke(alice, row["id"])[0] == 409
    assert read(alice, row["id"])["status"] == "uploading"


@pytest.mark.parametrize("body", [{}, {"dataset_id": "x"}, {"dataset_id": 5}, [], "text"])
def test_a_bad_request_is_400(alice: User, body: Any) -> None:
    with alice.client() as client:
        assert client.post(FUNCTION, json=body).status_code == 400
        assert client.post(FUNCTION, content=b"{").status_code == 400
        assert client.post("/functions/v1/another", json={}).status_code == 404


def test_a_token_is_needed(workspace_server: RunningServer) -> None:
    with workspace_server.client("garbage") as client:
        assert client.post(FUNCTION, json={"dataset_id": str(uuid4())}).status_code == 401


def test_bytes_that_changed_after_the_confirmation_are_refused(workspace_server: RunningServer, alice: User) -> None:
    row = confirmed(alice, GOOD)
    replaced = GOOD.replace(b"answer", b"ANSWER")
    with workspace_server.client(workspace_server.service_key) as client:
        answer = client.put(
            f"/storage/v1/object/{BUCKET}/{row['storage_path']}",
            content=replaced,
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 200, answer.text
    invoke(alice, row["id"])
    done = verdict(alice, row["id"])
    assert done["status"] == "error"
    assert "not the one that was confirmed" in done["error_message"]


def test_the_checksum_of_the_client_is_compared(alice: User) -> None:
    wrong = hashlib.sha256(b"other bytes").hexdigest()
    checksums = {"algorithm": "sha256", "whole": wrong, "slice_size": 33554432, "slices": [wrong]}
    row = confirmed(alice, GOOD, checksums=checksums)
    invoke(alice, row["id"])
    done = verdict(alice, row["id"])
    assert (done["status"], done["training_ready"]) == ("error", False)
    assert "differ" in done["error_message"]


def test_the_service_takes_up_what_waits(workspace_server: RunningServer, alice: User) -> None:
    rows = [confirmed(alice, content) for content in (GOOD, BAD)]
    key = workspace_server.service_key
    with workspace_server.client(key, apikey=key) as client:
        answer = client.post(FUNCTION, json={})
    assert answer.status_code == 202
    assert [verdict(alice, row["id"])["status"] for row in rows] == ["ready", "error"]


def test_a_start_takes_up_what_a_kill_left() -> None:
    with short_folder() as folder:
        server = RunningServer.start(folder)
        user = server.new_user()
        row = confirmed(user, GOOD)
        server.stop(signal.SIGKILL)
        again = RunningServer.start(folder)
        same = User(again, user.email, user.password, user.session)
        assert verdict(same, row["id"])["status"] == "ready"
        again.stop()
