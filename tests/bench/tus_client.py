"""Sends one file to a tus server with Lorry's own client, in a process of its own so that it can be measured.

Pieces are those of the chunk policy, and unless told otherwise the checksums are made on the way, as in an upload.
Prints what the sending itself took as one JSON object: `wall_s`, `cpu_s` (user + system, all threads), `requests`.

    python -m tests.bench.tus_client SERVER_URL BASE_PATH FILE [--no-checksums]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from lorry.core.cancel import CancelToken
from lorry.core.checksum import FileHasher
from lorry.core.chunks import ChunkPolicy
from lorry.core.config import ServerConfig
from lorry.core.model import UploadTicket
from lorry.core.progress import Meter
from lorry.core.remote.tus import TusApi
from lorry.core.source import BLOCK_BYTES


def blocks(handle: BinaryIO, count_bytes: int) -> Iterator[bytes]:
    """The next `count_bytes` of the file."""
    while count_bytes:
        block = handle.read(min(BLOCK_BYTES, count_bytes))
        count_bytes -= len(block)
        yield block


def main() -> None:
    server_url, base_path, file, *options = sys.argv[1:]
    size = Path(file).stat().st_size
    ticket = UploadTicket(uuid4(), f"{server_url}/?token=none", f"bench/{uuid4()}/pairs.jsonl", datetime.now(UTC))
    meter, policy, offset, requests = Meter(size), ChunkPolicy(), 0, 0
    hasher = FileHasher(size)
    with Path(file).open("rb", buffering=0) as handle, TusApi(ServerConfig.create(server_url, "key"), base_path) as tus:
        wall, cpu = time.monotonic(), time.process_time()
        upload_id = tus.create(ticket, size, "application/x-ndjson")
        while offset < size:
            count, began = policy.next_bytes(offset, size), time.monotonic()
            body = blocks(handle, count)
            body = body if "--no-checksums" in options else hasher.passing(body, offset)
            is_last = offset + count == size
            progress = tus.append(
                ticket, upload_id, offset, body, count, CancelToken(), meter.add_sent, is_last=is_last
            )
            policy = policy.after_success(count, time.monotonic() - began)
            offset, requests = progress.offset_bytes, requests + 1
        figures = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu, "requests": requests}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
