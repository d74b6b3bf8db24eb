"""One check of one file at a time, as the form follows it: how far it is, what it finds, how it ends.

Starting another one, or cancelling, ends the one before; nothing of that one is heard any more. What is found is
told at most ten times a second, however fast it comes. Main thread only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QObject, QTimer, Signal

from lorry.core.checked_file import CheckedFile, CheckProgress
from lorry.core.errors import LorryError
from lorry.core.model import Finding
from lorry.gui.shell.inbox import Inbox

if TYPE_CHECKING:
    from lorry.core.client import Client

_TELL_MS = 100


class CheckRun(QObject):
    """Signals:
    progressed(CheckProgress): every 100 ms while a check runs.
    found(list[Finding]): findings since the last time, of a check that still runs.
    ended(CheckedFile | LorryError): it is over; the report has all findings.
    """

    progressed = Signal(object)
    found = Signal(object)
    ended = Signal(object)

    def __init__(self, client: Client, inbox: Inbox, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self._id: UUID | None = None
        self._fresh: list[Finding] = []
        self._timer = QTimer(self, interval=_TELL_MS)
        self._timer.timeout.connect(self._tell)
        inbox.file_findings.connect(self._on_inbox_file_findings)
        inbox.file_checked.connect(self._on_inbox_file_checked)

    @property
    def is_running(self) -> bool:
        """Whether a check was started that has not ended."""
        return self._id is not None

    def start(self, path: Path, declared_format: str | None) -> None:
        """Check a file; `declared_format` is the format the user has chosen, None when they chose none."""
        self.cancel()
        self._id = self._client.check_file(path, declared_format)
        self._timer.start()
        self.progressed.emit(CheckProgress())

    def cancel(self) -> None:
        """End the check, if there is one."""
        check_id = self._leave()
        if check_id is not None:
            self._client.cancel_check(check_id)

    def _leave(self) -> UUID | None:
        check_id, self._id = self._id, None
        self._timer.stop()
        self._fresh.clear()
        return check_id

    def _tell(self) -> None:
        if self._id is None:
            return
        progress = self._client.check_progress(self._id)
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            self.found.emit(fresh)
        if progress is not None:
            self.progressed.emit(progress)

    def _on_inbox_file_findings(self, check_id: UUID, findings: tuple[Finding, ...]) -> None:
        if check_id == self._id:
            self._fresh.extend(findings)

    def _on_inbox_file_checked(self, check_id: UUID, outcome: CheckedFile | LorryError) -> None:
        if check_id == self._id:
            self._leave()
            self.ended.emit(outcome)
