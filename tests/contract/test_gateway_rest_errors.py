"""What the data service refuses: unknown names, malformed requests, and what it does not support."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.support.workspace import RunningServer, User, short_folder, wait_until

ROWS = "/rest/v1/datasets"


def call(user: User, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    with user.client(**headers) as client:
        answer = client.request(method, f"/rest/v1/{path}", json=body)
    document = answer.json()
    assert set(document) == {"code", "message", "details", "hint"}
    assert document["message"]
    return answer.status_code, document["code"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nothing", (404, "PGRST205")),
        ("pg_class", (404, "PGRST205")),
        ("datasets?nothing=eq.1", (400, "42703")),
        ("datasets?select=nothing", (400, "42703")),
        ("datasets?order=nothing", (400, "42703")),
        ("datasets?order=id.sideways", (400, "PGRST100")),
        ("datasets?id=eq.not-a-uuid", (400, "22P02")),
        ("datasets?file_size=in.(1,x)", (400, "22P02")),
        ("datasets?id=1", (400, "PGRST100")),
        ("datasets?or=(id.eq.1", (400, "PGRST100")),
        ("datasets?or=()", (400, "PGRST100")),
        ("datasets?training_ready=is.maybe", (400, "PGRST100")),
        ("datasets?limit=many", (400, "PGRST100")),
        ("datasets?limit=-1", (416, "PGRST103")),
        ("datasets?select=*,notifications(*)", (501, "not_supported")),
        ("datasets?select=count()", (501, "not_supported")),
        ("datasets?name=fts.word", (501, "not_supported")),
        ("datasets?checksums=cs.{}", (501, "not_supported")),
        ("datasets?name=like(any).{a,b}", (501, "not_supported")),
        ("datasets?name=match.x", (501, "not_supported")),
        ("datasets?select=file_size::regclass", (501, "not_supported")),
        ("rpc/nothing", (404, "PGRST202")),
        ("rpc/guard_dataset_insert", (404, "PGRST202")),
    ],
)
def test_reads_that_are_refused(alice: User, path: str, expected: tuple[int, str]) -> None:
    assert call(alice, "GET", path) == expected


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "datasets", {"nothing": 1}, (400, "PGRST204")),
        ("POST", "datasets", [1], (400, "PGRST102")),
        ("POST", "datasets", "text", (400, "PGRST102")),
        ("POST", "datasets", {"name": "only a name"}, (400, "23514")),
        ("PATCH", "datasets", {"name": "everybody's"}, (400, "21000")),
        ("PATCH", "datasets?id=is.null", {"nothing": 1}, (400, "PGRST204")),
        ("PATCH", "datasets?id=is.null", [], (400, "PGRST102")),
        ("DELETE", "datasets", None, (400, "21000")),
        ("PUT", "datasets?id=is.null", {}, (501, "not_supported")),
        ("PATCH", "datasets?id=is.null&order=id", {"name": "xx"}, (501, "not_supported")),
        ("POST", "rpc/upload_limits", [], (501, "not_supported")),
    ],
)
def test_writes_that_are_refused(alice: User, method: str, path: str, body: Any, expected: tuple[int, str]) -> None:
    assert call(alice, method, path, body) == expected


def test_the_same_row_twice_is_a_conflict(alice: User) -> None:
    row = alice.dataset()
    with alice.client() as client:
        assert client.post(ROWS, json=row).status_code == 201
    assert call(alice, "POST", "datasets", row) == (409, "23505")


def test_other_schemas_are_closed(alice: User) -> None:
    assert call(alice, "GET", "objects", **{"Accept-Profile": "storage"}) == (406, "PGRST106")
    assert call(alice, "POST", "users", {}, **{"Content-Profile": "auth"}) == (406, "PGRST106")


def test_answers_as_csv_and_bodies_as_csv_are_missing(alice: User) -> None:
    assert call(alice, "GET", "datasets", Accept="text/csv") == (501, "not_supported")
    assert call(alice, "GET", "datasets", Accept="image/png") == (406, "PGRST107")
    with alice.client() as client:
        answer = client.post(ROWS, content=b"id\n1", headers={"Content-Type": "text/csv"})
        assert answer.status_code == 501
        broken = client.post(ROWS, content=b'{"name":', headers={"Content-Type": "application/json"})
        assert (broken.status_code, broken.json()["code"]) == (400, "PGRST102")


def test_an_expired_token_is_named(alice: User) -> None:
    with short_folder() as folder:
        server = RunningServer.start(folder, "--access-token-life-s", "1")
        user = server.new_user()
        with user.client() as client:

            def expired() -> httpx.Response | None:
                answer = client.get(ROWS)
                return answer if answer.status_code == 401 else None

            rest = wait_until(expired, what="the end of the token")
            assert rest.json()["code"] == "PGRST303"
            assert rest.json()["message"] == "JWT expired"
            storage = client.get("/storage/v1/object/info/lora-datasets/x")
            assert storage.status_code == 400
            assert storage.json()["statusCode"] == "403"
            assert storage.json()["message"] == '"exp" claim timestamp check failed'
        server.stop()


def test_browsers_may_ask(workspace_server: RunningServer) -> None:
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "apikey,authorization,x-client-info,prefer,content-profile",
    }
    with workspace_server.bare_client() as client:
        for path in (ROWS, "/auth/v1/token", "/storage/v1/object/list/lora-datasets", "/functions/v1/validate-dataset"):
            answer = client.options(path, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "prefer" in answer.headers["access-control-allow-headers"].lower()
