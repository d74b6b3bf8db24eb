"""Connection checks: each a name, a verdict, what it means and what to do. Nothing is changed on the server.

Runs the checks in order on the calling thread and goes on after a failure as far as that makes sense.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from lorry.core.errors import ErrorCode, LorryError
from lorry.core.model import BUCKET, MAX_FILE_BYTES, DatasetQuery
from lorry.core.remote.health import HealthApi
from lorry.core.remote.put import CONTENT_TYPES
from lorry.core.sending import Remote

#: A token is refused when the clocks differ by more than about this (s).
_CLOCK_LIMIT_S = 60.0
_DISK_MIN_BYTES = 200_000_000


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `error` is what went wrong, for the front end to put into words."""

    name: str
    verdict: Verdict
    meaning: str
    fix: str = ""
    error: LorryError | None = None

    def to_dict(self) -> dict[str, Any]:
        """The check without its error, for JSON."""
        return {"name": self.name, "verdict": self.verdict.value, "meaning": self.meaning, "fix": self.fix}


class Doctor:
    """Checks one project as the signed-in user."""

    def __init__(
        self, health: HealthApi, origin: str, remote: Remote, sign_in: Callable[[], object], data_dir: Path
    ) -> None:
        self._health = health
        self._origin = origin
        self._remote = remote
        self._sign_in = sign_in
        self._data_dir = data_dir

    def run(self) -> list[Check]:
        """All checks, in order. Never raises a LorryError."""
        checks = [self._disk(), *self._reach()]
        if checks[1].verdict is Verdict.FAILED:
            return checks + _not_run("The server cannot be reached.", "Sign-in", "Table", "Upload limits", "Bucket")
        signed_in = self._step("Sign-in", "You are signed in.", self._sign_in)
        checks.append(signed_in)
        if signed_in.verdict is Verdict.FAILED:
            return checks + _not_run("Nobody is signed in.", "Table", "Upload limits", "Bucket")
        table = self._step(
            "Table",
            "Your datasets can be read.",
            lambda: self._remote.datasets.list(DatasetQuery(limit=1)),
            fix="Apply Lorry's migrations to the project.",
        )
        return [*checks, table, *self._limits()]

    def _step(self, name: str, meaning: str, call: Callable[[], object], fix: str = "") -> Check:
        try:
            call()
        except LorryError as error:
            return Check(name, Verdict.FAILED, "", fix, error)
        return Check(name, Verdict.PASSED, meaning)

    def _disk(self) -> Check:
        folder = next(path for path in (self._data_dir, *self._data_dir.parents) if path.exists())
        try:
            free_bytes = shutil.disk_usage(folder).free
        except OSError as error:
            return Check("Disk", Verdict.WARNING, f"Free space is not known: {error.strerror}.")
        if free_bytes < _DISK_MIN_BYTES:
            return Check("Disk", Verdict.WARNING, f"Only {free_bytes // 1_000_000} MB are free.", "Free some space.")
        return Check("Disk", Verdict.PASSED, f"{free_bytes / 1e9:.1f} GB are free.")

    def _reach(self) -> list[Check]:
        try:
            server_time = self._health.server_time()
        except LorryError as error:
            return [Check("Server", Verdict.FAILED, "", "Check the address and the network.", error)]
        checks = [Check("Server", Verdict.PASSED, f"{self._origin} answers.")]
        if server_time is None:
            return [*checks, Check("Clock", Verdict.NOT_RUN, "The server does not tell its time.")]
        skew_s = (datetime.now(UTC) - server_time).total_seconds()
        if abs(skew_s) > _CLOCK_LIMIT_S:
            meaning = f"This computer's clock differs by {abs(skew_s):.0f} s from the server's."
            return [*checks, Check("Clock", Verdict.WARNING, meaning, "Let the system set its time by itself.")]
        return [*checks, Check("Clock", Verdict.PASSED, f"The clocks differ by {abs(skew_s):.0f} s.")]

    def _limits(self) -> list[Check]:
        fix = "Apply Lorry's migrations to the project."
        try:
            limits = self._remote.datasets.limits()
        except LorryError as error:
            if error.code is ErrorCode.PROJECT_NOT_PREPARED:
                fix = "Apply Lorry's migrations: they add the functions that confirm uploads."
            return [
                Check("Upload limits", Verdict.FAILED, "", fix, error),
                Check("Bucket", Verdict.NOT_RUN, "The limits are not known."),
            ]
        size = limits.get("file_size_limit")
        checks = [Check("Upload limits", Verdict.PASSED, f"Files up to {_size(size)} are accepted.")]
        if isinstance(size, int) and size < MAX_FILE_BYTES:
            meaning = f"The bucket takes {_size(size)}, less than Lorry's {_size(MAX_FILE_BYTES)}."
            checks = [Check("Upload limits", Verdict.WARNING, meaning, f"Raise file_size_limit of {BUCKET}.")]
        allowed = limits.get("allowed_mime_types")
        missing = [kind for kind in CONTENT_TYPES.values() if isinstance(allowed, list) and kind not in allowed]
        if missing:
            meaning = f"The bucket refuses {', '.join(missing)}."
            return [*checks, Check("Bucket", Verdict.FAILED, meaning, f"Add them to allowed_mime_types of {BUCKET}.")]
        return [*checks, Check("Bucket", Verdict.PASSED, f"{BUCKET} takes .jsonl and .json files.")]


def _not_run(why: str, *names: str) -> list[Check]:
    return [Check(name, Verdict.NOT_RUN, why) for name in names]


def _size(size_bytes: object) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if isinstance(size_bytes, int) else "any size"
