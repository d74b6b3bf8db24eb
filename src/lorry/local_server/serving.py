"""Runs the gateway: opens what it needs, serves until it is told to stop or is not needed, closes in reverse.

Owns signals, the listening socket, the ready notice and the rule "end with the parent unless somebody else
holds on". Leaves the database process to `database`. The calling thread becomes the event loop's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from lorry.local_server import auth_store, tus_finish
from lorry.local_server.catalogue import Catalogue
from lorry.local_server.functions import Validations
from lorry.local_server.gateway import create_app
from lorry.local_server.gateway_state import GatewayState
from lorry.local_server.object_files import ObjectFiles
from lorry.local_server.passwords import hash_password
from lorry.local_server.role_connections import RoleConnections
from lorry.local_server.tokens import Tokens
from lorry.local_server.tus_finish import ResumableUploads
from lorry.local_server.tus_store import TusStore
from lorry.local_server.workspace_files import WorkspaceSecrets

HOST = "127.0.0.1"
GRACE_S = 1


@dataclass(frozen=True)
class ServeOptions:
    """How to serve; `on_ready` runs once requests are accepted."""

    objects_dir: Path
    dsn: str
    secrets: WorkspaceSecrets
    access_token_life_s: int
    upload_url_life_s: int
    tus_url_life_s: int | None
    tus_drop_unanswered: bool
    ends_with_parent: bool
    on_ready: Callable[[], None]


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before the database is stopped."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def listen(port: int, *, preferred: bool) -> socket.socket:
    """Bind a loopback port; 0 means any. A merely preferred port falls back to any. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        if not preferred:
            listener.close()
            raise
        listener.bind((HOST, 0))
    listener.set_inheritable(False)
    return listener


def serve(listener: socket.socket, options: ServeOptions) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent; returns after everything is closed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(listener, options))


async def _serve(listener: socket.socket, options: ServeOptions) -> None:
    connections = RoleConnections(options.dsn)
    files = ObjectFiles(options.objects_dir)
    state = GatewayState(
        connections=connections,
        catalogue=Catalogue(connections),
        tokens=Tokens(options.secrets.jwt_secret, options.access_token_life_s, options.upload_url_life_s),
        files=files,
        validations=Validations(connections, files),
        resumable=ResumableUploads(TusStore(files, options.tus_url_life_s), options.tus_drop_unanswered),
    )
    async with contextlib.AsyncExitStack() as closing:
        closing.callback(files.close)
        await connections.open()
        closing.push_async_callback(connections.close)
        await _prepare(state, options.secrets)
        closing.push_async_callback(state.validations.close)
        config = uvicorn.Config(
            create_app(state),
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=75,
            ws="none",
        )
        server = _Server(config, options.on_ready)
        stop = _stopper(server, state)
        with _signals(stop):
            beside = [asyncio.create_task(tus_finish.sweep_for_ever(state))]
            if options.ends_with_parent:
                beside.append(asyncio.create_task(_end_with_parent(state, stop)))
            await server.serve(sockets=[listener])
            for task in beside:
                task.cancel()


async def _prepare(state: GatewayState, secrets: WorkspaceSecrets) -> None:
    """Read the catalogue, make the local user once, finish or drop what a crash left, take up waiting validations."""
    await state.catalogue.load()
    async with state.connections.as_server() as connection:
        if await auth_store.find_user(connection, secrets.email) is None:
            stored = await asyncio.to_thread(hash_password, secrets.password)
            await auth_store.create_user(connection, secrets.email, stored, {})
    # Before the sweep, which removes bytes that have no row.
    await tus_finish.recover(state)
    async with state.connections.as_server() as connection:
        cursor = await connection.execute("select version from storage.objects")
        versions = {row["version"] for row in await cursor.fetchall()}
    await state.files.run(lambda: state.files.sweep(versions))
    await state.validations.start_waiting()


def _stopper(server: _Server, state: GatewayState) -> Callable[[], None]:
    def stop() -> None:
        # A second request to stop does not wait for bodies that are still coming in.
        server.force_exit = server.should_exit
        server.should_exit = True
        state.closing.set()
        state.resumable.locks.stop_all()

    return stop


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, on_signal) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _end_with_parent(state: GatewayState, stop: Callable[[], None]) -> None:
    """Stop when stdin ends, which it does however the parent ends, and no hold is open."""
    loop, parent_gone = asyncio.get_running_loop(), asyncio.Event()

    def wait_for_end() -> None:
        # Not through sys.stdin: its lock, held by a waiting thread, breaks the end of the interpreter.
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(parent_gone.set)

    threading.Thread(target=wait_for_end, name="lorry-parent-watch", daemon=True).start()
    await parent_gone.wait()
    while state.holds.count:
        state.holds.changed.clear()
        await state.holds.changed.wait()
    stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        # psycopg cannot work on the proactor loop.
        return asyncio.SelectorEventLoop
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
