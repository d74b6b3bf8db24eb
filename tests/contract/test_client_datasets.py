"""The client against a real server: create, confirm, read, list, search, and whose datasets are whose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from tests.support.client import (
    Wire,
    holds_nothing,
    objects,
    open_core,
    open_wire,
    put_object,
    remove_object,
    rows,
    service,
)
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import Answer, Before, Fault, busy, portal
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.errors import AuthError, ErrorCode, LorryError, RejectedError
from lorry.core.events import DatasetsStale
from lorry.core.model import Dataset, DatasetDraft, DatasetQuery, DatasetStatus, UploadTicket

CONTENT = b'{"conversation_id": "c1", "turns": [{"role": "user", "content": "hello"}]}\n'


@pytest.fixture
def client(alice: User, tmp_path: Path) -> Iterator[Client]:
    with open_core(alice, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    with FaultServer(workspace_server.url) as server:
        yield server


@pytest.fixture
def wire(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Wire]:
    with open_wire(alice, tmp_path, url=proxy.url) as opened:
        yield opened


def draft(name: str = "Coaching", size_bytes: int = len(CONTENT), **more: object) -> DatasetDraft:
    values = {"name": name, "file_name": "Mein Datensatz.jsonl", "file_size": size_bytes} | more
    return DatasetDraft.model_validate(values)


def send(ticket: UploadTicket, content: bytes = CONTENT) -> None:
    with httpx.Client(trust_env=False) as http:
        answer = http.put(ticket.upload_url, content=content, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text


def raised(action: object, *arguments: object) -> LorryError:
    assert callable(action)
    with pytest.raises(LorryError) as caught:
        action(*arguments)
    return caught.value


def names(client: Client, query: DatasetQuery | None = None) -> list[str]:
    return [dataset.name for dataset in client.list_datasets(query, force=True).datasets]


def test_a_created_dataset_is_a_row_and_leave_to_send(client: Client, alice: User) -> None:
    before = datetime.now(UTC)
    ticket = client.create_dataset(draft(description="two\nlines", format="brightrun_lora_v3"))
    assert ticket.storage_path == f"{alice.id}/{ticket.dataset_id}/Mein_Datensatz.jsonl"
    assert ticket.upload_url.startswith(f"{alice.server.url}/storage/v1/object/upload/sign/lora-datasets/")
    life = ticket.expires_at - before
    assert timedelta(minutes=59) < life < timedelta(minutes=61)
    (row,) = rows(alice.server, id=str(ticket.dataset_id))
    assert row["user_id"] == alice.id
    assert (row["status"], row["name"], row["description"]) == ("uploading", "Coaching", "two\nlines")
    assert (row["format"], row["file_name"], row["file_size"]) == (
        "brightrun_lora_v3",
        "Mein Datensatz.jsonl",
        len(CONTENT),
    )
    # A path, never an address: addresses change and carry tokens.
    assert row["storage_path"] == ticket.storage_path
    assert "://" not in str(row) and "token=" not in str(row)


def test_create_send_confirm_ends_in_ready(client: Client, tmp_path: Path) -> None:
    made = make_dataset("conversation_lines", 20_000, tmp_path / "good.jsonl")
    good = made.path.read_bytes()
    ticket = client.create_dataset(draft(size_bytes=len(good)))
    send(ticket, good)
    assert client.confirm_dataset(ticket.dataset_id).status is DatasetStatus.VALIDATING
    done = wait_until(lambda: verdict(client, ticket.dataset_id), what="the verdict")
    assert (done.status, done.total_training_pairs) == (DatasetStatus.READY, made.training_pairs)
    assert done.training_ready and done.validated_at is not None
    # Repeating it is harmless and tells the same.
    assert client.confirm_dataset(ticket.dataset_id).status is DatasetStatus.READY


def verdict(client: Client, dataset_id: UUID) -> Dataset | None:
    dataset = client.get_dataset(dataset_id)
    return dataset if dataset.status in (DatasetStatus.READY, DatasetStatus.ERROR) else None


def storage_error(status: str, error: str, message: str) -> Answer:
    body = f'{{"statusCode":"{status}","error":"{error}","message":"{message}"}}'.encode()
    return Answer(400, body, {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (storage_error("403", "Unauthorized", "new row violates row-level security policy"), ErrorCode.FORBIDDEN),
        (busy(503, "2"), ErrorCode.SERVER_BUSY),
        (portal(), ErrorCode.NOT_THE_SERVER),
        (Answer(200, b"{}", {"Content-Type": "application/json"}), ErrorCode.UNEXPECTED_ANSWER),
    ],
)
def test_when_signing_fails_nothing_stays_behind(
    alice: User, proxy: FaultServer, tmp_path: Path, fault: Fault, code: ErrorCode
) -> None:
    proxy.on("/object/upload/sign/", fault)
    with open_core(alice, tmp_path, url=proxy.url) as client:
        error = raised(client.create_dataset, draft())
    assert (error.code, error.step) == (code, "create the dataset")
    assert proxy.seen("/rest/v1/datasets", "POST") and holds_nothing(alice)


def test_when_the_row_is_gone_before_signing_the_server_refuses_and_nothing_stays(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    def remove_row() -> None:
        with service(alice.server) as http:
            http.delete("/rest/v1/datasets", params={"user_id": f"eq.{alice.id}"})

    proxy.on("/object/upload/sign/", Before(remove_row))
    with open_core(alice, tmp_path, url=proxy.url) as client:
        error = raised(client.create_dataset, draft())
    assert error.code is ErrorCode.FORBIDDEN
    assert holds_nothing(alice)


def test_when_the_row_cannot_be_taken_back_the_first_error_stays_and_says_both(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    proxy.on("/object/upload/sign/", busy(500))
    proxy.on("/rpc/purge_dataset", busy(503))
    with open_core(alice, tmp_path, url=proxy.url) as client:
        error = raised(client.create_dataset, draft())
    assert error.code is ErrorCode.SERVER_BROKEN
    assert "could not be taken back" in error.detail


@pytest.mark.parametrize("foreign", [True, False])
def test_confirming_what_is_not_the_users_finds_nothing(client: Client, bob: User, foreign: bool) -> None:
    dataset_id = UUID(bob.upload(CONTENT)["id"]) if foreign else uuid4()
    error = raised(client.confirm_dataset, dataset_id)
    assert isinstance(error, RejectedError)
    assert (error.code, error.step) == (ErrorCode.NOT_FOUND, "confirm the upload")
    assert "Dataset not found" in error.detail
    if foreign:
        assert rows(bob.server, id=str(dataset_id))[0]["status"] == "uploading"


@pytest.mark.parametrize(
    ("content", "code"), [(None, ErrorCode.OBJECT_MISSING), (CONTENT[:-1], ErrorCode.OBJECT_DIFFERS)]
)
def test_confirming_what_has_not_arrived_whole(client: Client, content: bytes | None, code: ErrorCode) -> None:
    ticket = client.create_dataset(draft())
    if content is not None:
        send(ticket, content)
    assert raised(client.confirm_dataset, ticket.dataset_id).code is code
    assert client.get_dataset(ticket.dataset_id).status is DatasetStatus.UPLOADING


def test_confirming_after_the_object_was_swapped(client: Client, alice: User) -> None:
    ticket = client.create_dataset(draft())
    send(ticket)
    client.confirm_dataset(ticket.dataset_id)
    remove_object(alice.server, ticket.storage_path)
    put_object(alice.server, ticket.storage_path, CONTENT)
    assert raised(client.confirm_dataset, ticket.dataset_id).code is ErrorCode.OBJECT_DIFFERS


def test_two_users_see_nothing_of_each_other(client: Client, alice: User, bob: User, tmp_path: Path) -> None:
    ticket = client.create_dataset(draft("Of Alice"))
    send(ticket)
    with open_core(bob, tmp_path / "bob") as other:
        assert other.list_datasets().total == 0
        for action in (
            lambda: other.get_dataset(ticket.dataset_id),
            lambda: other.confirm_dataset(ticket.dataset_id),
            lambda: other.rename_dataset(ticket.dataset_id, "Mine now", None),
            lambda: other.delete_dataset(ticket.dataset_id),
            lambda: other.restore_dataset(ticket.dataset_id),
            lambda: other.validate_again(ticket.dataset_id),
        ):
            assert raised(action).code is ErrorCode.NOT_FOUND
    assert names(client) == ["Of Alice"]
    assert objects(alice.server, f"{alice.id}/{ticket.dataset_id}") == ["Mein_Datensatz.jsonl"]


def test_nothing_is_sent_for_somebody_who_is_not_signed_in(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(CONTENT)
    with open_core(alice, tmp_path / "home", url=proxy.url, is_signed_in=False) as client:
        for action in (
            lambda: client.list_datasets(),
            lambda: client.get_dataset(uuid4()),
            lambda: client.create_dataset(draft()),
            lambda: client.confirm_dataset(uuid4()),
            lambda: client.validate_again(uuid4()),
            lambda: client.rename_dataset(uuid4(), "Other", None),
            lambda: client.delete_dataset(uuid4()),
            lambda: client.restore_dataset(uuid4()),
            lambda: client.upload(file, draft()),
            lambda: client.resume_interrupted(),
        ):
            error = raised(action)
            assert isinstance(error, AuthError)
            assert error.code is ErrorCode.NOT_SIGNED_IN
    assert proxy.requests == []


def test_a_rename_changes_name_and_description_alone(client: Client, alice: User) -> None:
    row = alice.insert(name="before")
    changed = client.rename_dataset(UUID(row["id"]), "after", "why")
    assert (changed.name, changed.description, changed.storage_path) == ("after", "why", row["storage_path"])
    error = raised(client.rename_dataset, UUID(row["id"]), "x", None)
    assert (error.code, error.step) == (ErrorCode.INVALID_VALUE, "rename the dataset")
    assert raised(client.rename_dataset, uuid4(), "other", None).code is ErrorCode.NOT_FOUND


def test_create_confirm_delete_and_restore_make_the_list_stale(client: Client) -> None:
    def reads() -> int:
        return client.list_datasets().total

    assert reads() == 0
    ticket = client.create_dataset(draft())
    assert reads() == 1
    assert client.list_datasets().datasets[0].status is DatasetStatus.UPLOADING
    send(ticket)
    client.confirm_dataset(ticket.dataset_id)
    assert client.list_datasets().datasets[0].status is not DatasetStatus.UPLOADING
    client.delete_dataset(ticket.dataset_id)
    assert reads() == 0
    client.restore_dataset(ticket.dataset_id)
    assert reads() == 1
    client.rename_dataset(ticket.dataset_id, "Renamed", None)
    assert client.list_datasets().datasets[0].name == "Renamed"
    assert sum(isinstance(event, DatasetsStale) for event in client.drain()) >= 5


def test_inserting_twice_is_one_row_and_a_foreign_id_is_a_conflict(wire: Wire, alice: User, bob: User) -> None:
    dataset_id = uuid4()
    path = f"{alice.id}/{dataset_id}/a.jsonl"
    first = wire.remote.datasets.insert(dataset_id, UUID(alice.id), path, draft())
    again = wire.remote.datasets.insert(dataset_id, UUID(alice.id), path, draft())
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert len(rows(alice.server, user_id=alice.id)) == 1
    other_size = raised(wire.remote.datasets.insert, dataset_id, UUID(alice.id), path, draft(size_bytes=7))
    assert other_size.code is ErrorCode.ALREADY_EXISTS
    taken = UUID(bob.insert()["id"])
    foreign = raised(
        wire.remote.datasets.insert, taken, UUID(alice.id), f"{alice.id}/{taken}/a.jsonl", draft("Taken id")
    )
    assert foreign.code is ErrorCode.ALREADY_EXISTS


def test_removing_what_is_not_there_is_success(wire: Wire, alice: User) -> None:
    wire.remote.objects.remove(f"{alice.id}/{uuid4()}/a.jsonl")
    wire.remote.datasets.purge(uuid4())
    assert wire.remote.objects.info(f"{alice.id}/{uuid4()}/a.jsonl") is None


def test_a_download_link_gives_the_bytes_to_anybody(wire: Wire, alice: User) -> None:
    row = alice.upload(CONTENT)
    link = wire.remote.objects.download_url(row["storage_path"], 60)
    with httpx.Client(trust_env=False) as http:
        assert http.get(link).content == CONTENT
    info = wire.remote.objects.info(row["storage_path"])
    assert info is not None and info.size_bytes == len(CONTENT)


def test_the_limits_are_the_buckets(wire: Wire) -> None:
    limits = wire.remote.datasets.limits()
    assert limits["file_size_limit"] == 524_288_000
    assert "application/x-ndjson" in limits["allowed_mime_types"]


def test_a_function_that_is_not_there_is_named(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    missing = Answer(404, b'{"code":"NOT_FOUND","message":"Requested function was not found"}', _JSON)
    proxy.on("/functions/v1/", missing)
    with open_core(alice, tmp_path, url=proxy.url) as client:
        ticket = client.create_dataset(draft())
        send(ticket)
        error = raised(client.confirm_dataset, ticket.dataset_id)
    assert (error.code, error.step) == (ErrorCode.FUNCTION_MISSING, "start the validation")
    assert rows(alice.server, id=str(ticket.dataset_id))[0]["status"] == "validating"


_JSON = {"Content-Type": "application/json"}
