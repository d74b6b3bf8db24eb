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
from tests.support.fault_server import Answer, Before, Fault, FaultServer, busy, portal
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.errors import AuthError, ErrorCode, LorryError, RejectedError, ServerError
from lorry.core.events import DatasetsStale
from lorry.core.model import Dataset, DatasetDraft, DatasetFormat, DatasetQuery, DatasetStatus, UploadTicket
from lorry.core.sync import FRESH_S, DatasetList

CONTENT = b'{"conversation_id": "c1", "turns": [{"role": "user", "content": "hello"}]}\n'
LIST = r"/rest/v1/(datasets|rpc/search_datasets)"


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
        (storage_error("404", "Bucket not found", "Bucket not found"), ErrorCode.NOT_FOUND),
        (storage_error("500", "Internal", "broken"), ErrorCode.SERVER_BROKEN),
        (busy(503, "2"), ErrorCode.SERVER_BUSY),
        (portal(), ErrorCode.NOT_THE_SERVER),
        (Answer(200, b"{}", {"Content-Type": "application/json"}), ErrorCode.UNEXPECTED_ANSWER),
        (Answer(200, b'{"url": 7}', {"Content-Type": "application/json"}), ErrorCode.UNEXPECTED_ANSWER),
        (Answer(200, b'{"url": "/no/token"}', {"Content-Type": "application/json"}), ErrorCode.UNEXPECTED_ANSWER),
        (Answer(200, b"", {"Content-Type": "application/json"}), ErrorCode.NOT_THE_SERVER),
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


def test_pages_are_cut_newest_first_and_counted(client: Client, alice: User) -> None:
    made = [alice.insert(name=f"set {number:02}")["name"] for number in range(7)]
    newest_first = made[::-1]
    first = client.list_datasets(DatasetQuery(limit=3))
    assert ([d.name for d in first.datasets], first.total, first.total_pages) == (newest_first[:3], 7, 3)
    assert names(client, DatasetQuery(page=2, limit=3)) == newest_first[3:6]
    assert names(client, DatasetQuery(page=3, limit=3)) == newest_first[6:]
    assert names(client) == newest_first


def test_a_page_beyond_the_last_is_empty_and_still_knows_the_total(client: Client, alice: User) -> None:
    alice.insert()
    page = client.list_datasets(DatasetQuery(page=9, limit=25))
    assert (page.datasets, page.total, page.total_pages) == ((), 1, 1)
    page = client.list_datasets(DatasetQuery(page=2, search="no such name"))
    assert (page.datasets, page.total) == ((), 0)


def test_an_empty_list_is_a_page(client: Client) -> None:
    page = client.list_datasets()
    assert (page.datasets, page.total, page.total_pages, page.unreadable) == ((), 0, 0, 0)


def test_filters_go_together(client: Client, alice: User) -> None:
    alice.insert(name="old v3", format="brightrun_lora_v3")
    confirmed = alice.upload(b"not a dataset", name="broken v4")
    client.confirm_dataset(UUID(confirmed["id"]))
    alice.insert(name="waiting v4")
    wait_until(lambda: verdict(client, UUID(confirmed["id"])), what="the verdict")
    v3, v4 = DatasetFormat.BRIGHTRUN_LORA_V3, DatasetFormat.BRIGHTRUN_LORA_V4
    uploading, error = DatasetStatus.UPLOADING, DatasetStatus.ERROR
    assert names(client, DatasetQuery(format=v3)) == ["old v3"]
    assert names(client, DatasetQuery(format=v4)) == ["waiting v4", "broken v4"]
    assert names(client, DatasetQuery(status=error)) == ["broken v4"]
    assert names(client, DatasetQuery(status=uploading, format=v4)) == ["waiting v4"]
    assert names(client, DatasetQuery(status=uploading, format=v4, search="OLD")) == []
    assert names(client, DatasetQuery(status=uploading, search="v")) == ["waiting v4", "old v3"]
    assert names(client, DatasetQuery(status=DatasetStatus.READY)) == []


AWKWARD = [
    "100 % cotton",
    "under_score",
    "back\\slash",
    "star * name",
    "comma, (paren) and . dot",
    "quote \" and ' quote",
    "Ünïcode Straße",
    "ΣΊΣΥΦΟΣ",
    "مجموعة بيانات",
    "a&b=c#d?e+f",
    "colon: semi; :: cast",
    "{brace} [bracket] <angle>",
    "plain cotton",
]


def test_search_takes_every_character_literally(client: Client, alice: User) -> None:
    for name in AWKWARD:
        alice.insert(name=name)
    for name in AWKWARD:
        assert names(client, DatasetQuery(search=name)) == [name]
        assert names(client, DatasetQuery(search=name.upper().replace("SS", "ß") if "ß" in name else name.upper())) == [
            name
        ]
        assert names(client, DatasetQuery(search=name[2:-2])) == [name]
    for wildcard, found in (
        ("%", ["100 % cotton"]),
        ("_", ["under_score"]),
        ("\\", ["back\\slash"]),
        ("*", ["star * name"]),
        ("%cotton", []),
        ("s*e", []),
        ("un_er", []),
        ("'", ["quote \" and ' quote"]),
        ("cotton", ["plain cotton", "100 % cotton"]),
    ):
        assert names(client, DatasetQuery(search=wildcard)) == found, wildcard


