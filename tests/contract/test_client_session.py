"""Who is signed in, against a real server: tokens that expire, threads that refresh together, signing in and out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.client import Wire, open_core, open_wire
from tests.support.fault_server import Answer, FaultServer
from tests.support.workspace import RunningServer, User, short_folder, wait_until

from lorry.core.config import ServerConfig
from lorry.core.errors import AuthError, ErrorCode, LorryError
from lorry.core.events import AccountChanged
from lorry.core.model import DatasetQuery
from lorry.core.remote.credentials import MemoryOnly, StoredSession
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.http import ApiClient
from lorry.core.remote.session import SessionKeeper

TOKEN = r"/auth/v1/token\?grant_type="
LIST = "/rest/v1/datasets"


class RememberedSession(MemoryOnly):
    """A safe place that outlives a keeper, as a keyring would."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredSession] = {}

    def load(self, origin: str) -> StoredSession | None:
        return self.kept.get(origin)

    def save(self, origin: str, session: StoredSession) -> bool:
        self.kept[origin] = session
        return True

    def forget(self, origin: str) -> None:
        self.kept.pop(origin, None)


@pytest.fixture
def proxy(workspace_server: RunningServer) -> Iterator[FaultServer]:
    with FaultServer(workspace_server.url) as server:
        yield server


