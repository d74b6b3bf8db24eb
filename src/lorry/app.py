"""Composition root: opens what is needed in order, runs a command or the window, closes in reverse.

Nothing else constructs services.
"""

from __future__ import annotations

import logging
import logging.handlers
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from lorry.cli import commands
from lorry.cli.arguments import COMMANDS, command_parser, window_parser
from lorry.cli.output import accept_any_text
from lorry.core.client import Client
from lorry.core.config import ServerConfig
from lorry.core.doctor import Doctor
from lorry.core.engine import Temper
from lorry.core.errors import ConfigError, ErrorCode, LorryError
from lorry.core.paths import Paths, private_dir
from lorry.core.remote.credentials import KeyringStore, MemoryOnly, SessionStore
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi
from lorry.core.remote.health import HealthApi
from lorry.core.remote.http import ApiClient
from lorry.core.remote.objects import ObjectsApi
from lorry.core.remote.put import SignedPut
from lorry.core.remote.session import SessionKeeper
from lorry.core.remote.tus import TusApi
from lorry.core.sending import Remote
from lorry.core.store.journal import Journal
from lorry.core.store.settings import Settings
from lorry.local_server.launch import WorkspaceError, open_workspace
from lorry.text.error_text import describe

log = logging.getLogger("lorry")

_LOG_BYTES, _LOG_FILES = 2_000_000, 3
#: A command does not wait for ever: an upload of which nothing arrived for this long (s) stops and can be resumed.
_COMMAND_TEMPER = Temper(patience_s=300.0, first_patience_s=20.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `lorry` with these arguments and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminated)
    paths = Paths.from_environment()
    if words and (words[0] in COMMANDS or words[0] in ("-h", "--help") or _is_option(words)):
        accept_any_text()
        arguments = command_parser().parse_args(words)
        _log_to_file(paths)
        try:
            return commands.run(arguments, commands.Surroundings(paths, lambda: open_client(paths, _COMMAND_TEMPER)))
        except KeyboardInterrupt:
            print("\nlorry: Stopped. What was started can go on with: lorry resume", file=sys.stderr)
            return 130
    files = window_parser().parse_args(words).files
    _log_to_file(paths)
    return _run_window(paths, files)


def _is_option(words: Sequence[str]) -> bool:
    return words[0] == "--json" and len(words) > 1


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def open_client(paths: Paths, temper: Temper) -> Iterator[Client]:
    """A client for the project the environment names, else for the local workspace, which is started if need be.

    Raises:
        ConfigError: the environment names something that cannot be used.
        LorryError: WORKSPACE_FAILED when the local workspace does not start.
        StoreError: the journal cannot be opened.
    """
    with ExitStack() as closing:
        _make_folders(paths)
        config = ServerConfig.from_environment() or closing.enter_context(_local_workspace(paths))
        http = closing.enter_context(ApiClient(config))
        store: SessionStore = MemoryOnly() if config.password else KeyringStore()
        session = SessionKeeper(config, http, store, paths.session_lock)
        http.use_tokens(session)
        remote = Remote(
            DatasetsApi(config, http),
            ObjectsApi(config, http),
            FunctionsApi(config, http),
            SignedPut(config),
            lambda: TusApi(config),
        )
        journal = Journal(paths.journal)
        closing.callback(journal.close)
        if journal.damaged_copy is not None:
            log.warning("the journal was damaged and is kept as %s", journal.damaged_copy)
        client = Client(
            config,
            session,
            remote,
            journal,
            lambda sign_in: Doctor(HealthApi(config, http), config.url, remote, sign_in, paths.data_dir),
            temper,
        )
        closing.callback(client.close)
        yield client


def _make_folders(paths: Paths) -> None:
    try:
        private_dir(paths.data_dir)
        private_dir(paths.log_dir)
    except OSError as error:
        reason = f"the folder {error.filename or paths.data_dir} cannot be used: {error.strerror}"
        context: dict[str, str | int] = {"field": "LORRY_HOME", "reason": reason}
        raise ConfigError(ErrorCode.BAD_SETTING, str(error), context=context) from error


@contextmanager
def _local_workspace(paths: Paths) -> Iterator[ServerConfig]:
    try:
        workspace = open_workspace(paths.workspace_dir, log_path=paths.workspace_log)
    except WorkspaceError as error:
        raise ConfigError(
            ErrorCode.WORKSPACE_FAILED,
            str(error),
            step="start the local workspace",
            context={"reason": error.reason, "log_path": str(error.log_path)},
        ) from error
    try:
        yield ServerConfig.create(
            workspace.url, workspace.anon_key, workspace.email, workspace.password, is_local_workspace=True
        )
    finally:
        workspace.close()


def _run_window(paths: Paths, files: Sequence[Path]) -> int:
    try:
        from lorry.gui.shell.open import open_window
        from lorry.gui.shell.start_problem import show_start_problem
    except ImportError as error:
        print(f"lorry: The window cannot be opened: {error}. `lorry upload FILE` works without it.", file=sys.stderr)
        return 1
    settings = Settings(paths.settings)
    try:
        with open_client(paths, Temper()) as client:
            # The window opens at once; whoever is signed in is told by an event.
            threading.Thread(target=_connect, args=(client,), name="lorry-task-connect", daemon=True).start()
            return open_window(client, files=[path.absolute() for path in files], settings=settings)
    except LorryError as error:
        log.error("the start failed: %s", error)
        print(f"lorry: {describe(error).sentence}", file=sys.stderr)
        show_start_problem(error)
        return 1


def _connect(client: Client) -> None:
    try:
        client.connect()
    except LorryError as error:
        client.report_no_account(error)


def _log_to_file(paths: Paths) -> None:
    """Log to a file of this profile; where that is not possible there is no log, and no failure either."""
    for name in ("httpx", "httpcore", "hpack"):
        logging.getLogger(name).setLevel(logging.WARNING)  # their info lines hold signed URLs
    try:
        private_dir(paths.log_dir)
        handler = logging.handlers.RotatingFileHandler(
            paths.log, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"
        )
        paths.log.chmod(0o600)
    except OSError:
        logging.getLogger("lorry").addHandler(logging.NullHandler())
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("lorry").addHandler(handler)
    logging.getLogger("lorry").setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
