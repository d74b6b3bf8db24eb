"""The session with one project: who is signed in, and a token for each request.

A refresh is made by one thread of one process at a time (thread lock and file lock), because a refresh token is used up
by its first use. A session ends only when the user signs out or the server says so with one of the codes that mean it;
an outage, a portal's page or a busy server never sign anybody out. Called from task and transfer threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
from filelock import FileLock, Timeout
from supabase_auth import SyncGoTrueClient
from supabase_auth.types import Session as AuthSession

from lorry.core.config import ServerConfig
from lorry.core.errors import AuthError, ErrorCode, LorryError, NetworkError, ProtocolError, RejectedError, ServerError
from lorry.core.model import Account
from lorry.core.remote.answers import understanding
from lorry.core.remote.credentials import SessionStore, StoredSession

log = logging.getLogger(__name__)

#: A token with less life left than this (s) is renewed before it is used.
RENEW_BEFORE_S = 60.0
_LOCK_TIMEOUT_S = 30.0


class SessionKeeper:
    """Holds the tokens of one account in memory, the refresh token also in the `SessionStore`."""

    def __init__(
        self,
        config: ServerConfig,
        http: httpx.Client,
        store: SessionStore,
        lock_path: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._http = http
        self._store = store
        self._lock_path = lock_path
        self._clock = clock
        self._lock = threading.RLock()
        self._access_token = ""
        self._refresh_token = ""
        self._expires_at = 0.0
        self._account: Account | None = None
        self._on_change: Callable[[Account | None, LorryError | None], None] = lambda _account, _reason: None

    @property
    def account(self) -> Account | None:
        """Who is signed in, or None."""
        return self._account

    def on_change(self, callback: Callable[[Account | None, LorryError | None], None]) -> None:
        """Call back (from any thread) when somebody signs in or the session ends."""
        self._on_change = callback

    def sign_in(self, email: str, password: str) -> Account:
        """Start a session with e-mail and password.

        Raises:
            AuthError: refused (WRONG_PASSWORD, EMAIL_NOT_CONFIRMED, TOO_MANY_TRIES).
            NetworkError, ServerError, ProtocolError: no usable answer.
        """
        if not email.strip() or not password:
            raise AuthError(ErrorCode.WRONG_PASSWORD, "empty e-mail or password")
        with understanding("sign-in"):
            answer = self._auth().sign_in_with_password({"email": email.strip(), "password": password})
        if answer.session is None:
            raise AuthError(ErrorCode.EMAIL_NOT_CONFIRMED, "the server gave no session")
        with self._lock:
            account = self._adopt(answer.session)
        self._on_change(account, None)
        return account

    def restore(self) -> Account | None:
        """Take up the session of an earlier run, if the keyring holds one. Needs no network."""
        stored = self._store.load(self._config.url)
        if stored is None:
            return None
        try:
            user_id = UUID(stored.user_id)
        except ValueError:
            log.info("the stored session is not one of ours")
            return None
        with self._lock:
            self._refresh_token = stored.refresh_token
            self._account = Account(user_id, stored.email, self._config.project)
            account = self._account
        self._on_change(account, None)
        return account

    def sign_out(self) -> None:
        """Forget the session here first, then tell the server as far as it can be reached."""
        with self._lock:
            token = self._access_token
            self._forget()
        self._on_change(None, None)
        if token:
            try:
                self._auth().admin.sign_out(token, "local")
            except LorryError as error:
                log.info("the server was not told of the sign-out: %s", error.code)

    def access_token(self) -> str:
        """A token with at least a minute to live.

        Raises:
            AuthError: nobody is signed in, or the session has ended.
            NetworkError, ServerError: it had to be renewed and could not be; the session is kept.
        """
        with self._lock:
            if not self._refresh_token:
                raise AuthError(ErrorCode.NOT_SIGNED_IN)
            if self._expires_at - self._clock() < RENEW_BEFORE_S:
                self._refresh()
            return self._access_token

    def renew(self, refused_token: str) -> str:
        """Another token than the one the server has just refused; threads that ask together share one refresh."""
        with self._lock:
            if not self._refresh_token:
                raise AuthError(ErrorCode.NOT_SIGNED_IN)
            if self._access_token == refused_token:
                self._refresh()
            return self._access_token

    def _refresh(self) -> None:
        try:
            with FileLock(str(self._lock_path), timeout=_LOCK_TIMEOUT_S, mode=0o600):
                stored = self._store.load(self._config.url)
                if stored is not None and stored.user_id == str(self._account.user_id if self._account else ""):
                    self._refresh_token = stored.refresh_token
                self._exchange_refresh_token()
        except Timeout as error:
            raise NetworkError(ErrorCode.TIMEOUT, "another Lorry is renewing the session") from error

    def _exchange_refresh_token(self) -> None:
        try:
            with understanding("refresh"):
                answer = self._auth().refresh_session(self._refresh_token)
        except AuthError as error:
            if error.code is not ErrorCode.SESSION_ENDED:
                raise _refresh_refused(error) from error
            self._forget()
            self._on_change(None, error)
            raise
        except (RejectedError, ProtocolError) as error:
            raise _refresh_refused(error) from error
        if answer.session is None:
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "a refresh without a session")
        self._adopt(answer.session)

    def _adopt(self, session: AuthSession) -> Account:
        with understanding("session"):
            user_id = UUID(session.user.id)
        kept = self._store.save(
            self._config.url,
            StoredSession(session.refresh_token, session.user.id, session.user.email or ""),
        )
        self._access_token = session.access_token
        self._refresh_token = session.refresh_token
        self._expires_at = self._clock() + session.expires_in
        self._account = Account(
            user_id=user_id,
            email=session.user.email or "",
            project=self._config.project,
            is_local=self._config.is_local_workspace,
            is_remembered=kept or bool(self._config.password),
        )
        return self._account

    def _forget(self) -> None:
        self._store.forget(self._config.url)
        self._access_token = self._refresh_token = ""
        self._expires_at = 0.0
        self._account = None

    def _auth(self) -> SyncGoTrueClient:
        # A client per call: the library must not keep, store or refresh a session of its own.
        return SyncGoTrueClient(
            url=f"{self._config.url}/auth/v1",
            headers={"apikey": self._config.key},
            auto_refresh_token=False,
            persist_session=False,
            flow_type="pkce",
            http_client=self._http,
        )


def _refresh_refused(error: LorryError) -> ServerError:
    """Nothing but the listed codes ends a session: any other refusal of a refresh passes, and no upload ends by it."""
    detail = f"the session was not renewed: {error.detail}"
    return ServerError(error.code, detail, retry_after_s=error.retry_after_s, context=error.context)
