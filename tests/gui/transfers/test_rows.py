"""The rows of the transfers panel: what they say in each state, and how few changes are told for how many uploads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot
from tests.gui.samples import BIDI_NAME, transfer

from lorry.core.errors import ErrorCode, LorryError, NetworkError, RejectedError, ServerError, SourceError
from lorry.core.transfers import Phase, RestartReason, Transfer, TransferState, WaitReason
from lorry.gui.transfers.cells import Column
from lorry.gui.transfers.lines import RowAction, bar_of, counts, line_of, total_rate
from lorry.gui.transfers.model import LINGER_S, Role, TransferTableModel

PAUSED, WAITING, FAILED, DONE = (
    TransferState.PAUSED,
    TransferState.WAITING,
    TransferState.FAILED,
    TransferState.DONE,
)
LOST = NetworkError(ErrorCode.CONNECTION_LOST)


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(qtmodeltester: ModelTester, clock: Clock) -> TransferTableModel:
    made = TransferTableModel(clock=clock)
    qtmodeltester.check(made)
    return made


class Changes:
    """The spans of `dataChanged`: (first row, last row, whether the words changed)."""

    def __init__(self, model: TransferTableModel) -> None:
        self.spans: list[tuple[int, int, bool]] = []
        model.dataChanged.connect(self._note)

    def _note(self, first: QModelIndex, last: QModelIndex, roles: list[int]) -> None:
        self.spans.append((first.row(), last.row(), Role.LINE.value in roles))


def test_an_upload_under_way_says_bytes_speed_and_time() -> None:
    line = line_of(
        transfer(
            percent=65,
            stored=62,
            size_bytes=480_200_000,
            rate_bps=6.1e6,
            remaining_s=28.0,
            resumed_at_bytes=201_326_592,
        )
    )
    assert (line.phase, line.amount, line.rate, line.left) == (
        "Uploading", "312.1 of 480.2 MB", "6.1 MB/s", "about 30 s left",
    )  # fmt: skip
    assert line.note == "Resumed at 201 MB"
    assert line.action is RowAction.PAUSE
    assert line.spoken == (
        "Job-loss triage, Uploading, 312.1 of 480.2 MB, 6.1 MB/s, about 30 s left, Resumed at 201 MB"
    )


@pytest.mark.parametrize(
    ("entry", "phase", "note", "amount", "action"),
    [
        (transfer(state=PAUSED, percent=40, stored=31), "Paused", "Paused by you", "113.1 of 364.9 MB stored",
         RowAction.RESUME),
        (transfer(state=WAITING, waits_for=WaitReason.TURN), "Waiting", "Waiting for its turn", "0 of 364.9 MB",
         RowAction.PAUSE),
        (transfer(state=WAITING, percent=63, stored=63, waits_for=WaitReason.NETWORK, error=LOST),
         "Waiting for the network", "Goes on by itself", "229.8 of 364.9 MB stored", RowAction.PAUSE),
        (transfer(state=WAITING, stored=0, waits_for=WaitReason.NETWORK, retry_in_s=11.2, error=LOST),
         "Waiting for the network", "Trying again in 12 s", "0 of 364.9 MB", RowAction.PAUSE),
        (transfer(state=WAITING, waits_for=WaitReason.SERVER, retry_in_s=3.0,
                  error=ServerError(ErrorCode.SERVER_BUSY)),
         "Waiting for the server", "Trying again in 3 s, the server is busy", "0 of 364.9 MB", RowAction.PAUSE),
        (transfer(state=WAITING, stored=63, waits_for=WaitReason.SIGN_IN), "Waiting", "Waiting until you sign in",
         "229.8 of 364.9 MB stored", RowAction.PAUSE),
        (transfer(phase=Phase.CHECKING, percent=20, stored=20, is_rereading=True), "Checking",
         "Reading the file again to resume", "72.9 of 364.9 MB", RowAction.PAUSE),
        (transfer(percent=20, stored=1, restarted=RestartReason.DROPPED), "Uploading",
         "Started again from zero: the server had dropped the unfinished upload", "72.9 of 364.9 MB",
         RowAction.PAUSE),
        (transfer(percent=20, is_cancelling=True), "Cancelling", "Removing what was sent", "0 of 364.9 MB",
         RowAction.NONE),
        (transfer(percent=20), "Uploading", "job-loss.jsonl", "72.9 of 364.9 MB", RowAction.PAUSE),
    ],
)  # fmt: skip
def test_every_state_says_what_it_waits_for_and_what_the_server_has(
    entry: Transfer, phase: str, note: str, amount: str, action: RowAction
) -> None:
    line = line_of(entry)
    assert (line.phase, line.note, line.amount, line.action) == (phase, note, amount, action)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (SourceError(ErrorCode.FILE_CHANGED), RowAction.START_AGAIN),
        (RejectedError(ErrorCode.OBJECT_DIFFERS), RowAction.START_AGAIN),
        (SourceError(ErrorCode.FILE_MISSING), RowAction.CHOOSE_FILE),
        (RejectedError(ErrorCode.FORBIDDEN), RowAction.RETRY),
        (LOST, RowAction.RETRY),
    ],
)
def test_a_failed_upload_has_the_button_that_fits(error: LorryError, action: RowAction) -> None:
    line = line_of(transfer(state=FAILED, error=error))
    assert (line.action, line.is_failed, line.phase) == (action, True, "Failed")
    assert line.note and line.hint.startswith(line.note)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_no_failure_is_without_a_way_on(code: ErrorCode) -> None:
    assert line_of(transfer(state=FAILED, error=LorryError(code))).action.word


def test_two_shades_only_while_bytes_move() -> None:
    assert bar_of(transfer(percent=65, stored=62))[0][0] == "barSent"
    for state in (PAUSED, WAITING, FAILED):
        ((token, share),) = bar_of(transfer(state=state, percent=65, stored=62))
        assert (token, round(share, 2)) == ("barPaused", 0.62)
    assert bar_of(transfer(state=DONE, percent=100, stored=100)) == [("ok", 1.0)]


def test_counts_and_speed_of_all() -> None:
    entries = (
        transfer(percent=1, rate_bps=4e6),
        transfer(percent=1, rate_bps=2.1e6),
        transfer(state=PAUSED),
        transfer(state=WAITING, waits_for=WaitReason.NETWORK),
        transfer(state=FAILED, error=LOST),
        transfer(state=WAITING, waits_for=WaitReason.TURN),
        transfer(state=DONE),
    )
    assert counts(entries) == "2 uploading, 1 waiting for the network, 1 failed, 1 paused, 1 waiting"
    assert total_rate(entries) == "6.1 MB/s"
    assert (counts(()), total_rate(())) == ("", "")


def test_bars_follow_each_time_and_words_once_a_second(model: TransferTableModel, clock: Clock) -> None:
    entry = transfer(percent=10, stored=10)
    model.set_transfers([entry])
    clock.now_s += 2
    model.set_transfers([entry])
    changes = Changes(model)
    for percent in range(11, 16):
        clock.now_s += 0.1
        model.set_transfers([replace(entry, progress=replace(entry.progress, sent_bytes=percent * 3_649_000))])
    assert changes.spans == [(0, 0, False)] * 5
    clock.now_s += 1
    model.set_transfers([replace(entry, progress=replace(entry.progress, sent_bytes=16 * 3_649_000))])
    assert changes.spans[5:] == [(0, 0, False), (0, 0, True)]
    assert model.line(0).amount == "58.3 of 364.9 MB"


def test_a_new_state_is_said_at_once(model: TransferTableModel, clock: Clock) -> None:
    entry = transfer(percent=10, stored=10)
    model.set_transfers([entry])
    model.set_transfers([entry])
    clock.now_s += 0.1
    model.set_transfers([replace(entry, state=PAUSED)])
    assert model.line(0).phase == "Paused"
    assert model.line(0).note.startswith("Paused by you at ")


def test_of_hundreds_only_those_that_changed_are_told(model: TransferTableModel, clock: Clock) -> None:
    entries = [transfer(f"Set {number}", percent=1, stored=1) for number in range(3)]
    entries += [transfer(f"Set {number}", WAITING, waits_for=WaitReason.TURN) for number in range(3, 500)]
    model.set_transfers(entries)
    clock.now_s += 2
    model.set_transfers(entries)
    changes = Changes(model)
    moved = [replace(one, progress=replace(one.progress, sent_bytes=9_000_000)) for one in entries[:2]]
    clock.now_s += 0.1
    model.set_transfers(moved + entries[2:])
    assert changes.spans == [(0, 1, False)]


def test_order_follows_the_queue_and_keeps_who_is_meant(model: TransferTableModel) -> None:
    entries = [transfer(f"Set {number}", WAITING, waits_for=WaitReason.TURN) for number in range(5)]
    model.set_transfers(entries)
    assert [model.line(number).note for number in range(3)] == ["Next in line"] + ["Waiting for its turn"] * 2
    kept = QPersistentModelIndex(model.index(3, Column.NAME))
    order = [entries[3], entries[0], entries[1], entries[2], entries[4]]
    model.set_transfers(order)
    assert [one.draft.name for one in model.transfers] == ["Set 3", "Set 0", "Set 1", "Set 2", "Set 4"]
    assert kept.row() == 0
    assert [model.line(number).note for number in range(2)] == ["Next in line", "Waiting for its turn"]
    fresh = transfer("Fresh")
    model.set_transfers([fresh, order[4], order[0]])
    assert [one.draft.name for one in model.transfers] == ["Fresh", "Set 4", "Set 3"]
    assert kept.row() == 2
    model.set_transfers([])
    assert not kept.isValid()


def test_a_finished_upload_is_seen_for_a_moment(model: TransferTableModel, clock: Clock) -> None:
    entry, over = transfer(percent=99), transfer("Over before", DONE)
    model.set_transfers([entry, over])
    assert model.rowCount() == 1
    model.set_transfers([replace(entry, state=DONE), over])
    assert (model.line(0).phase, model.line(0).action) == ("Uploaded", RowAction.NONE)
    clock.now_s += LINGER_S + 0.1
    model.set_transfers([replace(entry, state=DONE), over])
    assert model.rowCount() == 0


@pytest.mark.parametrize("role", [Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole])
def test_names_hide_nothing_and_buttons_are_named(
    model: TransferTableModel, role: Qt.ItemDataRole, qtbot: QtBot
) -> None:
    model.set_transfers([transfer(BIDI_NAME.replace(".", " "), PAUSED)])
    said: Callable[[Column], str] = lambda column: model.data(model.index(0, column), role)  # noqa: E731
    assert "‹U+202E›" in said(Column.NAME)
    if role == Qt.ItemDataRole.AccessibleTextRole:
        assert said(Column.ACTION).startswith("Resume invoice")
        assert said(Column.CANCEL).startswith("Cancel invoice")
