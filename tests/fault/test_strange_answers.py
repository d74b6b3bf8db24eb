"""Answers no server of ours gives: of a strange shape, endless, dripping, half. Only errors of ours come out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.support.client import Wire
from tests.support.fault_server import Answer, CutAnswer, Drip, Fault, FaultServer, Stall

from lorry.core.errors import ErrorCode, LorryError, NetworkError, ProtocolError
from lorry.core.model import DatasetDraft, DatasetQuery

JSON = {"Content-Type": "application/json"}
EVERYTHING = "/(rest|storage|functions)/v1/"
DRAFT = DatasetDraft(name="Strange", file_name="a.jsonl", file_size=10)


def calls(wire: Wire) -> dict[str, Callable[[], object]]:
    """Everything the client asks a server for."""
    datasets, objects, functions = wire.remote.datasets, wire.remote.objects, wire.remote.functions
    some_id, path = uuid4(), f"{uuid4()}/{uuid4()}/a.jsonl"
    return {
        "insert": lambda: datasets.insert(some_id, some_id, path, DRAFT),
        "find": lambda: datasets.find(some_id),
        "get": lambda: datasets.get(some_id),
        "list": lambda: datasets.list(DatasetQuery()),
        "search": lambda: datasets.list(DatasetQuery(search="x", page=3)),
        "update": lambda: datasets.update(some_id, {"name": "new"}),
        "confirm": lambda: datasets.confirm(some_id),
        "revalidate": lambda: datasets.revalidate(some_id),
        "purge": lambda: datasets.purge(some_id),
        "limits": lambda: datasets.limits(),
        "sign": lambda: objects.sign_upload(some_id, path),
        "info": lambda: objects.info(path),
        "remove": lambda: objects.remove(path),
        "link": lambda: objects.download_url(path, 60),
        "validate": lambda: functions.validate(some_id),
        "sign in": lambda: wire.session.sign_in("a@example.org", "password"),
    }


BODIES: list[Any] = [
    None,
    True,
    7,
    "text",
    [],
    {},
    [1, "two", None],
    [[]],
    [{}],
    {"id": None},
    [{"id": 7, "status": []}],
    {"url": None, "token": 5, "size": "big", "version": None},
    {"url": "https://evil.example/?token=x", "signedURL": 7, "size": [], "version": {}},
    {"access_token": "x", "user": None},
    {"access_token": "x", "refresh_token": "y", "expires_in": "soon", "token_type": "bearer", "user": {"id": "7"}},
    {"error": "looks like one", "message": "but with 200"},
    {"size": 10**30, "version": "v"},
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_shape_of_an_answer_breaks_a_call(wire: Wire, proxy: FaultServer, body: Any) -> None:
    headers = {**JSON, "Content-Range": "0-9999/banana"}
    proxy.on(".", Answer(200, json.dumps(body).encode(), headers))
    account = wire.session.account
    for name, call in calls(wire).items():
        try:
            call()
        except LorryError as error:
            assert error.code in (ErrorCode.UNEXPECTED_ANSWER, ErrorCode.NOT_FOUND, ErrorCode.EMAIL_NOT_CONFIRMED), name
    assert wire.session.account == account


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Answer(200, b'{"a": ' * 60_000, JSON), ErrorCode.NOT_THE_SERVER),
        (Answer(200, b"[" + b" " * 9_000_000 + b"]", JSON), ErrorCode.UNEXPECTED_ANSWER),
        (CutAnswer(0), ErrorCode.CONNECTION_LOST),
        (CutAnswer(100), ErrorCode.CONNECTION_LOST),
        (Answer(200, b"\x1f\x8b\x08\x00junk", {**JSON, "Content-Encoding": "gzip"}), ErrorCode.NOT_THE_SERVER),
    ],
    ids=["deep", "endless", "swallowed", "half", "not gzip"],
)
def test_a_broken_answer_is_an_error_of_ours(wire: Wire, proxy: FaultServer, fault: Fault, code: ErrorCode) -> None:
    proxy.on(EVERYTHING, fault)
    with pytest.raises(LorryError) as caught:
        wire.remote.datasets.list(DatasetQuery())
    assert caught.value.code is code


def test_an_answer_that_drips_is_given_up_after_the_deadline(
    wire: Wire, proxy: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lorry.core.remote.http.CALL_DEADLINE_S", 0.5)
    proxy.on(EVERYTHING, Drip(0.1))
    began = time.monotonic()
    with pytest.raises(NetworkError) as caught:
        wire.remote.datasets.limits()
    assert caught.value.code is ErrorCode.TIMEOUT
    assert 0.5 <= time.monotonic() - began < 5


def test_a_server_that_never_answers_is_given_up(wire: Wire, proxy: FaultServer) -> None:
    wire.http.timeout = 0.5
    proxy.on(EVERYTHING, Stall(0))
    with pytest.raises(NetworkError) as caught:
        wire.remote.datasets.list(DatasetQuery())
    assert (caught.value.code, caught.value.context["host"]) == (ErrorCode.TIMEOUT, "127.0.0.1")


def test_a_signed_address_is_built_here_and_not_taken_from_the_answer(wire: Wire, proxy: FaultServer) -> None:
    answer = {"url": "https://evil.example/object/upload/sign/x?token=abc.def.ghi", "token": "other"}
    proxy.on("/object/upload/sign/", Answer(200, json.dumps(answer).encode(), JSON))
    ticket = wire.remote.objects.sign_upload(uuid4(), "u/d/a.jsonl")
    assert ticket.upload_url.startswith(f"{wire.config.url}/storage/v1/object/upload/sign/lora-datasets/u/d/a.jsonl?")
    answer = {"signedURL": "https://evil.example/object/sign/lora-datasets/u/d/a.jsonl?token=t"}
    proxy.on("/object/sign/", Answer(200, json.dumps(answer).encode(), JSON))
    try:
        link = wire.remote.objects.download_url("u/d/a.jsonl", 60)
    except ProtocolError:
        return
    assert link.startswith(f"{wire.config.url}/storage/v1/object/sign/")
