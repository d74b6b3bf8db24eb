"""What the core tells the front ends: small frozen facts, put on a queue by any thread.

Progress is not an event: front ends ask `Client.snapshot()` while something is active.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lorry.core.errors import LorryError
from lorry.core.model import Account, Dataset
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


Event = TransferChanged | TransferRemoved | DatasetChanged | DatasetGone | DatasetsStale | AccountChanged
