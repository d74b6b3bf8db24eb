"""What is said of an upload: its badge, why it waits, where it went on, why it began again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lorry.core.errors import ErrorCode, LorryError, NetworkError, ServerError, StoreError
from lorry.core.model import Dataset, DatasetDraft
from lorry.core.transfers import Phase, Progress, RestartReason, Transfer, TransferState, WaitReason
from lorry.text import format as words

RUNNING, WAITING, PAUSED = TransferState.RUNNING, TransferState.WAITING, TransferState.PAUSED


def transfer(state: TransferState, phase: Phase, sent: int = 0, stored: int | None = None, **changes: Any) -> Transfer:
    """An upload of 1,000 bytes; `stored` is None where the server keeps no parts."""
    draft = DatasetDraft(name="Couples and money", file_name="c.jsonl", file_size=1_000)
    progress = Progress(1_000, sent, stored or 0, is_resumable=stored is not None)
    return Transfer(UUID(int=1), Path("c.jsonl"), draft, state, phase, progress, **changes)


def ready() -> Dataset:
    now = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
    return Dataset.model_validate(
        {
            "id": UUID(int=1),
            "user_id": UUID(int=2),
            "name": "Couples and money",
            "format": "brightrun_lora_v4",
            "status": "ready",
            "storage_path": "a/b/c.jsonl",
            "file_name": "c.jsonl",
            "file_size": 10,
            "created_at": now,
            "updated_at": now,
        }
    )


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (transfer(WAITING, Phase.CHECKING), "Waiting"),
        (transfer(WAITING, Phase.UPLOADING, 620, 620), "Waiting 62 %"),
        (transfer(WAITING, Phase.UPLOADING, 700, 629), "Waiting 62 %"),
        (transfer(RUNNING, Phase.UPLOADING, 700, 629), "Uploading 62 %"),
        (transfer(RUNNING, Phase.UPLOADING, 629), "Uploading 62 %"),
        (transfer(RUNNING, Phase.UPLOADING, 1_000), "Uploading 99 %"),
        (transfer(PAUSED, Phase.UPLOADING, 400, 319), "Paused 31 %"),
        (transfer(PAUSED, Phase.UPLOADING, 400), "Paused"),
        (transfer(PAUSED, Phase.CHECKING, 0, 0), "Paused"),
        (transfer(RUNNING, Phase.CHECKING), "Checking"),
        (transfer(RUNNING, Phase.FINISHING, 1_000, 990), "Finishing"),
        (transfer(RUNNING, Phase.VERIFYING, 1_000, 1_000), "Finishing"),
        (transfer(TransferState.FAILED, Phase.UPLOADING, 500, 500), "Failed"),
        (transfer(TransferState.DONE, Phase.VALIDATING), "Validating"),
        (transfer(TransferState.DONE, Phase.VALIDATING, dataset=ready()), "Ready"),
    ],
)
def test_the_badge_counts_only_what_is_kept(entry: Transfer, word: str) -> None:
    assert words.transfer_word(entry) == word


@pytest.mark.parametrize(
    ("waits_for", "retry_in_s", "error", "sentence"),
    [
        (WaitReason.TURN, None, None, "Waiting for its turn"),
        (WaitReason.NETWORK, None, NetworkError(ErrorCode.OFFLINE), "Waiting for the network"),
        (WaitReason.NETWORK, 1.2, NetworkError(ErrorCode.OFFLINE), "Waiting for the network, trying again in 2 s"),
        (WaitReason.SERVER, 11.2, ServerError(ErrorCode.SERVER_BUSY), "Trying again in 12 s, the server is busy"),
        (WaitReason.SIGN_IN, None, None, "Waiting until you sign in"),
        (WaitReason.DISK, 10.0, StoreError(ErrorCode.DISK_FULL), "Trying again in 10 s, the disk is full"),
        (
            WaitReason.DISK,
            10.0,
            StoreError(ErrorCode.STORE_LOCKED),
            "Trying again in 10 s, another program holds Lorry's files",
        ),
    ],
)
def test_every_wait_says_what_for(
    waits_for: WaitReason, retry_in_s: float | None, error: LorryError | None, sentence: str
) -> None:
    entry = transfer(WAITING, Phase.UPLOADING, waits_for=waits_for, retry_in_s=retry_in_s, error=error)
    assert words.transfer_detail(entry) == sentence


@pytest.mark.parametrize("reason", list(WaitReason))
@pytest.mark.parametrize("retry_in_s", [None, 3.0])
def test_no_wait_is_silent(reason: WaitReason, retry_in_s: float | None) -> None:
    sentence = words.transfer_detail(transfer(WAITING, Phase.UPLOADING, waits_for=reason, retry_in_s=retry_in_s))
    assert sentence[0].isupper() and not sentence.endswith((".", ",", " "))


def test_a_resumed_upload_says_from_where() -> None:
    entry = transfer(RUNNING, Phase.UPLOADING, 10, 10, resumed_at_bytes=201_326_592)
    assert words.transfer_detail(entry) == "Resumed at 201 MB"
    assert words.transfer_detail(transfer(RUNNING, Phase.UPLOADING, 10, 10, resumed_at_bytes=0)) == ""
    reading = transfer(RUNNING, Phase.CHECKING, 10, 10, resumed_at_bytes=201_326_592, is_rereading=True)
    assert words.transfer_detail(reading) == "Reading the file again to resume"


@pytest.mark.parametrize("reason", list(RestartReason))
def test_a_restart_says_why(reason: RestartReason) -> None:
    sentence = words.transfer_detail(transfer(RUNNING, Phase.UPLOADING, 10, restarted=reason))
    assert sentence.startswith("Started again from zero: ")
    assert len(sentence) > len("Started again from zero: the file")


def test_everything_sent_is_not_everything_stored() -> None:
    assert "Waiting for the server" in words.transfer_detail(transfer(RUNNING, Phase.UPLOADING, 1_000))


def test_places_in_a_file_are_rough() -> None:
    sizes = (0, 999, 6_291_456, 9_990_000, 10_000_000, 201_999_999, 1_500_000_000)
    assert [words.rough_size(size) for size in sizes] == [
        "0 bytes", "999 bytes", "6.2 MB", "9.9 MB", "10 MB", "201 MB", "1.5 GB",
    ]  # fmt: skip
