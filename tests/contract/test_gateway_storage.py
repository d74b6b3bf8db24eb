"""Reading and removing objects over HTTP: info, lists, downloads with ranges, signed addresses."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

CONTENT = bytes(range(256)) * 40
SIGN = f"/storage/v1/object/sign/{BUCKET}"


@pytest.fixture
def path(alice: User) -> str:
    """An object of Alice's holding CONTENT."""
    return str(alice.upload(CONTENT)["storage_path"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["statusCode"]


@pytest.mark.parametrize("place", ["object", "object/authenticated"])
@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        (None, 200, 0, 10239),
        ("bytes=0-0", 206, 0, 0),
        ("bytes=10-19", 206, 10, 19),
        ("bytes=10000-", 206, 10000, 10239),
        ("bytes=-40", 206, 10200, 10239),
        ("bytes=10-999999", 206, 10, 10239),
    ],
)
def test_downloads_and_ranges(
    alice: User, path: str, place: str, asked: str | None, status: int, first: int, last: int
) -> None:
    with alice.client() as client:
        answer = client.get(f"/storage/v1/{place}/{BUCKET}/{path}", headers={"Range": asked} if asked else {})
    assert answer.status_code == status
    assert answer.content == CONTENT[first : last + 1]
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers.get("content-range") == (f"bytes {first}-{last}/10240" if asked else None)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=0-1", "bytes=-0"])
def test_ranges_that_cannot_be_had_are_416(alice: User, path: str, asked: str) -> None:
    with alice.client() as client:
        answer = client.get(f"/storage/v1/object/{BUCKET}/{path}", headers={"Range": asked})
    assert refusal(answer) == (416, "416")


