"""The data service over HTTP: reading, writing, counting, and who sees what."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.support.workspace import RunningServer, User

ROWS = "/rest/v1/datasets"
NAMES = ["Alpha one", "beta two", "Gamma (3), three", 'delta "4"', "100% five", "six*star"]
SINGLE = {"Accept": "application/vnd.pgrst.object+json"}


@pytest.fixture
def reader(alice: User) -> User:
    """Alice with six datasets of rising size."""
    with alice.client() as client:
        rows = [alice.dataset(10 * (index + 1), name=name) for index, name in enumerate(NAMES)]
        assert client.post(ROWS, json=rows).status_code == 201
    return alice


def get(user: User, query: str, **headers: str) -> httpx.Response:
    with user.client(**headers) as client:
        return client.get(f"{ROWS}?{query}")


def sizes(user: User, query: str) -> list[int]:
    answer = get(user, f"select=file_size&order=file_size.asc&{query}")
    assert answer.status_code == 200, answer.text
    return [row["file_size"] for row in answer.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("file_size=eq.20", [20]),
        ("file_size=neq.20", [10, 30, 40, 50, 60]),
        ("file_size=gt.40", [50, 60]),
        ("file_size=gte.40&file_size=lt.60", [40, 50]),
        ("file_size=lte.10", [10]),
        ("file_size=in.(10,30)", [10, 30]),
        ("file_size=in.()", []),
        ("file_size=not.in.(10,30,50)", [20, 40, 60]),
        ("name=like.*t*", [20, 30, 40, 60]),
        ("name=like.Alpha*", [10]),
        ("name=ilike.*GAMMA*", [30]),
        ("name=ilike.100\\%25%25", [50]),
        ('name=in.("Gamma (3), three","delta \\"4\\"")', [30, 40]),
        ("error_message=is.null", [10, 20, 30, 40, 50, 60]),
        ("error_message=not.is.null", []),
        ("training_ready=is.false", [10, 20, 30, 40, 50, 60]),
        ("or=(file_size.eq.10,file_size.eq.60)", [10, 60]),
        ("or=(file_size.lt.20,and(file_size.gt.20,file_size.lt.50))", [10, 30, 40]),
        ("and=(file_size.gt.10,or(name.ilike.*two,name.ilike.*five))", [20, 50]),
        ("not.or=(file_size.eq.10,file_size.eq.60)", [20, 30, 40, 50]),
        ('or=(file_size.not.gt.10,name.in.("six*star"))', [10, 60]),
        ('or=(name.eq."Gamma (3), three",file_size.eq.10)', [10, 30]),
        ("limit=2&offset=1", [20, 30]),
        ("status=eq.uploading&limit=1", [10]),
    ],
)
def test_filters(reader: User, query: str, expected: list[int]) -> None:
    assert sizes(reader, query) == expected


def test_select_takes_aliases_casts_and_json_paths(reader: User) -> None:
    row = get(reader, "select=title:name,bytes:file_size::text,checksums->slices->>0&file_size=eq.10").json()
    assert row == [{"title": "Alpha one", "bytes": "10", "0": None}]


def test_an_alias_may_be_any_text(reader: User) -> None:
    rows = get(reader, "select=a%25s:name,b%25(v0):id::text&file_size=eq.10")
    assert rows.status_code == 501  # a bracket means embedding
    row = get(reader, "select=a%25s:name,x';--:file_size&file_size=eq.10").json()
    assert row == [{"a%s": "Alpha one", "x';--": 10}]


def test_text_the_database_cannot_hold_is_a_refusal(alice: User) -> None:
    with alice.client() as client:
        assert client.post(ROWS, json=alice.dataset(name="a\0b")).status_code == 400
        assert client.get(f"{ROWS}?name=eq.%00").status_code == 400
        assert client.get("/storage/v1/object/info/lora-datasets/a%00b").status_code == 400
        weak = client.post("/auth/v1/signup", json={"email": "a\0@example.org", "password": "long enough"})
    assert (weak.status_code, weak.headers["x-sb-error-code"]) == (400, "validation_failed")


def test_order_has_directions_and_several_terms(reader: User) -> None:
    answer = get(reader, "select=file_size&order=error_message.asc.nullsfirst,file_size.desc")
    assert [row["file_size"] for row in answer.json()] == [60, 50, 40, 30, 20, 10]


@pytest.mark.parametrize(
    ("query", "headers", "status", "content_range"),
    [
        ("order=id", {}, 200, "0-5/*"),
        ("order=id", {"Prefer": "count=exact"}, 200, "0-5/6"),
        ("order=id&limit=2", {"Prefer": "count=exact"}, 206, "0-1/6"),
        ("order=id&limit=2&offset=5", {"Prefer": "count=exact"}, 206, "5-5/6"),
        ("order=id", {"Range": "1-2", "Range-Unit": "items"}, 200, "1-2/*"),
        ("order=id", {"Range": "4-", "Prefer": "count=exact"}, 206, "4-5/6"),
        ("file_size=eq.999", {"Prefer": "count=exact"}, 200, "*/0"),
        ("order=id&limit=0", {"Prefer": "count=exact"}, 206, "*/6"),
    ],
)
def test_ranges_and_counts(reader: User, query: str, headers: dict[str, str], status: int, content_range: str) -> None:
    answer = get(reader, query, **headers)
    assert (answer.status_code, answer.headers["content-range"]) == (status, content_range)


def test_an_offset_beyond_the_end_is_416(reader: User) -> None:
    answer = get(reader, "offset=7", Prefer="count=exact")
    assert (answer.status_code, answer.json()["code"]) == (416, "PGRST103")
    assert get(reader, "", Range="5-3").status_code == 416


def test_head_answers_the_count_alone(reader: User) -> None:
    with reader.client(Prefer="count=exact") as client:
        answer = client.head(f"{ROWS}?file_size=gt.20")
    assert (answer.status_code, answer.headers["content-range"], answer.content) == (200, "0-3/4", b"")


def test_single_object(reader: User) -> None:
    one = get(reader, "file_size=eq.10", **SINGLE)
    assert one.json()["name"] == "Alpha one"
    assert one.headers["content-type"].startswith("application/vnd.pgrst.object+json")
    for query, count in (("file_size=eq.1", 0), ("", 6)):
        refused = get(reader, query, **SINGLE)
        assert (refused.status_code, refused.json()["code"]) == (406, "PGRST116")
        assert refused.json()["details"] == f"The result contains {count} rows"


def test_writes_answer_nothing_unless_asked(alice: User) -> None:
    row = alice.dataset()
    with alice.client() as client:
        created = client.post(ROWS, json=row)
        renamed = client.patch(f"{ROWS}?id=eq.{row['id']}", json={"name": "renamed"})
        assert [(answer.status_code, answer.content) for answer in (created, renamed)] == [(201, b""), (204, b"")]
        shown = client.patch(
            f"{ROWS}?id=eq.{row['id']}&select=id,name",
            json={"name": "again"},
            headers={"Prefer": "return=representation,count=exact"},
        )
        assert shown.status_code == 200
        assert shown.json() == [{"id": row["id"], "name": "again"}]
        assert shown.headers["content-range"] == "*/1"


def test_rows_of_others_are_simply_not_there(alice: User, bob: User) -> None:
    row = alice.insert()
    one = f"{ROWS}?id=eq.{row['id']}"
    with bob.client(Prefer="return=representation") as client:
        assert client.get(one).json() == []
        changed = client.patch(one, json={"name": "taken over"})
        assert (changed.status_code, changed.json()) == (200, [])
    assert get(alice, f"id=eq.{row['id']}").json()[0]["name"] == row["name"]


def test_a_row_for_somebody_else_is_forbidden(alice: User, bob: User) -> None:
    with bob.client() as client:
        answer = client.post(ROWS, json=alice.dataset(user_id=alice.id))
    assert (answer.status_code, answer.json()["code"]) == (403, "42501")
    assert set(answer.json()) == {"code", "message", "details", "hint"}


def test_anon_is_told_to_sign_in(workspace_server: RunningServer) -> None:
    with workspace_server.client() as client:
        answer = client.get(ROWS)
    assert (answer.status_code, answer.json()["code"]) == (401, "42501")


def test_the_service_role_sees_everything(workspace_server: RunningServer, alice: User, bob: User) -> None:
    wanted = {alice.insert()["id"], bob.insert()["id"]}
    key = workspace_server.service_key
    with workspace_server.client(key, apikey=key) as client:
        rows = client.get(f"{ROWS}?select=id&id=in.({','.join(wanted)})").json()
    assert {row["id"] for row in rows} == wanted


def test_columns_without_a_grant_stay_closed(alice: User) -> None:
    row = alice.insert()
    with alice.client() as client:
        answer = client.patch(f"{ROWS}?id=eq.{row['id']}", json={"status": "ready"})
    assert (answer.status_code, answer.json()["code"]) == (403, "42501")


def test_bulk_insert_takes_defaults_for_what_is_missing(alice: User) -> None:
    rows = [alice.dataset(), alice.dataset(format="brightrun_lora_v3")]
    columns = ",".join(f'"{name}"' for name in rows[1])
    with alice.client() as client:
        uneven = client.post(ROWS, json=rows)
        assert (uneven.status_code, uneven.json()["code"]) == (400, "PGRST102")
        answer = client.post(
            ROWS, params={"columns": columns}, json=rows, headers={"Prefer": "return=representation,missing=default"}
        )
    assert answer.status_code == 201, answer.text
    assert [row["format"] for row in answer.json()] == ["brightrun_lora_v4", "brightrun_lora_v3"]


def test_upsert_resolves_conflicts(alice: User) -> None:
    row = alice.insert()
    again = alice.dataset() | {"id": row["id"], "storage_path": row["storage_path"]}
    with alice.client(Prefer="resolution=ignore-duplicates,return=representation") as client:
        assert client.post(ROWS, json=again).json() == []
    # Only name may be updated by a user, so merging a whole row is refused by its grants, not by luck.
    with alice.client(Prefer="resolution=merge-duplicates,return=representation") as client:
        assert client.post(ROWS, json=again).json()["code"] == "42501"


def test_service_upsert_merges(workspace_server: RunningServer, alice: User) -> None:
    note = {"id": str(uuid4()), "user_id": alice.id, "type": "x", "title": "one", "message": "m"}
    key = workspace_server.service_key
    with workspace_server.client(key, apikey=key, Prefer="resolution=merge-duplicates") as client:
        for title in ("one", "two"):
            assert client.post("/rest/v1/notifications", json=note | {"title": title}).status_code == 201
        path = f"/rest/v1/notifications?id=eq.{note['id']}"
        assert client.get(f"{path}&select=title").json() == [{"title": "two"}]
        assert client.delete(path, headers={"Prefer": "return=representation"}).json()[0]["title"] == "two"
        assert client.get(path).json() == []


def test_a_single_write_that_hits_several_rows_changes_none(reader: User) -> None:
    with reader.client(**SINGLE, Prefer="return=representation") as client:
        answer = client.patch(f"{ROWS}?file_size=gt.0", json={"name": "all the same"})
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST116")
    assert get(reader, "name=eq.all%20the%20same").json() == []


def test_max_affected_is_kept(reader: User) -> None:
    with reader.client(Prefer="handling=strict,max-affected=2") as client:
        answer = client.patch(f"{ROWS}?file_size=gt.0", json={"name": "all the same"})
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST124")
    assert get(reader, "name=eq.all%20the%20same").json() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "x'; drop table datasets; --"), ('name"; --', "eq.1"), ("name", "eq.1) or (1=1")],
)
def test_hostile_text_is_a_value_or_refused(reader: User, name: str, value: str) -> None:
    with reader.client() as client:
        hostile = client.get(ROWS, params={name: value if "." in value else f"eq.{value}"})
        assert hostile.status_code in (200, 400)
        assert hostile.status_code == 400 or hostile.json() == []
        assert len(client.get(ROWS).json()) == len(NAMES)


def test_rpc_answers_rows_objects_and_errors(alice: User, bob: User) -> None:
    row = alice.upload(b"0123456789")
    with alice.client() as client:
        limits = client.get("/rest/v1/rpc/upload_limits").json()
        assert limits["bucket"] == "lora-datasets"
        # A call that writes is no GET: the transaction is read only.
        wrong = client.get("/rest/v1/rpc/confirm_dataset_upload", params={"p_id": row["id"]})
        assert wrong.status_code == 405
        confirmed: dict[str, Any] = client.post("/rest/v1/rpc/confirm_dataset_upload", json={"p_id": row["id"]}).json()
        assert (confirmed["id"], confirmed["status"]) == (row["id"], "validating")
    with bob.client() as client:
        missing = client.post("/rest/v1/rpc/confirm_dataset_upload", json={"p_id": row["id"]})
        assert (missing.status_code, missing.json()["message"]) == (404, "Dataset not found")
        unknown = client.post("/rest/v1/rpc/confirm_dataset_upload", json={"id": row["id"]})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "PGRST202")
    with alice.server.client() as client:
        assert client.post("/rest/v1/rpc/confirm_dataset_upload", json={"p_id": row["id"]}).status_code == 401


def test_rpc_with_rows_takes_select_order_and_count(reader: User) -> None:
    with reader.client(Prefer="count=exact") as client:
        answer = client.post(
            "/rest/v1/rpc/search_datasets?select=name,file_size&order=file_size.desc&limit=1",
            json={"p_search": "e"},
        )
    assert answer.status_code == 206, answer.text
    assert answer.json() == [{"name": "100% five", "file_size": 50}]
    assert answer.headers["content-range"] == "0-0/5"
