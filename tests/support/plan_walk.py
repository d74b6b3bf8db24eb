"""Walks through the plan of an upload in the world of `plan_world.py`.

`Walk` performs each step `plan()` gives as `core/upload.py` does: it notes facts before and after an effect, forgets
what it saw when an outcome is unknown, and begins again when it was killed, at times with an older journal. Asserts
fail where a step would do harm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.plan_world import SIZE, Ended, Facts, Stored, Unfinished, Unknown, World

from lorry.core.model import DatasetStatus
from lorry.core.plan import Observations, Step, plan
from lorry.core.retry import MAX_RESTARTS

#: Steps after which a walk counts as endless.
_MAX_STEPS = 400
#: Questions for an object, after which it is not waited for any more.
_PATIENCE = 3


class Walk(World):
    """One upload from its beginning to an end. `run` returns how it ended."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.facts = Facts()
        self.journal = [self.facts]
        self.older_journals = 0
        #: Fields of `Observations`; those of the facts are added when it is made.
        self.seen: dict[str, Any] = {}
        self.waited: int | None = None
        self.unproved = self.all_restarts = 0
        self.is_doubted = False
        self.counts: dict[Step, int] = {}

    def run(self) -> str:
        """Walk to the end."""
        while self.steps < _MAX_STEPS:
            try:
                self.attempt()
            except Unknown as failure:
                if failure.is_kill:
                    self.waited, self.unproved = None, 0
                    if len(self.journal) > 1 and not self.luck(0.5):
                        self.facts = self.chance.choice(self.journal)
                        self.journal = self.journal[: self.journal.index(self.facts) + 1]
                        self.older_journals += 1
            except Ended as end:
                return str(end)
        raise AssertionError(f"no end: {self.facts} {self.seen}")

    def attempt(self) -> None:
        self.seen, self.is_doubted = {"size_bytes": SIZE, "is_resumable": self.is_resumable}, False
        while self.steps < _MAX_STEPS:
            self.turn()
            if self.row is not None and not self.luck(0.03):
                self.note(cancelling=True)
            step = plan(self.observations())
            self.counts[step] = self.counts.get(step, 0) + 1
            if step is Step.DONE:
                raise Ended("done")
            if step is Step.GONE:
                raise Ended("gone")
            if step is Step.REPORT_FILE:
                raise Ended("file")
            if not self.luck(0.3):
                raise Unknown(is_kill=not self.luck(2))
            getattr(self, f"_{step.value}")()
            if not self.luck(0.2):
                raise Unknown(is_kill=True)

    def observations(self) -> Observations:
        return Observations(
            **self.seen,
            must_clear=self.facts.cancelling,
            row_was_seen=self.facts.row_seen,
            has_upload=bool(self.facts.upload_id),
            may_wait=self.waited is None or self.waited < _PATIENCE,
        )

    def note(self, **changes: Any) -> None:
        """Commit facts; the process may be killed before and after."""
        if not self.luck(0.1):
            raise Unknown(is_kill=True)
        self.facts = replace(self.facts, **changes)
        self.journal.append(self.facts)
        if not self.luck(0.1):
            raise Unknown(is_kill=True)

    def learn(self, **changes: Any) -> None:
        self.seen.update(changes)

    def doubt(self) -> None:
        self.learn(looked=False, upload_asked=False)

    def doubt_once(self) -> None:
        if self.is_doubted:
            raise Unknown
        self.is_doubted = True
        self.doubt()

    def answer(self) -> None:
        """The answer arrives, or is lost after the effect."""
        if not self.luck(0.5):
            raise Unknown(is_kill=not self.luck(2))

    def expect_object(self) -> None:
        self.doubt()
        self.waited = 0 if self.waited is None else self.waited
        self.learn(awaits_object=True)

    # -- the steps ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        found = self.object if self.row is not None or self.facts.row_seen else None
        row = self.row
        self.answer()
        if row is not None and not self.facts.row_seen:
            self.note(row_seen=True)
        self.learn(
            looked=True,
            row=row,
            object_size_bytes=found.size if found else None,
            object_is_ours=found is None or not self.facts.versions or found.version in self.facts.versions,
            file=self.file_state(),
        )

    def _insert_row(self) -> None:
        assert not (self.is_row_removed and self.facts.row_seen), "a row somebody removed was made again"
        if self.row is None:
            self.row = DatasetStatus.UPLOADING
        self.answer()
        if self.object is not None:
            self.doubt_once()
            return
        self.note(row_seen=True)
        self.learn(row=DatasetStatus.UPLOADING)

    def _put(self) -> None:
        self.note(final_sent=True)
        self.doubt()
        if self.file != 0:
            raise Ended("file")
        if self.object is not None:
            self.expect_object()
            return
        if self.luck() and self.row is DatasetStatus.UPLOADING:
            self.object = Stored(SIZE if self.luck(0.3) else SIZE - 1, self.name("put"), 0)
        elif self.luck():
            raise Unknown
        self.answer()
        self.learn(object_proved=True)
        self.expect_object()

    def _open(self) -> None:
        if self.object is not None:
            self.expect_object()
            return
        upload = Unfinished(self.name("version"))
        if not self.luck(0.2):
            upload.life = self.chance.randrange(1, 12)
        key = self.name("upload")
        self.uploads[key] = upload
        self.answer()
        self.note(upload_id=key, versions=(*self.facts.versions, upload.version))
        self.learn(upload_asked=True, upload_offset_bytes=0, upload_length_bytes=SIZE)

    def _ask_upload(self) -> None:
        if self.object is not None:
            self.expect_object()
            return
        upload = self.uploads.get(self.facts.upload_id)
        self.answer()
        if upload is None:
            self.learn(upload_asked=True, upload_offset_bytes=None)
        elif upload.locked_for:
            raise Unknown
        else:
            self.learn(upload_asked=True, upload_offset_bytes=upload.offset, upload_length_bytes=upload.length)

    def _send(self) -> None:
        offset = self.seen["upload_offset_bytes"]
        assert offset is not None and offset < SIZE, "an empty request"
        self.doubt()
        if self.file != 0:
            raise Ended("file")
        if self.chance.random() < 0.5:
            self._append(offset, self.chance.randrange(1, SIZE - offset + 1))
        else:
            self._append(offset, SIZE - offset)

    def _append(self, offset: int, count: int) -> None:
        upload = self.uploads.get(self.facts.upload_id)
        is_last = offset + count == SIZE
        if is_last:
            self.note(final_sent=True)
        if upload is None:
            return
        if upload.locked_for:
            raise Unknown
        if upload.offset != offset:
            return
        if self.object is not None:
            self.expect_object()
            return
        arrived = count if self.luck() else self.chance.randrange(count + 1)
        upload.offset, upload.content = offset + arrived, 0
        if upload.offset < SIZE or self.row is not DatasetStatus.UPLOADING:
            if arrived < count:
                raise Unknown(is_kill=not self.luck())
            return
        self._finish(upload)

    def _finish(self, upload: Unfinished) -> None:
        """The server has every byte; its answer may be lost, with everything, or only late."""
        whole = Stored(SIZE, upload.version, upload.content)
        if self.luck():
            self.object = whole
            self.uploads.pop(self.facts.upload_id)
            self.learn(object_proved=self.tells_completion)
            if self.tells_completion:
                self.expect_object()
            return
        if self.drops_unanswered:
            self.uploads.pop(self.facts.upload_id)
        elif self.luck():
            self.late.append((self.steps + self.chance.randrange(1, 30), whole))
        elif self.luck():
            self.object = replace(whole, content=None)
        if not self.luck():
            raise Unknown(is_kill=True)

    def _await_object(self) -> None:
        self.waited = 1 if self.waited is None else self.waited + 1
        self.doubt()

    def _restart(self) -> None:
        if self.facts.restarts >= MAX_RESTARTS:
            raise Ended("exhausted")
        if self.luck():
            self.uploads.pop(self.facts.upload_id, None)
        self.answer()
        self.note(restarts=self.facts.restarts + 1)
        self.all_restarts += 1
        self.note(upload_id="", final_sent=False)
        self.waited = None
        self.learn(awaits_object=False)
        self.doubt()

    def _prove(self) -> None:
        self.answer()
        if self.object is None:
            raise Ended("refused")
        is_whole = self.object.content == 0
        if self.object.content is None:
            self.unproved += 1
            if self.unproved < 3:
                raise Unknown
        self.learn(object_proved=is_whole, object_is_ours=is_whole)

    def _remove_object(self) -> None:
        assert self.row in (None, DatasetStatus.UPLOADING), "the object of a confirmed dataset was removed"
        self.object = None
        self.answer()
        self.learn(object_size_bytes=None, object_proved=False)
        if self.seen["row"] is not None:
            self._restart()

    def _confirm(self) -> None:
        if self.object is None or self.row is None:
            self.answer()
            self.doubt_once()
            return
        assert self.object.size == SIZE, "an incomplete object was confirmed"
        assert self.object.content == 0, "bytes were confirmed that are not those of the file"
        self.row = DatasetStatus.VALIDATING
        self.answer()
        self.learn(row=self.row)

    def _validate(self) -> None:
        assert self.row in (DatasetStatus.VALIDATING, DatasetStatus.READY)
        self.row = DatasetStatus.READY
        self.answer()
        self.learn(validation_asked=True)

    def _take_back(self) -> None:
        if self.row in (DatasetStatus.VALIDATING, DatasetStatus.READY):
            raise Ended("cancelled too late")
        self.uploads.pop(self.facts.upload_id, None)
        self.object = self.row = None
        self.late.clear()
        self.answer()
        raise Ended("cancelled")
