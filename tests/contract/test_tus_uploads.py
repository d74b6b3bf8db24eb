"""Resumable uploads that go well: both routes, every size, open lengths, bytes with the creation, metadata."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.tus import CHUNK, MIB, VERSION, TusUpload, content_of, metadata, resumable_files
from tests.support.workspace import BUCKET, RunningServer, User

LIMIT = 500 * MIB


@pytest.mark.parametrize("route", ["jwt", "signed"])
@pytest.mark.parametrize("size", [1, 6 * MIB, 6 * MIB + 1, 20 * MIB + 3])
def test_parts_become_the_object(alice: User, route: str, size: int) -> None:
    content, offset = content_of(size), 0
    upload = TusUpload.of_new_row(alice, size, route)
    created = upload.create(size, more={"cacheControl": "60", "metadata": '{"sha256": "abc"}'})
    assert created.status_code == 201
    assert "upload-expires" not in created.headers and "tus-complete" not in created.headers
    where = urlsplit(created.headers["location"])
    assert f"{where.scheme}://{where.netloc}" == alice.server.url
    assert where.path.rsplit("/", 1)[0] == upload.base
    while offset < size:
        assert not upload.has_object()
        answer = upload.patch(offset, content[offset : offset + 6 * MIB])
        offset = min(offset + 6 * MIB, size)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(offset))
        assert ("tus-complete" in answer.headers) == (offset == size)
        assert upload.offset() == offset
    upload.assert_object_is(content)
    told = upload.info().json()
    assert (told["content_type"], told["cache_control"]) == ("application/x-ndjson", "max-age=60")
    assert told["metadata"] == {"sha256": "abc"}
    # Only the facts of a finished upload stay.
    assert upload.bytes_path.with_suffix(".json").exists()
    assert not upload.bytes_path.exists()


def test_a_head_tells_all_there_is_to_know(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    assert upload.create(10).status_code == 201
    assert upload.patch(0, b"0123").status_code == 204
    head = upload.head()
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("4", "10")
    assert head.headers["upload-metadata"].startswith("bucketName ")
    assert (head.headers["cache-control"], head.headers["tus-resumable"]) == ("no-store", "1.0.0")
    assert "upload-expires" not in head.headers and "upload-defer-length" not in head.headers


@pytest.mark.parametrize("route", ["jwt", "signed"])
def test_an_empty_upload_is_an_object_at_once(alice: User, route: str) -> None:
    upload = TusUpload.of_new_row(alice, 0, route)
    created = upload.create(0)
    assert (created.status_code, created.headers["tus-complete"]) == (201, "1")
    upload.assert_object_is(b"")


def test_bytes_may_come_with_the_creation(alice: User) -> None:
    content = content_of(3 * MIB)
    whole = TusUpload.of_new_row(alice, len(content))
    created = whole.create(len(content), content=content)
    assert (created.status_code, created.headers["tus-complete"]) == (201, "1")
    assert created.headers["upload-offset"] == str(len(content))
    whole.assert_object_is(content)
    begun = TusUpload.of_new_row(alice, len(content))
    created = begun.create(len(content), content=content[:1000])
    assert (created.status_code, created.headers["upload-offset"]) == (201, "1000")
    assert "tus-complete" not in created.headers
    assert begun.patch(1000, content[1000:]).headers["tus-complete"] == "1"
    begun.assert_object_is(content)
    before = resumable_files(alice.server)
    more = TusUpload.of_new_row(alice, 10)
    assert more.create(10, content=b"x" * 11).status_code == 413
    assert resumable_files(alice.server) == before


def test_the_length_may_come_later(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    assert upload.create(None).status_code == 201
    assert upload.patch(0, b"012345").status_code == 204
    head = upload.head()
    assert head.headers["upload-defer-length"] == "1" and "upload-length" not in head.headers
    assert upload.patch(6, b"x", **{"Upload-Length": "5"}).status_code == 400
    assert upload.patch(6, b"x", **{"Upload-Length": str(LIMIT + 1)}).status_code == 413
    last = upload.patch(6, b"6789", **{"Upload-Length": "10"})
    assert (last.status_code, last.headers["tus-complete"]) == (204, "1")
    upload.assert_object_is(b"0123456789")
    told_last = TusUpload.of_new_row(alice, 4)
    assert told_last.create(None, content=b"0123").status_code == 201
    assert told_last.patch(4, b"", **{"Upload-Length": "4"}).headers["tus-complete"] == "1"
    told_last.assert_object_is(b"0123")


def test_a_body_without_a_length_streams_and_is_still_limited(alice: User) -> None:
    """An open length and no Content-Length: the bytes themselves are counted against the bucket's limit."""
    block = bytes(MIB)
    content = block * 20
    fits = TusUpload.of_new_row(alice, len(content))
    assert fits.create(len(content)).status_code == 201
    assert fits.patch(0, (block for _ in range(20))).headers["tus-complete"] == "1"
    fits.assert_object_is(content)
    endless = TusUpload.of_new_row(alice, LIMIT)
    assert endless.create(None).status_code == 201
    answer = endless.patch(0, (block for _ in range(501)))
    assert (answer.status_code, answer.text) == (413, "Maximum size exceeded\n")
    assert endless.delete().status_code == 204


