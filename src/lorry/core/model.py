"""The words of the domain: datasets, drafts, findings, tickets. No behaviour beyond their own consistency.

Everything that comes from a server is validated here (pydantic, unknown fields ignored); everything that is handed to
a front end is frozen.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

BUCKET = "lora-datasets"
#: The bucket's limit unless the project says another: 500 MiB.
MAX_FILE_BYTES = 524_288_000
NAME_MIN, NAME_MAX = 2, 200
FILE_SUFFIXES = (".jsonl", ".json")
DEFAULT_PAGE_SIZE = 25


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
    file_size: Annotated[int, Field(gt=0)]
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
