"""`python -m lorry.local_server`: one workspace's server process.

Owns the command line, the lock that keeps a folder to one server, and the order of start and stop. Prints one
ready notice on stdout; everything else goes to stderr. The main thread serves.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from lorry.local_server.launch import EXIT_FAILED, EXIT_IN_USE
from lorry.local_server.process_guard import FolderLock
from lorry.local_server.workspace_files import WORKSPACE_FILE, WorkspaceSecrets, read_json, write_private_json

MIN_JWT_SECRET_CHARS = 32
_LOG = logging.getLogger("lorry.local_server")


class UsageError(Exception):
    """The command line or the folder cannot be used; the message is a sentence for people."""


@dataclass(frozen=True)
class Arguments:
    """The command line; lives are in seconds."""

    data_dir: Path
    port: int
    database_url: str | None
    jwt_secret_file: Path | None
    json: bool
    exit_with_parent: bool
    upload_url_life_s: int
    access_token_life_s: int
    tus_url_life_s: int | None
    tus_drop_unanswered: bool

    @classmethod
    def parse(cls, arguments: list[str] | None = None) -> Arguments:
        """Exits with status 2 when the arguments are wrong, as argparse does."""
        parser = argparse.ArgumentParser(
            prog="python -m lorry.local_server", description="A Supabase-shaped server for one local workspace."
        )
        parser.add_argument("--data-dir", type=Path, required=True, help="folder of the workspace, made if missing")
        parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 chooses one")
        parser.add_argument("--database-url", help="use this PostgreSQL 15 or newer instead of the embedded one")
        parser.add_argument("--jwt-secret-file", type=Path, help="sign tokens with the secret in this file")
        parser.add_argument("--json", action="store_true", help="print the ready notice as one line of JSON")
        parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin ends and nobody holds on")
        parser.add_argument("--upload-url-life-s", type=_seconds, default=3600, help="life of signed upload addresses")
        parser.add_argument("--access-token-life-s", type=_seconds, default=3600, help="life of access tokens")
        parser.add_argument(
            "--tus-url-life-s", type=_seconds, help="life of unfinished resumable uploads; else for ever"
        )
        parser.add_argument(
            "--tus-drop-unanswered",
            action="store_true",
            help="for tests: delete a resumable upload whose sender left before the last answer",
        )
        return cls(**vars(parser.parse_args(arguments)))


def _seconds(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of seconds, 1 or more")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status."""
    parsed = Arguments.parse(arguments)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        data_dir = parsed.data_dir.expanduser().absolute()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        lock = FolderLock(data_dir / "server.lock")
        if not lock.acquire(timeout_s=0):
            print(f"Another server uses the workspace in {data_dir}.", file=sys.stderr)
            return EXIT_IN_USE
        try:
            _run(parsed, data_dir)
        finally:
            lock.release()
    except (UsageError, OSError) as error:
        print(f"The local workspace could not start: {error}", file=sys.stderr)
        return EXIT_FAILED
    except Exception:
        _LOG.exception("the local workspace ended")
        return EXIT_FAILED
    return 0


def _run(parsed: Arguments, data_dir: Path) -> None:
    from lorry.local_server.database import Database

    # Loading the gateway takes as long as starting PostgreSQL; both at once shorten the time to ready. Never begin
    # before psycopg is loaded: its compiled parts import each other and cannot be loaded by two threads.
    loading = Thread(target=_load_gateway, name="lorry-load")
    loading.start()
    secrets = WorkspaceSecrets.load_or_make(data_dir, _jwt_secret(parsed.jwt_secret_file))
    note = data_dir / WORKSPACE_FILE
    url = parsed.database_url
    with Database.existing(url) if url else Database.embedded(data_dir) as database:
        database.prepare()
        loading.join()
        from lorry.local_server.serving import HOST, ServeOptions, listen, serve

        listener = listen(parsed.port or _last_port(note), preferred=not parsed.port)
        reachable = {
            "url": f"http://{HOST}:{listener.getsockname()[1]}",
            "anon_key": secrets.anon_key,
            "email": secrets.email,
            "password": secrets.password,
        }

        def on_ready() -> None:
            write_private_json(note, {**reachable, "pid": os.getpid()})
            _announce(reachable, as_json=parsed.json)

        serve(
            listener,
            ServeOptions(
                objects_dir=data_dir / "objects",
                dsn=database.dsn,
                secrets=secrets,
                access_token_life_s=parsed.access_token_life_s,
                upload_url_life_s=parsed.upload_url_life_s,
                tus_url_life_s=parsed.tus_url_life_s,
                tus_drop_unanswered=parsed.tus_drop_unanswered,
                ends_with_parent=parsed.exit_with_parent,
                on_ready=on_ready,
            ),
        )


def _load_gateway() -> None:
    import lorry.local_server.serving  # noqa: F401


def _announce(reachable: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(reachable), flush=True)
        return
    print(f"The local workspace is ready at {reachable['url']}. Stop it with Ctrl+C.")
    print(f"Public key: {reachable['anon_key']}")
    print(f"Sign in as {reachable['email']} with the password {reachable['password']}", flush=True)


def _last_port(note: Path) -> int:
    """The port of the last run, so that addresses stay the same from start to start."""
    _, _, port = str(read_json(note).get("url", "")).rpartition(":")
    return int(port) if port.isdigit() else 0


def _jwt_secret(path: Path | None) -> str | None:
    if path is None:
        return None
    secret = path.read_text("utf-8").strip()
    if len(secret) < MIN_JWT_SECRET_CHARS:
        raise UsageError(f"the secret in {path} is shorter than {MIN_JWT_SECRET_CHARS} characters")
    return secret


if __name__ == "__main__":
    sys.exit(main())
