"""One upload, from wherever it stands to its confirmation: observe, plan, perform one step, again.

Runs on a transfer thread. It knows neither queue nor threads; retries around it are the engine's. Facts go to the
journal before and after each remote effect, never two effects between two commits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from lorry.core.cancel import CancelToken
from lorry.core.errors import (
    AuthError,
    ConflictError,
    ErrorCode,
    LorryError,
    ProtocolError,
    RejectedError,
    SourceError,
    during,
)
from lorry.core.model import Dataset, DatasetDraft, DatasetStatus, UploadTicket
from lorry.core.plan import Observations, Step, plan
from lorry.core.progress import Meter
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi
from lorry.core.remote.objects import ObjectsApi
from lorry.core.remote.put import SignedPut
from lorry.core.source import SourceFile
from lorry.core.transfers import Phase, UploadJob

#: Steps one run may take before it is a bug or a server that contradicts itself.
_MAX_STEPS = 20
#: A connection cut after the last byte may still store the object; a cancelled upload looks for it this long (s).
_LATE_OBJECT_S = 2.0


class Journal(Protocol):
    """What uploads need of the journal (`store/journal.py`). Every method may raise StoreError."""

    def add(self, job: UploadJob) -> None: ...
    def note(
        self,
        job: UploadJob,
        *,
        row_seen: bool | None = None,
        cancelling: bool | None = None,
        last_error: str | None = None,
    ) -> UploadJob: ...
    def remove(self, dataset_id: UUID) -> None: ...
    def jobs(self, project: str, user_id: UUID) -> list[UploadJob]: ...
    def claim(self, dataset_id: UUID) -> bool: ...
    def release(self, dataset_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Remote:
    """The server's side, as the signed-in user."""

    datasets: DatasetsApi
    objects: ObjectsApi
    functions: FunctionsApi
    put: SignedPut


def create_dataset(remote: Remote, dataset_id: UUID, user_id: UUID, path: str, draft: DatasetDraft) -> UploadTicket:
    """Make the row with status 'uploading', then get leave to send the file.

    If signing fails the row is taken back and the error of the signing is raised.

    Raises:
        LorryError: with `step` "create the dataset".
    """
    with during("create the dataset"):
        remote.datasets.insert(dataset_id, user_id, path, draft)
        try:
            return remote.objects.sign_upload(dataset_id, path)
        except LorryError as error:
            try:
                remote.datasets.purge(dataset_id)
            except LorryError as second:
                error.detail += f"; and the row could not be taken back: {second}"
            raise


def take_back(remote: Remote, job: UploadJob, token: CancelToken, *, may_arrive_late: bool = False) -> None:
    """Remove what an upload has made on the server: its object, then its row. Repeatable.

    Raises:
        LorryError: it could not be removed now.
    """
    waited_s = 0.0
    while may_arrive_late and waited_s < _LATE_OBJECT_S and remote.objects.info(job.storage_path) is None:
        token.wait(0.25)
        waited_s += 0.25
    remote.objects.remove(job.storage_path)
    remote.datasets.purge(job.dataset_id)