def test_head_and_entity_tag(alice: User, path: str) -> None:
    with alice.client() as client:
        head = client.head(f"/storage/v1/object/{BUCKET}/{path}")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "10240", b"")
        assert head.headers["last-modified"].endswith("GMT")
        same = client.get(f"/storage/v1/object/{BUCKET}/{path}", headers={"If-None-Match": head.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        missing = client.head(f"/storage/v1/object/{BUCKET}/{path}x")
        assert (missing.status_code, missing.content) == (400, b"")


def test_signed_downloads_need_no_sign_in(alice: User, path: str) -> None:
    with alice.client() as client:
        signed = client.post(f"{SIGN}/{path}", json={"expiresIn": "60"}).json()["signedURL"]
    assert unquote(signed).startswith(f"/object/sign/{BUCKET}/{path}?token=")
    with httpx.Client(base_url=f"{alice.server.url}/storage/v1") as client:
        assert client.get(signed).content == CONTENT
        assert client.head(signed).headers["content-length"] == "10240"
        part = client.get(signed, headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, CONTENT[5:10])
        named = client.get(f"{signed}&download=größe.jsonl")
        assert named.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.jsonl"
        unnamed = client.get(f"{signed}&download=")
        assert unnamed.headers["content-disposition"].endswith("data.jsonl")
        assert refusal(client.get(signed.replace(path, f"{path}x"))) == (400, "400")
        assert refusal(client.get(signed.partition("?")[0])) == (400, "400")


def test_a_signed_download_expires(alice: User, path: str) -> None:
    with alice.client() as client:
        signed = client.post(f"{SIGN}/{path}", json={"expiresIn": 1}).json()["signedURL"]
        assert refusal(client.post(f"{SIGN}/{path}", json={})) == (400, "400")

        def expired() -> bool:
            answer = client.get(f"/storage/v1{signed}")
            return answer.status_code == 400 and answer.json()["error"] == "InvalidJWT"

        wait_until(expired, what="the end of the address")


def test_signing_several_at_once_names_the_missing(alice: User, path: str) -> None:
    with alice.client() as client:
        answers = client.post(SIGN, json={"expiresIn": 60, "paths": [path, "missing"]}).json()
        assert [bool(answer["signedURL"]) for answer in answers] == [True, False]
        assert answers[1]["error"]
        assert client.get(f"/storage/v1{answers[0]['signedURL']}").content == CONTENT


def test_lists_show_one_level(alice: User, path: str) -> None:
    folder, dataset_id, name = path.split("/")
    with alice.client() as client:
        list_path = f"/storage/v1/object/list/{BUCKET}"
        top = client.post(list_path, json={"prefix": ""}).json()
        assert [(entry["name"], entry["id"]) for entry in top] == [(folder, None)]
        second = client.post(list_path, json={"prefix": folder}).json()
        assert [(entry["name"], entry["id"]) for entry in second] == [(dataset_id, None)]
        files = client.post(list_path, json={"prefix": f"{folder}/{dataset_id}/", "limit": 5}).json()
        assert [entry["name"] for entry in files] == [name]
        assert files[0]["metadata"]["size"] == len(CONTENT)
        found = client.post(list_path, json={"prefix": f"{folder}/{dataset_id}", "search": "DATA"}).json()
        assert len(found) == 1
        assert client.post(list_path, json={"prefix": f"{folder}/{dataset_id}", "search": "x"}).json() == []
        assert refusal(client.post(list_path, json={})) == (400, "400")
        assert refusal(client.post(list_path, json={"prefix": "", "sortBy": {"column": "owner; --"}})) == (400, "400")


def test_lists_page_and_sort(alice: User) -> None:
    folders = sorted(alice.upload(b"x")["id"] for _ in range(3))
    body = {"prefix": alice.id, "limit": 2, "sortBy": {"column": "name", "order": "desc"}}
    with alice.client() as client:
        names = [
            entry["name"]
            for offset in (0, 2)
            for entry in client.post(f"/storage/v1/object/list/{BUCKET}", json=body | {"offset": offset}).json()
        ]
    assert names == folders[::-1]


def test_a_second_user_sees_and_removes_nothing(alice: User, bob: User, path: str) -> None:
    with bob.client() as client:
        for method, where in (
            ("GET", f"object/{BUCKET}/{path}"),
            ("GET", f"object/authenticated/{BUCKET}/{path}"),
            ("GET", f"object/info/{BUCKET}/{path}"),
            ("POST", f"object/sign/{BUCKET}/{path}"),
            ("DELETE", f"object/{BUCKET}/{path}"),
        ):
            body = {"expiresIn": 60} if method == "POST" else None
            assert refusal(client.request(method, f"/storage/v1/{where}", json=body)) == (400, "404"), where
        assert client.post(f"/storage/v1/object/list/{BUCKET}", json={"prefix": alice.id}).json() == []
        many = client.request("DELETE", f"/storage/v1/object/{BUCKET}", json={"prefixes": [path]})
        assert (many.status_code, many.json()) == (200, [])
    with alice.client() as client:
        assert client.get(f"/storage/v1/object/{BUCKET}/{path}").content == CONTENT


def test_removing_takes_row_and_bytes(workspace_server: RunningServer, alice: User, path: str) -> None:
    other = alice.upload(b"second")["storage_path"]
    with alice.client() as client:
        version = client.get(f"/storage/v1/object/info/{BUCKET}/{path}").json()["version"]
        stored = workspace_server.data_dir / "objects" / "stored"
        assert len(list(stored.glob(f"*/{version}*"))) == 1
        one = client.delete(f"/storage/v1/object/{BUCKET}/{path}")
        assert one.json() == {"message": "Successfully deleted"}
        assert list(stored.glob(f"*/{version}*")) == []
        assert refusal(client.delete(f"/storage/v1/object/{BUCKET}/{path}")) == (400, "404")
        many = client.request("DELETE", f"/storage/v1/object/{BUCKET}", json={"prefixes": [other, path]})
        assert [row["name"] for row in many.json()] == [other]


def test_buckets_are_not_shown_to_users(workspace_server: RunningServer, alice: User) -> None:
    with alice.client() as client:
        assert client.get("/storage/v1/bucket").json() == []
        assert refusal(client.get(f"/storage/v1/bucket/{BUCKET}")) == (400, "404")
        assert refusal(client.get(f"/storage/v1/object/public/{BUCKET}/x")) == (400, "404")
        assert refusal(client.post("/storage/v1/object/copy", json={})) == (501, "501")
        assert refusal(client.post("/storage/v1/bucket", json={"id": "x"})) == (501, "501")
    with workspace_server.client(workspace_server.service_key) as client:
        assert client.get(f"/storage/v1/bucket/{BUCKET}").json()["file_size_limit"] == 524288000
