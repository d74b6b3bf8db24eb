"""The official Python client against the gateway: the main road and what a second user sees of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import postgrest
import pytest
import storage3.exceptions
import supabase_auth.errors
from supabase import Client, ClientOptions, create_client
from tests.support.workspace import BUCKET, RunningServer, wait_until

TYPE = "application/x-ndjson"


@contextmanager
def supabase_client(server: RunningServer) -> Iterator[Client]:
    """A plain client on the public key, its connections closed at the end."""
    with httpx.Client(timeout=60) as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield create_client(server.url, server.anon_key, options)


@pytest.fixture
def client(workspace_server: RunningServer) -> Iterator[Client]:
    with supabase_client(workspace_server) as opened:
        yield opened


@pytest.fixture
def second(workspace_server: RunningServer) -> Iterator[Client]:
    with supabase_client(workspace_server) as opened:
        sign_up(opened)
        yield opened


def sign_up(client: Client) -> tuple[str, str]:
    email, password = f"{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(12)
    answer = client.auth.sign_up({"email": email, "password": password})
    assert answer.session is not None
    return email, password


def user_id(client: Client) -> str:
    answer = client.auth.get_user()
    assert answer is not None
    return answer.user.id


def insert(client: Client, size_bytes: int, **columns: Any) -> dict[str, Any]:
    dataset_id = str(uuid4())
    row = {
        "id": dataset_id,
        "name": "from the official client",
        "storage_path": f"{user_id(client)}/{dataset_id}/data.jsonl",
        "file_name": "data.jsonl",
        "file_size": size_bytes,
        **columns,
    }
    return dict(client.table("datasets").insert(row).execute().data[0])


def test_the_main_road(client: Client, second: Client, tmp_path: Path) -> None:
    content = b"".join(
        b'{"conversation_id":"c%d","turns":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}\n' % i
        for i in range(5000)
    )
    source = tmp_path / "data.jsonl"
    source.write_bytes(content)
    sign_up(client)
    row = insert(client, len(content))
    bucket = client.storage.from_(BUCKET)
    signed = bucket.create_signed_upload_url(row["storage_path"])
    with source.open("rb") as file:
        bucket.upload_to_signed_url(row["storage_path"], signed["token"], file, {"content-type": TYPE})
    confirmed = client.rpc("confirm_dataset_upload", {"p_id": row["id"]}).execute()
    assert confirmed.data["status"] == "validating"
    invoked = client.functions.invoke("validate-dataset", {"body": {"dataset_id": row["id"]}, "responseType": "json"})
    assert invoked["data"]["status"] == "validating"

    def ready() -> bool:
        found = client.table("datasets").select("status").eq("id", row["id"]).single().execute()
        return bool(found.data["status"] == "ready")

    wait_until(ready, what="status ready")
    assert hashlib.sha256(bucket.download(row["storage_path"])).digest() == hashlib.sha256(content).digest()
    url = bucket.create_signed_url(row["storage_path"], 60)["signedURL"]
    assert httpx.get(url).content == content
    assert bucket.info(row["storage_path"])["size"] == len(content)
    assert bucket.exists(row["storage_path"])
    assert [entry["name"] for entry in bucket.list(f"{user_id(client)}/{row['id']}")] == ["data.jsonl"]

    theirs = second.storage.from_(BUCKET)
    assert second.table("datasets").select("id", count="exact").execute().count == 0
    assert not theirs.exists(row["storage_path"])
    with pytest.raises(storage3.exceptions.StorageApiError) as caught:
        theirs.create_signed_upload_url(row["storage_path"])
    assert caught.value.status == "409"
    with pytest.raises(postgrest.APIError) as refused:
        second.rpc("confirm_dataset_upload", {"p_id": row["id"]}).execute()
    assert refused.value.message == "Dataset not found"

    assert len(bucket.remove([row["storage_path"]])) == 1
    assert not bucket.exists(row["storage_path"])


def test_listing_with_filters_and_count(client: Client) -> None:
    sign_up(client)
    for index in range(5):
        insert(client, 100 + index, name=f"Set {index}", description='with, comma and "quote"')
    datasets = client.table("datasets")
    page = datasets.select("*", count="exact").order("file_size", desc=True).range(1, 2).execute()
    assert (page.count, [row["file_size"] for row in page.data]) == (5, [103, 102])
    found = datasets.select("name").ilike("name", "%SET 3%").execute()
    assert found.data == [{"name": "Set 3"}]
    either = datasets.select("file_size").or_("file_size.eq.100,name.eq.Set 4").order("file_size").execute()
    assert [row["file_size"] for row in either.data] == [100, 104]
    listed = datasets.select("name").in_("name", ["Set 0", "Set (1), x"]).execute()
    assert listed.data == [{"name": "Set 0"}]
    nothing = datasets.select("id").is_("validated_at", "null").not_.eq("status", "ready").execute()
    assert len(nothing.data) == 5
    assert datasets.select("id").eq("file_size", 1).maybe_single().execute() is None
    head = datasets.select("id", count="exact", head=True).execute()
    assert (head.count, head.data) == (5, [])
    renamed = datasets.update({"name": "Renamed"}).eq("file_size", 100).execute()
    assert [row["name"] for row in renamed.data] == ["Renamed"]


def test_a_session_is_refreshed_and_ended(client: Client, workspace_server: RunningServer) -> None:
    email, password = sign_up(client)
    before = client.auth.get_session()
    after = client.auth.refresh_session().session
    assert before is not None and after is not None
    assert before.refresh_token != after.refresh_token
    assert len(client.table("datasets").select("id").execute().data) == 0
    client.auth.sign_out()
    with pytest.raises(supabase_auth.errors.AuthApiError) as ended:
        client.auth.refresh_session(after.refresh_token)
    assert ended.value.code == "refresh_token_not_found"
    with pytest.raises(supabase_auth.errors.AuthApiError) as wrong:
        client.auth.sign_in_with_password({"email": email, "password": f"{password}x"})
    assert (wrong.value.code, wrong.value.status) == ("invalid_credentials", 400)
    with pytest.raises(supabase_auth.errors.AuthWeakPasswordError) as weak:
        client.auth.sign_up({"email": f"x{email}", "password": "short"})
    assert weak.value.reasons == ["length"]
    assert client.auth.sign_in_with_password({"email": email, "password": password}).user is not None


def test_refusals_reach_the_official_errors(client: Client) -> None:
    with pytest.raises(postgrest.APIError) as anonymous:
        client.table("datasets").select("id").execute()
    assert anonymous.value.code == "42501"
    sign_up(client)
    for call, code in (
        (client.table("nothing").select("id"), "PGRST205"),
        (client.table("datasets").select("nothing"), "42703"),
        (client.table("datasets").select("id, notifications(*)"), "not_supported"),
        (client.table("datasets").select("id").single(), "PGRST116"),
    ):
        with pytest.raises(postgrest.APIError) as refused:
            call.execute()
        assert refused.value.code == code
    row = insert(client, 10)
    bucket = client.storage.from_(BUCKET)
    signed = bucket.create_signed_upload_url(row["storage_path"])
    with pytest.raises(storage3.exceptions.StorageApiError) as wrong_type:
        bucket.upload_to_signed_url(row["storage_path"], signed["token"], b"x", {"content-type": "text/plain"})
    assert (wrong_type.value.status, wrong_type.value.code) == ("415", "invalid_mime_type")
    with pytest.raises(storage3.exceptions.StorageApiError) as missing:
        bucket.download(row["storage_path"])
    assert missing.value.status == "404"
