"""Unfinished resumable uploads on disk: one file of facts and one of bytes for each.

The offset of an upload is the size of its bytes and is kept nowhere else, so no crash can make the two
differ. Facts are written at creation, when a length left open is declared, and when the object was made.
All calls block (run them in `object_files`' threads), one at a time for each upload.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lorry.local_server.object_files import BLOCK_BYTES, IncomingFile, LaggingDigest, ObjectFiles, sync_folder
from lorry.local_server.workspace_files import read_json, write_private_json

# Nobody comes back for an upload after this time; without a limit cancelled ones would fill the disk.
ABANDONED_S = 30 * 24 * 3600
_DIGESTS_MAX = 16
_VERSION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadFacts:
    """What is known of an upload besides its bytes; `length_bytes` is None until it was declared."""

    version: str
    bucket_id: str
    key: str
    owner: str | None
    length_bytes: int | None
    metadata_header: str
    may_replace: bool
    created_s: float
    is_finished: bool = False

    @property
    def path(self) -> str:
        """Bucket and key, as tokens and upload ids name them."""
        return f"{self.bucket_id}/{self.key}"


class TusStore:
    """The folder of unfinished uploads; `life_s` is how long one may be continued, None for ever."""

    def __init__(self, files: ObjectFiles, life_s: int | None) -> None:
        self._files = files
        self._folder = files.resumable
        self.life_s = life_s
        # Digests of the bytes so far; one that is missing here is made by reading at the end.
        self._digests: dict[str, LaggingDigest] = {}

    def create(self, facts: UploadFacts) -> None:
        """Make an empty upload durable; raises OSError."""
        self._bytes_path(facts).touch(mode=0o600, exist_ok=False)
        self._write(facts)

    def find(self, version: str) -> UploadFacts | None:
        """The facts of an upload, None when there is none."""
        if not _VERSION.fullmatch(version):
            return None
        document = read_json(self._facts_path(version))
        try:
            return UploadFacts(**document)
        except TypeError:
            if document:
                _LOG.warning("the facts of the resumable upload %s cannot be read", version)
            return None

    def declare_length(self, facts: UploadFacts, length_bytes: int) -> UploadFacts:
        """Make the length known that was left open at creation; raises OSError."""
        declared = replace(facts, length_bytes=length_bytes)
        self._write(declared)
        return declared

    def mark_finished(self, facts: UploadFacts) -> None:
        """Note that the object was made, so that one deleted later is never made again; raises OSError."""
        self._write(replace(facts, is_finished=True))

    def offset(self, facts: UploadFacts) -> int | None:
        """How many bytes are safely on disk, here or in the object's place; None when they are gone."""
        try:
            with self._bytes_path(facts).open("rb") as file:
                # What a killed server wrote and never synced must not be promised.
                os.fsync(file.fileno())
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            pass
        try:
            return self._files.path_of(facts.version, facts.key).stat().st_size
        except FileNotFoundError:
            return None

    def is_here(self, facts: UploadFacts) -> bool:
        """Whether the bytes have not been moved to the object's place yet."""
        return self._bytes_path(facts).exists()

    def expires_s(self, facts: UploadFacts) -> float | None:
        """When the upload ends, in seconds of the epoch; a PATCH does not move it."""
        return None if self.life_s is None else facts.created_s + self.life_s

    def is_expired(self, facts: UploadFacts) -> bool:
        """Whether the upload's time is over."""
        ends_s = self.expires_s(facts)
        return ends_s is not None and ends_s <= time.time()

    def append(self, facts: UploadFacts) -> IncomingFile:
        """Open the bytes for more of them; raises OSError."""
        # Gone from the store while the upload grows: should that fail half-way, it fits no longer.
        digest = self._digests.pop(facts.version, None) or LaggingDigest()
        return IncomingFile(self._bytes_path(facts), digest)

    def appended(self, facts: UploadFacts, incoming: IncomingFile) -> int:
        """Sync and close what `append` opened; returns the upload's size. Raises OSError."""
        incoming.sync()
        incoming.close()
        if incoming.digest.size_bytes == incoming.size_bytes:
            self._digests[facts.version] = incoming.digest
            if len(self._digests) > _DIGESTS_MAX:
                # A tuple is made in one go; other threads may add meanwhile.
                oldest, *_ = tuple(self._digests)
                self._digests.pop(oldest, None)
        return incoming.size_bytes

    def place(self, facts: UploadFacts) -> tuple[str, int]:
        """Move complete bytes to the object's place, if they are not there; returns their MD5 and size."""
        path = self._files.path_of(facts.version, facts.key)
        if self.is_here(facts):
            self._files.adopt(self._bytes_path(facts), facts.version, facts.key)
            sync_folder(self._folder)
        size_bytes = path.stat().st_size
        digest = self._digests.pop(facts.version, None)
        if digest is None or digest.size_bytes != size_bytes:
            digest = _digest_of(path)
        return digest.hexdigest(), size_bytes

    def drop_bytes(self, facts: UploadFacts) -> None:
        """Delete the bytes and keep the facts, so that whoever asks learns that they existed."""
        self._digests.pop(facts.version, None)
        self._bytes_path(facts).unlink(missing_ok=True)
        self._files.remove(facts.version, facts.key)

    def terminate(self, facts: UploadFacts) -> None:
        """Delete an unfinished upload, facts last."""
        self._digests.pop(facts.version, None)
        self._bytes_path(facts).unlink(missing_ok=True)
        self._facts_path(facts.version).unlink(missing_ok=True)
        sync_folder(self._folder)

    def all(self) -> Iterator[UploadFacts]:
        """Every upload there are readable facts of."""
        for path in sorted(self._folder.glob("*.json")):
            facts = self.find(path.stem)
            if facts is not None:
                yield facts

    def sweep_expired(self, facts: UploadFacts) -> None:
        """Delete the bytes of an upload whose time is over, and in the end its facts."""
        if self.is_expired(facts) and self.is_here(facts):
            self._digests.pop(facts.version, None)
            self._bytes_path(facts).unlink(missing_ok=True)
        bytes_path = self._bytes_path(facts)
        touched_s = bytes_path.stat().st_mtime if bytes_path.exists() else facts.created_s + (self.life_s or 0)
        if time.time() - touched_s > ABANDONED_S:
            self.terminate(facts)

    def sweep_strays(self) -> None:
        """Delete what a crash left half-made: bytes without facts, facts never finished. Only at start."""
        for path in self._folder.iterdir():
            is_facts = path.suffix == ".json"
            if not is_facts and not (path.suffix == ".part" and self._facts_path(path.stem).exists()):
                path.unlink(missing_ok=True)

    def _write(self, facts: UploadFacts) -> None:
        write_private_json(self._facts_path(facts.version), asdict(facts))
        sync_folder(self._folder)

    def _facts_path(self, version: str) -> Path:
        return self._folder / f"{version}.json"

    def _bytes_path(self, facts: UploadFacts) -> Path:
        return self._folder / f"{facts.version}.part"


def _digest_of(path: Path) -> LaggingDigest:
    digest = LaggingDigest()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            digest.add([block])
    return digest
