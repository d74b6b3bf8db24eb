"""Uploads over HTTP: signing, the signed PUT in both forms, limits, write-once, and senders that go away."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.workspace import BUCKET, RunningServer, User, short_folder, wait_until

TYPE = {"Content-Type": "application/x-ndjson"}
MIB = 1024 * 1024


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """HTTP status, the real status in the body, the short name."""
    document = answer.json()
    assert set(document) == {"statusCode", "error", "message", "code"}
    return answer.status_code, document["statusCode"], document["error"]


def address(user: User, path: str, **headers: str) -> str:
    answer = user.sign(path, **headers)
    assert answer.status_code == 200, answer.text
    return f"/storage/v1{answer.json()['url']}"


def put(user: User, where: str, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    """PUT without any authorization, as a signed address needs none."""
    with user.server.bare_client() as client:
        return client.put(where, content=content, headers=TYPE if headers is None else headers)


def info(user: User, path: str) -> httpx.Response:
    with user.client() as client:
        return client.get(f"/storage/v1/object/info/{BUCKET}/{path}")


def stored_files(server: RunningServer) -> list[Path]:
    return [path for path in (server.data_dir / "objects").rglob("*") if path.is_file()]


def test_signing_answers_a_relative_address_and_a_token(alice: User) -> None:
    row = alice.insert()
    answer = alice.sign(row["storage_path"]).json()
    path, _, token = answer["url"].partition("?token=")
    assert path == f"/object/upload/sign/{BUCKET}/{row['storage_path']}"
    assert token == answer["token"]
    payload = answer["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["owner"] == alice.id
    assert claims["url"] == f"{BUCKET}/{row['storage_path']}"
    assert (claims["upsert"], claims["scope"], claims["exp"] - claims["iat"]) == (False, "upload", 3600)


def test_signing_is_decided_by_row_level_security(alice: User, bob: User) -> None:
    row = alice.insert()
    denied = (400, "403", "Unauthorized")
    assert refusal(bob.sign(row["storage_path"])) == denied
    assert refusal(alice.sign(f"{alice.id}/not-a-dataset/data.jsonl")) == denied
    # Replacing asks for the right to update only once there is something to replace.
    assert alice.sign(row["storage_path"], **{"x-upsert": "true"}).status_code == 200
    stored = alice.upload(b"0123456789")
    assert refusal(alice.sign(stored["storage_path"], **{"x-upsert": "true"})) == denied
    with alice.client() as client:
        other_bucket = client.post(f"/storage/v1/object/upload/sign/nothing/{row['storage_path']}")
        assert refusal(other_bucket) == denied
        no_body = client.post(
            f"/storage/v1/object/upload/sign/{BUCKET}/{row['storage_path']}",
            headers={"Content-Type": "application/json"},
        )
        assert refusal(no_body)[1] == "400"
    with alice.server.bare_client(apikey=alice.server.anon_key) as client:
        nobody = client.post(f"/storage/v1/object/upload/sign/{BUCKET}/{row['storage_path']}")
        assert nobody.json()["message"] == "headers must have required property 'authorization'"


def test_a_signed_put_stores_bytes_and_row(alice: User) -> None:
    content = b'{"turns": []}\n' * 1000
    row = alice.insert(len(content))
    answer = put(alice, address(alice, row["storage_path"]), content, {**TYPE, "cache-control": "max-age=60"})
    assert (answer.status_code, answer.json()) == (200, {"Key": f"{BUCKET}/{row['storage_path']}"})
    stored = info(alice, row["storage_path"]).json()
    assert stored["size"] == len(content)
    assert stored["etag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    assert (stored["content_type"], stored["cache_control"]) == (TYPE["Content-Type"], "max-age=60")
    assert stored["name"] == row["storage_path"]


@pytest.mark.parametrize("size", [0, 1, 65_535, MIB - 7, 5 * MIB + 3])
def test_a_multipart_put_stores_exactly_the_file_part(alice: User, size: int) -> None:
    # Bytes that look like a delimiter's beginning must not confuse the cutting.
    content = (b"\r\n--\r\n-data-" * (size // 12 + 1))[:size]
    row = alice.insert(max(size, 1))
    where = address(alice, row["storage_path"])
    with alice.server.bare_client() as client:
        answer = client.put(
            where,
            data={"cacheControl": "3600", "metadata": '{"sha256": "abc"}'},
            files={"file": ("data.jsonl", content, TYPE["Content-Type"])},
        )
    assert answer.status_code == 200, answer.text
    stored = info(alice, row["storage_path"]).json()
    assert (stored["size"], stored["etag"]) == (size, f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')
    assert (stored["cache_control"], stored["metadata"]) == ("max-age=3600", {"sha256": "abc"})
    with alice.client() as client:
        assert client.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content == content


def test_objects_are_written_once(alice: User) -> None:
    row = alice.insert()
    where = address(alice, row["storage_path"])
    assert put(alice, where, b"0123456789").status_code == 200
    assert refusal(put(alice, where, b"9876543210")) == (400, "409", "Duplicate")
    assert refusal(alice.sign(row["storage_path"])) == (400, "409", "Duplicate")
    with alice.client() as client:
        assert client.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content == b"0123456789"


def test_of_two_overlapping_uploads_the_first_to_finish_stays(alice: User) -> None:
    row = alice.insert()
    where = address(alice, row["storage_path"])
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"01234"
        assert go_on.wait(20)
        yield b"56789"

    answers: list[httpx.Response] = []
    sender = threading.Thread(target=lambda: answers.append(put(alice, where, slow())))
    sender.start()
    incoming = alice.server.data_dir / "objects" / "incoming"
    wait_until(lambda: list(incoming.iterdir()), what="the first body")
    assert put(alice, where, b"abcdefghij").status_code == 200
    go_on.set()
    sender.join()
    assert refusal(answers[0]) == (400, "409", "Duplicate")
    assert (
        info(alice, row["storage_path"]).json()["etag"]
        == f'"{hashlib.md5(b"abcdefghij", usedforsecurity=False).hexdigest()}"'
    )
    assert list(incoming.iterdir()) == []


def test_tokens_fit_one_path_and_one_purpose(alice: User) -> None:
    row, other = alice.insert(), alice.insert()
    where = address(alice, row["storage_path"])
    token = where.partition("?token=")[2]
    base = f"/storage/v1/object/upload/sign/{BUCKET}"
    assert refusal(put(alice, f"{base}/{other['storage_path']}?token={token}", b"x")) == (
        400,
        "400",
        "InvalidSignature",
    )
    assert refusal(put(alice, f"{base}/{row['storage_path']}", b"x"))[1] == "400"
    assert refusal(put(alice, f"{base}/{row['storage_path']}?token=garbage", b"x")) == (400, "400", "InvalidJWT")
    # A user's access token is not an upload token, nor is an upload token a download token.
    assert refusal(put(alice, f"{base}/{row['storage_path']}?token={alice.token}", b"x"))[2] == "InvalidSignature"
    with alice.server.bare_client() as client:
        read = client.get(f"/storage/v1/object/sign/{BUCKET}/{row['storage_path']}?token={token}")
    assert refusal(read)[2] == "InvalidSignature"
    assert info(alice, row["storage_path"]).json()["statusCode"] == "404"


def test_signed_addresses_expire_after_the_time_given_at_start() -> None:
    with short_folder() as folder:
        server = RunningServer.start(folder, "--upload-url-life-s", "1")
        user = server.new_user()
        row = user.insert()
        where = address(user, row["storage_path"])

        def expired() -> httpx.Response | None:
            answer = put(user, where, b"too many bytes, and never stored", {"Content-Type": "text/plain"})
            return answer if answer.json()["error"] == "InvalidJWT" else None

        answer = wait_until(expired, what="the end of the address")
        assert answer.json()["message"] == '"exp" claim timestamp check failed'
        server.stop()


def test_type_and_size_limits_hold_whatever_the_headers_say(alice: User) -> None:
    row = alice.insert()
    where = address(alice, row["storage_path"])
    assert refusal(put(alice, where, b"x", {"Content-Type": "text/plain"})) == (400, "415", "invalid_mime_type")
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert refusal(put(alice, where, b"x", charset))[1] == "415"
    with alice.server.bare_client() as client:
        form = client.put(where, files={"file": ("data.jsonl", b"x", "text/html")})
    assert refusal(form)[1] == "415"
    # One byte over the bucket's 500 MiB: refused by its announced length, before the bytes were sent.
    parts = urlsplit(alice.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as raw:
        raw.sendall(
            f"PUT {where} HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE['Content-Type']}\r\n"
            f"Content-Length: {500 * MIB + 1}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        answer = raw.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert '"statusCode":"413"' in answer


def test_a_body_without_a_length_is_still_limited(workspace_server: RunningServer, alice: User) -> None:
    """Real Storage lets chunked bodies pass its limits; here the bytes themselves are counted."""
    row = alice.insert()
    where = address(alice, row["storage_path"])

    def endless() -> Iterator[bytes]:
        for _ in range(501):
            yield bytes(MIB)

    answer = put(alice, where, endless())
    assert refusal(answer) == (400, "413", "Payload too large")
    assert list((workspace_server.data_dir / "objects" / "incoming").iterdir()) == []


@pytest.mark.parametrize("bad", ["a~b", "naïve", "a%23b", "a%5Bb", "tab%09"])
def test_keys_have_storages_characters(alice: User, bad: str) -> None:
    with alice.client() as client:
        key = alice.server.service_key
        signed = client.post(
            f"/storage/v1/object/upload/sign/{BUCKET}/{bad}", headers={"Authorization": f"Bearer {key}"}
        )
    # As on a hosted project the key is looked at only when the bytes come.
    assert signed.status_code == 200
    token = signed.json()["token"]
    where = f"/storage/v1/object/upload/sign/{BUCKET}/{bad}?token={token}"
    assert refusal(put(alice, where, b"x")) == (400, "400", "InvalidKey")


def test_dot_segments_never_leave_the_folder(alice: User) -> None:
    parts = urlsplit(alice.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as raw:
        raw.sendall(
            f"POST /storage/v1/object/{BUCKET}/../../secret HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            f"Authorization: Bearer {alice.server.service_key}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\n\r\nx".encode()
        )
        answer = raw.makefile("rb").read().decode()
    assert '"error":"InvalidKey"' in answer


@pytest.mark.parametrize("form", ["raw", "multipart"])
def test_a_sender_that_goes_away_leaves_nothing(workspace_server: RunningServer, alice: User, form: str) -> None:
    row = alice.insert(64 * MIB)
    where = address(alice, row["storage_path"])
    before = set(stored_files(workspace_server))
    parts = urlsplit(alice.server.url)
    kind = TYPE["Content-Type"] if form == "raw" else "multipart/form-data; boundary=B"
    head = (
        b""
        if form == "raw"
        else (
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
            b"Content-Type: application/x-ndjson\r\n\r\n"
        )
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as raw:
        raw.sendall(
            f"PUT {where} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {64 * MIB}\r\n\r\n".encode()
        )
        raw.sendall(head + bytes(8 * MIB))
        wait_until(lambda: set(stored_files(workspace_server)) - before, what="the incoming file")
    wait_until(lambda: set(stored_files(workspace_server)) == before, what="its removal")
    assert info(alice, row["storage_path"]).json()["statusCode"] == "404"
    # The same address works again.
    assert put(alice, where, b"x").status_code == 200


def test_a_plain_upload_follows_the_same_rules(alice: User, bob: User) -> None:
    row = alice.insert()
    path = f"/storage/v1/object/{BUCKET}/{row['storage_path']}"
    with bob.client(**TYPE) as client:
        assert refusal(client.post(path, content=b"0123456789")) == (400, "403", "Unauthorized")
    with alice.client(**TYPE) as client:
        stored = client.post(path, content=b"0123456789")
        assert set(stored.json()) == {"Id", "Key"}
        assert refusal(client.post(path, content=b"again")) == (400, "409", "Duplicate")
        # Replacing needs the right to update, which nobody has here.
        assert refusal(client.put(path, content=b"again"))[1] == "403"
        assert refusal(client.post(path, content=b"again", headers={"x-upsert": "true"}))[1] == "403"


def test_the_service_may_replace_and_old_bytes_go(workspace_server: RunningServer, alice: User) -> None:
    row = alice.upload(b"0123456789")
    before = len(stored_files(workspace_server))
    with workspace_server.client(workspace_server.service_key, **TYPE) as client:
        answer = client.put(f"/storage/v1/object/{BUCKET}/{row['storage_path']}", content=b"abcdefghij")
        assert answer.status_code == 200, answer.text
    with alice.client() as client:
        assert client.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content == b"abcdefghij"
    assert len(stored_files(workspace_server)) == before


def test_other_requests_are_answered_while_a_body_comes_in(alice: User) -> None:
    row = alice.insert(200 * MIB)
    where = address(alice, row["storage_path"])
    block = bytes(MIB)
    answers: list[httpx.Response] = []
    sender = threading.Thread(target=lambda: answers.append(put(alice, where, (block for _ in range(200)))))
    sender.start()
    asked = 0
    with alice.client() as client:
        while sender.is_alive():
            assert client.get("/rest/v1/datasets?select=id", timeout=5).status_code == 200
            asked += 1
    sender.join()
    assert answers[0].status_code == 200
    assert asked > 5
