"""The words of the domain: datasets, drafts, tickets, transfers, progress. No behaviour beyond their own consistency.

Everything that comes from a server is validated here (pydantic, unknown fields ignored); everything that is handed to
a front end is frozen.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lorry.core.errors import LorryError

BUCKET = "lora-datasets"
#: The bucket's limit: 500 MiB.
MAX_FILE_BYTES = 524_288_000
NAME_MIN, NAME_MAX = 2, 200
FILE_SUFFIXES = (".jsonl", ".json")
DEFAULT_PAGE_SIZE = 25
#: A transfer's speed is kept for this long (s), one value a second.
HISTORY_S = 60


class DatasetStatus(StrEnum):
    """`datasets.status` on the server."""

    UPLOADING = "uploading"
    VALIDATING = "validating"
    READY = "ready"
    ERROR = "error"


class DatasetFormat(StrEnum):
    """`datasets.format` on the server."""

    BRIGHTRUN_LORA_V4 = "brightrun_lora_v4"
    BRIGHTRUN_LORA_V3 = "brightrun_lora_v3"


def _no_control_characters(text: str) -> str:
    if any(unicodedata.category(char) == "Cc" for char in text):
        raise ValueError("must not contain control characters")
    return text


def _plain_file_name(text: str) -> str:
    if "/" in text or "\\" in text:
        raise ValueError("must be a file name without folders")
    return _no_control_characters(text)


class DatasetDraft(BaseModel):
    """What a user wants to upload, before anything exists on the server.

    Raises `pydantic.ValidationError` with one entry per bad field (`loc` is the field's name).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=NAME_MIN, max_length=NAME_MAX),
        AfterValidator(_no_control_characters),
    ]
    description: str | None = None
    file_name: Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_plain_file_name)]
    file_size: Annotated[int, Field(gt=0, le=MAX_FILE_BYTES)]
    format: DatasetFormat = DatasetFormat.BRIGHTRUN_LORA_V4


class Finding(BaseModel):
    """One thing the validation found. `line` and `column` are 1-based; None where they do not apply."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    level: str
    message: str = ""
    line: int | None = None
    column: int | None = None
    path: str | None = None
    suggestion: str | None = None


class Dataset(BaseModel):
    """A row of `public.datasets`. Unknown columns are ignored, so a newer server does no harm."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    user_id: UUID
    name: str
    description: str | None = None
    format: str
    status: DatasetStatus
    storage_bucket: str = BUCKET
    storage_path: str
    file_name: str
    file_size: int
    total_training_pairs: int | None = None
    total_validation_pairs: int | None = None
    total_tokens: int | None = None
    avg_turns_per_conversation: float | None = None
    avg_tokens_per_turn: float | None = None
    training_ready: bool = False
    validated_at: datetime | None = None
    validation_errors: Any = None
    sample_data: Any = None
    error_message: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    checksums: Any = None
    object_version: str | None = None

    @property
    def finding_counts(self) -> dict[str, int]:
        """How many findings of each level ("error", "warning", "info") the validation counted; {} before it ran."""
        report = self.validation_errors
        counts = report.get("counts") if isinstance(report, dict) else None
        if not isinstance(counts, dict):
            return {}
        return {str(level): n for level, n in counts.items() if isinstance(n, int)}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings kept in the row (at most 100); entries that make no sense are left out."""
        report = self.validation_errors
        entries = report.get("findings") if isinstance(report, dict) else None
        return tuple(
            Finding.model_validate(entry)
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and isinstance(entry.get("code"), str) and isinstance(entry.get("level"), str)
        )


@dataclass(frozen=True, slots=True)
class DatasetQuery:
    """Which datasets to list: page counts from 1; `search` is literal text in the name, case-insensitive."""

    page: int = 1
    limit: int = DEFAULT_PAGE_SIZE
    status: DatasetStatus | None = None
    format: DatasetFormat | None = None
    search: str = ""


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """One page of the list, newest first.

    `unreadable` counts rows that did not validate and are left out; `read_at` is when the server answered.
    """

    datasets: tuple[Dataset, ...]
    total: int
    query: DatasetQuery
    read_at: datetime
    unreadable: int = 0

    @property
    def total_pages(self) -> int:
        return math.ceil(self.total / self.query.limit)


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """Leave to send one file to one path. `upload_url` carries a token: never logged, never stored."""

    dataset_id: UUID
    upload_url: str
    storage_path: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"UploadTicket(dataset_id={self.dataset_id}, storage_path={self.storage_path!r})"


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in, and where. `project` is the server's origin, or "Local workspace"."""

    user_id: UUID
    email: str
    project: str
    is_local: bool = False
    is_remembered: bool = True


class TransferState(StrEnum):
    """Where an upload stands on this machine."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


class Phase(StrEnum):
    """What a running upload is doing, in this order."""

    CHECKING = "checking"
    UPLOADING = "uploading"
    FINISHING = "finishing"
    VERIFYING = "verifying"
    VALIDATING = "validating"


@dataclass(frozen=True, slots=True)
class Progress:
    """Byte counters of a transfer. `history_bps` holds up to HISTORY_S one-second rates, oldest first."""

    size_bytes: int
    sent_bytes: int = 0
    stored_bytes: int = 0
    rate_bps: float = 0.0
    remaining_s: float | None = None
    history_bps: tuple[float, ...] = ()

    @property
    def percent(self) -> int:
        """Whole percent sent, rounded down and at most 99: only a confirmed upload is complete."""
        return min(99, self.sent_bytes * 100 // self.size_bytes) if self.size_bytes else 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One upload as a front end sees it. Its identity is the dataset's id, made before the first request."""

    dataset_id: UUID
    path: Path
    draft: DatasetDraft
    state: TransferState
    phase: Phase
    progress: Progress
    storage_path: str = ""
    error: LorryError | None = None
    retry_in_s: float | None = None
    dataset: Dataset | None = None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What makes a file the same file: device, inode, size in bytes and modification time in ns."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class UploadJob:
    """The facts of one upload that outlive a crash. Every id in it was made before the first request.

    Attributes:
        project: origin of the server the upload belongs to.
        row_seen: the row has been on the server; if it is missing now, somebody removed it.
        cancelling: the user gave the upload up; what is left of it on the server has to go.
        last_error: code of the failure that stopped it, "" while it may go on by itself.
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
    last_error: str = ""
