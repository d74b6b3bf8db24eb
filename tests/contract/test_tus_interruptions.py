"""Resumable uploads that are cut, contended, kept waiting or left too long; nothing acknowledged is ever lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.support.tus import MIB, TusUpload, content_of, resumable_files, rows_blocked
from tests.support.workspace import RunningServer, short_folder, wait_until
from tests.support.workspace import User as Person

DRAIN_S = 3.0


@pytest.mark.parametrize("route", ["jwt", "signed"])
def test_a_cut_keeps_every_byte_the_server_has_read(alice: Person, route: str) -> None:
    content = content_of(10_000_000)
    upload = TusUpload.of_new_row(alice, len(content), route)
    assert upload.create(len(content)).status_code == 201
    upload.cut_patch(0, len(content), content[:7_654_321])
    assert upload.offset() == 7_654_321
    assert upload.patch(7_654_321, content[7_654_321:]).headers["tus-complete"] == "1"
    upload.assert_object_is(content)


def test_any_number_of_cuts_still_ends_in_the_same_bytes(alice: Person) -> None:
    """Seeded cuts, in order and by reset; HEAD alone says where to go on."""
    chance = random.Random(20261122)
    content = content_of(3_000_000, seed=chance.randrange(1000))
    upload = TusUpload.of_new_row(alice, len(content), "signed")
    assert upload.create(len(content)).status_code == 201
    cuts = 0
    while (offset := upload.offset()) < len(content):
        rest = content[offset:]
        if cuts < 25:
            sent = rest[: min(chance.randrange(200_000), len(rest) - 1)]
            upload.cut_patch(offset, len(rest), sent, reset=chance.random() < 0.5)
            reached = upload.offset()
            assert offset <= reached <= offset + len(sent)
            cuts += 1
        else:
            assert upload.patch(offset, rest).headers["tus-complete"] == "1"
    assert cuts == 25
    upload.assert_object_is(content)


def test_a_cut_after_the_last_byte_keeps_the_object(alice: Person) -> None:
    content = content_of(2 * MIB)
    upload = TusUpload.of_new_row(alice, len(content))
    assert upload.create(len(content)).status_code == 201
    with upload.begin_patch(0, len(content), content):
        wait_until(upload.has_object, what="the object")
    upload.assert_object_is(content)
    assert upload.offset() == len(content)


def test_an_unanswered_last_byte_costs_nothing(alice: Person) -> None:
    content = content_of(5 * MIB)
    upload = TusUpload.of_new_row(alice, len(content), "signed")
    assert upload.create(len(content)).status_code == 201
    upload.cut_patch(0, len(content), content)
    assert upload.offset() == len(content)
    upload.assert_object_is(content)


def test_of_three_parallel_patches_one_wins(alice: Person) -> None:
    content = content_of(4 * MIB)
    upload = TusUpload.of_new_row(alice, 2 * len(content))
    assert upload.create(2 * len(content)).status_code == 201
    answers: list[httpx.Response] = []
    together = threading.Barrier(3)

    def send() -> None:
        together.wait(20)
        answers.append(upload.patch(0, content))

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409]
    assert {answer.text for answer in answers if answer.status_code == 409} == {"Upload-Offset conflict\n"}
    assert upload.offset() == len(content)
    assert upload.patch(len(content), content).headers["tus-complete"] == "1"
    upload.assert_object_is(content * 2)


def test_a_holder_is_drained_and_ends_with_what_it_has(alice: Person) -> None:
    size, sent = 4 * MIB, 2 * MIB + 1000
    upload = TusUpload.of_new_row(alice, size)
    assert upload.create(size).status_code == 201
    with upload.begin_patch(0, size, bytes(sent)) as stalled:
        wait_until(upload.bytes_on_disk, what="the first bytes")
        began = time.monotonic()
        offset = upload.offset()
        took_s = time.monotonic() - began
        answer = lines_of(stalled.makefile("rb").read())
    assert DRAIN_S - 0.2 <= took_s < DRAIN_S + 1.5
    assert offset == sent
    assert answer[0].startswith("HTTP/1.1 204")
    assert f"upload-offset: {sent}" in answer and "connection: close" in answer
    assert upload.patch(sent, bytes(size - sent)).headers["tus-complete"] == "1"


def test_a_holder_that_is_done_in_time_is_answered_as_if_alone(alice: Person) -> None:
    upload = TusUpload.of_new_row(alice, 2000)
    assert upload.create(2000).status_code == 201
    offsets: list[int] = []
    with upload.begin_patch(0, 1000, bytes(400)) as slow:
        newcomer = threading.Thread(target=lambda: offsets.append(upload.offset()))
        newcomer.start()
        slow.sendall(bytes(600))
        answer = lines_of(slow.recv(4096))
        newcomer.join()
    assert "upload-offset: 1000" in answer and "connection: close" not in answer
    # The newcomer may have come before the first byte.
    assert offsets[0] in (0, 1000)
    assert upload.offset() == 1000


def test_a_newcomer_gives_up_when_the_lock_is_not_freed(alice: Person) -> None:
    """The holder has its last byte and waits for the database, so it cannot be drained."""
    upload = TusUpload.of_new_row(alice, 10, "signed")
    assert upload.create(10).status_code == 201
    answers: list[httpx.Response] = []
    holder = threading.Thread(target=lambda: answers.append(upload.patch(0, b"0123456789")))
    with rows_blocked(alice.server):
        holder.start()
        wait_until(lambda: not upload.bytes_path.exists(), what="the bytes in their place")
        began = time.monotonic()
        late = upload.patch(10, b"")
        assert 4.8 <= time.monotonic() - began < 7
        assert (late.status_code, late.text) == (503, "acquiring lock timeout")
    holder.join()
    assert answers[0].headers["tus-complete"] == "1"
    upload.assert_object_is(b"0123456789")


def test_early_refusals_are_readable_while_a_large_body_is_sent(alice: Person) -> None:
    upload = TusUpload.of_new_row(alice, 300 * MIB)
    assert upload.create(300 * MIB).status_code == 201
    block, sent = bytes(MIB), 0

    def blocks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield block

    conflict = upload.patch(5, blocks(), **{"Content-Length": str(200 * MIB)})
    assert (conflict.status_code, conflict.text) == (409, "Upload-Offset conflict\n")
    assert conflict.headers["connection"] == "close"
    assert sent < 150
    assert upload.offset() == 0
    assert upload.delete().status_code == 204


def test_uploads_expire_after_the_time_given_at_start() -> None:
    with short_folder() as folder:
        server = RunningServer.start(folder, "--tus-url-life-s", "2")
        user = server.new_user()
        begun, done = TusUpload.of_new_row(user, 10), TusUpload.of_new_row(user, 4)
        assert "upload-expires" not in done.create(4, content=b"0123").headers
        created = begun.create(10)
        ends = created.headers["upload-expires"]
        assert ends.endswith(" GMT")
        assert begun.patch(0, b"0123").headers["upload-expires"] == ends
        assert "upload-expires" not in begun.head().headers
        wait_until(lambda: begun.head().status_code == 410, what="the end of the upload")
        late = begun.patch(4, b"456789")
        assert (late.status_code, late.text) == (410, "The file for this url no longer exists\n")
        wait_until(lambda: not [path for path in resumable_files(server) if path.suffix == ".part"], what="the sweep")
        assert begun.head().status_code == 410
        assert (begun.delete().status_code, begun.head().status_code) == (204, 404)
        done.assert_object_is(b"0123")
        assert server.log() == ""
        server.stop()


def test_a_lost_last_answer_can_be_made_to_cost_everything() -> None:
    """The switch for tests: what was measured on the hosted service, and nothing for those who wait."""
    with short_folder() as folder:
        server = RunningServer.start(folder, "--tus-drop-unanswered")
        user = server.new_user()
        content = content_of(10 * MIB)
        waits, leaves = TusUpload.of_new_row(user, len(content)), TusUpload.of_new_row(user, len(content))
        assert waits.create(len(content)).status_code == leaves.create(len(content)).status_code == 201
        assert waits.patch(0, content).headers["tus-complete"] == "1"
        waits.assert_object_is(content)
        leaves.cut_patch(0, len(content), content)
        assert leaves.offset() == len(content)
        wait_until(lambda: leaves.head().status_code == 410, what="the loss")
        assert leaves.patch(len(content), b"").status_code == 410
        assert not leaves.has_object()
        # A cut before the last byte is no loss.
        again = TusUpload(user, leaves.path)
        assert again.create(len(content)).status_code == 201
        again.cut_patch(0, len(content), content[:-1])
        assert again.offset() == len(content) - 1
        assert again.patch(len(content) - 1, content[-1:]).headers["tus-complete"] == "1"
        again.assert_object_is(content)
        server.stop()


def lines_of(answer: bytes) -> list[str]:
    """Status line and headers in lower case, the status line as it was."""
    status, *headers = answer.decode("latin-1").split("\r\n")
    return [status, *(header.lower() for header in headers)]
