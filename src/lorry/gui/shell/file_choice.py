"""Which of the files dropped, pasted or opened can be uploaded, judged by their names alone.

Names only: a look at the file itself may block on a network drive and is done on a task thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl

from lorry.core.model import FILE_SUFFIXES
from lorry.text.format import plural, safe_name

NAMED = 2


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Paths to offer for upload, and what was left out (names, as given)."""

    accepted: tuple[Path, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def rejection(self) -> str:
        """What is left out and why, as one line; "" when nothing is."""
        if not self.rejected:
            return ""
        names = [safe_name(name) for name in self.rejected[:NAMED]]
        more = len(self.rejected) - len(names)
        listed = ", ".join(names) + (f" and {more} more" if more else "")
        verb = "is not a .jsonl or .json file" if len(self.rejected) == 1 else "are not .jsonl or .json files"
        return f"{plural(len(self.rejected), 'file')} left out: {listed} {verb}"


def choose_files(paths: Iterable[Path]) -> FileChoice:
    """Sort paths by their suffix, keeping their order; the same path is taken once."""
    accepted: dict[Path, None] = {}
    rejected: list[str] = []
    for path in paths:
        if path.suffix.lower() in FILE_SUFFIXES:
            accepted[path] = None
        else:
            rejected.append(path.name or str(path))
    return FileChoice(tuple(accepted), tuple(rejected))


def files_in(mime: QMimeData) -> FileChoice:
    """The files a drop or the clipboard carries. Addresses that are not local files are left out by name."""
    urls = mime.urls() if mime.hasUrls() else []
    local = choose_files(Path(url.toLocalFile()) for url in urls if url.isLocalFile())
    foreign = tuple(_name(url) for url in urls if not url.isLocalFile())
    return FileChoice(local.accepted, local.rejected + foreign)


def _name(url: QUrl) -> str:
    return url.fileName() or url.toDisplayString()