class Upload:
    """One run of one job. `on_phase` is told each phase as it begins; `job` holds the facts as last committed."""

    def __init__(
        self,
        job: UploadJob,
        remote: Remote,
        journal: Journal,
        token: CancelToken,
        meter: Meter,
        on_phase: Callable[[Phase], None],
    ) -> None:
        self.job = job
        self._remote = remote
        self._journal = journal
        self._token = token
        self._meter = meter
        self._on_phase = on_phase
        #: Why the validation could not be started; the upload itself is complete then.
        self.validation_error: LorryError | None = None
        self._ticket: UploadTicket | None = None
        self._row: Dataset | None = None
        self._seen = Observations(looked=False, row=None, object_size_bytes=None, size_bytes=job.stamp.size_bytes)

    def run(self) -> Dataset:
        """Bring the upload to its end and return the row, confirmed and handed to the validation.

        Raises:
            Cancelled: the token was set.
            SourceError: the file is not what it was; nothing wrong was confirmed.
            LorryError: a step failed; running again goes on from the facts.
        """
        perform = {
            Step.LOOK: self._look,
            Step.INSERT_ROW: self._insert_row,
            Step.SEND: self._send,
            Step.REMOVE_OBJECT: self._remove_object,
            Step.CONFIRM: self._confirm,
            Step.VALIDATE: self._validate,
        }
        for _ in range(_MAX_STEPS):
            self._token.check()
            step = plan(replace(self._seen, row_was_seen=self.job.row_seen))
            if step is Step.GONE:
                raise RejectedError(ErrorCode.NOT_FOUND, "the row was removed while the upload was under way")
            if step is Step.DONE:
                if self._row is None:
                    break
                return self._row
            perform[step]()
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "the server's state does not settle")

    def _set_row(self, row: Dataset | None) -> None:
        self._row = row
        self._seen = replace(self._seen, row=row.status if row else None)

    def _look(self) -> None:
        self._on_phase(Phase.CHECKING)
        with during("ask the server how far the upload is"):
            row = self._remote.datasets.find(self.job.dataset_id)
            info = self._remote.objects.info(self.job.storage_path) if row or self.job.row_seen else None
        self._set_row(row)
        self._seen = replace(self._seen, looked=True, object_size_bytes=info.size_bytes if info else None)

    def _insert_row(self) -> None:
        self._on_phase(Phase.CHECKING)
        job = self.job
        with self._open_source():
            self._ticket = create_dataset(self._remote, job.dataset_id, job.user_id, job.storage_path, job.draft)
        self.job = self._journal.note(job, row_seen=True)
        self._seen = replace(self._seen, row=DatasetStatus.UPLOADING)

    def _send(self) -> None:
        job = self.job
        with self._open_source() as source, during("send the file"):
            ticket, self._ticket = self._ticket, None
            try:
                ticket = ticket or self._remote.objects.sign_upload(job.dataset_id, job.storage_path)
                self._meter.start()
                self._on_phase(Phase.UPLOADING)
                self._remote.put.send(
                    ticket,
                    source.blocks(),
                    job.stamp.size_bytes,
                    job.draft.file_name,
                    self._token,
                    self._count,
                )
            except ConflictError:
                pass  # an earlier attempt got through after all; look at what is there
        self._on_phase(Phase.VERIFYING)
        self._seen = replace(self._seen, looked=False)
        self._look_at_object()

    def _count(self, sent_bytes: int) -> None:
        self._meter.add_sent(sent_bytes)
        if self._meter.is_all_sent:
            self._on_phase(Phase.FINISHING)

    def _look_at_object(self) -> None:
        with during("check the stored file"):
            info = self._remote.objects.info(self.job.storage_path)
        if info is None:
            return  # not stored, or the row that would show it is gone: the next step looks at both
        self._meter.set_stored(info.size_bytes)
        self._seen = replace(self._seen, looked=True, row=DatasetStatus.UPLOADING, object_size_bytes=info.size_bytes)

    def _remove_object(self) -> None:
        with during("remove a damaged copy"):
            self._remote.objects.remove(self.job.storage_path)
        self._seen = replace(self._seen, object_size_bytes=None)

    def _confirm(self) -> None:
        self._on_phase(Phase.VERIFYING)
        with during("confirm the upload"):
            self._set_row(self._remote.datasets.confirm(self.job.dataset_id))

    def _validate(self) -> None:
        self._on_phase(Phase.VALIDATING)
        try:
            self._remote.functions.validate(self.job.dataset_id)
        except LorryError as error:
            error.step = "start the validation"
            if error.retryable or isinstance(error, AuthError):
                raise
            self.validation_error = error
        self._seen = replace(self._seen, validation_asked=True)

    def _open_source(self) -> SourceFile:
        source = SourceFile.open(self.job.path)
        if source.stamp != self.job.stamp:
            with source:
                raise SourceError(
                    ErrorCode.FILE_CHANGED,
                    "not the file that was chosen",
                    context={"file_name": self.job.path.name, "path": str(self.job.path)},
                )
        return source
