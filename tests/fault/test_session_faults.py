"""What ends a session and what does not: only the server's own word, never an outage, a portal or a busy server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.fault_server import FaultServer
from tests.support.faults import Answer, CutAnswer, Drip, Fault, Stall, busy, portal, redirect
from tests.support.workspace import User

from lorry.core.config import ServerConfig
from lorry.core.errors import AuthError, ErrorCode, LorryError
from lorry.core.remote.credentials import SessionStore, StoredSession
from lorry.core.remote.http import ApiClient
from lorry.core.remote.session import SessionKeeper

REFRESH = r"/auth/v1/token\?grant_type=refresh_token"
JSON = {"Content-Type": "application/json"}


class OnePlace(SessionStore):
    """A safe place for one session."""

    def __init__(self) -> None:
        self.kept: StoredSession | None = None

    def load(self, origin: str) -> StoredSession | None:
        return self.kept

    def save(self, origin: str, session: StoredSession) -> bool:
        self.kept = session
        return True

    def forget(self, origin: str) -> None:
        self.kept = None


class Signed:
    """A session whose token is about to expire, and what became of it."""

    def __init__(self, user: User, url: str, lock_path: Path) -> None:
        self.now = 0.0
        self.place = OnePlace()
        self.changes: list[tuple[object, LorryError | None]] = []
        config = ServerConfig.create(url, user.server.anon_key)
        self.http = ApiClient(config)
        self.keeper = SessionKeeper(config, self.http, self.place, lock_path, clock=lambda: self.now)
        self.keeper.sign_in(user.email, user.password)
        self.keeper.on_change(lambda account, reason: self.changes.append((account, reason)))
        self.now = 100_000.0

    def refusal(self) -> LorryError:
        with pytest.raises(LorryError) as caught:
            self.keeper.access_token()
        return caught.value


@pytest.fixture
def signed(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Signed]:
    session = Signed(alice, proxy.url, tmp_path / "session.lock")
    with closing(session.http):
        yield session


def auth_error(status: int, code: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": "no"}).encode(), JSON)


KEEPS: list[tuple[Fault, ErrorCode]] = [
    (portal(), ErrorCode.NOT_THE_SERVER),
    (Answer(403, b"<html>blocked</html>", {"Content-Type": "text/html"}), ErrorCode.NOT_THE_SERVER),
    (Answer(407, b"", {}), ErrorCode.NOT_THE_SERVER),
    (Answer(200, b"", JSON), ErrorCode.NOT_THE_SERVER),
    (Answer(200, b"{}", JSON), ErrorCode.UNEXPECTED_ANSWER),
    (Answer(200, b'{"access_token": 7}', JSON), ErrorCode.UNEXPECTED_ANSWER),
    (Answer(200, b'{"access_token": "x", "refr', JSON), ErrorCode.NOT_THE_SERVER),
    (redirect("http://127.0.0.1:9/"), ErrorCode.NOT_THE_SERVER),
    (busy(500), ErrorCode.SERVER_BROKEN),
    (busy(502), ErrorCode.SERVER_BROKEN),
    (busy(503, "5"), ErrorCode.SERVER_BROKEN),
    (Answer(504, b"<html>", {"Content-Type": "text/html"}), ErrorCode.SERVER_BROKEN),
    (auth_error(429, "over_request_rate_limit"), ErrorCode.TOO_MANY_TRIES),
    (Answer(429, b"slow down", {}), ErrorCode.TOO_MANY_TRIES),
    (auth_error(500, "unexpected_failure"), ErrorCode.SERVER_BROKEN),
    (auth_error(400, "something_new"), ErrorCode.UNEXPECTED_ANSWER),
    (auth_error(400, "validation_failed"), ErrorCode.WRONG_PASSWORD),
    (Answer(401, b'{"message":"Invalid API key"}', JSON), ErrorCode.FORBIDDEN),
    (CutAnswer(0), ErrorCode.CONNECTION_LOST),
    (CutAnswer(25), ErrorCode.CONNECTION_LOST),
]


def test_a_failed_refresh_keeps_the_session(signed: Signed, proxy: FaultServer) -> None:
    for fault, code in KEEPS:
        proxy.clear()
        proxy.on(REFRESH, fault)
        for _ in range(2):
            refusal = signed.refusal()
            assert (refusal.code, refusal.retryable, refusal.is_final) == (code, True, False), fault
        assert signed.keeper.account is not None and signed.place.kept is not None, fault
    assert signed.changes == []
    proxy.clear()
    assert signed.keeper.access_token()


def test_no_network_keeps_the_session(signed: Signed, proxy: FaultServer) -> None:
    proxy.refuse()
    assert signed.refusal().code is ErrorCode.OFFLINE
    assert signed.keeper.account is not None and signed.place.kept is not None
    proxy.accept()
    assert signed.keeper.access_token()


def test_a_lost_answer_to_a_refresh_does_not_end_the_session(signed: Signed, proxy: FaultServer) -> None:
    before = signed.place.kept
    proxy.on(REFRESH, CutAnswer(0), times=1)
    assert signed.refusal().code is ErrorCode.CONNECTION_LOST
    assert signed.place.kept == before
    # The server has moved on to the next token, and takes the parent of the active one once more.
    assert signed.keeper.access_token()
    assert signed.place.kept != before


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "refresh_token_not_found"),
        (400, "refresh_token_already_used"),
        (403, "session_not_found"),
        (400, "session_expired"),
        (403, "user_banned"),
    ],
)
def test_the_servers_word_ends_the_session(signed: Signed, proxy: FaultServer, status: int, code: str) -> None:
    proxy.on(REFRESH, auth_error(status, code))
    error = signed.refusal()
    assert isinstance(error, AuthError)
    assert error.code is ErrorCode.SESSION_ENDED
    assert (signed.keeper.account, signed.place.kept) == (None, None)
    assert signed.changes == [(None, error)]
    assert signed.refusal().code is ErrorCode.NOT_SIGNED_IN


def test_eight_threads_wait_for_one_slow_refresh(signed: Signed, proxy: FaultServer) -> None:
    proxy.on(REFRESH, Drip(0.0002))
    tokens, start = [], threading.Barrier(8)

    def ask() -> None:
        start.wait(10)
        tokens.append(signed.keeper.access_token())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(tokens) == 8 and len(set(tokens)) == 1
    assert len(proxy.seen(REFRESH)) == 1


@pytest.mark.parametrize("fault", [portal(), busy(500), Stall(0)], ids=["portal", "broken", "silent"])
def test_signing_out_never_depends_on_the_server(
    signed: Signed, proxy: FaultServer, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.http.timeout = 0.5
    proxy.on("/auth/v1/logout", fault)
    signed.keeper.sign_out()
    assert (signed.keeper.account, signed.place.kept) == (None, None)
    assert signed.changes == [(None, None)]
    assert len(proxy.seen("/auth/v1/logout")) == 1
