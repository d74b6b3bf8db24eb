"""The list against a real server: pages, filters, literal search, how long it is fresh, and failed reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.client import (
    Wire,
    open_core,
    open_wire,
)
from tests.support.fault_server import FaultServer
from tests.support.faults import Answer, Before, Fault, busy, portal
from tests.support.workspace import RunningServer, User, wait_until

from lorry.core.client import Client
from lorry.core.errors import ErrorCode, LorryError, ServerError
from lorry.core.model import Dataset, DatasetFormat, DatasetQuery, DatasetStatus
from lorry.core.sync import FRESH_S, DatasetList

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


def raised(action: object, *arguments: object) -> LorryError:
    assert callable(action)
    with pytest.raises(LorryError) as caught:
        action(*arguments)
    return caught.value


def names(client: Client, query: DatasetQuery | None = None) -> list[str]:
    return [dataset.name for dataset in client.list_datasets(query, force=True).datasets]


def verdict(client: Client, dataset_id: UUID) -> Dataset | None:
    dataset = client.get_dataset(dataset_id)
    return dataset if dataset.status in (DatasetStatus.READY, DatasetStatus.ERROR) else None


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


@pytest.mark.parametrize("fault", [busy(503), portal()], ids=["busy", "portal"])
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


def test_a_list_without_its_total_is_no_list(wire: Wire, proxy: FaultServer) -> None:
    for body in (b"[]", b'[{"id": 1}]', b'"rows"', b"{}", b"null", b"[1, 2]"):
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


def test_a_list_read_by_one_user_is_not_shown_to_the_next(client: Client, alice: User, bob: User) -> None:
    alice.insert(name="Of Alice")
    assert names(client) == ["Of Alice"]
    client.sign_out()
    client.sign_in(bob.email, bob.password)
    assert client.list_datasets().datasets == ()


def test_a_busy_server_passes_its_advice_on(wire: Wire, proxy: FaultServer) -> None:
    proxy.on(LIST, busy(429, "17"))
    error = raised(wire.remote.datasets.list, DatasetQuery())
    assert isinstance(error, ServerError)
    assert error.retry_after_s == 17
