"""What front ends do with uploads: choose a file, start, pause, order, give up, take up again.

The half of `Client` that talks to the engine. Everything returns at once, except where it says that it reads a file.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

from lorry.core.checked_file import CheckedFile, CheckProgress
from lorry.core.engine import Engine
from lorry.core.errors import AuthError, ErrorCode
from lorry.core.file_checks import FileChecks
from lorry.core.model import MAX_FILE_BYTES, DatasetDraft
from lorry.core.remote.objects import storage_path
from lorry.core.remote.session import SessionKeeper
from lorry.core.sending import Journal
from lorry.core.source import SourceFile, suggested_name
from lorry.core.transfers import Transfer, UploadJob


class UploadCommands:
    """Thread-safe. `project` is the server's origin; who is signed in decides whose uploads these are."""

    def __init__(
        self, engine: Engine, checks: FileChecks, journal: Journal, session: SessionKeeper, project: str
    ) -> None:
        self._engine = engine
        self._checks = checks
        self._journal = journal
        self._session = session
        self._project = project
        self._max_file_bytes: int | None = None

    def _user_id(self) -> UUID:
        account = self._session.account
        if account is None:
            raise AuthError(ErrorCode.NOT_SIGNED_IN)
        return account.user_id

    @property
    def max_file_bytes(self) -> int:
        """How many bytes the project accepts a file, as far as this computer knows."""
        return self._max_file_bytes or MAX_FILE_BYTES

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

    def check_file(self, path: Path, declared_format: str | None = None) -> UUID:
        """Begin a check of a file and return its id: FileFindings and one FileChecked tell of it.

        `declared_format` is the format chosen for the upload; a file that names another one is warned of.
        """
        return self._checks.start(path.absolute(), declared_format, self.max_file_bytes)

    def check_progress(self, check_id: UUID) -> CheckProgress | None:
        """How far a check is; None when it has ended."""
        return self._checks.progress(check_id)

    def cancel_check(self, check_id: UUID) -> None:
        """Stop a check; nothing more is heard of it."""
        self._checks.cancel(check_id)

    def upload(self, path: Path, draft: DatasetDraft, checked: CheckedFile | None = None) -> UUID:
        """Queue the upload of a file and return the id its dataset will have.

        If the file was checked, what is sent is compared with what was checked.

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
            project=self._project,
            user_id=user_id,
            path=path.absolute(),
            draft=draft.model_copy(update={"file_size": stamp.size_bytes}),
            stamp=stamp,
            storage_path=storage_path(user_id, dataset_id, draft.file_name),
            checksums=checked.report.checksums if checked and checked.stamp == stamp else None,
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
    def damaged_journal(self) -> Path | None:
        """Where the notes about interrupted uploads were put because they could not be read; None normally.

        Those uploads do not go on by themselves; their datasets stay on the server as incomplete.
        """
        return self._journal.damaged_copy

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
        jobs = self._journal.jobs(self._project, self._user_id())
        return [job for job in jobs if job.dataset_id not in running]

    def snapshot(self) -> tuple[Transfer, ...]:
        """The uploads of this run as they stand now."""
        return self._engine.queue.snapshot()
