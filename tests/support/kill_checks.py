"""What must be true after uploads were killed or cut and brought home, and the sum of all rounds.

`check_server` compares what a user has on the server with the files that were sent; `Tally` adds rounds up and keeps
what was wrong with each, together with how to run it again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.support.client import objects, rows
from tests.support.kill_files import ExactFile
from tests.support.workspace import BUCKET, User, wait_until

#: A recovery, or a verdict after it, that takes longer is stuck (s).
RECOVERY_LIMIT_S = 60.0
VERDICT_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that must not be; `kind` is a counter of `Tally`."""

    kind: str
    what: str


@dataclass
class Tally:
    """What all rounds came to; a kill may also be another fault. Filled from several threads."""

    kills: int = 0
    recoveries: int = 0
    lost: int = 0
    duplicates: int = 0
    wrong_bytes: int = 0
    stuck: int = 0
    gave_up: int = 0
    littered: int = 0
    sent_again: int = 0
    slowest_s: float = 0.0
    killed_at: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(
        self,
        killed_at: Sequence[str],
        complaints: Sequence[Complaint],
        *,
        recovery_s: float,
        story: Sequence[str],
        replay: str,
    ) -> None:
        """Count a round that is over. `killed_at` has a name for each kill, `replay` is how to run it again."""
        with self._lock:
            self.kills += len(killed_at)
            self.killed_at.update(killed_at)
            self.recoveries += not any(complaint.kind in ("lost", "stuck") for complaint in complaints)
            self.slowest_s = max(self.slowest_s, recovery_s)
            for complaint in complaints:
                setattr(self, complaint.kind, getattr(self, complaint.kind) + 1)
            if complaints:
                lines = [f"{complaint.kind}: {complaint.what}" for complaint in complaints]
                lines += [f"    {line}" for line in story]
                self.complaints.append("\n".join([*lines, f"    replay: {replay}"]))

    def fail_if_any(self) -> None:
        """Fail the test with what was wrong since the last call."""
        __tracebackhide__ = True
        complaints, self.complaints = self.complaints, []
        if complaints:
            pytest.fail("\n".join(complaints), pytrace=False)

    def __str__(self) -> str:
        places = len(self.killed_at)
        sent_again = f", {self.sent_again} sent too much again" if self.sent_again else ""
        return (
            f"{self.kills} at {places} places, {self.recoveries} recoveries (slowest {self.slowest_s:.1f} s): "
            f"{self.lost} lost, {self.duplicates} duplicates, {self.wrong_bytes} wrong bytes, {self.stuck} stuck, "
            f"{self.gave_up} gave up, {self.littered} left something behind{sent_again}"
        )

    def print(self, config: pytest.Config, title: str) -> None:
        """Show the sum however the tests went, with -v the places as well."""
        capture, terminal = (config.pluginmanager.get_plugin(name) for name in ("capturemanager", "terminalreporter"))
        assert capture is not None and terminal is not None
        with capture.global_and_fixture_disabled():
            terminal.write_line(f"\n{title}: {self}")
            for place, count in sorted(self.killed_at.items()) if config.get_verbosity() > 0 else ():
                terminal.write_line(f"  {count:4} {place}")


def check_server(user: User, files: Sequence[ExactFile], kills: int) -> list[Complaint]:
    """One row, one object, the right bytes and the verdict for each file, and nothing else but what kills explain."""
    complaints = []
    found, stored = rows(user.server, user_id=user.id), _objects_of(user)
    if len(found) > len(files) or len(stored) > len(files):
        complaints.append(Complaint("duplicates", f"{len(found)} rows, objects {stored}"))
    for file in files:
        row = next((row for row in found if row["file_name"] == file.path.name), None)
        if row is None or row["storage_path"] not in stored:
            complaints.append(Complaint("lost", f"{file.path.name}: row {row}, objects {stored}"))
            continue
        with user.client() as http:
            content = http.get(f"/storage/v1/object/{BUCKET}/{row['storage_path']}").content
        if hashlib.sha256(content).hexdigest() != file.sha256:
            complaints.append(Complaint("wrong_bytes", f"{len(content)} of {file.size_bytes} bytes, or others"))
        status = _verdict(user, row["id"])
        if status != "ready":
            complaints.append(Complaint("stuck", f"the row of {file.path.name} stays {status}"))
    unfinished = _unfinished_of(user)
    if len(unfinished) > kills:
        complaints.append(Complaint("littered", f"{len(unfinished)} unfinished uploads after {kills} kills"))
    return complaints


def has_anything(user: User) -> bool:
    """Whether the server has a row or an object of this user."""
    return bool(rows(user.server, user_id=user.id) or _objects_of(user))


def _unfinished_of(user: User) -> list[str]:
    """Keys of the resumable uploads of a user that the server could still go on with."""
    found = []
    for path in (user.server.data_dir / "objects" / "resumable").glob("*.json"):
        try:
            facts = json.loads(path.read_text())
        except (OSError, ValueError):
            continue  # being written
        if facts["key"].startswith(f"{user.id}/") and not facts["is_finished"]:
            found.append(facts["key"])
    return found


def _objects_of(user: User) -> list[str]:
    folders = objects(user.server, user.id)
    return [f"{user.id}/{folder}/{name}" for folder in folders for name in objects(user.server, f"{user.id}/{folder}")]


def _verdict(user: User, dataset_id: str) -> str:
    """The row's status once the server has validated it, or what it stays at."""

    def status() -> str:
        (row,) = rows(user.server, id=dataset_id)
        return str(row["status"])

    try:
        wait_until(lambda: status() in ("ready", "error"), VERDICT_LIMIT_S)
    except AssertionError:
        return status()
    return status()
