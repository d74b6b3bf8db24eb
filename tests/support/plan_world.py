"""A model of a server, a line and a computer on which much goes wrong, for walks through the plan of an upload.

Rows and files come and go, unfinished uploads expire, lose bytes and are locked, objects come late or come without
bytes. One seed decides everything; after a while the weather is good. Who acts in it is `plan_walk.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from lorry.core.model import DatasetStatus
from lorry.core.plan import FileState

#: Size of the file.
SIZE = 12
#: Steps with faults; then everything works.
_WEATHER_STEPS = 60


class Unknown(Exception):
    """A run has ended with an error that is tried again; `is_kill`, with the memory of the process."""

    def __init__(self, is_kill: bool = False) -> None:
        super().__init__()
        self.is_kill = is_kill


class Ended(Exception):
    """The walk is over; the text is how."""


@dataclass(frozen=True)
class Facts:
    """What the journal holds."""

    row_seen: bool = False
    cancelling: bool = False
    upload_id: str = ""
    versions: tuple[str, ...] = ()
    restarts: int = 0
    final_sent: bool = False


@dataclass
class Stored:
    """An object; `content` is the version of the file its bytes are of, None when they are missing."""

    size: int
    version: str
    content: int | None


@dataclass
class Unfinished:
    """A resumable upload; `content` as in `Stored`."""

    version: str
    offset: int = 0
    length: int = SIZE
    content: int | None = None
    life: int = 1000
    locked_for: int = 0


class World:
    """What there is of one upload on the server and on this computer."""

    def __init__(self, seed: int) -> None:
        self.steps = self.numbers = 0
        self.chance = random.Random(seed)
        self.damage = self.chance.random() * 0.5
        self.is_resumable = self.chance.random() < 0.75
        #: The server says at once, in its answer, that the object is stored.
        self.tells_completion = self.chance.random() < 0.5
        self.drops_unanswered = self.chance.random() < 0.5
        self.row: DatasetStatus | None = None
        self.object: Stored | None = None
        self.late: list[tuple[int, Stored]] = []
        self.uploads: dict[str, Unfinished] = {}
        #: Version of the file on this computer; 0 is the one that was chosen, None when it is out of reach.
        self.file: int | None = 0
        self.is_file_touched = self.is_row_removed = False

    @property
    def is_fair(self) -> bool:
        return self.steps > _WEATHER_STEPS

    def luck(self, part: float = 1.0) -> bool:
        """True unless this goes wrong."""
        return self.is_fair or self.chance.random() >= self.damage * part

    def turn(self) -> None:
        """Time passes, and things happen that nobody asked for."""
        self.steps += 1
        for at, stored in list(self.late):
            if at <= self.steps:
                self.late.remove((at, stored))
                if self.row is not None and self.object is None:
                    self.object = stored
        for key, upload in list(self.uploads.items()):
            upload.life -= 1
            upload.locked_for = max(0, upload.locked_for - 1)
            if upload.life <= 0:
                del self.uploads[key]
        if self.is_fair:
            return
        if not self.luck(0.05):
            self.file, self.is_file_touched = self.chance.choice([1, None]), True
        elif self.file is None and self.chance.random() < 0.3:
            self.file = 0
        if self.row is DatasetStatus.UPLOADING and not self.luck(0.03):
            self.row, self.object, self.is_row_removed = None, None, True
        for upload in self.uploads.values():
            if not self.luck(0.05):
                upload.life = 1
            if not self.luck(0.05):
                upload.offset = self.chance.randrange(upload.offset + 1)
            if not self.luck(0.05):
                upload.locked_for = 3
            if not self.luck(0.02):
                upload.length = SIZE + 1

    def file_state(self) -> FileState:
        if self.file is None:
            return FileState.OUT_OF_REACH
        return FileState.UNCHANGED if self.file == 0 else FileState.CHANGED

    def name(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind}-{self.numbers}"
