"""The one object front ends talk to. It composes the parts and owns no logic of theirs.

Calls that reach the server block and belong on a task thread; `upload`, `cancel_upload`, `retry_upload`, `snapshot`,
`drain` and the properties return at once. All of it is thread-safe.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID, uuid4

from lorry.core.config import ServerConfig
from lorry.core.doctor import Check, Doctor
from lorry.core.effects import create_dataset
from lorry.core.engine import Engine, Temper
from lorry.core.errors import AuthError, ConflictError, ErrorCode, LorryError, during
from lorry.core.events import AccountChanged, DatasetChanged, DatasetsStale, Event
from lorry.core.file_checks import FileChecks
from lorry.core.model import (
    MAX_FILE_BYTES,
    Account,
    Dataset,
    DatasetDraft,
    DatasetPage,
    DatasetQuery,
    DatasetStatus,
    UploadTicket,
)
from lorry.core.remote.objects import storage_path
from lorry.core.remote.session import SessionKeeper
from lorry.core.sending import Journal, Remote
from lorry.core.sync import DatasetList, ValidationWatch
from lorry.core.upload_commands import UploadCommands


class Client(UploadCommands):
    """Built by `app.py`, which also closes it."""

    def __init__(
        self,
        config: ServerConfig,
        session: SessionKeeper,
        remote: Remote,
        journal: Journal,
        doctor: Callable[[Callable[[], object]], Doctor],
        temper: Temper,
    ) -> None:
        self.config = config
        self._doctor = doctor
        self._remote = remote
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        self._list = DatasetList(remote.datasets)
        self._watch = ValidationWatch(remote.datasets, remote.functions, self._emit, self._list.forget)
        engine = Engine(remote, journal, self._emit, self._confirmed, temper)
        checks = FileChecks(self._emit)
        super().__init__(engine, checks, journal, session, config.url)
        self._closing = ExitStack()
        self._closing.callback(self._watch.close)
        self._closing.callback(checks.close)
        self._closing.callback(engine.close)
        session.on_change(self._account_changed)

    # -- who ---------------------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account | None:
        """Who is signed in, or None."""
        return self._session.account

    def sign_in(self, email: str, password: str) -> Account:
        """Start a session. Raises AuthError, NetworkError, ServerError or ProtocolError."""
        with during("sign in"):
            return self._session.sign_in(email, password)

    def connect(self) -> Account:
        """Sign in with what is at hand: the password of the configuration, else the session of an earlier run.

        Raises:
            AuthError: NOT_SIGNED_IN when there is neither; or what `sign_in` raises.
        """
        if self._session.account is not None:
            return self._session.account
        if self.config.email and self.config.password:
            return self.sign_in(self.config.email, self.config.password)
        account = self._session.restore()
        if account is None:
            raise AuthError(ErrorCode.NOT_SIGNED_IN)
        return account

    def report_no_account(self, reason: LorryError) -> None:
        """Tell the front end that connecting at the start did not work out."""
        self._emit(AccountChanged(None, reason))

    def diagnose(self) -> list[Check]:
        """Check the connection, the sign-in and the project. Never raises a LorryError."""
        return self._doctor(self.connect).run()

    def sign_out(self) -> None:
        """End the session here, and on the server if it can be reached. Uploads wait for the next sign-in."""
        self._session.sign_out()

    def _account_changed(self, account: Account | None, reason: LorryError | None) -> None:
        self._list.forget()
        if account is None:
            self._watch.clear()
            self._max_file_bytes = None
        self._engine.queue.admit(account.user_id if account else None)
        self._emit(AccountChanged(account, reason))

    # -- datasets ----------------------------------------------------------------------------------------------------

    def list_datasets(self, query: DatasetQuery | None = None, *, force: bool = False) -> DatasetPage:
        """One page of the user's datasets, newest first; at most 60 s old unless `force`. Raises LorryError."""
        page = self._list.read(query or DatasetQuery(), force=force)
        for dataset in page.datasets:
            self._watch.add(dataset)
        self.read_limits()
        return page

    def read_limits(self) -> int:
        """How many bytes the project accepts a file; asked once a session, the usual limit while it cannot be told."""
        if self._max_file_bytes is None:
            try:
                limit = self._remote.datasets.limits().get("file_size_limit")
            except LorryError:
                return MAX_FILE_BYTES
            self._max_file_bytes = limit if isinstance(limit, int) and limit > 0 else MAX_FILE_BYTES
        return self._max_file_bytes

    def get_dataset(self, dataset_id: UUID) -> Dataset:
        """One dataset with everything in its row. Raises RejectedError NOT_FOUND, or another LorryError."""
        with during("read the dataset"):
            return self._remote.datasets.get(dataset_id)

    def find_same_content(self, sha256: str) -> tuple[Dataset, ...]:
        """The user's datasets that hold a file with this SHA-256 (lower-case hex), newest first. Raises LorryError."""
        with during("look for the same content"):
            return self._remote.datasets.find_same_content(sha256)

    def create_dataset(self, draft: DatasetDraft) -> UploadTicket:
        """Make a dataset row and get leave to send its file; nothing stays behind on failure. Raises LorryError."""
        user_id, dataset_id = self._user_id(), uuid4()
        path = storage_path(user_id, dataset_id, draft.file_name)
        ticket = create_dataset(self._remote, dataset_id, user_id, path, draft)
        self._changed()
        return ticket

    def confirm_dataset(self, dataset_id: UUID) -> Dataset:
        """Tell the server that all bytes are sent and start its validation. Repeatable.

        Raises:
            RejectedError: NOT_FOUND when it is not the user's, OBJECT_MISSING, OBJECT_DIFFERS; or another LorryError.
        """
        with during("confirm the upload"):
            dataset = self._remote.datasets.confirm(dataset_id)
        with during("start the validation"):
            self._remote.functions.validate(dataset_id)
        self._confirmed(dataset)
        return dataset

    def validate_again(self, dataset_id: UUID) -> Dataset:
        """Have a dataset in 'error' validated once more. Raises LorryError."""
        with during("validate again"):
            dataset = self._remote.datasets.revalidate(dataset_id)
        with during("start the validation"):
            self._remote.functions.validate(dataset_id)
        self._confirmed(dataset)
        self._emit(DatasetChanged(dataset))
        return dataset

    def rename_dataset(self, dataset_id: UUID, name: str, description: str | None) -> Dataset:
        """Change name and description. Raises LorryError."""
        values = {"name": name, "description": description}
        return self._updated(dataset_id, values, "rename the dataset")

    def delete_dataset(self, dataset_id: UUID) -> None:
        """Put a dataset away; `restore_dataset` brings it back. Raises LorryError."""
        self._updated(dataset_id, {"deleted_at": datetime.now(UTC).isoformat()}, "delete the dataset")

    def discard_dataset(self, dataset_id: UUID) -> None:
        """Remove for good a dataset whose upload was begun elsewhere and has not ended; others are left alone.

        Raises:
            ConflictError: BUSY_ELSEWHERE, another Lorry on this computer is uploading it.
            LorryError: it could not be removed now.
        """
        with during("discard the upload"):
            if self._journal.find(dataset_id) is not None:
                if not self._journal.claim(dataset_id):
                    raise ConflictError(ErrorCode.BUSY_ELSEWHERE)
                self._journal.remove(dataset_id)
                self._journal.release(dataset_id)
            dataset = self._remote.datasets.find(dataset_id)
            if dataset is not None and dataset.status is DatasetStatus.UPLOADING:
                self._remote.objects.remove(dataset.storage_path)
                self._remote.datasets.purge(dataset_id)
        self._changed()

    def restore_dataset(self, dataset_id: UUID) -> None:
        """Bring a deleted dataset back. Raises LorryError."""
        self._updated(dataset_id, {"deleted_at": None}, "restore the dataset")

    def _updated(self, dataset_id: UUID, values: dict[str, str | None], step: str) -> Dataset:
        with during(step):
            dataset = self._remote.datasets.update(dataset_id, values)
        self._changed()
        return dataset

    def _confirmed(self, dataset: Dataset) -> None:
        self._changed()
        self._watch.add(dataset)

    def _changed(self) -> None:
        self._list.forget()
        self._emit(DatasetsStale())

    # -- events ------------------------------------------------------------------------------------------------------

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from any thread, whenever events wait to be drained."""
        self._wake = wake

    def drain(self) -> list[Event]:
        """The events since the last call, in order."""
        events: list[Event] = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return events

    def _emit(self, event: Event) -> None:
        self._events.put(event)
        self._wake()

    def close(self) -> None:
        """Stop uploads (they stay resumable) and the watch. Harmless when repeated."""
        self._closing.close()
