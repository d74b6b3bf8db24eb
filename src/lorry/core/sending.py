"""The bytes of one upload on their way: leave to send, the unfinished upload on the server, hashing, pieces.

Used by `upload.py` on a transfer thread, which decides what is to be done. What is learnt goes to the journal: the id
of an unfinished upload before its first byte, the checksums before the last one. Between attempts of one run the hash
is kept; a later run reads the sent part again before it sends more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

from lorry.core.bandwidth import Bandwidth
from lorry.core.cancel import CancelToken
from lorry.core.checksum import SLICE_BYTES, FileHasher
from lorry.core.chunks import STEP_BYTES
from lorry.core.errors import (
    AuthError,
    Cancelled,
    ErrorCode,
    LorryError,
    OffsetConflictError,
    RejectedError,
    ServerError,
    SourceError,
    StoreError,
)
from lorry.core.model import UploadTicket
from lorry.core.progress import Meter
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi
from lorry.core.remote.objects import ObjectsApi
from lorry.core.remote.put import SignedPut, content_type
from lorry.core.remote.tus import TusApi, TusProgress, TusState
from lorry.core.remote.tus_answers import object_version
from lorry.core.source import SourceFile
from lorry.core.transfers import UploadJob

#: A ticket is renewed when it is good for less than this (s), or for less than half of a shorter life.
_RENEW_UNDER_S = 60.0
#: The offset is noted when this much has arrived since the last note, or this long ago (s).
_NOTE_BYTES, _NOTE_S = SLICE_BYTES, 2.0
#: Blocks in which the last piece, held in memory, is handed over.
_BLOCK_BYTES = 1024 * 1024

T = TypeVar("T")


class Journal(Protocol):
    """What uploads need of the journal (`store/journal.py`). Every method may raise StoreError."""

    damaged_copy: Path | None

    def add(self, job: UploadJob) -> None: ...
    def note(self, job: UploadJob, **changes: Any) -> UploadJob: ...
    def set_paused(self, dataset_ids: list[UUID], paused: bool) -> None: ...
    def set_order(self, dataset_ids: list[UUID]) -> None: ...
    def find(self, dataset_id: UUID) -> UploadJob | None: ...
    def remove(self, dataset_id: UUID) -> None: ...
    def jobs(self, project: str, user_id: UUID) -> list[UploadJob]: ...
    def claim(self, dataset_id: UUID) -> bool: ...
    def release(self, dataset_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Remote:
    """The server's side, as the signed-in user. `tus` opens a connection for one transfer."""

    datasets: DatasetsApi
    objects: ObjectsApi
    functions: FunctionsApi
    put: SignedPut
    tus: Callable[[], TusApi]


