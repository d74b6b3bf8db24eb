"""Where Lorry's files live.

`LORRY_HOME` puts all of them in one folder; without it the operating system's usual places are used.
Only names are made here; whoever writes a file creates its folder with `private_dir`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Paths:
    """The files and folders of one Lorry profile."""

    data_dir: Path
    log_dir: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Read `LORRY_HOME`, else take the platform's per-user folders."""
        home = (os.environ if environ is None else environ).get("LORRY_HOME", "").strip()
        if home:
            root = Path(home).expanduser().absolute()
            return cls(data_dir=root, log_dir=root / "log")
        return cls(
            data_dir=Path(platformdirs.user_data_dir("lorry", appauthor=False)),
            log_dir=Path(platformdirs.user_log_dir("lorry", appauthor=False)),
        )

    @property
    def journal(self) -> Path:
        return self.data_dir / "journal.db"

    @property
    def settings(self) -> Path:
        return self.data_dir / "settings.json"

    @property
    def session_lock(self) -> Path:
        return self.data_dir / "session.lock"

    @property
    def workspace_dir(self) -> Path:
        """Data folder of the local workspace (PostgreSQL, stored objects, its secrets)."""
        return self.data_dir / "workspace"

    @property
    def log(self) -> Path:
        return self.log_dir / "lorry.log"

    @property
    def workspace_log(self) -> Path:
        return self.log_dir / "workspace.log"


def private_dir(path: Path) -> Path:
    """Create a folder, and missing ones above it, that only this user may enter (0700) and return it.

    Raises:
        OSError: it cannot be made.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path


def resource_dir() -> Path:
    """The folder with icons, style, migrations and samples: inside an installed package, else beside `src/`."""
    packed = _PACKAGE / "resources"
    return packed if packed.is_dir() else _PACKAGE.parents[1] / "resources"
