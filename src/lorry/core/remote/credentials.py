"""Where the refresh token waits between two starts: the operating system's keyring, or nowhere.

Only well-known secure keyring backends are used, whatever the environment names; a backend that loses or hides what it
was given is not used either. Keyrings can ask the user and block, so this runs on task threads only.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger(__name__)

_SERVICE = "Lorry"
#: Class paths of the backends trusted with a token (Windows, macOS, Secret Service, KWallet).
_TRUSTED = (
    "keyring.backends.Windows.WinVaultKeyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
)
#: Windows keeps at most 2,560 bytes of UTF-16 for one entry.
_MAX_CHARACTERS = 1200


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What is kept: the refresh token and whose it is. Never an access token, never a password."""

    refresh_token: str
    user_id: str
    email: str

    def __repr__(self) -> str:
        return f"StoredSession(user_id={self.user_id!r})"


class SessionStore(Protocol):
    """Keeps one session per project origin."""

    def load(self, origin: str) -> StoredSession | None: ...
    def save(self, origin: str, session: StoredSession) -> bool:
        """Keep it; False when there is no safe place."""
        ...

    def forget(self, origin: str) -> None: ...


class MemoryOnly:
    """Keeps nothing: for sessions that can be made again (local workspace, password in the environment)."""

    def load(self, origin: str) -> StoredSession | None:
        return None

    def save(self, origin: str, session: StoredSession) -> bool:
        return False

    def forget(self, origin: str) -> None:
        return None


class KeyringStore:
    """The operating system's keyring."""

    def load(self, origin: str) -> StoredSession | None:
        backend = _trusted_backend()
        if backend is None:
            return None
        try:
            text = backend.get_password(_SERVICE, origin)
            entry = json.loads(text) if text else None
            if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
                return None
            return StoredSession(**entry)
        except Exception as error:
            log.info("the keyring could not be read: %s", type(error).__name__)
            return None

    def save(self, origin: str, session: StoredSession) -> bool:
        backend = _trusted_backend()
        text = json.dumps({"refresh_token": session.refresh_token, "user_id": session.user_id, "email": session.email})
        if backend is None or len(text) > _MAX_CHARACTERS:
            return False
        try:
            backend.set_password(_SERVICE, origin, text)
            return bool(backend.get_password(_SERVICE, origin) == text)
        except Exception as error:
            log.info("the keyring could not be written: %s", type(error).__name__)
            return False

    def forget(self, origin: str) -> None:
        backend = _trusted_backend()
        if backend is None:
            return
        try:
            backend.delete_password(_SERVICE, origin)
        except Exception as error:
            log.debug("nothing removed from the keyring: %s", type(error).__name__)


def _trusted_backend() -> Any | None:
    try:
        import keyring
        from keyring.backends import chainer

        current = keyring.get_keyring()
        candidates = list(current.backends) if isinstance(current, chainer.ChainerBackend) else [current]
    except Exception as error:
        log.info("no keyring: %s", type(error).__name__)
        return None
    for candidate in candidates:
        kind = type(candidate)
        if f"{kind.__module__}.{kind.__qualname__}" in _TRUSTED:
            return candidate
    return None
