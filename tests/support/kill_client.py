"""Rounds in which the program is killed in the middle of an upload, again and again, and then left to finish.

A round is one user, one profile folder, one file. `Round.kill` starts runs that are killed, `Round.recover` lets the
last one finish and compares what there is with what must be. `Tally` adds rounds up. Which runs a round has is decided
in the tests.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import objects, rows, settings_of
from tests.support.kill_files import ExactFile
from tests.support.kill_program import Ended, KillServer
from tests.support.workspace import BUCKET, RunningServer, User, wait_until

#: A recovery that takes longer is stuck (s).
RECOVERY_LIMIT_S = 60.0

#: What differs between runs in the names of points.
_OBJECTS = re.compile(rf"{BUCKET}/\S+")
_UPLOAD_IDS = re.compile(r"/[A-Za-z0-9_-]{40,}")


@dataclass
class Tally:
    """What all rounds came to. Filled from several threads."""

    kills: int = 0
    recoveries: int = 0
    lost: int = 0
    duplicates: int = 0
    wrong_bytes: int = 0
    stuck: int = 0
    gave_up: int = 0
    littered: int = 0
    slowest_s: float = 0.0
    killed_at: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, finished: Round, replay: str) -> None:
        """Count a round that has recovered; `replay` is how to run it again."""
        with self._lock:
            self.kills += finished.kills
            self.recoveries += not any(kind in ("lost", "stuck") for kind, _complaint in finished.complaints)
            self.slowest_s = max(self.slowest_s, finished.recovery_s)
            self.killed_at.update(finished.killed_at)
            for kind, complaint in finished.complaints:
                setattr(self, kind, getattr(self, kind) + 1)
                self.complaints.append(f"{kind}: {complaint}\n    replay: {replay}")

    def __str__(self) -> str:
        places = len(self.killed_at)
        return (
            f"{self.kills} kills at {places} places, {self.recoveries} recoveries (slowest {self.slowest_s:.1f} s): "
            f"{self.lost} lost, {self.duplicates} duplicates, {self.wrong_bytes} wrong bytes, {self.stuck} stuck, "
            f"{self.gave_up} runs that gave up, {self.littered} with something left behind"
        )


class Round:
    """One upload of `file` as `user`, killed and brought home."""

    def __init__(self, kill_server: KillServer, user: User, home: Path, file: ExactFile, *, url: str = "") -> None:
        self.kills = 0
        self.recovery_s = 0.0
        #: Names of the points at which runs killed themselves, or the last they had reached.
        self.killed_at: list[str] = []
        #: (field of `Tally`, what is wrong).
        self.complaints: list[tuple[str, str]] = []
        self._kill_server = kill_server
        self._user, self._home, self._file = user, home, file
        self._environment = {**settings_of(user, url), "LORRY_HOME": str(home)}
        #: The program has taken the upload on: it was in the journal, or the server had a row.
        self._is_accepted = False
        self._story: list[str] = []

    def kill(self, *, at: int | str = 0, after_s: float | None = None) -> Ended:
        """Run the upload, or go on with it, and kill it; it may end before that."""
        words = ["resume"] if self._is_accepted else ["upload", str(self._file.path)]
        ended = self._kill_server.run(words, self._environment, kill_at=at, kill_after_s=after_s)
        self._note(words[0], ended)
        if ended.is_killed:
            self.kills += 1
            self.killed_at.append(_place(ended))
        elif ended.is_stuck:
            self._complain("stuck", f"a run to be killed did not end: {ended.output[-1500:]}")
        elif ended.status:
            self._complain("gave_up", f"status {ended.status}: {ended.output[-1500:]}")
        self._is_accepted = self._is_accepted or self._is_known()
        return ended

    def recover(self) -> None:
        """Let the upload finish and look at everything that must be there, and must not."""
        if self._is_accepted:
            words = ["resume", "--wait", "--json"]
        else:
            if rows(self._user.server, user_id=self._user.id) or objects(self._user.server, self._user.id):
                self._complain("lost", "the server has something of an upload the journal does not know")
            words = ["upload", str(self._file.path), "--wait", "--json"]
        ended = self._kill_server.run(words, self._environment, limit_s=RECOVERY_LIMIT_S)
        self._note(words[0], ended)
        self.recovery_s = ended.took_s
        if ended.is_stuck:
            self._complain("stuck", f"not ended after {RECOVERY_LIMIT_S:.0f} s: {ended.output[-1500:]}")
        elif ended.status != 0:
            self._complain("lost", f"the last run ended with {ended.status}: {ended.output[-1500:]}")
        self._check_server()
        self._check_files()

    def _check_server(self) -> None:
        server, user = self._user.server, self._user
        found = rows(server, user_id=user.id)
        stored = _objects_of(user)
        if len(found) > 1 or len(stored) > 1:
            self._complain("duplicates", f"{len(found)} rows, objects {stored}")
        if not found or not stored:
            self._complain("lost", f"{len(found)} rows, objects {stored}")
            return
        (row, *_), path = found, stored[0]
        if path != row["storage_path"]:
            self._complain("lost", f"the row says {row['storage_path']}, the object is {path}")
        with user.client() as http:
            content = http.get(f"/storage/v1/object/{BUCKET}/{path}").content
        if hashlib.sha256(content).hexdigest() != self._file.sha256:
            self._complain("wrong_bytes", f"{len(content)} of {self._file.size_bytes} bytes, or others")
        status = _verdict(server, row["id"])
        if status != "ready":
            self._complain("stuck", f"the row stays {status}")

    def _check_files(self) -> None:
        left = journal_of(self._home)
        if left:
            self._complain("littered", f"the journal still has {left}")
        locks = sorted(path.name for path in (self._home / "uploads").glob("*"))
        if locks:
            self._complain("littered", f"lock files {locks}")
        unfinished = unfinished_of(self._user)
        if len(unfinished) > self.kills:
            self._complain("littered", f"{len(unfinished)} unfinished uploads after {self.kills} kills")

    def _is_known(self) -> bool:
        return bool(journal_of(self._home) or rows(self._user.server, user_id=self._user.id))

    def _note(self, command: str, ended: Ended) -> None:
        how = "stuck" if ended.is_stuck else "killed" if ended.is_killed else f"ended {ended.status}"
        self._story.append(f"{command}: {how} after {ended.took_s:.2f} s at {_place(ended)}")

    def _complain(self, kind: str, complaint: str) -> None:
        story = "\n    ".join(self._story)
        self.complaints.append((kind, f"{self._file.path.name}: {complaint}\n    {story}"))


def print_past_capture(config: pytest.Config, lines: Sequence[str]) -> None:
    """Print lines that are to be seen however the tests went."""
    capture, terminal = (config.pluginmanager.get_plugin(name) for name in ("capturemanager", "terminalreporter"))
    assert capture is not None and terminal is not None
    with capture.global_and_fixture_disabled():
        terminal.write_line("")
        for line in lines:
            terminal.write_line(line)


def _place(ended: Ended) -> str:
    """The last point a run reached, without what differs between runs."""
    if not ended.points:
        return "the start"
    name = ended.points[-1].split(" ", 1)[1]
    return _UPLOAD_IDS.sub("/*", _OBJECTS.sub(f"{BUCKET}/*", name))


def journal_of(home: Path) -> list[dict[str, Any]]:
    """The open uploads of a profile, read from a copy: looking must not tidy up what a killed process left."""
    if not (home / "journal.db").exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        for path in home.glob("journal.db*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / "journal.db")) as database:
            database.row_factory = sqlite3.Row
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name='upload'").fetchone():
                return []
            return [dict(row) for row in database.execute("SELECT * FROM upload")]


def unfinished_of(user: User) -> list[str]:
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


def _objects_of(user: User) -> Sequence[str]:
    folders = objects(user.server, user.id)
    return [f"{user.id}/{folder}/{name}" for folder in folders for name in objects(user.server, f"{user.id}/{folder}")]


def _verdict(server: RunningServer, dataset_id: str) -> str:
    """The row's status once the server has validated it, or what it stays at."""

    def status() -> str:
        (row,) = rows(server, id=dataset_id)
        return str(row["status"])

    try:
        wait_until(lambda: status() in ("ready", "error"), 20)
    except AssertionError:
        return status()
    return status()
