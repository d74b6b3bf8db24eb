"""A queue of uploads with its control and a real journal, and somebody who takes all that may be taken; no network."""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import UUID, uuid4

from tests.support.workspace import wait_until

from lorry.core.events import Event
from lorry.core.live import Live, meter_for
from lorry.core.model import DatasetDraft
from lorry.core.queue_control import QueueControl
from lorry.core.source import SourceFile
from lorry.core.store.journal import Journal
from lorry.core.transfers import TransferState, UploadJob
from lorry.core.upload_queue import UploadQueue

PROJECT, ALICE, BOB = "https://project.example.org", uuid4(), uuid4()
WAITING, RUNNING, PAUSED = TransferState.WAITING, TransferState.RUNNING, TransferState.PAUSED
FAILED, DONE = TransferState.FAILED, TransferState.DONE


class Yard:
    """A queue with its control and journal, files for its uploads, and somebody who takes all that may be taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.removed: list[UUID] = []
        self.taken: list[Live] = []
        self.journal = Journal(folder / "profile" / "journal.db")
        self.queue = UploadQueue(self.events.append, self.removed.append, lambda: None)
        self.control = QueueControl(self.queue, self.journal)
        self.queue.admit(ALICE)
        self._taker = threading.Thread(target=self._take, name="taker")

    def open(self) -> None:
        """From now on uploads are taken."""
        self._taker.start()

    def _take(self) -> None:
        while (live := self.queue.take()) is not None:
            self.taken.append(live)

    def close(self) -> None:
        self.queue.close()
        if self._taker.ident is not None:
            self._taker.join(5)
        self.journal.close()

    def add(self, name: str, user_id: UUID = ALICE, **facts: object) -> Live:
        """Put an upload in queue and journal, as the engine does."""
        path = self.folder / f"{name}.jsonl"
        path.write_bytes(name.encode() * 10)
        with SourceFile.open(path) as source:
            stamp = source.stamp
        dataset_id = uuid4()
        draft = DatasetDraft(name=f"Set {name}", file_name=path.name, file_size=stamp.size_bytes)
        job = UploadJob(dataset_id, PROJECT, user_id, path, draft, stamp, f"{user_id}/{dataset_id}/x")
        self.journal.add(job)
        live = Live(self.journal.note(job, **facts), meter_for(job))
        self.queue.add(live)
        return live

    def runs(self, *lives: Live) -> None:
        """Wait until exactly these run."""

        def running() -> bool:
            return {id(live) for live in self.queue.lives.values() if live.state is RUNNING} == {*map(id, lives)}

        wait_until(running, 5, "these running")

    def end(self, live: Live, state: TransferState = DONE, **changes: object) -> None:
        """What a transfer thread does when an upload stops."""
        self.queue.change(live, state=state, **changes)
        self.queue.wake()

    def kept(self, live: Live) -> UploadJob | None:
        """The upload as the journal has it."""
        return self.journal.find(live.job.dataset_id)

    def names(self) -> list[str]:
        """The uploads in their order."""
        return [transfer.path.stem for transfer in self.queue.snapshot()]


def ids(*lives: Live) -> list[UUID]:
    """Their ids, in this order."""
    return [live.job.dataset_id for live in lives]
