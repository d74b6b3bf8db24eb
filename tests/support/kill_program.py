"""`lorry` in processes that are killed: by themselves at a given point of their work, or from outside after a time.

`KillServer` is the handle tests use. Behind it is one process of this module that has imported the program and forks a
child for each run, because starting Python takes longer than an upload. A child runs `lorry.app.main` as the command
does. Points are counted from 1: before and after each commit of SQLite and each HTTP exchange, and within a body that
is streamed. With `kill_at` the child sends itself SIGKILL when it reaches that point, given by its number or as part of
its name; each point it reaches is noted.
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

#: A body below this is one block; there is nothing between its first and its last byte.
_STREAMED_BYTES = 64 * 1024
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass(frozen=True, slots=True)
class Order:
    """One run: a command of `lorry` with environment variables. `output` gets stdout and stderr, `points` the points.

    It is killed at the point `kill_at` (0: at none), or after `kill_after_s`; a run over `limit_s` is stuck.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    output: str
    points: str
    kill_at: int | str = 0
    kill_after_s: float | None = None
    limit_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: `status` is negative for a signal."""

    status: int
    took_s: float
    is_stuck: bool = False
    output: str = field(default="", repr=False)
    points: tuple[str, ...] = ()

    @property
    def is_killed(self) -> bool:
        return self.status == -signal.SIGKILL and not self.is_stuck


class KillServer:
    """Runs commands one at a time. Use as a context manager; for runs side by side take several."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for output and points of the runs."""
        self._folder = folder
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        *,
        kill_at: int | str = 0,
        kill_after_s: float | None = None,
        limit_s: float = 60.0,
    ) -> Ended:
        """Run one command until it ends or was killed."""
        number = next(self._numbers)
        output, points = (self._folder / f"{number}.{kind}" for kind in ("out", "points"))
        order = Order(words, environment, str(output), str(points), kill_at, kill_after_s, limit_s)
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None
        to.write(json.dumps(asdict(order)) + "\n")
        to.flush()
        line = back.readline()
        assert line, "the process that runs the program has ended"
        told = json.loads(line)
        reached = points.read_text().splitlines() if points.exists() else []
        ended = Ended(
            told["status"], told["took_s"], told["is_stuck"], output.read_text(errors="replace"), tuple(reached)
        )
        output.unlink()
        points.unlink(missing_ok=True)
        return ended

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


class _Points:
    """Counts the points of this process and ends it at one of them."""

    def __init__(self, kill_at: int | str, path: str) -> None:
        self._kill_at = kill_at
        self._count = 0
        self._lock = threading.Lock()
        self._notes = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def reach(self, name: str) -> None:
        with self._lock:
            self._count += 1
            os.write(self._notes, f"{self._count} {name}\n".encode())
            if self._kill_at == self._count or (isinstance(self._kill_at, str) and self._kill_at in name):
                os.kill(os.getpid(), signal.SIGKILL)


class _Body(httpx.SyncByteStream):
    """A streamed body with points: its first block, the middle, before its last block, and when all was handed over."""

    def __init__(self, stream: Any, size_bytes: int, name: str, points: _Points) -> None:
        self._stream, self._size, self._name, self._points = stream, size_bytes, name, points

    def __iter__(self) -> Iterator[bytes]:
        given, is_past_middle = 0, False
        for block in self._stream:
            if given and given + len(block) >= self._size:
                self._points.reach(f"{self._name} before the last block")
            yield block
            if not given:
                self._points.reach(f"{self._name} first block")
            given += len(block)
            if not is_past_middle and given >= self._size // 2:
                is_past_middle = True
                self._points.reach(f"{self._name} middle")
        self._points.reach(f"{self._name} all sent")

    def close(self) -> None:
        self._stream.close()


def _watch_requests(points: _Points) -> None:
    """Points around every HTTP exchange of this process, whichever client makes it."""
    exchange = httpx.HTTPTransport.handle_request

    def watched(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path}"
        points.reach(f"{name} before")
        size_bytes = int(request.headers.get("content-length", "0"))
        if size_bytes > _STREAMED_BYTES:
            request.stream = _Body(request.stream, size_bytes, name, points)
        response = exchange(self, request)
        points.reach(f"{name} answered {response.status_code}")
        return response

    httpx.HTTPTransport.handle_request = watched  # type: ignore[method-assign]


def _watch_commits(points: _Points) -> None:
    """Points around every commit of SQLite of this process."""
    connect = sqlite3.connect

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            word = sql.split(None, 1)[0].upper()
            if word not in ("COMMIT", "END") and (word not in _WRITES or self.in_transaction):
                return super().execute(sql, *values)
            name = f"commit {' '.join(sql.split()[:3])}"
            points.reach(f"{name} before")
            cursor = super().execute(sql, *values)
            points.reach(f"{name} done")
            return cursor

    def watched(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, **{"factory": Watched, **named})

    sqlite3.connect = watched  # type: ignore[assignment]


def _child(order: Order, alive: int) -> int:
    """Become the run; returns the exit code of the command. `alive` stays open until the end."""
    os.set_inheritable(alive, False)
    output = os.open(order.output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    for name in [name for name in os.environ if name.startswith("LORRY_")]:
        del os.environ[name]
    os.environ.update(order.environment)
    faulthandler.register(signal.SIGUSR1)
    points = _Points(order.kill_at, order.points)
    _watch_commits(points)
    _watch_requests(points)
    from lorry.app import main

    return main(list(order.words))


def _run(order: Order) -> Ended:
    """Fork the run and see it to its end. Its death is seen by the end of a pipe, so no process id is ever reused."""
    Path(order.output).touch()
    began = time.monotonic()
    ends, alive = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ends)
        sys.exit(_child(order, alive))
    os.close(alive)
    is_stuck = False
    if order.kill_after_s is not None and not select.select([ends], [], [], order.kill_after_s)[0]:
        os.kill(pid, signal.SIGKILL)
    if not select.select([ends], [], [], order.limit_s)[0]:
        is_stuck = True
        os.kill(pid, signal.SIGUSR1)
        select.select([ends], [], [], 1.0)
        os.kill(pid, signal.SIGKILL)
    _pid, status = os.waitpid(pid, 0)
    os.close(ends)
    return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - began, is_stuck)


def _serve() -> None:
    """Run what stdin orders, line by line."""
    import lorry.app
    import lorry.core.checks  # noqa: F401 - imported before the fork, so that no child pays for it

    assert threading.active_count() == 1, "what forks must have one thread"
    gc.collect()
    gc.freeze()
    # A child ends by leaving this loop; the orders it has not read are not its own.
    orders = os.fdopen(os.dup(0), closefd=True)
    while line := orders.readline():
        ended = _run(Order(**json.loads(line)))
        told = {"status": ended.status, "took_s": ended.took_s, "is_stuck": ended.is_stuck}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _serve()
