"""One upload, from wherever it stands to its confirmation: observe, plan, perform one step, again.

Runs on a transfer thread. It knows neither queue nor threads; retries around it are the engine's. Facts go to the
journal before and after each remote effect, never two effects between two commits. The bytes move in `sending.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from lorry.core.bandwidth import Bandwidth
from lorry.core.cancel import CancelToken
from lorry.core.effects import create_dataset, is_object_whole, take_back
from lorry.core.errors import (
    AuthError,
    ConflictError,
    ErrorCode,
    LorryError,
    NetworkError,
    OffsetConflictError,
    ProtocolError,
    RejectedError,
    ServerError,
    during,
)
from lorry.core.model import Dataset, DatasetStatus
from lorry.core.observer import Observer, Patience
from lorry.core.plan import Step, plan
from lorry.core.progress import Meter
from lorry.core.remote.tus import TusState
from lorry.core.retry import MAX_RESTARTS, recent_restarts
from lorry.core.sending import Journal, Remote, Sender
from lorry.core.transfers import Phase, RestartReason, UploadJob

#: Steps one run may take without a byte arriving before it is a bug or a server that contradicts itself; waits for an
#: object have a limit of their own.
_MAX_STEPS = 60
#: Refusals of an offset in a row, without a byte arriving, before the unfinished upload is given up.
_MAX_CONFLICTS = 5
#: Failed attempts to read a stored object back before it counts as damaged.
_MAX_UNPROVED = 3


@dataclass(frozen=True, slots=True)
class Report:
    """Who is told what an upload is doing; called on the transfer thread."""

    phase: Callable[[Phase], None]
    rereading: Callable[[bool], None]
    resumed: Callable[[int], None]
    restarted: Callable[[RestartReason], None]


class Upload:
    """One job; `run` may be called again after a failure and then goes on with what it has hashed."""

    def __init__(
        self,
        job: UploadJob,
        remote: Remote,
        journal: Journal,
        bandwidth: Bandwidth,
        token: CancelToken,
        meter: Meter,
        report: Report,
        patience: Patience,
    ) -> None:
        self._remote = remote
        self._token = token
        self._meter = meter
        self._report = report
        self._sender = Sender(job, remote, journal, bandwidth, token, meter, lambda: report.phase(Phase.FINISHING))
        self._observer = Observer(remote, self._sender, meter, patience)
        #: Why the validation could not be started; the upload itself is complete then.
        self.validation_error: LorryError | None = None
        self._is_first_send = True
        self._is_doubted = False
        self._conflicts = 0
        self._reached_bytes = 0
        self._unproved = 0
        self._idle_steps = 0
        #: The last bytes were sent and nobody answered; raised if they have to be sent again.
        self._unanswered: LorryError | None = None

    @property
    def job(self) -> UploadJob:
        """The facts as last committed."""
        return self._sender.job

    def run(self) -> Dataset | None:
        """Bring the upload to its end: the row, confirmed and handed to the validation; None when it was given up.

        Raises:
            Cancelled: the token was set.
            SourceError: the file is not what it was; nothing wrong was confirmed.
            LorryError: a step failed; running again goes on from the facts.
        """
        self._observer.forget()
        self._is_doubted, self._idle_steps, self._unanswered = False, 0, None
        self._report.phase(Phase.CHECKING)
        perform = {
            Step.TAKE_BACK: self._take_back,
            Step.LOOK: self._observer.look,
            Step.INSERT_ROW: self._insert_row,
            Step.PUT: self._put,
            Step.OPEN: self._open,
            Step.ASK_UPLOAD: self._ask_upload,
            Step.SEND: self._send,
            Step.AWAIT_OBJECT: self._await_object,
            Step.RESTART: self._restart_unfinished,
            Step.PROVE: self._prove,
            Step.REMOVE_OBJECT: self._remove_object,
            Step.CONFIRM: self._confirm,
            Step.VALIDATE: self._validate,
            Step.REPORT_FILE: self._report_file,
        }
        with closing(self._sender):
            while self._idle_steps < _MAX_STEPS:
                self._idle_steps += 1
                self._token.check()
                step = plan(self._observer.seen())
                if step is Step.GONE:
                    raise RejectedError(ErrorCode.NOT_FOUND, "the row was removed while the upload was under way")
                if step is Step.DONE:
                    return self._observer.row
                perform[step]()
                if step is Step.TAKE_BACK and self.job.cancelling:
                    return None
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "the server's state does not settle")

    def clear(self) -> None:
        """Remove what was made on the server, so that the upload may begin again. Raises LorryError or Cancelled."""
        with closing(self._sender):
            self._take_back()

    # -- sending -------------------------------------------------------------------------------------------------------

    def _insert_row(self) -> None:
        job = self.job
        with self._observer.open_source():
            try:
                ticket = create_dataset(self._remote, job.dataset_id, job.user_id, job.storage_path, job.draft)
            except ConflictError as error:
                # An object of an earlier attempt is still at the path; with the row made, it can be seen.
                self._doubt_once(error)
                return
        self._sender.use_ticket(ticket)
        self._sender.note(row_seen=True)
        self._observer.learn(row=DatasetStatus.UPLOADING)

    def _put(self) -> None:
        with self._observer.open_source() as source, during("send the file"):
            self._report.phase(Phase.UPLOADING)
            self._transmit(lambda: self._sender.put(source))

    def _open(self) -> None:
        with during("send the file"):
            self._find_upload(self._sender.open)

    def _ask_upload(self) -> None:
        with during("ask the server how far the upload is"):
            self._find_upload(self._sender.ask)

    def _find_upload(self, find: Callable[[], TusState]) -> None:
        try:
            state = find()
        except ConflictError:
            self._expect_object()
        except RejectedError as error:
            if error.code is ErrorCode.UPLOAD_GONE:
                self._observer.learn(upload_asked=True, upload_offset_bytes=None)
            else:
                self._refused(error)
        else:
            self._observer.learn(
                upload_asked=True, upload_offset_bytes=state.offset_bytes, upload_length_bytes=state.length_bytes
            )

    def _send(self) -> None:
        offset_bytes = self._observer.seen().upload_offset_bytes or 0
        with self._observer.open_source() as source, during("send the file"):
            self._meter.start(offset_bytes)
            if not self._sender.is_primed(source, offset_bytes):
                self._report.rereading(True)
                try:
                    self._sender.prime(source, offset_bytes)
                finally:
                    self._report.rereading(False)
            if self._is_first_send and offset_bytes:
                self._report.resumed(offset_bytes)
            self._is_first_send = False
            self._report.phase(Phase.UPLOADING)
            try:
                self._transmit(lambda: self._sender.send(source, offset_bytes))
            finally:
                self._note_reached(self._meter.stored_bytes)

    def _note_reached(self, stored_bytes: int) -> None:
        if stored_bytes > self._reached_bytes:
            self._reached_bytes, self._conflicts, self._idle_steps = stored_bytes, 0, 0

    def _transmit(self, send: Callable[[], bool]) -> None:
        """Run a sending step; whatever comes of it, the server is asked afterwards what it has."""
        if self._unanswered is not None:
            raise self._unanswered  # nothing came of it: a failure like any other, after which one waits
        is_resumable, patience = self._observer.seen().is_resumable, self._observer.patience
        self._observer.doubt()
        try:
            is_stored = send()
        except OffsetConflictError as error:
            self._conflicts += 1
            if self._conflicts > _MAX_CONFLICTS:
                self._restart(RestartReason.DROPPED, str(error))
        except ConflictError:
            self._expect_object()
        except RejectedError as error:
            if error.code is not ErrorCode.UPLOAD_GONE:
                self._refused(error)
        except (NetworkError, ServerError) as error:
            if not (error.context.get("all_sent") or (not is_resumable and self._meter.is_all_sent)):
                raise
            # The object may be there or everything gone; asked at once, the server shows what it is about to delete.
            self._unanswered = error
            self._report.phase(Phase.FINISHING)
            self._token.wait(patience.after_lost_answer_s if is_resumable else patience.poll_s)
        else:
            self._report.phase(Phase.VERIFYING)
            self._observer.learn(object_proved=is_stored)
            if is_stored:
                self._expect_object()

    def _refused(self, error: RejectedError) -> None:
        if error.code not in (ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND):
            raise error
        self._doubt_once(error)  # the row may have gone or moved on

    def _doubt_once(self, error: LorryError) -> None:
        """Look again before giving up, but only once in a run."""
        if self._is_doubted:
            raise error
        self._is_doubted = True
        self._observer.doubt()

    def _report_file(self) -> None:
        if self._observer.file_error is not None:
            raise self._observer.file_error

    # -- the end -------------------------------------------------------------------------------------------------------

    def _expect_object(self) -> None:
        """The server says that the object exists: it has to appear."""
        self._observer.doubt()
        self._observer.begin_waiting()
        self._observer.learn(awaits_object=True)

    def _await_object(self) -> None:
        self._report.phase(Phase.VERIFYING)
        self._idle_steps = 0
        self._observer.begin_waiting()
        self._token.wait(self._observer.patience.poll_s)
        self._observer.doubt()

    def _restart_unfinished(self) -> None:
        seen = self._observer.seen()
        has_all = seen.awaits_object or seen.upload_offset_bytes == seen.size_bytes
        self._restart(RestartReason.UNFINISHED if has_all else RestartReason.DROPPED, "nothing to go on from")

    def _restart(self, reason: RestartReason, detail: str) -> None:
        now = time.time()
        recent = recent_restarts(self.job.restarts, now)
        if len(recent) >= MAX_RESTARTS:
            raise RejectedError(ErrorCode.UPLOAD_GONE, f"begun again {len(recent)} times in a day; {detail}")
        with during("start again from zero"), suppress(ConflictError, RejectedError):  # finished or gone already
            self._sender.drop()
        self._sender.note(restarts=(*recent, now))
        self._sender.forget()
        self._conflicts, self._reached_bytes, self._is_first_send, self._unanswered = 0, 0, False, None
        self._meter.start()
        self._report.restarted(reason)
        self._observer.end_waiting()
        self._observer.doubt()

    def _prove(self) -> None:
        self._report.phase(Phase.VERIFYING)
        with during("check the stored file"):
            try:
                is_whole = is_object_whole(self._remote, self.job)
            except (ServerError, ProtocolError):
                self._unproved += 1
                if self._unproved < _MAX_UNPROVED:
                    raise
                is_whole = False
        self._observer.learn(object_proved=is_whole, object_is_ours=is_whole)

    def _remove_object(self) -> None:
        with during("remove a damaged copy"):
            self._remote.objects.remove(self.job.storage_path)
        self._observer.learn(object_size_bytes=None, object_proved=False)
        if self._observer.row is not None:
            self._restart(RestartReason.DAMAGED, "the stored object is not the file")

    def _confirm(self) -> None:
        self._report.phase(Phase.VERIFYING)
        with during("confirm the upload"):
            try:
                row = self._remote.datasets.confirm(self.job.dataset_id, self.job.checksums)
            except RejectedError as error:
                if error.code is not ErrorCode.OBJECT_MISSING:
                    raise
                self._doubt_once(error)
                return
        self._observer.row = row
        self._observer.learn(row=row.status)

    def _validate(self) -> None:
        self._report.phase(Phase.VALIDATING)
        try:
            self._remote.functions.validate(self.job.dataset_id)
        except LorryError as error:
            error.step = "start the validation"
            if error.retryable or isinstance(error, AuthError):
                raise
            self.validation_error = error
        self._observer.learn(validation_asked=True)

    def _take_back(self) -> None:
        take_back(self._remote, self._sender, may_arrive_late=self.job.final_sent)
        self._sender.forget()
        self._sender.note(row_seen=False, versions=(), starting_over=False)
        self._observer.forget()
