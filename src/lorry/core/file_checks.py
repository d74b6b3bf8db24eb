"""Checks of files before they are uploaded: one at a time, each in a process of its own, told as events.

The process shares no interpreter lock with the window. Its thread here only reads what it prints. A check that is
cancelled or outlived ends its process at once.
"""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from lorry.core.cancel import CancelToken
from lorry.core.checked_file import CheckedFile, CheckProgress, CheckReport
from lorry.core.errors import Cancelled, CancelReason, ErrorCode, LorryError, SourceError, during
from lorry.core.events import Event, FileChecked, FileFindings
from lorry.core.model import Finding
from lorry.core.source import SourceFile

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "lorry.core.checks.worker")
_LAST_WORDS_BYTES = 2000


@dataclass(slots=True, eq=False)
class _Check:
    """One check, waiting or under way."""

    path: Path
    declared_format: str | None
    max_bytes: int
    id: UUID = field(default_factory=uuid4)
    token: CancelToken = field(default_factory=CancelToken)
    progress: CheckProgress = field(default_factory=CheckProgress)


class FileChecks:
    """Thread-safe; every method returns at once."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[_Check | None] = queue.SimpleQueue()
        self._open: dict[UUID, _Check] = {}
        self._thread: threading.Thread | None = None

    def start(self, path: Path, declared_format: str | None, max_bytes: int) -> UUID:
        """Queue a check. FileFindings tell what it finds, one FileChecked its end, unless it is cancelled."""
        check = _Check(path, declared_format, max_bytes)
        with self._lock:
            self._open[check.id] = check
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lorry-check", daemon=True)
                self._thread.start()
        self._waiting.put(check)
        return check.id

    def progress(self, check_id: UUID) -> CheckProgress | None:
        """How far a check is; None when it has ended."""
        with self._lock:
            check = self._open.get(check_id)
        return check.progress if check else None

    def cancel(self, check_id: UUID) -> None:
        """Stop a check; nothing more is heard of it."""
        with self._lock:
            check = self._open.pop(check_id, None)
        if check is not None:
            check.token.cancel(CancelReason.CANCEL)

    def close(self) -> None:
        """Stop everything. Harmless when repeated."""
        with self._lock:
            checks, thread = list(self._open.values()), self._thread
        for check in checks:
            check.token.cancel(CancelReason.SHUTDOWN)
        if thread is not None:
            self._waiting.put(None)
            thread.join(2.0)

    def _work(self) -> None:
        while (check := self._waiting.get()) is not None:
            outcome: CheckedFile | LorryError
            try:
                with during("check the file"):
                    outcome = self._run(check)
            except Cancelled:
                continue
            except LorryError as error:
                outcome = error
            except Exception as error:
                log.exception("a check ended in a way nobody expected")
                outcome = LorryError(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}")
            with self._lock:
                is_wanted = self._open.pop(check.id, None) is not None
            if is_wanted:
                self._emit(FileChecked(check.id, outcome))

    def _run(self, check: _Check) -> CheckedFile:
        check.token.check()
        with SourceFile.open(check.path, max_bytes=check.max_bytes) as source:
            report = self._run_process(check)
            source.check_unchanged()
            return CheckedFile(check.path, source.stamp, report)

    def _run_process(self, check: _Check) -> CheckReport:
        command = [*WORKER, str(check.path), "--findings", "--stop-on-stdin-eof"]
        if check.declared_format:
            command += ["--format", check.declared_format]
        with (
            tempfile.TemporaryFile() as last_words,
            subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=last_words,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            ) as process,
            check.token.on_cancel(process.kill),
        ):
            report: CheckReport | None = None
            try:
                for line in process.stdout or ():
                    report = self._hear(check, line) or report
                process.wait()
            finally:
                process.kill()
            check.token.check()
            if report is None:
                raise LorryError(ErrorCode.INTERNAL, f"no report: {_end_of(last_words)}")
            return report

    def _hear(self, check: _Check, line: bytes) -> CheckReport | None:
        try:
            message: dict[str, Any] = json.loads(line)
            if "report" in message:
                return CheckReport.model_validate(message["report"])
            if "finding" in message:
                found = Finding.model_validate(message["finding"])
                with self._lock:
                    is_wanted = check.id in self._open
                if is_wanted:
                    self._emit(FileFindings(check.id, (found,)))
            elif "progress" in message:
                check.progress = CheckProgress(message["progress"]["bytes"], message["progress"]["total"])
        except (ValueError, ValidationError, KeyError, TypeError) as error:
            raise LorryError(ErrorCode.INTERNAL, f"the check said {line[:200]!r}") from error
        if "error" in message:
            code = ErrorCode.FILE_UNREADABLE if check.path.exists() else ErrorCode.FILE_MISSING
            raise SourceError(code, str(message["error"]))
        return None


def _end_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read()[-_LAST_WORDS_BYTES:].decode("utf-8", "replace")
