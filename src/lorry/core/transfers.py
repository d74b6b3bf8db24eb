"""The words of uploads: states, phases, progress, and the facts of one upload that outlive a crash.

Frozen values for front ends, the engine and the journal; no behaviour beyond their own consistency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from lorry.core.errors import LorryError
from lorry.core.model import Dataset, DatasetDraft

#: A transfer's speed is kept for this long (s), one value a second.
HISTORY_S = 60


class TransferState(StrEnum):
    """Where an upload stands on this machine. `WAITING` goes on by itself, `PAUSED` and `FAILED` need the user."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    DONE = "done"


class Phase(StrEnum):
    """What a running upload is doing, in this order."""

    CHECKING = "checking"
    UPLOADING = "uploading"
    FINISHING = "finishing"
    VERIFYING = "verifying"
    VALIDATING = "validating"


class WaitReason(StrEnum):
    """What a waiting upload waits for."""

    TURN = "turn"
    NETWORK = "network"
    SERVER = "server"
    SIGN_IN = "sign_in"
    DISK = "disk"
    FILE = "file"


class RestartReason(StrEnum):
    """Why bytes that were sent have to be sent once more."""

    DROPPED = "dropped"  # the server has no unfinished upload any more
    UNFINISHED = "unfinished"  # all bytes were taken, but no object came of them
    DAMAGED = "damaged"  # the stored object is not the file
    CHANGED = "changed"  # the user chose to start again with the changed file


@dataclass(frozen=True, slots=True)
class Progress:
    """Byte counters of a transfer. `history_bps` holds up to HISTORY_S one-second rates, oldest first.

    Attributes:
        sent_bytes: handed to the socket.
        stored_bytes: acknowledged by the server.
        is_resumable: the server keeps parts of the file; False when it keeps the whole file or nothing.
    """

    size_bytes: int
    sent_bytes: int = 0
    stored_bytes: int = 0
    rate_bps: float = 0.0
    remaining_s: float | None = None
    history_bps: tuple[float, ...] = ()
    is_resumable: bool = False

    @property
    def percent(self) -> int:
        """Whole percent, rounded down and at most 99: only a confirmed upload is complete.

        Of the bytes the server has; of those sent where it acknowledges nothing before the end.
        """
        done = self.stored_bytes if self.is_resumable else self.sent_bytes
        return min(99, done * 100 // self.size_bytes) if self.size_bytes else 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One upload as a front end sees it. Its identity is the dataset's id, made before the first request.

    Attributes:
        waits_for: set while `state` is WAITING.
        retry_in_s: seconds to the next attempt of a waiting upload whose last one failed with `error`.
        is_rereading: the part of the file that was sent is read again before more is sent.
        resumed_at_bytes: where this run took the upload up again, None when it began at the start.
        restarted: why this run had to begin again from zero.
        is_cancelling: the user gave it up; what it made is being removed.
    """

    dataset_id: UUID
    path: Path
    draft: DatasetDraft
    state: TransferState
    phase: Phase
    progress: Progress
    storage_path: str = ""
    error: LorryError | None = None
    waits_for: WaitReason | None = None
    retry_in_s: float | None = None
    dataset: Dataset | None = None
    is_rereading: bool = False
    resumed_at_bytes: int | None = None
    restarted: RestartReason | None = None
    is_cancelling: bool = False


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What makes a file the same file: device, inode, size in bytes and modification time in ns."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    def is_like(self, other: FileStamp) -> bool:
        """True when it can be the same file on another device or at another place; only its bytes can prove it."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class UploadJob:
    """The facts of one upload that outlive a crash. Every id in it was made before the first request.

    Attributes:
        project: origin of the server the upload belongs to.
        row_seen: the row has been on the server; if it is missing now, somebody removed it.
        cancelling: the user gave the upload up; what is left of it on the server has to go.
        starting_over: what was made so far cannot be used; it has to go before the upload begins again.
        paused: the user paused it; it does not go on by itself.
        last_error: code of the failure that stopped it, "" while it may go on by itself.
        upload_id: last segment of the resumable upload's URL, "" while none is open.
        versions: the versions an object has that came from an upload of this very file; empty when not known.
        offset_bytes: what the server was last seen to hold; shown, never relied on.
        hashed_bytes, prefix_sha256: SHA-256 of that much of the file as it was sent.
        slices: SHA-256 of the file's complete 32 MiB slices up to there.
        checksums: the row's `checksums`: from a check of the file, else known before its last bytes are sent.
        final_sent: the last bytes were on their way; the object may exist although no answer came.
        restarts: when the upload had to begin again from zero, as POSIX times.
    """

    dataset_id: UUID
    project: str
    user_id: UUID
    path: Path
    draft: DatasetDraft
    stamp: FileStamp
    storage_path: str
    row_seen: bool = False
    cancelling: bool = False
    starting_over: bool = False
    paused: bool = False
    last_error: str = ""
    upload_id: str = ""
    versions: tuple[str, ...] = ()
    offset_bytes: int = 0
    hashed_bytes: int = 0
    prefix_sha256: str = ""
    slices: tuple[str, ...] = ()
    checksums: dict[str, object] | None = None
    final_sent: bool = False
    restarts: tuple[float, ...] = ()

    def forgetting_upload(self) -> UploadJob:
        """The same job with nothing sent yet."""
        return replace(
            self,
            upload_id="",
            offset_bytes=0,
            hashed_bytes=0,
            prefix_sha256="",
            slices=(),
            final_sent=False,
        )