def test_termination_leaves_nothing(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    before = resumable_files(alice.server)
    assert upload.create(10).status_code == 201
    assert upload.patch(0, b"0123").status_code == 204
    assert upload.delete().status_code == 204
    assert (upload.head().status_code, upload.patch(4, b"x").status_code, upload.delete().status_code) == (404,) * 3
    assert resumable_files(alice.server) == before


def test_one_upload_on_both_routes(alice: User) -> None:
    content = content_of(100_000)
    upload = TusUpload.of_new_row(alice, len(content), "signed")
    assert upload.create(len(content)).status_code == 201
    assert upload.patch(0, content[:30_000]).status_code == 204
    upload.token = alice.sign(upload.path).json()["token"]
    assert upload.patch(30_000, content[30_000:60_000]).status_code == 204
    unsigned = TusUpload(alice, upload.path, url=upload.url.replace("/sign/", "/"))
    assert unsigned.offset() == 60_000
    assert unsigned.patch(60_000, content[60_000:]).headers["tus-complete"] == "1"
    unsigned.assert_object_is(content)


def test_the_first_of_two_uploads_to_finish_stays(alice: User) -> None:
    """The hosted service lets the last one win; bytes that were confirmed must not change."""
    first = TusUpload.of_new_row(alice, 10, "signed")
    second = TusUpload(alice, first.path, "signed", first.token)
    assert first.create(10).status_code == second.create(10).status_code == 201
    assert second.patch(0, b"abcde").status_code == 204
    assert first.patch(0, b"0123456789").headers["tus-complete"] == "1"
    late = second.patch(5, b"fghij")
    assert (late.status_code, late.text) == (409, "The resource already exists")
    assert second.head().status_code == 410
    first.assert_object_is(b"0123456789")


def test_metadata_of_odd_shapes(alice: User) -> None:
    text = TusUpload.of_new_row(alice, 4)
    assert text.create(4, content=b"0123", more={"metadata": "no json", "cacheControl": "soon"}).status_code == 201
    assert (text.info().json()["metadata"], text.info().json()["cache_control"]) == ({}, "no-cache")
    array = TusUpload.of_new_row(alice, 4)
    assert array.create(4, more={"metadata": "[1]"}).status_code == 201
    refused = array.patch(0, b"0123")
    assert (refused.status_code, refused.text) == (400, "invalid input syntax for type json")
    assert (array.has_object(), array.head().status_code) == (False, 410)
    # A type that was not told is not checked, as on the hosted service.
    with alice.client(**VERSION) as client:
        path = alice.insert()["storage_path"]
        told = metadata(bucketName=BUCKET, objectName=path)
        created = client.post(text.base, headers={"Upload-Metadata": told, "Upload-Length": "0"})
    assert created.status_code == 201
    assert TusUpload(alice, path).info().json()["content_type"] == "application/octet-stream"


def test_the_service_may_replace_and_keeps_what_it_does_not_tell(alice: User) -> None:
    stored = TusUpload.of_new_row(alice, 4)
    assert stored.create(4, content=b"0123", more={"metadata": '{"sha256": "old"}'}).status_code == 201
    key = alice.server.service_key
    told = {"Upload-Metadata": metadata(bucketName=BUCKET, objectName=stored.path), "Upload-Length": "6"}
    with alice.server.bare_client(Authorization=f"Bearer {key}", **VERSION) as client:
        assert client.post(stored.base, headers=told).text == "The resource already exists"
        where = client.post(stored.base, headers={**told, "x-upsert": "true"}).headers["location"]
        sent = {**CHUNK, "Upload-Offset": "0"}
        assert client.patch(where, content=b"abcdef", headers=sent).status_code == 409
        replaced = client.patch(where, content=b"abcdef", headers={**sent, "x-upsert": "true"})
    assert (replaced.status_code, replaced.headers["tus-complete"]) == (204, "1")
    assert stored.download() == b"abcdef"
    assert stored.info().json()["metadata"] == {"sha256": "old"}
    assert stored.head().status_code == 410


def test_other_requests_are_answered_while_parts_come_in(workspace_server: RunningServer, alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 200 * MIB)
    assert upload.create(200 * MIB).status_code == 201
    block = bytes(MIB)

    def blocks() -> Iterator[bytes]:
        for _ in range(200):
            yield block

    answers: list[httpx.Response] = []
    sender = threading.Thread(target=lambda: answers.append(upload.patch(0, blocks())))
    sender.start()
    asked = 0
    with alice.client() as client:
        while sender.is_alive():
            assert client.get("/rest/v1/datasets?select=id", timeout=5).status_code == 200
            asked += 1
    sender.join()
    assert answers[0].headers["tus-complete"] == "1"
    assert asked > 5
