"""Writes a file that did not exist before: whole and on disk, or not at all; never over another file.

The bytes go to a hidden file beside the target, which gets its name when everything is written. Any thread.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_WRITE_BYTES = 1024 * 1024


@contextmanager
def new_file(target: Path, like: Path) -> Iterator[BinaryIO]:
    """Open a file that becomes `target` when the block ends well, with the permissions of `like`.

    Raises:
        FileExistsError: something of that name is there, also if it came while the block ran.
        OSError: it cannot be written; nothing is left behind.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target.name} exists already")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb", buffering=_WRITE_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(like, partial)
        _give_name(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(target.parent)


def free_path(path: Path, mark: str, suffix: str) -> Path:
    """Return a name beside `path` that nothing has yet: ``name.mark.suffix``, then ``name.mark-2.suffix`` and so on."""
    number = 1
    while True:
        numbered = mark if number == 1 else f"{mark}-{number}"
        candidate = path.with_name(f"{path.stem}.{numbered}{suffix}")
        if not os.path.lexists(candidate):
            return candidate
        number += 1


def _give_name(partial: Path, target: Path) -> None:
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, such as FAT.
        if os.path.lexists(target):
            raise FileExistsError(f"{target.name} exists already") from None
        partial.rename(target)


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power cut, where a folder can be synchronised."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
