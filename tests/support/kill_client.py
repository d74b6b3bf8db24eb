"""Rounds in which the program is killed in the middle of an upload, again and again, and then left to finish.

A round is one user, one profile folder, one file. `Round.kill` starts runs that are killed, `Round.recover` lets the
last one finish and looks at what there is. Which runs a round has is decided in the tests.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.client import rows, settings_of
from tests.support.kill_checks import RECOVERY_LIMIT_S, Complaint, check_server, has_anything
from tests.support.kill_files import ExactFile
from tests.support.kill_program import Ended, KillServer
from tests.support.workspace import BUCKET, User

#: What differs between runs in the names of points.
_OBJECTS = re.compile(rf"{BUCKET}/\S+")
_UPLOAD_IDS = re.compile(r"/[A-Za-z0-9_-]{40,}")
#: So much of what a run printed goes into a complaint.
_OUTPUT_CHARS = 1500


class Round:
    """One upload of `file` as `user`, killed and brought home."""

    def __init__(self, kill_server: KillServer, user: User, home: Path, file: ExactFile, *, url: str = "") -> None:
        self.recovery_s = 0.0
        #: For each kill the point at which the run killed itself, or the last it had reached.
        self.killed_at: list[str] = []
        self.complaints: list[Complaint] = []
        #: What happened, a line for each run.
        self.story = [file.path.name]
        self._kill_server = kill_server
        self._user, self._home, self._file = user, home, file
        self._environment = {**settings_of(user, url), "LORRY_HOME": str(home)}
        #: The program has taken the upload on: it was in the journal, or the server had a row.
        self._is_accepted = False

    def kill(self, *, at: int | str = 0, after_s: float | None = None) -> Ended:
        """Run the upload, or go on with it, and kill it; it may end before that."""
        words = ["resume"] if self._is_accepted else ["upload", str(self._file.path)]
        ended = self._kill_server.run(words, self._environment, kill_at=at, kill_after_s=after_s)
        self._note(words[0], ended)
        if ended.is_killed:
            self.killed_at.append(_place(ended))
        elif ended.is_stuck:
            self._complain("stuck", f"a run to be killed did not end: {ended.output[-_OUTPUT_CHARS:]}")
        elif ended.status:
            self._complain("gave_up", f"status {ended.status}: {ended.output[-_OUTPUT_CHARS:]}")
        self._is_accepted = self._is_accepted or self._is_known()
        return ended

    def recover(self) -> None:
        """Let the upload finish and look at everything that must be there, and must not."""
        words = ["resume", "--wait", "--json"]
        if not self._is_accepted:
            words = ["upload", str(self._file.path), "--wait", "--json"]
            if has_anything(self._user):
                self._complain("lost", "the server has something of an upload the journal does not know")
        ended = self._kill_server.run(words, self._environment, limit_s=RECOVERY_LIMIT_S)
        self._note(words[0], ended)
        self.recovery_s = ended.took_s
        if ended.is_stuck:
            self._complain("stuck", f"not ended after {RECOVERY_LIMIT_S:.0f} s: {ended.output[-_OUTPUT_CHARS:]}")
        elif ended.status != 0:
            self._complain("lost", f"the last run ended with {ended.status}: {ended.output[-_OUTPUT_CHARS:]}")
        self.complaints += check_server(self._user, [self._file], len(self.killed_at))
        left = journal_of(self._home)
        if left:
            self._complain("littered", f"the journal still has {left}")
        locks = sorted(path.name for path in (self._home / "uploads").glob("*"))
        if locks:
            self._complain("littered", f"lock files {locks}")

    def _is_known(self) -> bool:
        return bool(journal_of(self._home) or rows(self._user.server, user_id=self._user.id))

    def _note(self, command: str, ended: Ended) -> None:
        how = "stuck" if ended.is_stuck else "killed" if ended.is_killed else f"ended {ended.status}"
        self.story.append(f"{command}: {how} after {ended.took_s:.2f} s at {_place(ended)}")

    def _complain(self, kind: str, what: str) -> None:
        self.complaints.append(Complaint(kind, what))


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