@pytest.fixture
def wire(alice: User, proxy: FaultServer, tmp_path: Path) -> Iterator[Wire]:
    with open_wire(alice, tmp_path, url=proxy.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def short_lived() -> Iterator[RunningServer]:
    """A server whose access tokens live for one second."""
    with short_folder() as folder:
        server = RunningServer.start(folder, "--access-token-life-s", "1")
        yield server
        server.stop()


def let_the_second_pass() -> None:
    """Tokens made in the same second of the same session are the same text."""
    began = int(time.time())
    wait_until(lambda: int(time.time()) > began, what="another second")


def grants(proxy: FaultServer) -> list[str]:
    return [seen.path.rpartition("=")[2] for seen in proxy.seen(TOKEN)]


def test_signing_in_tells_who_and_where(alice: User, tmp_path: Path) -> None:
    with open_core(alice, tmp_path, is_signed_in=False) as client:
        account = client.sign_in(f"  {alice.email.upper()} ", alice.password)
        assert (str(account.user_id), account.email) == (alice.id, alice.email)
        assert account.project == alice.server.url.removeprefix("http://")
        assert client.account == account
        assert AccountChanged(account) in client.drain()
        # Connecting again asks nobody.
        assert client.connect() is client.account


@pytest.mark.parametrize("given", ["wrong", "", " ", "x" * 5000, "пароль"])
def test_a_wrong_password_signs_nobody_in(alice: User, tmp_path: Path, given: str) -> None:
    with open_core(alice, tmp_path, is_signed_in=False) as client:
        with pytest.raises(AuthError) as caught:
            client.sign_in(alice.email, given)
        assert (caught.value.code, caught.value.step) == (ErrorCode.WRONG_PASSWORD, "sign in")
        assert client.account is None
        assert alice.password not in str(caught.value.detail)


def test_an_unknown_person_and_a_wrong_key_are_told_apart(alice: User, tmp_path: Path) -> None:
    with open_wire(alice, tmp_path, is_signed_in=False) as wire:
        with pytest.raises(AuthError) as caught:
            wire.session.sign_in("nobody@example.org", alice.password)
        assert caught.value.code is ErrorCode.WRONG_PASSWORD
    config = ServerConfig.create(alice.server.url, "sb_publishable_of_another_project")
    with ApiClient(config) as http, pytest.raises(LorryError) as refused:
        SessionKeeper(config, http, MemoryOnly(), tmp_path / "lock").sign_in(alice.email, alice.password)
    assert refused.value.code is ErrorCode.FORBIDDEN


def test_a_token_is_renewed_before_it_expires(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    now = 1000.0
    config = ServerConfig.create(proxy.url, alice.server.anon_key)
    with ApiClient(config) as http:
        session = SessionKeeper(config, http, MemoryOnly(), tmp_path / "lock", clock=lambda: now)
        session.sign_in(alice.email, alice.password)
        first = session.access_token()
        now += 3600 - 61
        assert session.access_token() == first
        now += 2
        let_the_second_pass()
        second = session.access_token()
        assert second != first
        assert session.access_token() == second
    assert grants(proxy) == ["password", "refresh_token"]


def test_a_refused_token_is_renewed_and_the_request_repeated_once(short_lived: RunningServer, tmp_path: Path) -> None:
    user = short_lived.new_user()
    with FaultServer(short_lived.url) as proxy:
        config = ServerConfig.create(proxy.url, short_lived.anon_key)
        with ApiClient(config) as http:
            now = 0.0
            session = SessionKeeper(config, http, MemoryOnly(), tmp_path / "lock", clock=lambda: now)
            http.use_tokens(session)
            session.sign_in(user.email, user.password)
            # The clock is set back, so the client believes in a token the server has long given up.
            now = -1000.0
            old = session.access_token()
            wait_until(lambda: is_refused(short_lived, old), what="expiry")
            assert DatasetsApi(config, http).list(DatasetQuery()).total == 0
        first, second = proxy.seen(LIST)
        assert first.headers["authorization"] == f"Bearer {old}"
        assert second.headers["authorization"] != first.headers["authorization"]
        assert grants(proxy) == ["password", "refresh_token"]


def is_refused(server: RunningServer, token: str) -> bool:
    with server.client(token) as http:
        return http.get("/rest/v1/datasets").status_code == 401


def test_a_token_refused_again_after_the_refresh_is_an_error_not_a_loop(wire: Wire, proxy: FaultServer) -> None:
    refused = Answer(401, b'{"code":"PGRST301","message":"JWT expired"}', {"Content-Type": "application/json"})
    proxy.on(LIST, refused)
    with pytest.raises(AuthError) as caught:
        wire.remote.datasets.list(DatasetQuery())
    assert caught.value.code is ErrorCode.SESSION_ENDED
    assert (len(proxy.seen(LIST)), grants(proxy)) == (2, ["password", "refresh_token"])
    # The session itself is fine: the next request works.
    proxy.clear()
    assert wire.remote.datasets.list(DatasetQuery()).total == 0


def test_eight_threads_share_one_refresh(wire: Wire, proxy: FaultServer) -> None:
    refused, tokens, start = wire.session.access_token(), [], threading.Barrier(8)
    let_the_second_pass()

    def renew() -> None:
        start.wait(10)
        tokens.append(wire.session.renew(refused))

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(tokens) == 8 and len(set(tokens)) == 1 and tokens[0] != refused
    assert grants(proxy) == ["password", "refresh_token"]


def test_two_programs_that_share_a_session_refresh_one_after_the_other(
    alice: User, proxy: FaultServer, tmp_path: Path
) -> None:
    kept, config = RememberedSession(), ServerConfig.create(proxy.url, alice.server.anon_key)
    with ApiClient(config) as http:
        first = SessionKeeper(config, http, kept, tmp_path / "lock")
        first.sign_in(alice.email, alice.password)
        second = SessionKeeper(config, http, kept, tmp_path / "lock")
        restored = second.restore()
        assert restored is not None and restored.email == alice.email
        used = [kept.kept[config.url].refresh_token]
        for keeper in (first, second, second, first, second, first):
            keeper.renew(keeper.access_token())
            used.append(kept.kept[config.url].refresh_token)
        # Each went on from the token the other had left behind; a token used twice would have ended the session.
        assert len(set(used)) == len(used)
        assert first.account is not None and second.account is not None


def test_a_remembered_session_needs_no_password(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    kept, config = RememberedSession(), ServerConfig.create(proxy.url, alice.server.anon_key)
    with ApiClient(config) as http:
        account = SessionKeeper(config, http, kept, tmp_path / "lock").sign_in(alice.email, alice.password)
        assert account.is_remembered
        assert "access" not in str(vars(kept)) and alice.password not in repr(kept.kept[config.url].refresh_token)
        later = SessionKeeper(config, http, kept, tmp_path / "lock")
        before = len(proxy.requests)
        assert later.restore() is not None
        assert len(proxy.requests) == before
        http.use_tokens(later)
        assert DatasetsApi(config, http).list(DatasetQuery()).total == 0


def test_a_keyring_entry_of_somebody_else_is_no_session(alice: User, tmp_path: Path) -> None:
    kept, config = RememberedSession(), ServerConfig.create(alice.server.url, alice.server.anon_key)
    kept.save(config.url, StoredSession("x", "not an id", "x@example.org"))
    with ApiClient(config) as http:
        assert SessionKeeper(config, http, kept, tmp_path / "lock").restore() is None


def test_a_refresh_token_the_server_does_not_know_ends_the_session(alice: User, tmp_path: Path) -> None:
    kept, config = RememberedSession(), ServerConfig.create(alice.server.url, alice.server.anon_key)
    kept.save(config.url, StoredSession("made-up-token", alice.id, alice.email))
    changes: list[tuple[object, LorryError | None]] = []
    with ApiClient(config) as http:
        session = SessionKeeper(config, http, kept, tmp_path / "lock")
        session.restore()
        session.on_change(lambda account, reason: changes.append((account, reason)))
        with pytest.raises(AuthError) as caught:
            session.access_token()
    assert caught.value.code is ErrorCode.SESSION_ENDED
    assert (session.account, kept.kept) == (None, {})
    assert changes == [(None, caught.value)]


def test_signing_out_ends_the_session_here_and_there(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    kept, config = RememberedSession(), ServerConfig.create(proxy.url, alice.server.anon_key)
    with ApiClient(config) as http:
        session = SessionKeeper(config, http, kept, tmp_path / "lock")
        session.sign_in(alice.email, alice.password)
        refresh_token = kept.kept[config.url].refresh_token
        session.sign_out()
        assert (session.account, kept.kept) == (None, {})
        with pytest.raises(AuthError) as caught:
            session.access_token()
        assert caught.value.code is ErrorCode.NOT_SIGNED_IN
        session.sign_out()
    (told,) = proxy.seen("/auth/v1/logout")
    assert "scope=local" in told.path
    with alice.server.client() as plain:
        answer = plain.post("/auth/v1/token?grant_type=refresh_token", json={"refresh_token": refresh_token})
    assert answer.status_code == 400


def test_signing_out_works_without_a_network(alice: User, proxy: FaultServer, tmp_path: Path) -> None:
    with open_core(alice, tmp_path, url=proxy.url) as client:
        proxy.refuse()
        client.sign_out()
        assert client.account is None
        with pytest.raises(AuthError):
            client.list_datasets()
        changes = [event for event in client.drain() if isinstance(event, AccountChanged)]
        assert changes[-1] == AccountChanged(None)


def test_every_request_carries_the_key_and_a_token_but_sign_in_no_token(wire: Wire, proxy: FaultServer) -> None:
    wire.remote.datasets.list(DatasetQuery())
    wire.remote.datasets.limits()
    for seen in proxy.requests:
        assert seen.headers["apikey"] == wire.config.key
        assert seen.headers["user-agent"].startswith("lorry/")
        if seen.path.startswith("/rest/"):
            assert seen.headers["authorization"] == f"Bearer {wire.session.access_token()}"


def test_another_origin_is_never_called(wire: Wire, proxy: FaultServer) -> None:
    before = len(proxy.requests)
    with FaultServer() as elsewhere:
        with pytest.raises(LorryError) as caught:
            wire.http.send(httpx.Request("GET", f"{elsewhere.url}/rest/v1/datasets"))
        assert caught.value.code is ErrorCode.UNEXPECTED_ANSWER
        assert elsewhere.requests == []
    assert len(proxy.requests) == before
