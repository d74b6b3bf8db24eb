"""The function `/functions/v1/validate-dataset`: checks a confirmed upload and writes the verdict.

The request only starts the work; it runs in the background, one run for each dataset, in `core.checks`' own
process, and ends in the service-only SQL function `finish_validation`. Rows left in 'validating' by a stop are
taken up again at the next start. Event loop thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lorry.local_server import storage_rows
from lorry.local_server.gateway_state import state_of
from lorry.local_server.object_files import ObjectFiles
from lorry.local_server.role_connections import RoleConnections
from lorry.local_server.tokens import TokenError, role_of

KEPT_FINDINGS = 100
KEPT_SAMPLES = 3
MAX_AT_ONCE = 2
_SERVICE = {"role": "service_role"}
_LOG = logging.getLogger(__name__)


class CheckFailed(Exception):
    """The check process ended without a report; its last words are the message."""


@dataclass
class Validations:
    """The running validations of this server."""

    connections: RoleConnections
    files: ObjectFiles
    _running: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))

    def start(self, dataset_id: UUID) -> None:
        """Begin validating a dataset; does nothing while it is being validated already."""
        if dataset_id in self._running:
            return
        task = asyncio.create_task(self._validate(dataset_id), name=f"validate-{dataset_id}")
        self._running[dataset_id] = task
        task.add_done_callback(lambda _done: self._running.pop(dataset_id, None))

    async def start_waiting(self) -> int:
        """Begin every validation that is due; returns how many are."""
        async with self.connections.as_claims(_SERVICE, read_only=True) as connection:
            cursor = await connection.execute(
                "select id from public.datasets where status = 'validating' order by updated_at"
            )
            rows = await cursor.fetchall()
        for row in rows:
            self.start(row["id"])
        return len(rows)

    async def close(self) -> None:
        """Stop all runs; their rows stay in 'validating' and are taken up at the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _validate(self, dataset_id: UUID) -> None:
        try:
            async with self._places:
                row = await self._row(dataset_id)
                if row is not None and row["status"] == "validating":
                    await self._finish(row, await self._verdict(row))
        except psycopg.Error:
            _LOG.exception("validation of %s could not be recorded", dataset_id)

    async def _row(self, dataset_id: UUID) -> DictRow | None:
        async with self.connections.as_claims(_SERVICE, read_only=True) as connection:
            cursor = await connection.execute("select * from public.datasets where id = %s", [dataset_id])
            return await cursor.fetchone()

    async def _verdict(self, row: DictRow) -> dict[str, Any]:
        """The result for `finish_validation`; size, version and checksum are compared before anything else."""
        stored = await storage_rows.find(self.connections, row["storage_bucket"], row["storage_path"])
        metadata = (stored or {}).get("metadata") or {}
        if stored is None or "eTag" not in metadata:
            return _failure("The file is not in storage any more. Upload it again as a new dataset.")
        if metadata.get("size") != row["file_size"] or stored["version"] != row["object_version"]:
            return _failure("The stored file is not the one that was confirmed. Upload it again as a new dataset.")
        path = self.files.path_of(stored["version"], stored["name"])
        try:
            expected = (row["checksums"] or {}).get("whole")
            if expected is not None and await self.files.run(lambda: _sha256(path)) != expected:
                return _failure("The stored bytes differ from the file that was chosen. Upload it again.")
            return _result(await _check(path, row["format"]))
        except (CheckFailed, OSError):
            _LOG.exception("check of dataset %s failed", row["id"])
            return _failure("The check could not be completed. Validate the dataset again.")

    async def _finish(self, row: DictRow, result: dict[str, Any]) -> None:
        async with self.connections.as_claims(_SERVICE) as connection:
            await connection.execute(
                "select public.finish_validation(%s, %s, %s::jsonb)",
                [row["id"], row["object_version"], json.dumps(result)],
            )


def routes() -> list[Route]:
    """Routes below `/functions/v1`."""
    return [
        Route("/validate-dataset", _validate_dataset, methods=["POST"]),
        Route("/{name:path}", _unknown, methods=["GET", "POST"]),
    ]


