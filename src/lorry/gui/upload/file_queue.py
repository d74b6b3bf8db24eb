"""The files the user chose, offered one after the other; and the files a drag carries."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDropEvent


class FileQueue:
    """A row of paths with one of them on screen."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._index = 0

    @property
    def current(self) -> Path | None:
        """The file on screen, or None."""
        return self._paths[self._index] if self._index < len(self._paths) else None

    @property
    def position(self) -> tuple[int, int]:
        """Which one of how many, counted from 1; (1, 1) when there is none."""
        return min(self._index + 1, max(1, len(self._paths))), max(1, len(self._paths))

    @property
    def has_more(self) -> bool:
        """Whether another file waits behind the one on screen."""
        return self._index + 1 < len(self._paths)

    def start(self, paths: list[Path]) -> None:
        """Begin with other files."""
        self._paths, self._index = list(paths), 0

    def advance(self) -> None:
        """Go on to the next file."""
        self._index += 1

    def replace_current(self, paths: list[Path]) -> None:
        """Other files instead of the one on screen; those behind it stay."""
        self._paths[self._index : self._index + 1] = paths


def dropped_paths(event: QDropEvent) -> list[Path]:
    """The local files of a drag; addresses of the web are left out."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
