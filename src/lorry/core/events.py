"""What the core tells the front ends: small frozen facts, put on a queue by any thread.

Progress is not an event: front ends ask `Client.snapshot()` while something is active.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lorry.core.checked_file import CheckedFile
from lorry.core.errors import LorryError
from lorry.core.model import Account, Dataset, Finding
from lorry.core.transfers import Transfer


@dataclass(frozen=True, slots=True)
class TransferChanged:
    """A transfer entered another state or phase; `transfer` is how it stands now."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class TransferRemoved:
    """A transfer was cancelled and cleaned up; nothing of it is left."""

    dataset_id: UUID


@dataclass(frozen=True, slots=True)
class DatasetChanged:
    """A row changed on the server (status moved on, was renamed, …); this is the row now."""

    dataset: Dataset


@dataclass(frozen=True, slots=True)
class DatasetGone:
    """A row that was being followed is not there any more."""

    dataset_id: UUID


@dataclass(frozen=True, slots=True)
class DatasetsStale:
    """The list on screen may be out of date; read it again."""


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Somebody signed in (`account`) or nobody is signed in any more (None, with the reason if there is one)."""

    account: Account | None
    reason: LorryError | None = None


@dataclass(frozen=True, slots=True)
class FileFindings:
    """A check under way has found something; `check_id` is what starting it returned."""

    check_id: UUID
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FileChecked:
    """A check has ended: the checked file, or why it could not be checked."""

    check_id: UUID
    outcome: CheckedFile | LorryError


Event = (
    TransferChanged
    | TransferRemoved
    | DatasetChanged
    | DatasetGone
    | DatasetsStale
    | AccountChanged
    | FileFindings
    | FileChecked
)