async def _unknown(_request: Request) -> Response:
    return JSONResponse({"code": "NOT_FOUND", "message": "Requested function was not found"}, 404)


async def _validate_dataset(request: Request) -> Response:
    state = state_of(request)
    if "authorization" not in request.headers:
        return JSONResponse({"code": 401, "message": "Missing authorization header"}, 401)
    try:
        claims = state.claims_of(request)
        role = role_of(claims)
    except TokenError:
        return JSONResponse({"code": 401, "message": "Invalid JWT"}, 401)
    try:
        body = json.loads(await request.body() or b"{}")
        dataset_id = UUID(body["dataset_id"]) if "dataset_id" in body else None
    except (ValueError, TypeError, AttributeError):
        return _refusal(400, "dataset_id must be a UUID")
    if dataset_id is None:
        if role != "service_role":
            return _refusal(400, "dataset_id is missing")
        return _accepted("validating", waiting=await state.validations.start_waiting())
    try:
        async with state.connections.as_claims(claims, read_only=True) as connection:
            cursor = await connection.execute("select status from public.datasets where id = %s", [dataset_id])
            row = await cursor.fetchone()
    except psycopg.errors.InsufficientPrivilege:
        row = None
    if row is None:
        return _refusal(404, "Dataset not found")
    if row["status"] == "uploading":
        return _refusal(409, "The upload of this dataset is not confirmed yet")
    if row["status"] == "validating":
        state.validations.start(dataset_id)
    return _accepted(row["status"])


def _accepted(status: str, **more: int) -> Response:
    return JSONResponse({"success": True, "data": {"status": status, **more}}, 202)


def _refusal(http_status: int, error: str) -> Response:
    return JSONResponse({"error": error, "details": None}, http_status)


async def _check(path: Path, dataset_format: str) -> dict[str, Any]:
    """Run the checks on a file in a process of their own; raises CheckFailed, OSError.

    A plain Popen read in a thread: asyncio's subprocesses do not exist on the loop psycopg needs on Windows.
    """
    command = [sys.executable, "-m", "lorry.core.checks.worker", str(path), "--format", dataset_format]
    with (
        TemporaryFile() as last_words,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module, one path of ours and a checked word
            [*command, "--stop-on-stdin-eof"],
            # Our end closes however we end, and the check ends with it.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=last_words,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as process,
    ):
        try:
            output = await asyncio.to_thread(process.stdout.read) if process.stdout else b""
            await asyncio.to_thread(process.wait)
        finally:
            process.kill()
        try:
            messages = [json.loads(line) for line in output.splitlines()]
        except ValueError as error:
            raise CheckFailed(str(error)) from error
        reports = [message["report"] for message in messages if "report" in message]
        if not reports:
            last_words.seek(0)
            raise CheckFailed(last_words.read()[-2000:].decode("utf-8", "replace"))
        return dict(reports[-1])


def _result(report: dict[str, Any]) -> dict[str, Any]:
    """A report in the columns of the table: errors decide the verdict, warnings never do."""
    counts, statistics = report["counts"], report["statistics"]
    errors = int(counts.get("error", 0))
    noun = "error" if errors == 1 else "errors"
    return {
        "status": "error" if errors else "ready",
        "total_training_pairs": statistics.get("training_pairs"),
        "total_tokens": statistics.get("tokens"),
        "avg_turns_per_conversation": statistics.get("avg_turns_per_conversation"),
        "avg_tokens_per_turn": statistics.get("avg_tokens_per_turn"),
        "validation_errors": {
            "counts": counts,
            "total": report.get("findings_total"),
            "findings": report["findings"][:KEPT_FINDINGS],
        },
        "sample_data": report.get("sample", [])[:KEPT_SAMPLES],
        "error_message": f"The file has {errors} {noun}." if errors else None,
    }


def _failure(message: str) -> dict[str, Any]:
    return {"status": "error", "error_message": message}


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
