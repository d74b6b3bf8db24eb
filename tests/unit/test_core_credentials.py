"""Where a refresh token may wait: in a well-known keyring of the operating system, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null

from lorry.core.remote.credentials import KeyringStore, MemoryOnly, StoredSession

ORIGIN = "https://project.example.org"
SESSION = StoredSession("refresh-token-1", "8c6ad9d2-0000-4000-8000-000000000001", "mara@example.org")


class PlainKeyring(KeyringBackend):
    """A backend that works but is not known to be safe; it remembers what it was asked."""

    priority = 9

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.writes = 0
        self.is_broken = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_broken:
            raise RuntimeError("the keyring is locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.is_broken:
            raise RuntimeError("the keyring is locked")
        self.writes += 1
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.is_broken:
            raise RuntimeError("the keyring is locked")
        del self.entries[service, username]


class SecretServiceStandIn(PlainKeyring):
    """Goes by the name of the Secret Service's backend, as there is no desktop session here."""


SecretServiceStandIn.__module__ = "keyring.backends.SecretService"
SecretServiceStandIn.__qualname__ = "Keyring"


class ForgetfulKeyring(SecretServiceStandIn):
    """Takes everything and gives back something else."""

    def get_password(self, service: str, username: str) -> str | None:
        return "something else"


ForgetfulKeyring.__module__ = "keyring.backends.SecretService"
ForgetfulKeyring.__qualname__ = "Keyring"


@pytest.fixture
def store() -> Iterator[KeyringStore]:
    before = keyring.get_keyring()
    yield KeyringStore()
    keyring.set_keyring(before)


def trusted(store: KeyringStore) -> SecretServiceStandIn:
    backend = SecretServiceStandIn()
    keyring.set_keyring(backend)
    return backend


def test_a_trusted_keyring_keeps_a_session_per_project(store: KeyringStore) -> None:
    backend = trusted(store)
    assert store.load(ORIGIN) is None
    assert store.save(ORIGIN, SESSION)
    assert store.load(ORIGIN) == SESSION
    assert store.load("https://other.example") is None
    assert list(backend.entries) == [("Lorry", ORIGIN)]
    store.forget(ORIGIN)
    assert store.load(ORIGIN) is None
    store.forget(ORIGIN)


@pytest.mark.parametrize("kind", [PlainKeyring, null.Keyring, fail.Keyring])
def test_any_other_keyring_is_not_given_a_token(store: KeyringStore, kind: type[KeyringBackend]) -> None:
    backend = kind()
    keyring.set_keyring(backend)
    assert not store.save(ORIGIN, SESSION)
    assert store.load(ORIGIN) is None
    store.forget(ORIGIN)
    if isinstance(backend, PlainKeyring):
        assert backend.writes == 0


@pytest.mark.parametrize(
    "name", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "no.such.module.Keyring"]
)
def test_the_environment_cannot_name_another_one(name: str) -> None:
    script = (
        "from lorry.core.remote.credentials import KeyringStore, StoredSession as S; s = KeyringStore();"
        "print(s.save('https://p.example', S('secret', 'u', 'e')), s.load('https://p.example'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHON_KEYRING_BACKEND": name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "False None"


def test_a_chain_is_searched_for_a_trusted_member(store: KeyringStore) -> None:
    plain, safe = PlainKeyring(), SecretServiceStandIn()

    class Chain(chainer.ChainerBackend):
        backends = (plain, safe)

    keyring.set_keyring(Chain())  # type: ignore[no-untyped-call]
    assert store.save(ORIGIN, SESSION)
    assert (plain.writes, safe.writes) == (0, 1)


def test_a_keyring_that_loses_what_it_was_given_does_not_count(store: KeyringStore) -> None:
    keyring.set_keyring(ForgetfulKeyring())
    assert not store.save(ORIGIN, SESSION)
    assert store.load(ORIGIN) is None


def test_a_locked_keyring_is_no_failure(store: KeyringStore) -> None:
    trusted(store).is_broken = True
    assert not store.save(ORIGIN, SESSION)
    assert store.load(ORIGIN) is None
    store.forget(ORIGIN)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"refresh_token": "x"}', '{"other": 1}', "not json"])
def test_a_strange_entry_is_no_session(store: KeyringStore, text: str) -> None:
    trusted(store).entries["Lorry", ORIGIN] = text
    assert store.load(ORIGIN) is None


def test_an_entry_too_long_for_windows_is_not_written(store: KeyringStore) -> None:
    backend = trusted(store)
    assert not store.save(ORIGIN, StoredSession("x" * 1300, SESSION.user_id, SESSION.email))
    assert backend.writes == 0


def test_memory_keeps_nothing() -> None:
    memory = MemoryOnly()
    assert not memory.save(ORIGIN, SESSION)
    assert memory.load(ORIGIN) is None
    memory.forget(ORIGIN)


def test_a_token_is_not_shown_by_accident() -> None:
    assert "refresh-token-1" not in f"{SESSION} {SESSION!r}"