class Sender:
    """Sends the file of one job, in one request or in pieces. `job` holds the facts as last committed."""

    def __init__(
        self,
        job: UploadJob,
        remote: Remote,
        journal: Journal,
        bandwidth: Bandwidth,
        token: CancelToken,
        meter: Meter,
        on_all_sent: Callable[[], None],
    ) -> None:
        self.job = job
        self.token = token
        self._remote = remote
        self._journal = journal
        self._bandwidth = bandwidth
        self._meter = meter
        self._on_all_sent = on_all_sent
        self._hasher = FileHasher(job.stamp.size_bytes, job.checksums)
        self._hashed_stamp = job.stamp
        self._ticket: UploadTicket | None = None
        self._ticket_life_s = 0.0
        self._tus: TusApi | None = None
        self._closing = ExitStack()
        #: Offset and time at which the last request was cut, until the server says how much of it arrived.
        self._cut: tuple[int, float] | None = None
        self._noted_at = 0.0

    def close(self) -> None:
        """Close the connection; sending again opens another."""
        self._tus = None
        self._closing.close()

    def use_ticket(self, ticket: UploadTicket) -> None:
        """Leave to send that somebody has got already."""
        self._ticket = ticket
        self._ticket_life_s = (ticket.expires_at - datetime.now(UTC)).total_seconds()

    # -- the whole file in one request ------------------------------------------------------------------------------

    def put(self, source: SourceFile) -> bool:
        """Send a small file to the signed URL; True, the object is stored. Raises what `SignedPut.send` does."""
        size_bytes = self.job.stamp.size_bytes
        content = b"".join(source.blocks())
        hasher = FileHasher(size_bytes, self.job.checksums)
        hasher.add(content, 0)
        self.note(checksums=hasher.checksums(), final_sent=True)

        def send(ticket: UploadTicket) -> None:
            self._meter.start()
            blocks = self._bandwidth.paced(_blocks(content), self.token)
            name = self.job.draft.file_name
            self._remote.put.send(ticket, blocks, size_bytes, name, self.token, self._sent)

        self._with_ticket(send)
        return True

    # -- in pieces ----------------------------------------------------------------------------------------------------

    def open(self) -> TusState:
        """Begin a resumable upload and note its id before anything is sent to it."""
        job = self.job
        kind = content_type(job.draft.file_name)
        upload_id = self._with_ticket(lambda ticket: self._api().create(ticket, job.stamp.size_bytes, kind, self.token))
        version = object_version(upload_id, job.storage_path)
        self.note(upload_id=upload_id, versions=(*job.versions, version), offset_bytes=0)
        return TusState(0, job.stamp.size_bytes)

    def ask(self) -> TusState:
        """What the server holds of the unfinished upload. Raises RejectedError UPLOAD_GONE and others."""
        state = self._with_ticket(lambda ticket: self._api().offset(ticket, self.job.upload_id, self.token))
        if self._cut is not None:
            offset_bytes, began = self._cut
            self._bandwidth.failed(max(0, state.offset_bytes - offset_bytes), time.monotonic() - began)
            self._cut = None
        return state

    def drop(self) -> None:
        """Let the server forget the unfinished upload, if it still has it. Raises LorryError."""
        if self.job.upload_id:
            self._with_ticket(lambda ticket: self._api().terminate(ticket, self.job.upload_id))

    def forget(self) -> None:
        """Begin again from zero: nothing sent, nothing hashed."""
        empty = self.job.forgetting_upload()
        self.note(**{name: getattr(empty, name) for name in _SENT_FACTS})
        self._hasher = FileHasher(self.job.stamp.size_bytes, self.job.checksums)
        if self._cut is not None:
            self._bandwidth.failed()
            self._cut = None

    def is_primed(self, source: SourceFile, offset_bytes: int) -> bool:
        """True when this run has hashed this very file up to there."""
        if source.stamp != self._hashed_stamp:
            self._hashed_stamp = source.stamp
            self._hasher = FileHasher(self.job.stamp.size_bytes, self.job.checksums)
        return self._hasher.position_bytes >= offset_bytes

    def prime(self, source: SourceFile, offset_bytes: int) -> None:
        """Read the part of the file again that the server has, and see that it is what was sent.

        Raises:
            SourceError: FILE_CHANGED.
        """
        job = self.job
        if source.stamp != job.stamp and offset_bytes > job.hashed_bytes and job.checksums is None:
            raise SourceError(ErrorCode.FILE_CHANGED, "at another place than before, and nothing proves what was sent")
        for end_bytes, prefix in ((job.hashed_bytes, job.prefix_sha256), (offset_bytes, "")):
            start_bytes = self._hasher.position_bytes
            if end_bytes > start_bytes:
                blocks = source.blocks(start_bytes, end_bytes - start_bytes)
                self._hasher.prime(blocks, self.token, job.slices, prefix)

    def send(self, source: SourceFile, offset_bytes: int) -> bool:
        """Send everything from `offset_bytes` on, piece by piece.

        Returns:
            True when the server has said that the object is stored.

        Raises:
            what `TusApi.append` does; the last piece's failure has `all_sent` in its context.
        """
        size_bytes, is_complete = self.job.stamp.size_bytes, False
        self._noted_at = time.monotonic()
        while offset_bytes < size_bytes:
            self.token.check()
            began = time.monotonic()
            count = self._bandwidth.next_bytes(offset_bytes, size_bytes)
            send = partial(self._append, source, offset_bytes, count)
            try:
                progress = self._with_ticket(send)
            except (LorryError, Cancelled) as error:
                with suppress(StoreError):
                    self._note_progress(offset_bytes)
                self._cut = (offset_bytes, began)
                if isinstance(error, RejectedError) and "proxy" in error.context:
                    error.context["size_bytes"] = count
                    self._bandwidth.refused(count)
                    if count > STEP_BYTES:
                        # A proxy on the way refuses pieces of this size; the server itself would take the file.
                        raise OffsetConflictError(ErrorCode.OFFSET_CONFLICT, error.detail) from error
                raise
            self._bandwidth.succeeded(progress.offset_bytes - offset_bytes, time.monotonic() - began)
            offset_bytes, is_complete = progress.offset_bytes, progress.is_complete
            self._meter.set_stored(offset_bytes)
            is_much = self._hasher.position_bytes - self.job.hashed_bytes >= _NOTE_BYTES
            if is_much or time.monotonic() - self._noted_at >= _NOTE_S:
                self._note_progress(offset_bytes)
        return is_complete

    def _append(self, source: SourceFile, offset_bytes: int, count: int, ticket: UploadTicket) -> TusProgress:
        is_last = offset_bytes + count == self.job.stamp.size_bytes
        blocks = self._hasher.passing(source.blocks(offset_bytes, count), offset_bytes)
        if is_last:
            # Held in memory, so that the checksums are noted before the object can exist.
            blocks = _blocks(b"".join(blocks))
            self.note(checksums=self._hasher.checksums(), final_sent=True)
        self._meter.start(offset_bytes)
        return self._api().append(
            ticket,
            self.job.upload_id,
            offset_bytes,
            self._bandwidth.paced(blocks, self.token),
            count,
            self.token,
            self._sent,
            is_last=is_last,
        )

    def _sent(self, count: int) -> None:
        self._meter.add_sent(count)
        if self._meter.is_all_sent:
            self._on_all_sent()

    # -- leave to send, and the facts ---------------------------------------------------------------------------------

    def note(self, **changes: Any) -> None:
        """Commit facts of the job. Raises StoreError."""
        self.job = self._journal.note(self.job, **changes)

    def _note_progress(self, offset_bytes: int) -> None:
        hasher = self._hasher
        self._noted_at = time.monotonic()
        self.note(
            offset_bytes=offset_bytes,
            hashed_bytes=hasher.position_bytes,
            prefix_sha256=hasher.prefix_sha256,
            slices=hasher.slices,
        )

    def _with_ticket(self, call: Callable[[UploadTicket], T]) -> T:
        try:
            return call(self._valid_ticket())
        except AuthError as error:
            if error.code is not ErrorCode.TICKET_EXPIRED:
                raise
        self._ticket = None
        try:
            return call(self._valid_ticket())
        except AuthError as error:
            if error.code is not ErrorCode.TICKET_EXPIRED:
                raise
            raise ServerError(ErrorCode.SERVER_BROKEN, f"a fresh upload token was refused: {error.detail}") from error

    def _valid_ticket(self) -> UploadTicket:
        if self._ticket is not None:
            left_s = (self._ticket.expires_at - datetime.now(UTC)).total_seconds()
            if left_s >= min(_RENEW_UNDER_S, self._ticket_life_s / 2):
                return self._ticket
        ticket = self._remote.objects.sign_upload(self.job.dataset_id, self.job.storage_path)
        self.use_ticket(ticket)
        return ticket

    def _api(self) -> TusApi:
        if self._tus is None:
            self._tus = self._closing.enter_context(self._remote.tus())
        return self._tus


#: What `UploadJob.forgetting_upload` resets.
_SENT_FACTS = ("upload_id", "offset_bytes", "hashed_bytes", "prefix_sha256", "slices", "final_sent")


def _blocks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _BLOCK_BYTES):
        yield content[start : start + _BLOCK_BYTES]