def test_a_deleted_dataset_is_hidden_until_it_is_restored(client: Client, alice: User) -> None:
    keep, drop = alice.insert(name="keep"), alice.insert(name="drop")
    client.delete_dataset(UUID(drop["id"]))
    assert names(client) == ["keep"]
    assert names(client, DatasetQuery(search="drop")) == []
    client.restore_dataset(UUID(drop["id"]))
    assert names(client) == ["drop", "keep"]
    assert keep["name"] == "keep"


def test_a_rename_changes_name_and_description_alone(client: Client, alice: User) -> None:
    row = alice.insert(name="before")
    changed = client.rename_dataset(UUID(row["id"]), "after", "why")
    assert (changed.name, changed.description, changed.storage_path) == ("after", "why", row["storage_path"])
    error = raised(client.rename_dataset, UUID(row["id"]), "x", None)
    assert (error.code, error.step) == (ErrorCode.INVALID_VALUE, "rename the dataset")
    assert raised(client.rename_dataset, uuid4(), "other", None).code is ErrorCode.NOT_FOUND


def test_a_list_is_fresh_for_sixty_seconds(wire: Wire, proxy: FaultServer, alice: User) -> None:
    now = 5000.0
    listing = DatasetList(wire.remote.datasets, clock=lambda: now)
    assert listing.read(DatasetQuery()).total == 0
    alice.insert()
    now += FRESH_S - 0.01
    assert listing.read(DatasetQuery()).total == 0
    assert len(proxy.seen(LIST)) == 1
    # Another question has an answer of its own.
    assert listing.read(DatasetQuery(limit=5)).total == 1
    now += 0.02
    assert listing.read(DatasetQuery()).total == 1
    assert listing.read(DatasetQuery(), force=True).total == 1
    assert len(proxy.seen(LIST)) == 4
    listing.forget()
    assert listing.read(DatasetQuery()).total == 1
    assert len(proxy.seen(LIST)) == 5


def test_what_was_read_before_a_change_is_not_kept_after_it(wire: Wire, proxy: FaultServer, alice: User) -> None:
    listing = DatasetList(wire.remote.datasets)
    proxy.on(LIST, Before(listing.forget), times=1)
    listing.read(DatasetQuery())
    alice.insert()
    assert listing.read(DatasetQuery()).total == 1


@pytest.mark.parametrize("fault", [busy(503), busy(500), portal()])
def test_a_failed_read_is_tried_once_more(wire: Wire, proxy: FaultServer, fault: Fault) -> None:
    listing = DatasetList(wire.remote.datasets)
    proxy.on(LIST, fault, times=1)
    assert listing.read(DatasetQuery()).total == 0
    assert len(proxy.seen(LIST)) == 2
    proxy.on(LIST, fault)
    error = raised(listing.read, DatasetQuery(limit=7))
    assert (error.retryable, error.step) == (True, "read the list of datasets")
    assert len(proxy.seen(LIST)) == 4


def test_a_refused_read_is_not_tried_again(wire: Wire, proxy: FaultServer) -> None:
    denied = Answer(403, b'{"code":"42501","message":"no"}', {"Content-Type": "application/json"})
    proxy.on(LIST, denied)
    assert raised(DatasetList(wire.remote.datasets).read, DatasetQuery()).code is ErrorCode.FORBIDDEN
    assert len(proxy.seen(LIST)) == 1


@pytest.mark.parametrize(
    "body",
    [b"[]", b'[{"id": 1}]', b'"rows"', b"{}", b"null", b"[1, 2]"],
)
def test_a_list_without_its_total_is_no_list(wire: Wire, proxy: FaultServer, body: bytes) -> None:
    proxy.on(LIST, Answer(200, body, {"Content-Type": "application/json"}))
    assert raised(DatasetList(wire.remote.datasets).read, DatasetQuery()).code is ErrorCode.UNEXPECTED_ANSWER


def test_one_bad_row_does_not_lose_the_page(wire: Wire, proxy: FaultServer, alice: User) -> None:
    good = alice.insert(name="good")
    with alice.client() as http:
        body = http.get("/rest/v1/datasets").content
    assert good["id"].encode() in body
    broken = body[:-1] + b', {"id": "7", "status": "lost"}, {"name": "only"}]'
    headers = {"Content-Type": "application/json", "Content-Range": "0-2/3"}
    proxy.on(LIST, Answer(200, broken, headers))
    page = wire.remote.datasets.list(DatasetQuery())
    assert ([dataset.name for dataset in page.datasets], page.unreadable, page.total) == (["good"], 2, 3)


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


def test_a_list_read_by_one_user_is_not_shown_to_the_next(client: Client, alice: User, bob: User) -> None:
    alice.insert(name="Of Alice")
    assert names(client) == ["Of Alice"]
    client.sign_out()
    client.sign_in(bob.email, bob.password)
    assert client.list_datasets().datasets == ()


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


def test_a_busy_server_passes_its_advice_on(wire: Wire, proxy: FaultServer) -> None:
    proxy.on(LIST, busy(429, "17"))
    error = raised(wire.remote.datasets.list, DatasetQuery())
    assert isinstance(error, ServerError)
    assert error.retry_after_s == 17
