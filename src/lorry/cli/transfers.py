"""`lorry upload` and `lorry resume`: queue uploads, follow them on the terminal, report each one's end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from lorry.cli.output import ProgressLine, error_details, error_sentence
from lorry.core.checked_file import CheckedFile
from lorry.core.client import Client
from lorry.core.errors import LorryError
from lorry.core.events import DatasetChanged, DatasetGone, FileChecked, TransferChanged, TransferRemoved
from lorry.core.model import Dataset, DatasetDraft, DatasetStatus
from lorry.core.transfers import Transfer, TransferState, WaitReason
from lorry.text import format as fmt
from lorry.text.error_text import describe_draft_errors

_TICK_S = 0.1
_KEPT = "What was sent is kept; `lorry resume` goes on with it."


@dataclass(slots=True)
class Outcome:
    """What became of one file. `sentence` is set when it did not work."""

    file: str
    dataset_id: UUID | None = None
    storage_path: str = ""
    status: str = ""
    sentence: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The entry of the `uploads` list."""
        return {
            "file": self.file,
            "dataset_id": str(self.dataset_id) if self.dataset_id else None,
            "storage_path": self.storage_path or None,
            "status": self.status,
        }


def draft_for(
    client: Client, path: Path, name: str | None, description: str | None, dataset_format: str | None
) -> DatasetDraft:
    """The draft of a file with what the user said about it.

    Raises:
        SourceError: the file cannot be taken.
        ValidationError: a field cannot be used.
    """
    draft = client.inspect_file(path)
    said = {"name": name, "description": description, "format": dataset_format}
    return DatasetDraft.model_validate(draft.model_dump() | {k: v for k, v in said.items() if v is not None})


def failed(path: Path, error: LorryError | ValidationError) -> Outcome:
    """The outcome of a file that was never queued."""
    file = str(path)
    if isinstance(error, LorryError):
        return Outcome(file, status="failed", sentence=error_sentence(error), details=error_details(error))
    fields = describe_draft_errors(error)
    sentence = " ".join(f"{name.replace('_', ' ').capitalize()}: {text}" for name, text in fields.items())
    return Outcome(file, status="failed", sentence=sentence, details={"code": "invalid_draft", "fields": fields})


class Follower:
    """Waits for queued uploads to end, showing progress. Runs on the main thread."""

    def __init__(self, client: Client, *, wait_for_verdict: bool, quiet: bool) -> None:
        self._client = client
        self._wait_for_verdict = wait_for_verdict
        self._line = ProgressLine(enabled=not quiet)
        self._wake = threading.Event()
        self._open: dict[UUID, Outcome] = {}
        self._cleaning: set[UUID] = set()
        self._said: dict[UUID, str] = {}
        self._checked: dict[UUID, CheckedFile | LorryError] = {}
        client.subscribe(self._wake.set)

    def add(self, dataset_id: UUID, file: str) -> Outcome:
        """Follow one more upload."""
        outcome = self._open[dataset_id] = Outcome(file, dataset_id)
        return outcome

    def add_cleaning(self, dataset_id: UUID) -> None:
        """Wait for a given-up upload to be cleared away; it is no outcome."""
        self._cleaning.add(dataset_id)

    def run(self) -> None:
        """Return when every upload has ended, and with it what a failed one had made on the server."""
        while self._open or self._cleaning:
            self._take_events()
            self._line.show(self._client.snapshot())
        self._line.end()

    def wait_for_check(self, check_id: UUID, path: Path) -> CheckedFile:
        """Return what a check found, following the uploads meanwhile. Raises LorryError if it could not be done."""
        name = fmt.safe_name(path.name)
        while check_id not in self._checked:
            self._take_events()
            progress = self._client.check_progress(check_id)
            if progress is not None and progress.done_bytes:
                self._line.show_text(f"{name}: Checking, {progress.percent} %")
        outcome = self._checked.pop(check_id)
        if isinstance(outcome, LorryError):
            raise outcome
        return outcome

    def say(self, text: str) -> None:
        """Write a line that stays, if there is one to write."""
        if text:
            self._line.say(text)

    def _take_events(self) -> None:
        self._wake.wait(_TICK_S)
        self._wake.clear()
        for event in self._client.drain():
            if isinstance(event, TransferChanged):
                self._transfer(event.transfer)
            elif isinstance(event, TransferRemoved):
                self._cleaning.discard(event.dataset_id)
            elif isinstance(event, DatasetChanged):
                self._dataset(event.dataset)
            elif isinstance(event, FileChecked):
                self._checked[event.check_id] = event.outcome
            elif isinstance(event, DatasetGone) and event.dataset_id in self._open:
                outcome = self._open.pop(event.dataset_id)
                outcome.status = "gone"
                outcome.sentence = "The dataset was deleted while the server validated it."

    def _transfer(self, transfer: Transfer) -> None:
        outcome = self._open.get(transfer.dataset_id)
        if outcome is None:
            return
        outcome.storage_path = transfer.storage_path
        name = fmt.safe_name(transfer.draft.file_name)
        began = fmt.begin_detail(transfer)
        if began and began != self._said.get(transfer.dataset_id):
            self._said[transfer.dataset_id] = began
            self._line.say(f"{name}: {began}.")
        if transfer.state is TransferState.DONE and transfer.dataset is not None:
            self._line.say(f"{name}: uploaded, {fmt.size(transfer.progress.size_bytes)}. Validation in progress.")
            if transfer.error is not None:
                self._line.say(f"{name}: {error_sentence(transfer.error)}")
            if not self._wait_for_verdict or transfer.error is not None:
                self._end(outcome, transfer.dataset)
            else:
                self._dataset(transfer.dataset)
        elif transfer.error is not None and _needs_user(transfer):
            is_kept = not transfer.error.is_final
            outcome.status = "failed"
            outcome.sentence = error_sentence(transfer.error) + (f" {_KEPT}" if is_kept else "")
            outcome.details = error_details(transfer.error)
            del self._open[transfer.dataset_id]
            if not is_kept:
                self._cleaning.add(transfer.dataset_id)
                self._client.dismiss_upload(transfer.dataset_id)

    def _dataset(self, dataset: Dataset) -> None:
        outcome = self._open.get(dataset.id)
        if outcome is None or dataset.status is DatasetStatus.VALIDATING:
            return
        self._line.say(f"{fmt.safe_name(dataset.file_name)}: {fmt.status_word(dataset)}.")
        if dataset.status is DatasetStatus.ERROR:
            words = fmt.status_word(dataset)
            outcome.sentence = (
                f"The server does not accept {fmt.safe_name(dataset.file_name)}: {words}. "
                f"`lorry show {dataset.id}` lists them."
            )
        self._end(outcome, dataset)

    def _end(self, outcome: Outcome, dataset: Dataset) -> None:
        outcome.status = dataset.status.value
        outcome.storage_path = dataset.storage_path
        del self._open[dataset.id]


def _needs_user(transfer: Transfer) -> bool:
    """True when nothing more happens by itself; a command does not wait for somebody to sign in."""
    return transfer.state is TransferState.FAILED or transfer.waits_for is WaitReason.SIGN_IN
