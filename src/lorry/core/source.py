"""The file on this computer: what it is, whether Lorry can take it, its bytes in blocks.

A file is opened once and judged on the open descriptor, so that it cannot be swapped between check and use. It is only
ever read. Called from task and transfer threads; a network drive can make any of this slow.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lorry.core.errors import ErrorCode, SourceError
from lorry.core.model import FILE_SUFFIXES, MAX_FILE_BYTES
from lorry.core.transfers import FileStamp

#: Bytes read and sent at a time. 64 KiB blocks were measured to cost a third of the throughput of 1 MiB ones.
BLOCK_BYTES = 1024 * 1024


class SourceFile:
    """An open dataset file. Use as a context manager; a SourceError that leaves it names the file."""

    def __init__(self, path: Path, handle: BinaryIO, stamp: FileStamp) -> None:
        self.path = path
        self.stamp = stamp
        self._handle = handle

    @classmethod
    def open(cls, path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> SourceFile:
        """Open `path` for reading.

        Raises:
            SourceError: missing, a folder, not a regular file, unreadable, wrong extension, empty or too large; context
                has `file_name`, and `size_bytes`, `limit_bytes` where they matter.
        """
        context: dict[str, str | int] = {"file_name": path.name or str(path), "path": str(path)}
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(path, flags)
        except (OSError, ValueError) as error:
            raise _open_error(path, error, context) from error
        try:
            status = os.fstat(descriptor)
            _judge(path, status, max_bytes, context)
            # After the judgement: Python makes no file object of a folder's descriptor.
            handle = os.fdopen(descriptor, "rb", buffering=0)
        except BaseException:
            os.close(descriptor)
            raise
        stamp = FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return cls(path, handle, stamp)

    @classmethod
    def open_same(cls, path: Path, stamp: FileStamp) -> SourceFile:
        """Open the file that `stamp` was taken of. Raises SourceError as `open` does, or FILE_CHANGED.

        Device and inode may be others after a drive was mounted anew; what was sent is then proved by its bytes.
        """
        source = cls.open(path, max_bytes=stamp.size_bytes)
        if source.stamp.is_like(stamp):
            return source
        with source:
            raise SourceError(ErrorCode.FILE_CHANGED, "not the file that was chosen")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if isinstance(error, SourceError):
            error.context = self.context | error.context
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._handle.close()

    def blocks(self, start: int = 0, count: int | None = None) -> Iterator[bytes]:
        """The file from `start`, exactly `count` bytes in all (by default up to `stamp.size_bytes`).

        The first and the last block are given only if the file is still what was opened: a server keeps what it has
        every byte of.

        Raises:
            SourceError: FILE_CHANGED when it is not what was opened any more, FILE_UNREADABLE when reading fails.
        """
        left = self.stamp.size_bytes - start if count is None else count
        self.check_unchanged()
        self._handle.seek(start)
        while left:
            try:
                block = self._handle.read(min(BLOCK_BYTES, left))
            except OSError as error:
                raise SourceError(ErrorCode.FILE_UNREADABLE, str(error)) from error
            if not block:
                raise SourceError(ErrorCode.FILE_CHANGED, "it became shorter")
            left -= len(block)
            if not left:
                self.check_unchanged()
            yield block

    def check_unchanged(self) -> None:
        """Raise SourceError FILE_CHANGED when size or time of the open file, or the file at its path, is another."""
        try:
            on_disk = os.fstat(self._handle.fileno())
        except OSError as error:
            raise SourceError(ErrorCode.FILE_UNREADABLE, str(error)) from error
        same = (on_disk.st_size, on_disk.st_mtime_ns) == (self.stamp.size_bytes, self.stamp.mtime_ns)
        try:
            at_path = self.path.stat()
            same = same and (at_path.st_dev, at_path.st_ino) == (self.stamp.device, self.stamp.inode)
        except FileNotFoundError:
            pass  # deleted while open: the bytes are still ours to read
        except OSError as error:
            raise SourceError(ErrorCode.FILE_UNREADABLE, str(error)) from error
        if not same:
            raise SourceError(ErrorCode.FILE_CHANGED, "size, time or identity differ")

    @property
    def context(self) -> dict[str, str | int]:
        """What the sentence of an error about this file may show."""
        return {"file_name": self.path.name, "path": str(self.path)}


def suggested_name(path: Path) -> str:
    """A dataset name made from a file name: extension dropped, `_` and `-` as spaces, first letter large."""
    text = "".join(char for char in unicodedata.normalize("NFC", path.stem) if unicodedata.category(char) != "Cc")
    words = " ".join(text.replace("_", " ").replace("-", " ").split())
    return (words[:1].upper() + words[1:])[:200].rstrip()


def _judge(path: Path, status: os.stat_result, max_bytes: int, context: dict[str, str | int]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(ErrorCode.FILE_IS_FOLDER, context=context)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(ErrorCode.FILE_NOT_REGULAR, context=context)
    if path.suffix.lower() not in FILE_SUFFIXES:
        raise SourceError(ErrorCode.FILE_WRONG_TYPE, context=context)
    if "\\" in path.name or any(unicodedata.category(char) in ("Cc", "Cs") for char in path.name):
        raise SourceError(ErrorCode.FILE_NAME_REFUSED, context=context)
    if status.st_size == 0:
        raise SourceError(ErrorCode.FILE_EMPTY, context=context)
    if status.st_size > max_bytes:
        raise SourceError(
            ErrorCode.FILE_TOO_LARGE,
            context=context | {"size_bytes": status.st_size, "limit_bytes": max_bytes},
        )


def _open_error(path: Path, error: OSError | ValueError, context: dict[str, str | int]) -> SourceError:
    if isinstance(error, ValueError) or error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return SourceError(ErrorCode.FILE_MISSING, str(error), context=context)
    if error.errno == errno.EISDIR or (error.errno == errno.EACCES and path.is_dir()):
        return SourceError(ErrorCode.FILE_IS_FOLDER, str(error), context=context)
    return SourceError(ErrorCode.FILE_UNREADABLE, str(error), context=context | {"reason": error.strerror or ""})
