"""The `datasets` table and its functions through PostgREST, as the signed-in user. Row-level security decides.

Rows are validated one by one: a row that makes no sense is counted and left out, never the reason to lose the page.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from postgrest import APIResponse, CountMethod, SyncPostgrestClient
from pydantic import ValidationError

from lorry.core.config import ServerConfig
from lorry.core.errors import ConflictError, ErrorCode, ProtocolError, RejectedError
from lorry.core.model import BUCKET, Dataset, DatasetDraft, DatasetPage, DatasetQuery
from lorry.core.remote.answers import understanding

log = logging.getLogger(__name__)

#: What a list needs; the conversations of `sample_data` stay on the server until one dataset is opened.
LIST_COLUMNS = (
    "id,user_id,name,description,format,status,storage_bucket,storage_path,file_name,file_size,"
    "total_training_pairs,total_validation_pairs,total_tokens,avg_turns_per_conversation,avg_tokens_per_turn,"
    "training_ready,validated_at,validation_errors,error_message,created_at,updated_at,deleted_at"
)
#: More datasets of the same content than this are not named.
_MOST_SAME = 10


class DatasetsApi:
    """Reads and writes dataset rows. Every method may raise what `remote/answers.py` maps."""

    def __init__(self, config: ServerConfig, http: httpx.Client) -> None:
        self._rest = SyncPostgrestClient(f"{config.url}/rest/v1", headers={}, http_client=http, retry_enabled=False)

    def insert(self, dataset_id: UUID, user_id: UUID, storage_path: str, draft: DatasetDraft) -> Dataset:
        """Make the row with status 'uploading'. Repeating it with the same values is harmless.

        Raises:
            ConflictError: another row has this id or path.
        """
        values = {
            "id": str(dataset_id),
            "user_id": str(user_id),
            "name": draft.name,
            "description": draft.description,
            "format": draft.format.value,
            "status": "uploading",
            "storage_bucket": BUCKET,
            "storage_path": storage_path,
            "file_name": draft.file_name,
            "file_size": draft.file_size,
        }
        try:
            return _one(self._rest.table("datasets").insert(values))
        except ConflictError:
            existing = self.find(dataset_id)
            if existing is None or (existing.storage_path, existing.file_size) != (
                storage_path,
                draft.file_size,
            ):
                raise
            return existing

    def find(self, dataset_id: UUID) -> Dataset | None:
        """The row, or None when it does not exist or is not the user's."""
        rows = _rows(_run(self._rest.table("datasets").select("*").eq("id", str(dataset_id))))
        return _parse(rows[0]) if rows else None

    def get(self, dataset_id: UUID) -> Dataset:
        """The row. Raises RejectedError NOT_FOUND when there is none the user may see."""
        dataset = self.find(dataset_id)
        if dataset is None:
            raise RejectedError(ErrorCode.NOT_FOUND, f"no dataset {dataset_id}")
        return dataset

    def find_same_content(self, sha256: str) -> tuple[Dataset, ...]:
        """The user's datasets whose whole file has this SHA-256 (lower-case hex), newest first, at most ten."""
        request: Any = self._rest.table("datasets").select(LIST_COLUMNS).eq("checksums->>whole", sha256)
        answer = _run(request.is_("deleted_at", "null").order("created_at", desc=True).limit(_MOST_SAME))
        return tuple(_parse(row) for row in _rows(answer))

    def list(self, query: DatasetQuery) -> DatasetPage:
        """One page of the user's datasets, newest first, deleted ones left out."""
        if query.search:
            # A pattern filter cannot express a literal `*`, so text goes in as a function's parameter.
            request: Any = self._rest.rpc(
                "search_datasets", {"p_search": query.search}, count=CountMethod.exact
            ).select(LIST_COLUMNS)
        else:
            request = self._rest.table("datasets").select(LIST_COLUMNS, count=CountMethod.exact)
        request = request.is_("deleted_at", "null")
        if query.status:
            request = request.eq("status", query.status.value)
        if query.format:
            request = request.eq("format", query.format.value)
        first = (query.page - 1) * query.limit
        try:
            answer = _run(request.order("created_at", desc=True).order("id").limit(query.limit).offset(first))
        except RejectedError as error:
            if first == 0 or error.context.get("field") != "page":
                raise
            # A server refuses a page beyond the end instead of giving an empty one.
            total = self.list(replace(query, page=1, limit=1)).total
            return DatasetPage((), total, query, datetime.now(UTC))
        if answer.count is None:
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "a list without its total")
        datasets, unreadable = [], 0
        for row in _rows(answer):
            try:
                datasets.append(Dataset.model_validate(row))
            except ValidationError as error:
                unreadable += 1
                log.info("a row was left out: %d problems", error.error_count())
        return DatasetPage(tuple(datasets), answer.count, query, datetime.now(UTC), unreadable)

    def update(self, dataset_id: UUID, values: dict[str, str | None]) -> Dataset:
        """Change name, description or deleted_at and return the row.

        Raises:
            RejectedError: NOT_FOUND when no row of the user was changed.
        """
        rows = _rows(_run(self._rest.table("datasets").update(values).eq("id", str(dataset_id))))
        if not rows:
            raise RejectedError(ErrorCode.NOT_FOUND, f"no dataset {dataset_id}")
        return _parse(rows[0])

    def confirm(self, dataset_id: UUID, checksums: dict[str, object] | None = None) -> Dataset:
        """Tell the server that all bytes are there; it checks for itself and sets 'validating'. Repeatable.

        `checksums` (see `checksum.py`) are what the validation compares the stored object with.

        Raises:
            RejectedError: NOT_FOUND, OBJECT_MISSING or OBJECT_DIFFERS.
        """
        more = {"p_checksums": checksums} if checksums is not None else {}
        return self._call("confirm_dataset_upload", dataset_id, more)

    def revalidate(self, dataset_id: UUID) -> Dataset:
        """Ask for another validation of a dataset that ended in 'error'."""
        return self._call("revalidate_dataset", dataset_id)

    def purge(self, dataset_id: UUID) -> None:
        """Remove the row for good; the server refuses while its object exists. Nothing there is success."""
        try:
            _run(self._rest.rpc("purge_dataset", {"p_id": str(dataset_id)}))
        except RejectedError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise

    def limits(self) -> dict[str, Any]:
        """The bucket's limits as the project tells them: `file_size_limit`, `allowed_mime_types`, `schema_version`."""
        data: Any = _run(self._rest.rpc("upload_limits", {})).data
        entry = data[0] if isinstance(data, list) and data else data
        if not isinstance(entry, dict):
            raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "upload_limits gave no object")
        return entry

    def _call(self, function: str, dataset_id: UUID, more: dict[str, Any] | None = None) -> Dataset:
        return _one(self._rest.rpc(function, {"p_id": str(dataset_id)} | (more or {})))


def _run(request: Any) -> APIResponse:
    with understanding("rows"):
        answer: APIResponse = request.execute()
        return answer


def _rows(answer: APIResponse) -> list[dict[str, Any]]:
    data: Any = answer.data
    if isinstance(data, dict):
        return [data]
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, "rows expected")
    return data


def _one(request: Any) -> Dataset:
    rows = _rows(_run(request))
    if len(rows) != 1:
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"{len(rows)} rows where one was expected")
    return _parse(rows[0])


def _parse(row: dict[str, Any]) -> Dataset:
    try:
        return Dataset.model_validate(row)
    except ValidationError as error:
        raise ProtocolError(ErrorCode.UNEXPECTED_ANSWER, f"a row with {error.error_count()} bad fields") from error
