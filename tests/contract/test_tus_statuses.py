"""Resumable uploads: every refusal of the protocol, with its status and its words, as one list.

The words are those of the hosted service; clients tell the two kinds of 409 apart by nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.support.tus import BASE, CHUNK, MIB, VERSION, TusUpload, metadata, upload_id
from tests.support.workspace import BUCKET, RunningServer, User

EXTENSIONS = "creation,creation-with-upload,creation-defer-length,termination,expiration"
NO_LENGTH = "Upload-Length or Upload-Defer-Length header required\n"
TOO_LARGE = "Maximum size exceeded\n"
EXISTS = "The resource already exists"
RLS = "new row violates row-level security policy"


def told(upload: TusUpload, **changes: str) -> str:
    values = {"bucketName": BUCKET, "objectName": upload.path, "contentType": "application/x-ndjson", **changes}
    return metadata(**{name: value for name, value in values.items() if value != "-"})


# name -> (headers made from the upload, status, words); "-" leaves a header or a value out.
CREATIONS: dict[str, tuple[Callable[[TusUpload], dict[str, str]], int, str]] = {
    "no version": (lambda _: {"Tus-Resumable": "-"}, 412, "Tus-Resumable Required\n"),
    "another version": (lambda _: {"Tus-Resumable": "0.2.2"}, 400, "Invalid tus-resumable\n"),
    "no metadata": (lambda _: {"Upload-Metadata": "-"}, 400, "Metadata header is required"),
    "no length": (lambda _: {"Upload-Length": "-"}, 400, NO_LENGTH),
    "length and its absence": (lambda _: {"Upload-Defer-Length": "1"}, 400, NO_LENGTH),
    "odd deferral": (lambda _: {"Upload-Defer-Length": "2"}, 400, "Invalid upload-defer-length\n"),
    "negative length": (lambda _: {"Upload-Length": "-5"}, 400, "Invalid upload-length\n"),
    "metadata no base64": (lambda _: {"Upload-Metadata": "bucketName ???"}, 400, "Invalid upload-metadata\n"),
    "metadata twice": (lambda _: {"Upload-Metadata": "a YQ==,a YQ=="}, 400, "Invalid upload-metadata\n"),
    "two faults": (
        lambda _: {"Upload-Metadata": "a b c", "Upload-Length": "x"},
        400,
        "Invalid upload-length upload-metadata\n",
    ),
    "no bucket": (lambda u: {"Upload-Metadata": told(u, bucketName="-")}, 400, "Bucket name invalid"),
    "bad bucket": (lambda u: {"Upload-Metadata": told(u, bucketName="a/b")}, 400, "Bucket name invalid"),
    "bad key": (lambda u: {"Upload-Metadata": told(u, objectName="a~b")}, 400, "Invalid key: a~b"),
    "dots in key": (lambda u: {"Upload-Metadata": told(u, objectName="../b")}, 400, "Invalid key: ../b"),
    "unknown bucket": (lambda u: {"Upload-Metadata": told(u, bucketName="nothing")}, 404, "Bucket not found"),
    "too large": (lambda _: {"Upload-Length": str(500 * MIB + 1)}, 413, TOO_LARGE),
    "wrong type": (
        lambda u: {"Upload-Metadata": told(u, contentType="text/html")},
        415,
        "mime type text/html is not supported",
    ),
}


@pytest.mark.parametrize("route", ["jwt", "signed"])
def test_creations_are_refused_in_words(alice: User, route: str) -> None:
    upload = TusUpload.of_new_row(alice, 10, route)
    seen: dict[str, Any] = {}
    with upload.client() as client:
        for name, (change, _, _) in CREATIONS.items():
            headers = {**VERSION, "Upload-Length": "10", "Upload-Metadata": told(upload), **change(upload)}
            if headers["Tus-Resumable"] == "-":
                del client.headers["Tus-Resumable"]
            answer = client.post(
                upload.base, headers={header: value for header, value in headers.items() if value != "-"}
            )
            client.headers.update(VERSION)
            assert answer.headers["content-type"].startswith("text/plain"), name
            assert answer.headers["tus-resumable"] == "1.0.0", name
            seen[name] = (answer.status_code, answer.text)
    assert seen == {name: (status, words) for name, (_, status, words) in CREATIONS.items()}
    assert not upload.has_object()


def test_a_bad_access_token_is_answered_as_everywhere_in_storage(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    assert upload.create(10).status_code == 201
    expired = {"Authorization": "Bearer garbage"}
    with alice.server.bare_client(**VERSION) as client:
        for method in ("POST", "PATCH", "DELETE"):
            answer = client.request(method, upload.url, headers={**CHUNK, "Upload-Offset": "0", **expired})
            assert (answer.status_code, answer.json()["statusCode"]) == (400, "403")
        nobody = client.patch(upload.url, headers={**CHUNK, "Upload-Offset": "0"})
        assert nobody.json()["message"] == "headers must have required property 'authorization'"
        refused = client.head(upload.url, headers=expired)
        assert (refused.status_code, refused.content) == (400, b"")


def test_every_call_on_the_signed_route_needs_a_fitting_signature(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10, "signed")
    assert upload.create(10).status_code == 201
    other = TusUpload.of_new_row(alice, 10, "signed").token
    words = {
        "": "Missing x-signature header",
        "garbage": "Invalid Compact JWS",
        other: "Invalid signature",
        alice.token: "Invalid signature",
        upload.token[:-4] + "AAAA": "signature verification failed",
    }
    with alice.server.bare_client(**VERSION) as client:
        for token, text in words.items():
            signed = {"x-signature": token} if token else {}
            for method in ("PATCH", "DELETE"):
                answer = client.request(method, upload.url, headers={**CHUNK, "Upload-Offset": "0", **signed})
                assert (answer.status_code, answer.text) == (400, text)
            assert client.head(upload.url, headers=signed).status_code == 400
        headers = {"Upload-Length": "10", "Upload-Metadata": told(upload), "x-signature": other}
        created = client.post(upload.base, headers=headers)
        assert (created.status_code, created.text) == (400, "Invalid signature")
        # An Authorization header changes nothing here, not even a bad one.
        fine = {"x-signature": upload.token, "Authorization": "Bearer garbage"}
        assert client.head(upload.url, headers=fine).status_code == 200


@pytest.mark.parametrize("route", ["jwt", "signed"])
def test_patches_are_refused_in_words(alice: User, route: str) -> None:
    upload = TusUpload.of_new_row(alice, 10, route)
    assert upload.create(10).status_code == 201
    offset, kind = {"Upload-Offset": "0"}, CHUNK
    refusals: list[tuple[dict[str, str], bytes, int, str]] = [
        (kind, b"x", 403, "Upload-Offset header required\n"),
        (offset, b"x", 403, "Content-Type header required\n"),
        ({**offset, "Content-Type": "text/plain"}, b"x", 400, "Invalid content-type\n"),
        ({**kind, "Upload-Offset": "-1"}, b"x", 400, "Invalid upload-offset\n"),
        ({**kind, "Upload-Offset": "3"}, b"x", 409, "Upload-Offset conflict\n"),
        ({**kind, **offset}, b"x" * 11, 413, "upload's size exceeded\n"),
        ({**kind, **offset, "Upload-Length": "10"}, b"x", 400, NO_LENGTH),
    ]
    with upload.client() as client:
        for headers, content, status, words in refusals:
            answer = client.patch(upload.url, content=content, headers=headers)
            assert (answer.status_code, answer.text) == (status, words)
        chunked = client.patch(upload.url, content=iter([b"x" * 6, b"x" * 6]), headers={**kind, **offset})
        assert (chunked.status_code, chunked.text) == (413, TOO_LARGE)
    assert upload.offset() == 0
    assert upload.patch(0, b"0123456789").headers["tus-complete"] == "1"
    upload.assert_object_is(b"0123456789")


def test_addresses_that_lead_nowhere(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    unknown = upload_id(f"{BUCKET}/{upload.path}", str(uuid4()))
    places = {unknown: 404, "garbage!": 400, base64.urlsafe_b64encode(b"\xff\xfe").decode(): 400}
    for last, status in places.items():
        upload.url = f"{BASE}/{last}"
        assert (upload.head().status_code, upload.delete().status_code) == (status, status)
        answer = upload.patch(0, b"x")
        assert answer.status_code == status
        assert status == 400 or answer.text == "The file for this url was not found\n"
    escaping = TusUpload(alice, "", url=f"{BASE}/{upload_id(f'{BUCKET}/{upload.path}', '../../../secrets')}")
    assert (escaping.head().status_code, escaping.delete().status_code) == (404, 403)
    # A known version under another path is as unknown.
    assert upload.create(10).status_code == 201
    decoded = base64.urlsafe_b64decode(upload.url.rsplit("/", 1)[1] + "==").decode()
    upload.url = f"{BASE}/{upload_id(f'{BUCKET}/{alice.id}/x', decoded.rsplit('/', 1)[1])}"
    assert upload.head().status_code == 404
    upload.url = BASE
    assert upload.patch(0, b"x").status_code == 404


@pytest.mark.parametrize("route", ["jwt", "signed"])
def test_after_the_end(alice: User, route: str) -> None:
    upload = TusUpload.of_new_row(alice, 10, route)
    assert upload.create(10).status_code == 201
    assert upload.patch(0, b"0123456789").status_code == 204
    for offset, content in ((10, b""), (0, b"0123456789"), (3, b"x")):
        late = upload.patch(offset, content)
        assert (late.status_code, late.text) == (409, EXISTS)
    assert (upload.delete().status_code, upload.delete().text) == (409, EXISTS)
    head = upload.head()
    assert (head.status_code, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "10", "10")
    upload.assert_object_is(b"0123456789")
    if route == "jwt":
        again = upload.create(10)
        assert (again.status_code, again.text) == (409, EXISTS)
        service = TusUpload(alice, upload.path, url=upload.url, headers={"x-upsert": "true"})
        service.headers["Authorization"] = f"Bearer {alice.server.service_key}"
        with alice.server.bare_client(**VERSION, **service.headers) as client:
            answer = client.delete(upload.url)
        assert (answer.status_code, answer.text) == (400, "Cannot terminate an already completed upload")


def test_options_tells_what_is_possible(workspace_server: RunningServer) -> None:
    with workspace_server.bare_client() as client:
        for place in (BASE, f"{BASE}/sign", f"{BASE}/anything"):
            answer = client.options(place)
            assert answer.status_code == 204
            assert answer.headers["tus-extension"] == EXTENSIONS
            assert (answer.headers["tus-version"], answer.headers["tus-resumable"]) == ("1.0.0", "1.0.0")
            assert answer.headers["tus-max-size"] == str(500 * MIB)


def test_headers_have_a_limit(alice: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    answer = upload.create(10, more={"metadata": "x" * 16_000})
    assert (answer.status_code, answer.json()["statusCode"]) == (431, 431)


def test_somebody_elses_upload(alice: User, bob: User) -> None:
    upload = TusUpload.of_new_row(alice, 10)
    assert upload.create(10).status_code == 201
    assert upload.patch(0, b"012").status_code == 204
    theirs = TusUpload(bob, upload.path, url=upload.url)
    refused = theirs.create(10)
    assert (refused.status_code, refused.text) == (403, RLS)
    for answer in (theirs.patch(3, b"3456789"), theirs.delete()):
        assert (answer.status_code, answer.text) == (403, RLS)
    # As on the hosted service a HEAD needs a valid token, not the right one.
    assert theirs.offset() == 3
    signed = TusUpload.of_new_row(bob, 10, "signed")
    signed.url = upload.url.replace("/resumable/", "/resumable/sign/")
    answer = signed.patch(3, b"3456789")
    assert (answer.status_code, answer.text) == (400, "Invalid signature")
    assert upload.patch(3, b"3456789").headers["tus-complete"] == "1"
    upload.assert_object_is(b"0123456789")
