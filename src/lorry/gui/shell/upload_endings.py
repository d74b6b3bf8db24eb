"""Says how uploads ended: one notice for one upload, one for a whole batch.

A batch is everything that was under way together, from the first upload to the moment nothing goes on by itself any
more. Main thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from PySide6.QtCore import QObject, Signal

from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Transfer, TransferState
from lorry.gui.shell.inbox import Inbox
from lorry.gui.shell.notice_bar import Notice, NoticeBar, Urgency
from lorry.text.error_text import describe
from lorry.text.format import plural, safe_name

_UPLOADED, _BATCH = "uploaded", "batch"
_ENDED = (TransferState.DONE, TransferState.FAILED)
#: A notice is one line wherever that is possible; the whole name stands in the table.
_NAME_MAX = 48


class UploadEndings(QObject):
    """Signals:
    show_dataset(UUID): select this dataset in the table.
    show_upload(UUID): open the dialog of this upload.
    show_uploads(UUID): show the transfers panel, at this upload.
    """

    show_dataset = Signal(object)
    show_upload = Signal(object)
    show_uploads = Signal(object)

    def __init__(self, inbox: Inbox, notices: NoticeBar, is_watched: Callable[[UUID], bool], parent: QObject) -> None:
        """`is_watched` says whether the dialog of an upload is on screen."""
        super().__init__(parent)
        self._notices, self._is_watched = notices, is_watched
        self._batch: dict[UUID, TransferState] = {}
        #: The upload the notice speaks of.
        self._told: UUID | None = None
        inbox.transfer_changed.connect(self._on_transfer_changed)
        inbox.transfer_removed.connect(self._on_transfer_removed)
        inbox.dataset_changed.connect(self._on_dataset_changed)

    def _on_transfer_changed(self, transfer: Transfer) -> None:
        self._batch[transfer.dataset_id] = transfer.state
        if transfer.state not in _ENDED:
            return
        if len(self._batch) == 1:
            self._tell_one(transfer)
        elif any(state in (TransferState.WAITING, TransferState.RUNNING) for state in self._batch.values()):
            return
        else:
            self._tell_batch()
        self._batch = {one: state for one, state in self._batch.items() if state not in _ENDED}

    def _on_transfer_removed(self, dataset_id: UUID) -> None:
        self._batch.pop(dataset_id, None)

    def _tell_one(self, transfer: Transfer) -> None:
        dataset_id = transfer.dataset_id
        if transfer.state is TransferState.DONE:
            self._told = dataset_id
            self._tell_uploaded(dataset_id, "Validation in progress.", icon="circle-check", tone="ok")
        elif not self._is_watched(dataset_id):
            self._notices.post(
                Notice(
                    "upload_failed",
                    Urgency.RESULT,
                    f"“{_short(transfer.draft.name)}” was not uploaded.",
                    describe(transfer.error).what if transfer.error else "",
                    icon="circle-x",
                    tone="error",
                    action="Show",
                    on_action=lambda: self.show_upload.emit(dataset_id),
                )
            )

    def _tell_batch(self) -> None:
        states = list(self._batch.values())
        failed = [one for one, state in self._batch.items() if state is TransferState.FAILED]
        paused = [one for one, state in self._batch.items() if state is TransferState.PAUSED]
        done = states.count(TransferState.DONE)
        parts = []
        if failed:
            parts.append(f"{len(failed):,} {'needs' if len(failed) == 1 else 'need'} attention.")
        if paused:
            parts.append(f"{len(paused):,} {'is' if len(paused) == 1 else 'are'} paused.")
        first = next(iter(failed + paused), None)
        self._notices.post(
            Notice(
                _BATCH,
                Urgency.RESULT,
                f"{done:,} of {len(states):,} uploaded.",
                " ".join(parts) or "Validation in progress.",
                icon="triangle-alert" if failed else "circle-check",
                tone="warn" if failed else "ok",
                action="Show" if first is not None else "",
                on_action=(lambda: self.show_uploads.emit(first)) if first is not None else None,
            )
        )

    def _on_dataset_changed(self, dataset: Dataset) -> None:
        """The verdict: what the notice says of it is not so any more."""
        shown = self._notices.shown
        if dataset.id != self._told or shown is None or shown.key != _UPLOADED:
            return
        name = _short(dataset.name)
        if dataset.status is DatasetStatus.READY:
            self._tell_uploaded(dataset.id, f"“{name}” is ready.", icon="circle-check", tone="ok")
        elif dataset.status is DatasetStatus.ERROR:
            errors = dataset.finding_counts.get("error", 0)
            text = f"The server found {plural(errors, 'error')} in “{name}”." if errors else f"“{name}” is not usable."
            self._tell_uploaded(dataset.id, text, icon="circle-x", tone="error")

    def _tell_uploaded(self, dataset_id: UUID, text: str, *, icon: str, tone: str) -> None:
        self._notices.post(
            Notice(
                _UPLOADED,
                Urgency.RESULT,
                "Uploaded.",
                text,
                icon=icon,
                tone=tone,
                action="Show dataset",
                on_action=lambda: self.show_dataset.emit(dataset_id),
            )
        )


def _short(name: str) -> str:
    safe = safe_name(name)
    return safe if len(safe) <= _NAME_MAX else f"{safe[: _NAME_MAX - 1].rstrip()}…"
