"""Rows as a server would send them, and uploads as the engine would show them: plain values for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from lorry.core.errors import LorryError
from lorry.core.model import Dataset, DatasetDraft, DatasetPage, DatasetQuery
from lorry.core.transfers import Phase, Progress, Transfer, TransferState

USER = UUID("00000000-0000-4000-8000-000000000001")
NOON = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
#: Would load a picture, or hide what follows, wherever text is taken for markup.
MARKUP_NAME = '<img src="http://127.0.0.1:9/canary.png"> <b>bold</b>'
#: Would turn the rest of the line around.
BIDI_NAME = "invoice\u202elnosj.exe"


def dataset(name: str = "Couples and money", status: str = "ready", **columns: Any) -> Dataset:
    """A row; `age` in days makes it older."""
    dataset_id = columns.pop("id", None) or uuid4()
    age = timedelta(days=columns.pop("age", 0))
    findings = columns.pop("findings", [])
    counts = columns.pop("counts", None)
    values: dict[str, Any] = {
        "id": dataset_id,
        "user_id": USER,
        "name": name,
        "format": "brightrun_lora_v4",
        "status": status,
        "storage_path": f"{USER}/{dataset_id}/data.jsonl",
        "file_name": "data.jsonl",
        "file_size": 48_700_000,
        "total_training_pairs": 5418 if status == "ready" else None,
        "created_at": NOON - age,
        "updated_at": NOON - age,
        **columns,
    }
    if counts is not None:
        values["validation_errors"] = {"counts": counts, "findings": findings}
    return Dataset.model_validate(values)


def page(datasets: list[Dataset], query: DatasetQuery | None = None, total: int | None = None) -> DatasetPage:
    """One page of a list."""
    return DatasetPage(tuple(datasets), len(datasets) if total is None else total, query or DatasetQuery(), NOON)


def transfer(
    name: str = "Job-loss triage",
    state: TransferState = TransferState.RUNNING,
    phase: Phase = Phase.UPLOADING,
    *,
    percent: int = 0,
    stored: int | None = None,
    size_bytes: int = 364_900_000,
    dataset_id: UUID | None = None,
    error: LorryError | None = None,
    row: Dataset | None = None,
    rate_bps: float = 0.0,
    remaining_s: float | None = None,
    **changes: Any,
) -> Transfer:
    """An upload of this computer; `percent` of it is sent, `stored` of it on the server (None: a small file's PUT)."""
    progress = Progress(
        size_bytes,
        sent_bytes=-(-size_bytes * percent // 100),
        stored_bytes=-(-size_bytes * (stored or 0) // 100),
        rate_bps=rate_bps,
        remaining_s=remaining_s,
        history_bps=(rate_bps,) if rate_bps else (),
        is_resumable=stored is not None,
    )
    return Transfer(
        dataset_id=dataset_id or (row.id if row else uuid4()),
        path=Path("/data/job-loss.jsonl"),
        draft=DatasetDraft(name=name, file_name="job-loss.jsonl", file_size=size_bytes),
        state=state,
        phase=phase,
        progress=progress,
        error=error,
        dataset=row,
        **changes,
    )
