"""The one object front ends talk to. It composes the parts and owns no logic of theirs.

Calls that reach the server block and belong on a task thread; `upload`, `cancel_upload`, `retry_upload`, `snapshot`,
`drain` and the properties return at once. All of it is thread-safe.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from lorry.core.config import ServerConfig
from lorry.core.doctor import Check, Doctor
from lorry.core.effects import create_dataset
from lorry.core.engine import Engine, Temper
from lorry.core.errors import AuthError, ErrorCode, LorryError, during
from lorry.core.events import AccountChanged, DatasetChanged, DatasetsStale, Event
from lorry.core.model import MAX_FILE_BYTES, Account, Dataset, DatasetDraft, DatasetPage, DatasetQuery, UploadTicket
from lorry.core.remote.objects import storage_path
from lorry.core.remote.session import SessionKeeper
from lorry.core.sending import Journal, Remote
from lorry.core.source import SourceFile, suggested_name
from lorry.core.sync import DatasetList, ValidationWatch
from lorry.core.transfers import Transfer, UploadJob


class Client:
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
        self._session = session
        self._remote = remote
        self._journal = journal
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        self._list = DatasetList(remote.datasets)
        self._watch = ValidationWatch(remote.datasets, remote.functions, self._emit, self._list.forget)
        self._engine = Engine(remote, journal, self._emit, self._confirmed, temper)
        self._max_file_bytes: int | None = None
        self._closing = ExitStack()
        self._closing.callback(self._watch.close)
        self._closing.callback(self._engine.close)
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

    def _user_id(self) -> UUID:
        account = self._session.account
        if account is None:
            raise AuthError(ErrorCode.NOT_SIGNED_IN)
        return account.user_id

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

    @property
    def max_file_bytes(self) -> int:
        """How many bytes the project accepts a file, as far as this computer knows."""
        return self._max_file_bytes or MAX_FILE_BYTES

    def get_dataset(self, dataset_id: UUID) -> Dataset:
        """One dataset with everything in its row. Raises RejectedError NOT_FOUND, or another LorryError."""
        with during("read the dataset"):
            return self._remote.datasets.get(dataset_id)

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

    # -- uploads -----------------------------------------------------------------------------------------------------

    def inspect_file(self, path: Path) -> DatasetDraft:
        """What a file would be uploaded as: its name, size and a suggested dataset name.

        Raises:
            SourceError: it is missing, not a dataset file, empty, too large or unreadable.
        """
        with SourceFile.open(path.absolute(), max_bytes=self.max_file_bytes) as source:
            name = suggested_name(path)
            return DatasetDraft(
                name=name if len(name) >= 2 else f"Dataset {name}".strip(),
                file_name=path.name,
                file_size=source.stamp.size_bytes,
            )

    def upload(self, path: Path, draft: DatasetDraft, checksums: dict[str, object] | None = None) -> UUID:
        """Queue the upload of a file and return the id its dataset will have.

        With `checksums`, made of the file by a check, what is sent is compared with what was checked.

        Raises:
            AuthError: nobody is signed in.
            SourceError: the file is not there any more, or not the size the draft says.
            StoreError: the upload cannot be written down.
        """
        user_id, dataset_id = self._user_id(), uuid4()
        with SourceFile.open(path.absolute(), max_bytes=self.max_file_bytes) as source:
            stamp = source.stamp
        job = UploadJob(
            dataset_id=dataset_id,
            project=self.config.url,
            user_id=user_id,
            path=path.absolute(),
            draft=draft.model_copy(update={"file_size": stamp.size_bytes}),
            stamp=stamp,
            storage_path=storage_path(user_id, dataset_id, draft.file_name),
            checksums=checksums,
        )
        self._engine.submit(job, is_new=True)
        return dataset_id

    def pause_upload(self, dataset_id: UUID) -> None:
        """Stop an upload until `resume_upload`; what the server has is kept."""
        self._engine.control.pause([dataset_id])

    def resume_upload(self, dataset_id: UUID) -> None:
        """Let a paused upload go on."""
        self._engine.control.resume([dataset_id])

    def cancel_upload(self, dataset_id: UUID) -> None:
        """Stop an upload and remove what it made; an ended one leaves the list, and its remains the server."""
        self._engine.control.cancel([dataset_id])

    def dismiss_upload(self, dataset_id: UUID) -> None:
        """Take an ended upload off the list; what a failed one left on the server goes with it."""
        self._engine.control.cancel([dataset_id])

    def retry_upload(self, dataset_id: UUID) -> None:
        """Start a failed upload again; if its file has changed, with the file as it is now."""
        self._engine.control.retry([dataset_id], max_bytes=self.max_file_bytes)

    def relocate_upload(self, dataset_id: UUID, path: Path) -> None:
        """Go on with the file at `path` instead of one that is not found. Raises SourceError or StoreError."""
        self._engine.control.relocate(dataset_id, path.absolute())

    def pause_all(self) -> None:
        """Stop every upload until it is resumed."""
        self._engine.control.pause()

    def resume_all(self) -> None:
        """Let every paused upload go on."""
        self._engine.control.resume()

    def retry_all(self) -> None:
        """Start every failed upload again."""
        self._engine.control.retry(max_bytes=self.max_file_bytes)

    def cancel_all(self) -> None:
        """Give every upload up that has not ended."""
        self._engine.control.cancel()

    def move_upload(self, dataset_id: UUID, before: UUID | None) -> None:
        """Take an upload before another one, or last."""
        self._engine.control.move(dataset_id, before)

    def go_on_now(self) -> None:
        """Try again at once what waits for the network or the server."""
        self._engine.queue.hurry()

    @property
    def workers(self) -> int:
        """How many uploads run at once, 1 to 4."""
        return self._engine.queue.workers

    @workers.setter
    def workers(self, number: int) -> None:
        self._engine.queue.workers = number

    @property
    def bandwidth_limit_bps(self) -> int | None:
        """Bytes a second over all uploads, None for no limit."""
        return self._engine.bandwidth.limit_bps

    @bandwidth_limit_bps.setter
    def bandwidth_limit_bps(self, limit_bps: int | None) -> None:
        self._engine.bandwidth.limit_bps = limit_bps

    @property
    def interrupted_count(self) -> int:
        """How many uploads earlier runs of this user have left open. Raises StoreError."""
        return len(self._interrupted())

    def resume_interrupted(self) -> list[UUID]:
        """Queue the uploads earlier runs have left open, except those another process is working on.

        Those that were being cancelled are queued too, to be cleared away, but not among the ids returned.

        Raises:
            AuthError: nobody is signed in.
            StoreError: the journal cannot be read.
        """
        queued = [job for job in self._interrupted() if self._engine.submit(job, is_new=False)]
        return [job.dataset_id for job in queued if not job.cancelling]

    def _interrupted(self) -> list[UploadJob]:
        running = {transfer.dataset_id for transfer in self.snapshot()}
        jobs = self._journal.jobs(self.config.url, self._user_id())
        return [job for job in jobs if job.dataset_id not in running]

    def snapshot(self) -> tuple[Transfer, ...]:
        """The uploads of this run as they stand now."""
        return self._engine.queue.snapshot()

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
