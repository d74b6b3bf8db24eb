"""Who may run the database server, and that only one owner does: a lock, its processes, an account.

PostgreSQL refuses to run as root. Under root the server runs as an account of its own that owns nothing but
the data. Leaves starting and stopping to `cluster`. No thread of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]

ACCOUNT_NAME = "lorry-postgres"
LOCK_POLL_S = 0.02
# Bits of the capability mask, linux/capability.h.
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


class FolderLock:
    """An exclusive lock that the operating system drops when its owner ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    @property
    def is_held(self) -> bool:
        """Held by this object, that is."""
        return self._file is not None

    def acquire(self, timeout_s: float) -> bool:
        """Take the lock; False when another process still holds it after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        file = self._path.open("ab")
        while not _try_lock(file):
            if time.monotonic() > deadline:
                file.close()
                return False
            threading.Event().wait(LOCK_POLL_S)
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back. Harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def processes_in(folder: Path) -> list[psutil.Process]:
    """The living processes whose working folder this is: PostgreSQL and all its children work in their data."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder.resolve()):
                found.append(process)
    return found


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The unprivileged account the server runs as when we are root."""

    uid: int
    gid: int
    setpriv: str
    capability: str

    def wrap(self, command: list[str]) -> list[str]:
        """The same command under this account.

        It keeps one capability of root: to pass through folders closed to it. Root's home and the data folder
        are 0700, and opening them to every user (what the wheel's own launcher does) would be worse. Without
        `no_setuid_fixup` access(2), with which initdb looks for its programs, would leave that capability out.
        """
        return [
            self.setpriv,
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            f"--inh-caps=+{self.capability}",
            f"--ambient-caps=+{self.capability}",
            "--securebits=+no_setuid_fixup",
            "--",
            *command,
        ]

    def own(self, path: Path) -> None:
        """Make this account the owner of `path` and of everything below it; nothing to do when it is already."""
        if path.stat().st_uid == self.uid:
            return
        for folder, folders, files in os.walk(path, topdown=False):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, self.uid, self.gid, follow_symlinks=False)
        os.chown(path, self.uid, self.gid)


def server_account() -> ServerAccount | None:
    """The account to run the server as; None when we are an ordinary user and it runs as ourselves.

    Raises:
        OSError: we are root on a system without `setpriv` (util-linux), or the account cannot be made.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise OSError("As root the local workspace needs setpriv (util-linux); or run it as a normal user.")
    try:
        account = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        _make_account()
        account = pwd.getpwnam(ACCOUNT_NAME)
    return ServerAccount(account.pw_uid, account.pw_gid, setpriv, _folder_capability())


def _make_account() -> None:
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd is None:
        raise OSError(f"As root the local workspace needs an account {ACCOUNT_NAME}, and useradd is missing.")
    result = subprocess.run(  # noqa: S603 (a fixed program and fixed arguments)
        [useradd, "--system", "-U", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode not in (0, 9):  # 9: another process was quicker
        raise OSError(f"The account {ACCOUNT_NAME} could not be made: {result.stderr.strip()}")


def _folder_capability() -> str:
    """`dac_read_search`, or `dac_override` in a container that withholds the lesser one."""
    permitted = 0
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("CapPrm:"):
            permitted = int(line.split()[1], 16)
    return "dac_read_search" if permitted >> _DAC_READ_SEARCH & 1 else "dac_override"
