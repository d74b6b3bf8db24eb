"""The rows of the table: one page of the server with the uploads of this computer merged in."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot
from tests.gui.samples import BIDI_NAME, MARKUP_NAME, dataset, page, transfer

from lorry.core.errors import ErrorCode, SourceError
from lorry.core.model import DatasetFormat, DatasetQuery, DatasetStatus
from lorry.core.transfers import Phase, TransferState
from lorry.gui.datasets.rows import Column
from lorry.gui.datasets.table_model import DatasetTableModel, Role, spans


def names(model: DatasetTableModel) -> list[str]:
    return [row.name for row in model.rows]


def words(model: DatasetTableModel) -> list[str]:
    return [row.badge.word for row in model.rows]


class Changes:
    """The spans of `dataChanged`, as (first row, last row, first column, last column)."""

    def __init__(self, model: DatasetTableModel) -> None:
        self.spans: list[tuple[int, int, int, int]] = []
        model.dataChanged.connect(self._note)

    def _note(self, first: QModelIndex, last: QModelIndex) -> None:
        self.spans.append((first.row(), last.row(), first.column(), last.column()))


@pytest.fixture
def model(qtmodeltester: ModelTester) -> DatasetTableModel:
    made = DatasetTableModel()
    qtmodeltester.check(made)
    return made


def test_uploads_stand_above_the_page_the_newest_first(model: DatasetTableModel) -> None:
    model.set_page(page([dataset("Old")]))
    model.set_transfers([transfer("First"), transfer("Second", TransferState.WAITING, Phase.CHECKING)])
    assert names(model) == ["Second", "First", "Old"]
    assert words(model) == ["Waiting", "Uploading 0 %", "Ready"]
    assert model.extra_count == 2


def test_an_upload_the_server_already_lists_is_one_row(model: DatasetTableModel) -> None:
    listed = dataset("Listed", "uploading")
    model.set_page(page([dataset("Newer"), listed]))
    model.set_transfers([transfer("Listed", percent=62, dataset_id=listed.id)])
    assert names(model) == ["Newer", "Listed"]
    assert words(model) == ["Ready", "Uploading 62 %"]
    assert model.extra_count == 0


def test_an_unfinished_row_of_another_computer_is_incomplete(model: DatasetTableModel) -> None:
    model.set_page(page([dataset(status="uploading")]))
    assert words(model) == ["Incomplete"]


def test_a_failed_upload_says_so_until_it_is_dismissed(model: DatasetTableModel) -> None:
    failed = transfer(state=TransferState.FAILED, error=SourceError(ErrorCode.FILE_CHANGED))
    model.set_page(page([]))
    model.set_transfers([failed])
    assert words(model) == ["Failed"]
    model.set_transfers([])
    assert model.rowCount() == 0


def test_after_confirming_the_row_moves_to_ready_where_it_stands(model: DatasetTableModel) -> None:
    model.set_page(page([dataset("Other")]))
    running = transfer("Mine", percent=99)
    model.set_transfers([running])
    row = dataset("Mine", "validating", id=running.dataset_id)
    model.set_transfers([transfer("Mine", TransferState.DONE, Phase.VALIDATING, dataset_id=row.id, row=row)])
    assert (names(model), words(model)) == (["Mine", "Other"], ["Validating", "Ready"])
    ready = dataset("Mine", "ready", id=row.id, age=-1, counts={"warning": 2})
    assert model.put_dataset(ready)
    assert words(model) == ["Ready", "Ready"]
    assert model.row(0).warnings == 2
    # The upload keeps the row it saw last; that older one must not come back.
    model.set_transfers([transfer("Mine", TransferState.DONE, Phase.VALIDATING, dataset_id=row.id, row=row)])
    assert words(model) == ["Ready", "Ready"]


def test_progress_changes_only_the_badges_in_one_span_per_run_of_rows(model: DatasetTableModel) -> None:
    uploads = [transfer(f"Upload {number}", percent=10) for number in range(5)]
    model.set_page(page([dataset("Last")]))
    model.set_transfers(uploads)
    changes = Changes(model)
    moved = [
        transfer(one.draft.name, percent=11 if number != 2 else 10, dataset_id=one.dataset_id)
        for number, one in enumerate(uploads)
    ]
    model.set_transfers(moved)
    status = Column.STATUS
    assert changes.spans == [(0, 1, status, status), (3, 4, status, status)]


def test_progress_within_one_percent_is_not_a_change(model: DatasetTableModel) -> None:
    one = transfer(percent=10)
    model.set_transfers([one])
    changes = Changes(model)
    model.set_transfers([transfer(percent=10, dataset_id=one.dataset_id)])
    assert changes.spans == []


def test_the_same_rows_again_are_changed_in_place(model: DatasetTableModel, qtbot: QtBot) -> None:
    rows = [dataset("One"), dataset("Two"), dataset("Three")]
    model.set_page(page(rows))
    changes = Changes(model)
    with qtbot.assertNotEmitted(model.modelReset):
        model.set_page(page([rows[0], rows[1].model_copy(update={"name": "Deux"}), rows[2]]))
    assert names(model) == ["One", "Deux", "Three"]
    assert changes.spans == [(1, 1, 0, len(Column) - 1)]


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        (DatasetQuery(), True),
        (DatasetQuery(page=2), False),
        (DatasetQuery(search="JOB-loss"), True),
        (DatasetQuery(search="50%"), False),
        (DatasetQuery(status=DatasetStatus.UPLOADING), True),
        (DatasetQuery(status=DatasetStatus.READY), False),
        (DatasetQuery(format=DatasetFormat.BRIGHTRUN_LORA_V4), True),
        (DatasetQuery(format=DatasetFormat.BRIGHTRUN_LORA_V3), False),
    ],
)
def test_an_upload_is_shown_only_where_the_page_was_asked_for_it(
    model: DatasetTableModel, query: DatasetQuery, is_shown: bool
) -> None:
    model.set_transfers([transfer("Job-loss triage")])
    model.set_page(page([], query))
    assert names(model) == (["Job-loss triage"] if is_shown else [])


def test_an_ended_upload_does_not_bring_a_deleted_row_back(model: DatasetTableModel) -> None:
    row = dataset("Gone")
    model.set_page(page([row]))
    model.set_transfers([transfer("Gone", TransferState.DONE, Phase.VALIDATING, row=row)])
    model.remove(row.id)
    model.set_page(page([]))
    model.set_transfers([transfer("Gone", TransferState.DONE, Phase.VALIDATING, row=row)])
    assert model.rowCount() == 0


def test_a_row_of_nobody_is_not_taken_in(model: DatasetTableModel) -> None:
    model.set_page(page([dataset()]))
    assert not model.put_dataset(dataset("Stranger"))
    assert model.rowCount() == 1


def test_every_cell_says_the_same_to_eye_and_ear(model: DatasetTableModel) -> None:
    model.set_page(page([dataset(counts={"warning": 7}), dataset("Young", "validating")]))
    for row in range(model.rowCount()):
        for column in Column:
            index = model.index(row, column)
            shown = index.data()
            spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
            assert spoken == "unknown" if shown == "–" else spoken.startswith(shown)
    assert model.index(0, Column.STATUS).data(Qt.ItemDataRole.AccessibleTextRole) == "Ready, 7 warnings"


@pytest.mark.parametrize(
    ("name", "shown"), [(MARKUP_NAME, MARKUP_NAME), (BIDI_NAME, "invoice‹U+202E›lnosj.exe"), ("a\nb", "a␊b")]
)
def test_names_are_shown_literally_and_tooltips_escaped(model: DatasetTableModel, name: str, shown: str) -> None:
    model.set_page(page([dataset(name)]))
    index = model.index(0, Column.NAME)
    assert index.data() == shown
    tooltip = index.data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tooltip
    assert "\u202e" not in tooltip


def test_spans_join_what_touches() -> None:
    assert spans([]) == []
    assert spans([5, 1, 2, 3, 9]) == [(1, 3), (5, 5), (9, 9)]


def test_finding_and_changing_one_of_100_000_rows_does_not_walk_them_all() -> None:
    model = DatasetTableModel()
    rows = [dataset(f"Row {number}") for number in range(2_000)]
    copies = [rows[number % 2_000].model_copy(update={"id": uuid4()}) for number in range(100_000)]
    model.set_page(page(copies))
    changed = [copies[number].model_copy(update={"name": "Changed"}) for number in range(0, 100_000, 100)]

    def seconds(what: list) -> float:  # type: ignore[type-arg]
        began = time.perf_counter()
        for one in what:
            assert model.put_dataset(one)
        return time.perf_counter() - began

    large = seconds(changed)
    small_model_rows = copies[:1_000]
    model.set_page(page(small_model_rows))
    small = seconds([one.model_copy(update={"name": "Changed"}) for one in small_model_rows])
    # A thousand changes each; a walk over all rows would make the first a hundred times slower.
    assert large < 20 * small
    assert model.index(0, 0).data(Role.ROW).name == "Changed"


def test_an_upload_shows_when_it_began_until_the_server_says(model: DatasetTableModel) -> None:
    model.set_page(page([]))
    running = transfer("New", percent=5)
    model.set_transfers([running])
    assert model.row(0).text(Column.CREATED).startswith("Today ")
    began = model.row(0).created_at
    model.set_transfers([transfer("New", percent=6, dataset_id=running.dataset_id)])
    assert model.row(0).created_at == began
    row = dataset("New", "uploading", id=running.dataset_id)
    model.set_page(page([row]))
    assert model.row(0).created_at == row.created_at
