"""Commit points of an upload within this process: each write of the journal, and each request that changes the server.

`Points` counts them and does something at one of them: the process "dies" before or after it, the answer is swallowed,
or the request is sent twice. Dying is an exception no code of Lorry catches; from then on nothing of that client
writes or asks any more, as if its process were gone. Before each write a copy of the journal is kept.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import httpx

from lorry.core.store.journal import Journal

_EFFECTS = ("POST", "PUT", "PATCH", "DELETE")


class Mishap(StrEnum):
    """What happens at the point."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    SWALLOWED = "answer swallowed"
    DUPLICATED = "sent twice"
    OLDER_JOURNAL = "older journal"

    def can_strike(self, point: str) -> bool:
        """Only requests have an answer to lose, and can be sent twice."""
        return self not in (Mishap.SWALLOWED, Mishap.DUPLICATED) or point.startswith(_EFFECTS)


class Killed(BaseException):
    """The process is gone."""


class Points:
    """Counts from `arm` on; `names` are the points reached, in order. Use as a context manager."""

    def __init__(self, mishap: Mishap, number: int, home: Path) -> None:
        """`number` counts from 1; 0 lets everything pass."""
        self.names: list[str] = []
        self.is_dead = False
        #: The mishap took place.
        self.has_struck = False
        self._mishap, self._number, self._journal = mishap, number, home / "journal.db"
        self._copies = home.parent / f"{home.name}-copies"
        self._lock = threading.Lock()
        self._is_armed = False

    def arm(self) -> None:
        """Count from now on."""
        self._is_armed = True

    def disarm(self) -> None:
        """What comes now is the test's own business."""
        self._is_armed = False

    def __enter__(self) -> Self:
        write, handle, report = Journal._write, httpx.HTTPTransport.handle_request, threading.excepthook

        def watched_write(journal: Journal, sql: str, *values: Any) -> None:
            words = sql.split("WHERE")[0].replace("=?", "").replace(",", " ").split()
            with self._at(" ".join(words[:6])):
                write(journal, sql, *values)

        def watched_request(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
            if request.method not in _EFFECTS:
                self._stop_if_dead()
                return handle(transport, request)
            with self._at(f"{request.method} {_route(request)}") as is_here:
                if is_here and self._mishap is Mishap.DUPLICATED:
                    self.has_struck = True
                    return _twice(transport, request, handle)
                response = handle(transport, request)
                if is_here and self._mishap in (Mishap.SWALLOWED, Mishap.KILLED_AFTER, Mishap.OLDER_JOURNAL):
                    response.read()
                    response.close()
                if is_here and self._mishap is Mishap.SWALLOWED:
                    self.has_struck = True
                    raise httpx.ReadError("swallowed", request=request)
            return response

        def silent_about_deaths(told: threading.ExceptHookArgs) -> None:
            if not isinstance(told.exc_value, Killed):
                report(told)

        self._patches = [
            patch.object(Journal, "_write", watched_write),
            patch.object(httpx.HTTPTransport, "handle_request", watched_request),
            patch.object(threading, "excepthook", silent_about_deaths),
        ]
        for entry in self._patches:
            entry.start()
        return self

    def __exit__(self, *_what: object) -> None:
        for entry in self._patches:
            entry.stop()

    def older_journals(self) -> list[Path]:
        """Copies of the journal that know the upload, oldest first."""
        return [path for path in sorted(self._copies.glob("*.db")) if _has_job(path)]

    @contextmanager
    def _at(self, name: str) -> Iterator[bool]:
        """Around one point; true if it is the one where something happens."""
        with self._lock:
            self._stop_if_dead()
            if not self._is_armed:
                is_here = False
            else:
                self.names.append(name)
                is_here = len(self.names) == self._number
                self._keep_journal(len(self.names))
        if is_here and self._mishap is Mishap.KILLED_BEFORE:
            self._die()
        yield is_here
        if is_here and self._mishap in (Mishap.KILLED_AFTER, Mishap.OLDER_JOURNAL):
            self._die()

    def _die(self) -> None:
        self.has_struck = self.is_dead = True
        raise Killed

    def _stop_if_dead(self) -> None:
        if self.is_dead and self._is_armed:
            raise Killed

    def _keep_journal(self, number: int) -> None:
        if self._mishap is not Mishap.OLDER_JOURNAL:
            return
        self._copies.mkdir(exist_ok=True)
        with (
            closing(sqlite3.connect(self._journal)) as journal,
            closing(sqlite3.connect(self._copies / f"{number:04}.db")) as copy,
        ):
            journal.backup(copy)


def restore_journal(home: Path, older: Path) -> None:
    """Put an older journal in the place of the one a dead client has left."""
    for path in home.glob("journal.db*"):
        path.unlink()
    shutil.copy(older, home / "journal.db")


def jobs_in(home: Path) -> int:
    """How many uploads the journal of a closed client holds."""
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        return int(journal.execute("SELECT count(*) FROM upload").fetchone()[0])


def _has_job(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as journal:
        return bool(journal.execute("SELECT count(*) FROM upload").fetchone()[0])


def _route(request: httpx.Request) -> str:
    return "/".join(request.url.path.split("/")[1:5])


def _twice(transport: httpx.HTTPTransport, request: httpx.Request, handle: Any) -> httpx.Response:
    """Send the request two times, one after the other; the second answer counts."""
    assert isinstance(request.stream, httpx.SyncByteStream)
    body = b"".join(request.stream)
    for _ in range(2):
        again = httpx.Request(
            request.method, request.url, headers=request.headers, content=body, extensions=request.extensions
        )
        response: httpx.Response = handle(transport, again)
        if _ == 0:
            response.read()
            response.close()
    return response
