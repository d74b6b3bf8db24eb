"""What Lorry needs from the operating system, and how to see whether it is there.

The list of Qt's libraries was read off `ldd` over PySide6's Qt6Gui, Qt6Network and its xcb, wayland and
offscreen plugins. A library counts as present when the dynamic loader can load it, whoever installed it;
packages are named as Debian 12 names them. Standard library alone: it is used before anything is installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MINIMUM_POSTGRES = 15


@dataclass(frozen=True)
class Need:
    """One thing the system must offer: Debian's package, what it is for, and a look whether it is there."""

    package: str
    what: str
    is_present: Callable[[], bool]


def can_load(soname: str) -> bool:
    """Whether the dynamic loader finds the shared library `soname`, for example `libEGL.so.1`."""
    try:
        # Lazy binding and local symbols: only presence is asked for.
        ctypes.CDLL(soname, mode=os.RTLD_LAZY | os.RTLD_LOCAL)
    except OSError:
        return False
    return True


def has_venv() -> bool:
    """Whether `python3 -m venv` can make an environment with pip; Debian packs that part on its own."""
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def has_postgres() -> bool:
    """Whether the programs of a PostgreSQL server of version 15 or newer are installed."""
    if any(_has_server_programs(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin")):
        return True
    return shutil.which("initdb") is not None and shutil.which("postgres") is not None


def _has_server_programs(folder: Path) -> bool:
    version = re.match(r"\d+", folder.parent.name)
    if version is None or int(version[0]) < MINIMUM_POSTGRES:
        return False
    return (folder / "initdb").exists() and (folder / "postgres").exists()


def has_font() -> bool:
    """Whether any scalable font is installed where fontconfig looks by default."""
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
    return any(file.suffix.lower() in {".ttf", ".otf", ".ttc"} for folder in folders for file in folder.rglob("*"))


def _library(soname: str, package: str, what: str) -> Need:
    return Need(package, f"{what} ({soname})", lambda: can_load(soname))


_VENV_PACKAGE = f"python3.{sys.version_info[1]}-venv" if sys.version_info[1] != 11 else "python3-venv"
VENV = (Need(_VENV_PACKAGE, "virtual environments for Python (module ensurepip)", has_venv),)

# Needed by every Qt program that draws, with or without a screen.
DRAWING = (
    _library("libEGL.so.1", "libegl1", "drawing"),
    _library("libGL.so.1", "libgl1", "drawing"),
    _library("libfontconfig.so.1", "libfontconfig1", "fonts"),
    _library("libfreetype.so.6", "libfreetype6", "fonts"),
    _library("libdbus-1.so.3", "libdbus-1-3", "desktop services"),
    _library("libglib-2.0.so.0", "libglib2.0-0", "event loop"),
    _library("libxkbcommon.so.0", "libxkbcommon0", "keyboard"),
    _library("libgssapi_krb5.so.2", "libgssapi-krb5-2", "Qt's network module"),
    Need("fonts-dejavu-core", "a font", has_font),
)

# Needed to open a window on an X11 or Wayland display.
WINDOW = (
    _library("libX11.so.6", "libx11-6", "window"),
    _library("libX11-xcb.so.1", "libx11-xcb1", "window"),
    _library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "keyboard"),
    _library("libxcb-cursor.so.0", "libxcb-cursor0", "window"),
    _library("libxcb-glx.so.0", "libxcb-glx0", "window"),
    _library("libxcb-icccm.so.4", "libxcb-icccm4", "window"),
    _library("libxcb-image.so.0", "libxcb-image0", "window"),
    _library("libxcb-keysyms.so.1", "libxcb-keysyms1", "window"),
    _library("libxcb-randr.so.0", "libxcb-randr0", "window"),
    _library("libxcb-render.so.0", "libxcb-render0", "window"),
    _library("libxcb-render-util.so.0", "libxcb-render-util0", "window"),
    _library("libxcb-shape.so.0", "libxcb-shape0", "window"),
    _library("libxcb-shm.so.0", "libxcb-shm0", "window"),
    _library("libxcb-sync.so.1", "libxcb-sync1", "window"),
    _library("libxcb-util.so.1", "libxcb-util1", "window"),
    _library("libxcb-xfixes.so.0", "libxcb-xfixes0", "window"),
    _library("libxcb-xkb.so.1", "libxcb-xkb1", "keyboard"),
    _library("libwayland-client.so.0", "libwayland-client0", "window on Wayland"),
    _library("libwayland-cursor.so.0", "libwayland-cursor0", "window on Wayland"),
    _library("libwayland-egl.so.1", "libwayland-egl1", "window on Wayland"),
)

# The tests apply the migrations to a plain PostgreSQL too; they start their own server from these programs.
POSTGRES = (Need("postgresql-15", "a PostgreSQL 15 or newer server, for tests", has_postgres),)


def needs_for(mode: str, *, display: bool) -> tuple[Need, ...]:
    """What `run` or `test` needs here; without a display `run` is headless and needs no Qt library."""
    if not sys.platform.startswith("linux"):
        return VENV
    if mode == "test":
        return (*VENV, *DRAWING, *POSTGRES)
    return (*VENV, *DRAWING, *WINDOW) if display else VENV


def missing_needs(needs: Iterable[Need]) -> list[Need]:
    """The needs that are not met, in the given order."""
    importlib.invalidate_caches()  # apt may just have added ensurepip to this very Python
    return [need for need in needs if not need.is_present()]
