"""The real @tus/server under Deno as a child process, and a whole upload to it that meets whatever goes wrong.

`send_file` does what an upload does with the protocol client: create, send pieces, ask after every fault, start again
when the server has dropped the upload, renew a refused ticket. What it ends with is judged in the tests.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import uuid4

import httpx
from tests.support.deno import deno_environment

from lorry.core.cancel import CancelToken
from lorry.core.checksum import FileHasher
from lorry.core.chunks import ChunkPolicy
from lorry.core.config import ServerConfig
from lorry.core.errors import ErrorCode, LorryError
from lorry.core.model import BUCKET, UploadTicket
from lorry.core.remote.tus import TusApi

SCRIPT = Path(__file__).resolve().parents[1] / "interop" / "tus_server.ts"
#: Faults one upload may meet before it is stuck.
MAX_FAULTS = 40


@dataclass(frozen=True, slots=True)
class HookFault:
    """The `nth` call of a hook (incoming, create, finish) fails; `destroy` also deletes the bytes received."""

    hook: str
    nth: int
    status: int
    body: str
    destroy: bool = False


class TusServer:
    """@tus/server with a folder of its own. Use as a context manager.

    With `storage` it has the path and the ids of a Storage server; with `told` its addresses are where it is reached.
    """

    def __init__(self, deno: str, folder: Path, deno_folder: Path, *, storage: bool = True, told: bool = False) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [deno, "run", "--no-lock", "--no-config", "--quiet", "-A", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=deno_environment(deno_folder),
        )
        settings = {"directory": str(folder), "storage": storage, "told": told}
        self._pipe(self._process.stdin).write(json.dumps(settings) + "\n")
        self._pipe(self._process.stdin).flush()
        line = self._pipe(self._process.stdout).readline()
        if not line:
            with self._process:
                raise AssertionError("the tus server did not start")
        self.port = int(json.loads(line)["port"])

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, faults: Sequence[HookFault] = (), token: str = "") -> None:
        """Forget earlier faults and count anew; `token` is the only one taken from now on, "" any."""
        body = {"faults": [asdict(fault) for fault in faults], "token": token}
        httpx.post(f"{self.url}/control", json=body, trust_env=False).raise_for_status()

    def stored(self, upload_id: str) -> bytes:
        """What the server has of an upload."""
        padded = upload_id + "=" * (-len(upload_id) % 4)
        return (self.folder / base64.urlsafe_b64decode(padded).decode()).read_bytes()

    def close(self) -> None:
        """End the process."""
        self._pipe(self._process.stdin).close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe(self._process.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


def config(url: str) -> ServerConfig:
    """A project at `url`."""
    return ServerConfig.create(url, "public-key")


def new_ticket(signature: str = "good", path: str = "") -> UploadTicket:
    """Leave to send a file to `path`, else to one nobody else has."""
    dataset_id = uuid4()
    path = path or f"{uuid4()}/{dataset_id}/pairs.jsonl"
    url = f"http://127.0.0.1/object/upload/sign/{BUCKET}/{path}?token={signature}"
    return UploadTicket(dataset_id, url, path, datetime.now(UTC) + timedelta(hours=1))


def pieces(data: bytes, block_bytes: int = 1024 * 1024) -> Iterator[bytes]:
    """`data` in blocks."""
    for at in range(0, len(data), block_bytes):
        yield data[at : at + block_bytes]


@dataclass(slots=True)
class Sent:
    """What became of an upload."""

    upload_id: str
    checksums: dict[str, object]
    is_complete: bool
    sent_bytes: int
    errors: list[LorryError]
    creates: int


def send_file(
    tus: TusApi,
    data: bytes,
    ticket: UploadTicket,
    piece_bytes: Callable[[], int] | None = None,
    renew: Callable[[UploadTicket], UploadTicket] | None = None,
) -> Sent:
    """Upload `data`; pieces as the policy says, or as `piece_bytes` does.

    Raises:
        LorryError: what no retry can mend.
    """
    size, policy, token, hasher = len(data), ChunkPolicy(), CancelToken(), FileHasher(len(data))
    sent = Sent("", {}, False, 0, [], 0)

    def count_sent(count: int) -> None:
        sent.sent_bytes += count

    for _ in range(MAX_FAULTS):
        try:
            if not sent.upload_id:
                sent.upload_id, offset = tus.create(ticket, size, "application/x-ndjson", token), 0
                sent.creates += 1
            else:
                offset = tus.offset(ticket, sent.upload_id, token).offset_bytes
            while offset < size:
                count = policy.next_bytes(offset, size)
                count = min(count, piece_bytes()) if piece_bytes else count
                blocks = hasher.passing(pieces(data[offset : offset + count]), offset)
                is_last = offset + count == size
                progress = tus.append(ticket, sent.upload_id, offset, blocks, count, token, count_sent, is_last=is_last)
                policy = policy.after_success(progress.offset_bytes - offset, 1.0)
                offset, sent.is_complete = progress.offset_bytes, progress.is_complete
            sent.checksums = hasher.checksums()
            return sent
        except LorryError as error:
            sent.errors.append(error)
            if error.code is ErrorCode.UPLOAD_GONE:
                sent.upload_id = ""
            elif error.code is ErrorCode.TICKET_EXPIRED and renew is not None:
                ticket = renew(ticket)
            elif not error.retryable:
                raise
            policy = policy.after_fault()
    raise AssertionError(f"stuck after {MAX_FAULTS} faults: {sent.errors[-3:]}")
