"""What is known of one upload: its row and object on the server, its file here, and how long it has waited.

Serves `upload.py` on its transfer thread; `plan.py` decides from what `seen` gives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from lorry.core.chunks import STEP_BYTES
from lorry.core.errors import ErrorCode, SourceError, during
from lorry.core.model import Dataset
from lorry.core.plan import FileState, Observations
from lorry.core.progress import Meter
from lorry.core.sending import Remote, Sender
from lorry.core.source import SourceFile


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an upload waits for an object whose bytes the server has (s).

    Attributes:
        after_lost_answer_s: before asking at all, when the connection broke after the last byte: until then a server
            may show an upload it is about to delete.
        poll_s: between questions.
        object_s: in all, before the upload begins again from zero.
    """

    after_lost_answer_s: float = 10.0
    poll_s: float = 2.0
    object_s: float = 60.0


class Observer:
    """Looks, and remembers what was seen until the next unknown outcome."""

    def __init__(self, remote: Remote, sender: Sender, meter: Meter, patience: Patience) -> None:
        self.patience = patience
        #: The row as last read.
        self.row: Dataset | None = None
        #: Why the file cannot be sent, when that is so.
        self.file_error: SourceError | None = None
        self._remote = remote
        self._sender = sender
        self._meter = meter
        self._waiting_since: float | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing has been seen yet."""
        size_bytes = self._sender.job.stamp.size_bytes
        self._seen = Observations(size_bytes=size_bytes, is_resumable=size_bytes > STEP_BYTES)

    def seen(self) -> Observations:
        """What is known now."""
        job = self._sender.job
        waited_s = time.monotonic() - self._waiting_since if self._waiting_since is not None else 0.0
        return replace(
            self._seen,
            must_clear=job.cancelling or job.starting_over,
            row_was_seen=job.row_seen,
            has_upload=bool(job.upload_id),
            may_wait=waited_s < self.patience.object_s,
        )

    def learn(self, **changes: Any) -> None:
        """Take in an outcome; the names are those of `Observations`."""
        self._seen = replace(self._seen, **changes)

    def doubt(self) -> None:
        """The outcome of something is unknown: everything has to be looked at again."""
        self.learn(looked=False, upload_asked=False)

    def begin_waiting(self) -> None:
        """From now on patience runs out, unless it does already."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()

    def end_waiting(self) -> None:
        """There is nothing to wait for any more."""
        self._waiting_since = None
        self.learn(awaits_object=False)

    def look(self) -> None:
        """Ask for row and object and look at the file. Raises LorryError, but never for the file."""
        job = self._sender.job
        with during("ask the server how far the upload is"):
            self.row = self._remote.datasets.find(job.dataset_id)
            info = self._remote.objects.info(job.storage_path) if self.row or job.row_seen else None
        if self.row is not None and not job.row_seen:
            self._sender.note(row_seen=True)
        if info is not None:
            self._meter.set_stored(info.size_bytes)
        self.learn(
            looked=True,
            row=self.row.status if self.row else None,
            object_size_bytes=info.size_bytes if info else None,
            object_is_ours=info is None or not job.versions or info.version in job.versions,
            file=self._look_at_file(),
        )

    def open_source(self) -> SourceFile:
        """Open the file that was chosen. Raises SourceError."""
        job = self._sender.job
        return SourceFile.open_same(job.path, job.stamp)

    def _look_at_file(self) -> FileState:
        self.file_error = None
        try:
            self.open_source().close()
        except SourceError as error:
            self.file_error = error
            is_there = error.code not in (ErrorCode.FILE_MISSING, ErrorCode.FILE_UNREADABLE)
            return FileState.CHANGED if is_there else FileState.OUT_OF_REACH
        return FileState.UNCHANGED
