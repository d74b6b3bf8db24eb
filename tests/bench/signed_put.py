"""Sends one file to one signed URL with Lorry's own transfer code, in a process of its own so that it can be measured.

Prints what the sending itself took as one JSON object: `wall_s` and `cpu_s` (user + system, all threads).

    python -m tests.bench.signed_put SERVER_URL PUBLIC_KEY UPLOAD_URL FILE
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from lorry.core.cancel import CancelToken
from lorry.core.config import ServerConfig
from lorry.core.model import UploadTicket
from lorry.core.progress import Meter
from lorry.core.remote.put import SignedPut
from lorry.core.source import SourceFile


def main() -> None:
    server_url, key, upload_url, file = sys.argv[1:]
    config = ServerConfig.create(server_url, key)
    ticket = UploadTicket(uuid4(), upload_url, "", datetime.now(UTC))
    with SourceFile.open(Path(file)) as source:
        size = source.stamp.size_bytes
        meter = Meter(size)
        wall, cpu = time.monotonic(), time.process_time()
        SignedPut(config).send(ticket, source.blocks(), size, source.path.name, CancelToken(), meter.add_sent)
        print(json.dumps({"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
