"""Sends one file to a tus server as an upload of the program does, in a process of its own so that it can be measured.

The pieces, the checksums, the notes in a journal on disk and the last small piece are the program's own; only the row
and the ticket are left out. Prints what the sending itself took as one JSON object: `wall_s`, `cpu_s` (user + system).

With `--checked` the file's checksums are known from a check, as in the window; they are then compared while sending.

    python -m tests.bench.sending_client SERVER_URL FILE FOLDER [--checked]
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from lorry.core.bandwidth import Bandwidth
from lorry.core.cancel import CancelToken
from lorry.core.checksum import FileHasher
from lorry.core.config import ServerConfig
from lorry.core.model import DatasetDraft, UploadTicket
from lorry.core.progress import Meter
from lorry.core.remote.datasets import DatasetsApi
from lorry.core.remote.functions import FunctionsApi
from lorry.core.remote.http import ApiClient
from lorry.core.remote.objects import ObjectsApi
from lorry.core.remote.put import SignedPut
from lorry.core.remote.tus import TusApi
from lorry.core.sending import Remote, Sender
from lorry.core.source import SourceFile
from lorry.core.store.journal import Journal
from lorry.core.transfers import UploadJob


def main() -> None:
    server_url, file, folder, *options = sys.argv[1:]
    config = ServerConfig.create(server_url, "key")
    dataset_id, user_id = uuid4(), uuid4()
    path = f"{user_id}/{dataset_id}/pairs.jsonl"
    ticket = UploadTicket(dataset_id, f"{server_url}/?token=none", path, datetime.now(UTC) + timedelta(hours=1))
    journal = Journal(Path(folder) / f"{dataset_id}.db")
    with ApiClient(config) as http, SourceFile.open(Path(file)) as source:
        remote = Remote(
            DatasetsApi(config, http),
            ObjectsApi(config, http),
            FunctionsApi(config, http),
            SignedPut(config),
            lambda: TusApi(config),
        )
        draft = DatasetDraft(name="Pairs", file_name="pairs.jsonl", file_size=source.stamp.size_bytes)
        hasher = FileHasher(source.stamp.size_bytes)
        if "--checked" in options:
            hasher.prime(source.blocks(), CancelToken())
        checksums = hasher.checksums() if "--checked" in options else None
        job = UploadJob(dataset_id, config.url, user_id, source.path, draft, source.stamp, path, checksums=checksums)
        journal.add(job)
        meter = Meter(source.stamp.size_bytes)
        sender = Sender(job, remote, journal, Bandwidth(), CancelToken(), meter, lambda: None)
        sender.use_ticket(ticket)
        wall, cpu = time.monotonic(), time.process_time()
        sender.open()
        sender.send(source, 0)
        figures = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
        sender.close()
    journal.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
