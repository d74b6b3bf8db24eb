"""What tests of uploads do again and again: make a file, start it, wait for its verdict, look at what is stored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import UUID

from tests.support.client import objects, rows, transfer_of
from tests.support.datasets import make_dataset
from tests.support.workspace import User, wait_until

from lorry.core.client import Client
from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Phase

MIB = 1024 * 1024
#: Paths of the requests that carry a file: whole in a PUT, or in pieces, each a PATCH.
BYTES = r"/object/upload/sign/.*\?token=|/upload/resumable/sign/"


def good_file(path: Path, size_bytes: int = 20_000) -> Path:
    """A small dataset that passes validation."""
    return make_dataset("conversation_lines", size_bytes, path).path


def big_file(path: Path, size_bytes: int = 30 * MIB) -> Path:
    """A sparse file that takes a while to send; it is no dataset."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


def start(client: Client, path: Path, **changed: object) -> UUID:
    """Queue an upload as the user would; `changed` are fields of the draft."""
    draft = client.inspect_file(path)
    return client.upload(path, draft.model_copy(update=changed))


def await_verdict(client: Client, dataset_id: UUID, limit_s: float = 60) -> Dataset:
    """Wait until the server has validated a dataset."""

    def verdict() -> Dataset | None:
        dataset = client.get_dataset(dataset_id)
        return dataset if dataset.status in (DatasetStatus.READY, DatasetStatus.ERROR) else None

    dataset = wait_until(verdict, limit_s, "the verdict")
    assert isinstance(dataset, Dataset)
    return dataset


def sha256(content: bytes) -> str:
    """The checksum in hex."""
    return hashlib.sha256(content).hexdigest()


def is_sending(client: Client, dataset_id: UUID, more_than_bytes: int = 0) -> bool:
    """True when an upload has sent more than so many bytes and goes on."""
    transfer = transfer_of(client, dataset_id)
    assert transfer is not None and transfer.error is None, transfer
    return transfer.phase is Phase.UPLOADING and transfer.progress.sent_bytes > more_than_bytes


def one_of_each(user: User) -> str:
    """Assert that the server holds one row and one object of the user, and return the object's path."""
    (row,) = rows(user.server, user_id=user.id)
    (folder,) = objects(user.server, user.id)
    (name,) = objects(user.server, f"{user.id}/{folder}")
    assert f"{user.id}/{folder}/{name}" == row["storage_path"]
    return str(row["storage_path"])
