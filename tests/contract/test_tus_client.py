"""Our resumable client against the workspace server: the object, its version, the two conflicts, tickets, giving up."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.support.tus_server import pieces, send_file
from tests.support.workspace import User

from lorry.core.cancel import CancelToken
from lorry.core.config import ServerConfig
from lorry.core.errors import ErrorCode, LorryError, OffsetConflictError
from lorry.core.model import BUCKET, UploadTicket
from lorry.core.remote.tus import TusApi, TusProgress, TusState
from lorry.core.remote.tus_answers import object_version

MIB = 1024 * 1024
TYPE = "application/x-ndjson"


@pytest.fixture
def tus(alice: User) -> Iterator[TusApi]:
    with TusApi(ServerConfig.create(alice.server.url, alice.server.anon_key)) as api:
        yield api


def ticket_for(user: User, size: int) -> UploadTicket:
    row = user.insert(size)
    url = user.server.url + user.sign(row["storage_path"]).json()["url"]
    return UploadTicket(UUID(row["id"]), url, row["storage_path"], datetime.now(UTC) + timedelta(minutes=1))


def append(tus: TusApi, ticket: UploadTicket, upload_id: str, at: int, data: bytes, *, is_last: bool) -> TusProgress:
    return tus.append(
        ticket, upload_id, at, pieces(data), len(data), CancelToken(), lambda count: None, is_last=is_last
    )


def test_the_object_is_there_with_the_version_of_the_upload(tus: TusApi, alice: User) -> None:
    data = random.Random(1).randbytes(19 * MIB + 5)
    ticket = ticket_for(alice, len(data))
    sent = send_file(tus, data, ticket)
    assert (sent.is_complete, sent.errors) == (True, [])
    with alice.client() as client:
        info = client.get(f"/storage/v1/object/info/{BUCKET}/{ticket.storage_path}").json()
        stored = client.get(f"/storage/v1/object/authenticated/{BUCKET}/{ticket.storage_path}").content
    assert (info["size"], info["version"]) == (len(data), object_version(sent.upload_id, ticket.storage_path))
    assert info["content_type"] == TYPE
    assert hashlib.sha256(stored).hexdigest() == sent.checksums["whole"]


def test_the_two_conflicts(tus: TusApi, alice: User) -> None:
    ticket = ticket_for(alice, 1000)
    upload_id = tus.create(ticket, 1000, TYPE)
    append(tus, ticket, upload_id, 0, b"x" * 400, is_last=False)
    with pytest.raises(OffsetConflictError):
        append(tus, ticket, upload_id, 300, b"x" * 100, is_last=False)
    assert tus.offset(ticket, upload_id) == TusState(400, 1000)
    assert append(tus, ticket, upload_id, 400, b"x" * 600, is_last=True) == TusProgress(1000, is_complete=True)
    with pytest.raises(LorryError) as finished:
        append(tus, ticket, upload_id, 400, b"x" * 600, is_last=True)
    assert finished.value.code is ErrorCode.ALREADY_EXISTS
    tus.terminate(ticket, upload_id)


def test_a_given_up_upload_is_gone(tus: TusApi, alice: User) -> None:
    ticket = ticket_for(alice, 1000)
    upload_id = tus.create(ticket, 1000, TYPE)
    tus.terminate(ticket, upload_id)
    tus.terminate(ticket, upload_id)
    with pytest.raises(LorryError) as gone:
        tus.offset(ticket, upload_id)
    assert gone.value.code is ErrorCode.UPLOAD_GONE


def test_a_ticket_the_server_refuses_asks_for_another(tus: TusApi, alice: User) -> None:
    ticket = ticket_for(alice, 1000)
    upload_id = tus.create(ticket, 1000, TYPE)
    bad = UploadTicket(ticket.dataset_id, f"{alice.server.url}/?token=a.b.c", ticket.storage_path, ticket.expires_at)
    for call in (
        lambda: tus.offset(bad, upload_id),
        lambda: append(tus, bad, upload_id, 0, b"x" * 1000, is_last=True),
        lambda: tus.create(bad, 1000, TYPE),
        lambda: tus.terminate(bad, upload_id),
    ):
        with pytest.raises(LorryError) as refused:
            call()
        assert refused.value.code is ErrorCode.TICKET_EXPIRED
    assert append(tus, ticket, upload_id, 0, b"x" * 1000, is_last=True).is_complete


def test_a_file_larger_than_the_bucket_takes_is_refused_before_a_byte(tus: TusApi, alice: User) -> None:
    ticket = ticket_for(alice, 1000)
    with pytest.raises(LorryError) as refused:
        tus.create(ticket, 524_288_001, TYPE)
    assert refused.value.code is ErrorCode.TOO_LARGE_FOR_PROJECT
