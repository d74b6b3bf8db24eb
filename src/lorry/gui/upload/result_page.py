"""The last page: the file is stored and the server judges it, or the upload failed and this is the way on.

Says "Ready" only when the row says so. It shows transfers and rows it is handed and emits what the user wants next.
"""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from lorry.core.errors import ErrorCode, LorryError
from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Phase, Transfer, TransferState
from lorry.gui.shell.theme import Theme
from lorry.gui.shell.themed import push_button
from lorry.gui.shell.verdict import VerdictBox
from lorry.gui.upload.fact_cards import CountsCard, FailureCard
from lorry.gui.upload.file_band import FileBand
from lorry.gui.upload.findings_list import FindingsList
from lorry.gui.upload.footer import Footer
from lorry.gui.upload.phase_strip import PhaseStrip
from lorry.text.error_text import ErrorAction, describe, details
from lorry.text.format import count, date, format_label, plural, size, status_word, tokens


class ResultPage(QWidget):
    """Signals: retry_wanted, choose_wanted, file_wanted (the chosen one has moved), sign_in_wanted (after a failure);
    show_wanted, another_wanted (after success); close_wanted.
    """

    retry_wanted = Signal()
    choose_wanted = Signal()
    file_wanted = Signal()
    sign_in_wanted = Signal()
    show_wanted = Signal()
    another_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._error: LorryError | None = None
        self._main_action = ErrorAction.NONE
        self._band = FileBand(theme)
        self.strip = PhaseStrip(theme)
        self.verdict = VerdictBox(theme)
        self.counts = CountsCard(theme)
        self.findings = FindingsList(theme)
        self.failure = FailureCard(theme)
        self.main_button = push_button(theme, "Show dataset", kind="primary")
        self.main_button.clicked.connect(self._on_main_clicked)
        self.again_button = push_button(theme, "Try again", icon="rotate-cw")
        self.again_button.clicked.connect(self.retry_wanted)
        self.copy_button = push_button(theme, "Copy details", icon="copy")
        self.copy_button.clicked.connect(self._on_copy_clicked)
        self.another_button = push_button(theme, "Upload another…", icon="plus")
        self.another_button.clicked.connect(self.another_wanted)
        self.close_button = push_button(theme, "Close")
        self.close_button.clicked.connect(self.close_wanted)
        self._build()
        self._arrange_success(None, has_counts=True)

    def _build(self) -> None:
        line = QFrame()
        line.setProperty("kind", "line")
        body = QVBoxLayout()
        body.setContentsMargins(20, 20, 20, 20)
        body.setSpacing(16)
        body.addWidget(self.strip)
        for widget in (self.verdict, self.counts, self.findings, self.failure):
            body.addWidget(widget)
        body.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._band)
        column.addWidget(line)
        column.addLayout(body, 1)
        leading: list[QWidget] = [self.another_button, self.copy_button]
        column.addWidget(Footer(leading, self.main_button, self.close_button, (self.again_button,)))

    def show_transfer(self, transfer: Transfer) -> None:
        """`transfer` failed, or its file is confirmed and validation has begun."""
        draft = transfer.draft
        facts = f"{size(draft.file_size)} · {format_label(draft.format)}"
        self._band.show_dataset(draft.name, draft.file_name, facts)
        if transfer.state is TransferState.FAILED:
            self._show_failure(transfer)
        elif transfer.dataset is not None and transfer.dataset.status is not DatasetStatus.UPLOADING:
            self.show_dataset(transfer.dataset, transfer.error)
        else:
            self._show_validating(draft.file_size, None, transfer.error)

    def show_problem(self, error: LorryError) -> None:
        """What was tried to mend a failed upload did not work."""
        words = describe(error)
        self.verdict.show_verdict("error", words.what, words.meaning)

    def show_dataset(self, dataset: Dataset, error: LorryError | None = None) -> None:
        """The row as the server has it now; `error` says why nobody judges it."""
        facts = f"{size(dataset.file_size)} · {format_label(dataset.format)}"
        self._band.show_dataset(dataset.name, dataset.file_name, facts)
        if dataset.status is DatasetStatus.READY:
            self._show_ready(dataset)
        elif dataset.status is DatasetStatus.ERROR:
            self._show_refused(dataset)
        else:
            self._show_validating(dataset.file_size, dataset, error)

    def _show_validating(self, size_bytes: int, dataset: Dataset | None, error: LorryError | None) -> None:
        self.strip.show_phase(Phase.VALIDATING, "waiting" if error else "running")
        if error is not None:
            text = describe(error)
            self.verdict.show_verdict("warn", f"Uploaded. {text.what}", text.meaning)
        else:
            self.verdict.show_verdict(
                "busy",
                "Uploaded. Validation in progress.",
                f"{size(size_bytes)} stored and verified. The verdict appears here by itself.",
            )
        self.counts.show_counts(dataset, size_bytes)
        self._arrange_success(error, has_counts=True)

    def _show_ready(self, dataset: Dataset) -> None:
        self.strip.show_phase(Phase.VALIDATING, "done")
        pairs = f"{count(dataset.total_training_pairs)} training pairs, {tokens(dataset.total_tokens)} tokens."
        moment = date(dataset.validated_at) if dataset.validated_at else ""
        when = f" Validated {moment[0].lower()}{moment[1:]}." if moment else ""
        warnings = dataset.finding_counts.get("warning", 0)
        word = f"Ready, {plural(warnings, 'warning')}" if warnings else "Ready"
        self.verdict.show_verdict("ok", word, pairs + when)
        self.counts.show_counts(dataset, dataset.file_size)
        self._arrange_success(None, has_counts=True)
        self.findings.show_findings(dataset)

    def _show_refused(self, dataset: Dataset) -> None:
        self.strip.show_phase(Phase.VALIDATING, "failed")
        meaning = "The file is stored, but cannot be used for training. Correct it and upload it again."
        if not dataset.finding_counts.get("error") and dataset.error_message:
            meaning = dataset.error_message
        self.verdict.show_verdict("error", status_word(dataset), meaning)
        self._arrange_success(None, has_counts=False)
        self.findings.show_findings(dataset)

    def _show_failure(self, transfer: Transfer) -> None:
        self._error = transfer.error or LorryError(ErrorCode.INTERNAL, "failed without an error")
        text = describe(self._error)
        self.strip.show_phase(transfer.phase, "failed")
        self.verdict.show_verdict("error", text.what, text.meaning)
        self.failure.show_transfer(transfer)
        leads_elsewhere = text.action_id in (ErrorAction.CHOOSE_FILE, ErrorAction.SIGN_IN)
        is_named = leads_elsewhere or text.action_id is ErrorAction.START_AGAIN
        self._main_action = text.action_id if is_named else ErrorAction.RETRY
        self._set_main(text.action if is_named else "Try again")
        self._show_only(self.failure, self.copy_button, self.close_button)
        self.again_button.setVisible(leads_elsewhere)

    def _arrange_success(self, error: LorryError | None, *, has_counts: bool) -> None:
        self._error, self._main_action = error, ErrorAction.NONE
        self._set_main("Show dataset")
        shown: list[QWidget] = [self.another_button, self.close_button]
        shown += [self.copy_button] if error else []
        shown += [self.counts] if has_counts else []
        self._show_only(*shown)

    def _show_only(self, *shown: QWidget) -> None:
        for widget in (
            self.counts,
            self.findings,
            self.failure,
            self.another_button,
            self.copy_button,
            self.again_button,
            self.close_button,
        ):
            widget.setVisible(widget in shown)

    def _set_main(self, text: str) -> None:
        self.main_button.setText(text)
        self.main_button.setDefault(True)

    def _on_main_clicked(self) -> None:
        is_moved = self._error is not None and self._error.code is ErrorCode.FILE_MISSING
        {
            ErrorAction.NONE: self.show_wanted,
            ErrorAction.RETRY: self.retry_wanted,
            ErrorAction.START_AGAIN: self.retry_wanted,
            ErrorAction.CHOOSE_FILE: self.file_wanted if is_moved else self.choose_wanted,
            ErrorAction.SIGN_IN: self.sign_in_wanted,
        }[self._main_action].emit()

    def _on_copy_clicked(self) -> None:
        if self._error is not None:
            QGuiApplication.clipboard().setText(details(self._error))


def is_result(transfer: Transfer) -> bool:
    """Whether `transfer` belongs on this page: it failed, or nothing of it is left to send or confirm."""
    return transfer.state in (TransferState.FAILED, TransferState.DONE) or transfer.phase is Phase.VALIDATING
