"""What users do to the queue of uploads: pause, go on, give up, start again, change the order.

Everything returns at once and may be called from any thread; what is running hears of it through its token. The user's
wishes are noted in the journal so that they hold after a restart; a journal that cannot be written does not stop them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from lorry.core.errors import CancelReason, ErrorCode, SourceError, StoreError
from lorry.core.live import Live, meter_for
from lorry.core.sending import Journal
from lorry.core.source import SourceFile
from lorry.core.transfers import Phase, RestartReason, TransferState, UploadJob
from lorry.core.upload_queue import UploadQueue

log = logging.getLogger(__name__)

_ENDED = (TransferState.DONE, TransferState.FAILED)


class QueueControl:
    """Acts on one `UploadQueue`. An id that is not in it is left alone."""

    def __init__(self, queue: UploadQueue, journal: Journal) -> None:
        self._queue = queue
        self._journal = journal

    def pause(self, dataset_ids: Iterable[UUID] | None = None) -> None:
        """Stop these uploads (by default all) until `resume`. What the server has by then is kept."""
        with self._queue.lock:
            chosen = [live for live in self._chosen(dataset_ids) if _can_pause(live)]
            for live in chosen:
                live.goes_on = False
                if live.state is TransferState.RUNNING:
                    live.token.cancel(CancelReason.PAUSE)
                else:
                    live.job = replace(live.job, paused=True)
                    self._queue.change(live, state=TransferState.PAUSED, error=None, retry_at=None, upload=None)
        self._note_paused(chosen, paused=True)

    def resume(self, dataset_ids: Iterable[UUID] | None = None) -> None:
        """Let paused uploads (by default all) go on when it is their turn."""
        with self._queue.lock:
            chosen = [live for live in self._chosen(dataset_ids) if _is_paused(live)]
            for live in chosen:
                if live.state is TransferState.RUNNING:
                    live.goes_on = True  # it has not stopped yet; it lines up again when it has
                else:
                    live.job = replace(live.job, paused=False)
                    self._queue.line_up(live)
        self._note_paused(chosen, paused=False)

    def retry(self, dataset_ids: Iterable[UUID] | None = None, *, max_bytes: int) -> None:
        """Start failed uploads (by default all) again; one whose file has changed, with the file as it is now.

        `max_bytes` is what the project accepts.
        """
        with self._queue.lock:
            chosen = [live for live in self._chosen(dataset_ids) if live.state is TransferState.FAILED]
        for live in chosen:
            has_changed = live.error is not None and live.error.code is ErrorCode.FILE_CHANGED
            try:
                if has_changed:
                    live.job = self._with_file(live.job, live.job.path, max_bytes)
                live.job = self._journal.note(live.job, last_error="", restarts=())
            except (SourceError, StoreError) as error:
                self._queue.change(live, error=error)
                continue
            live.meter = meter_for(live.job)
            live.restarted = RestartReason.CHANGED if has_changed else None
            live.resumed_at_bytes = None
            self._queue.line_up(live)

    def cancel(self, dataset_ids: Iterable[UUID] | None = None) -> None:
        """Give uploads up (by default all that have not ended) and remove what they made; ended ones leave the list."""
        writes: list[Callable[[], object]] = []
        with self._queue.lock:
            chosen = self._chosen(dataset_ids)
            if dataset_ids is None:
                chosen = [live for live in chosen if live.state not in _ENDED]
            for live in chosen:
                if live.state is TransferState.DONE:
                    self._queue.drop(live)
                elif live.state is TransferState.RUNNING:
                    writes.append(self._noting_cancel(live.job))
                    live.is_given_up = True
                    live.token.cancel(CancelReason.CANCEL)
                    self._queue.tell(live)
                else:
                    writes.append(self._give_up(live))
        for write in writes:
            self._try(write)

    def give_up(self, live: Live) -> None:
        """Note that nothing of an upload shall stay, and let it be cleared away when it is its turn."""
        with self._queue.lock:
            write = self._give_up(live)
        self._try(write)

    def _give_up(self, live: Live) -> Callable[[], object]:
        """With the lock held. Returns what is to be written when it is not."""
        job = live.job
        if not live.began and not job.row_seen:
            # Nothing was ever asked of the server, so nothing has to wait for a free thread to be removed.
            self._queue.drop(live)
            return lambda: self._journal.remove(job.dataset_id)
        live.job = replace(job, cancelling=True, paused=False)
        self._queue.line_up(live)
        return self._noting_cancel(job)

    def _noting_cancel(self, job: UploadJob) -> Callable[[], object]:
        return lambda: self._journal.note(job, cancelling=True, paused=False)

    def move(self, dataset_id: UUID, before: UUID | None) -> None:
        """Put an upload in front of another one, or at the end."""
        with self._queue.lock:
            lives = self._queue.lives
            live = lives.get(dataset_id)
            if live is None or dataset_id == before:
                return
            rest = [entry for entry in lives.values() if entry is not live]
            place = next((at for at, entry in enumerate(rest) if entry.job.dataset_id == before), len(rest))
            rest.insert(place, live)
            lives.clear()
            lives.update((entry.job.dataset_id, entry) for entry in rest)
            order = list(lives)
            self._queue.wake()
        self._try(lambda: self._journal.set_order(order))

    def relocate(self, dataset_id: UUID, path: Path) -> None:
        """Go on with the file at `path`, because the one that was chosen is not at its place any more.

        What was sent counts on if it is the same file elsewhere: of the same size and time, and, as seen before more
        is sent, with the same content.

        Raises:
            SourceError: it cannot be used, or it has another size.
            StoreError: the change cannot be noted.
        """
        live = self._queue.lives.get(dataset_id)
        if live is None or live.state is not TransferState.FAILED:
            return
        size_bytes = live.job.stamp.size_bytes
        with SourceFile.open(path) as source:
            if source.stamp.size_bytes != size_bytes:
                raise SourceError(ErrorCode.FILE_CHANGED, f"{source.stamp.size_bytes} bytes instead of {size_bytes}")
        live.job = self._journal.note(self._with_file(live.job, path, size_bytes), last_error="")
        live.meter = meter_for(live.job)
        self._queue.line_up(live)

    def _with_file(self, job: UploadJob, path: Path, max_bytes: int) -> UploadJob:
        """The job with this file, committed; what was sent is forgotten unless it can be the same file elsewhere."""
        with SourceFile.open(path, max_bytes=max_bytes) as source:
            stamp = source.stamp
        is_moved = path != job.path and stamp.is_like(job.stamp)
        draft = job.draft.model_copy(update={"file_size": stamp.size_bytes})
        facts: dict[str, object] = {"path": path, "stamp": stamp, "draft": draft}
        if is_moved and (job.hashed_bytes >= job.offset_bytes or job.checksums):
            return self._journal.note(job, **facts)
        facts["checksums"] = None
        # The row keeps the size it was made with, so another size needs another row; its bytes have to go in any case.
        return self._journal.note(job, **facts, starting_over=job.starting_over or job.row_seen)

    def _chosen(self, dataset_ids: Iterable[UUID] | None) -> list[Live]:
        with self._queue.lock:
            lives = self._queue.lives
            if dataset_ids is None:
                return list(lives.values())
            return [lives[dataset_id] for dataset_id in dataset_ids if dataset_id in lives]

    def _note_paused(self, chosen: list[Live], *, paused: bool) -> None:
        if chosen:
            self._try(lambda: self._journal.set_paused([live.job.dataset_id for live in chosen], paused))

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except StoreError as error:
            log.info("a wish of the user holds only until Lorry quits: %s", error)


def _can_pause(live: Live) -> bool:
    is_open = live.state in (TransferState.WAITING, TransferState.RUNNING)
    return is_open and live.phase is not Phase.VALIDATING and not live.job.cancelling


def _is_paused(live: Live) -> bool:
    is_stopping = live.state is TransferState.RUNNING and live.token.reason is CancelReason.PAUSE
    return is_stopping or live.state is TransferState.PAUSED
