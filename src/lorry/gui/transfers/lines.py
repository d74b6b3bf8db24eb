"""What one row of the transfers panel says: icon, two lines, phase, bytes, speed, and the button that fits its state.

Pure functions over the core's words, no painting; order and updates belong to `model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from lorry.core.transfers import Phase, Transfer, TransferState, WaitReason
from lorry.gui.upload.two_tone_bar import BarTone, segments
from lorry.text.error_text import ErrorAction, describe
from lorry.text.format import phase_word, rate, remaining, safe_name, size, size_of, transfer_detail


class RowAction(Enum):
    """What the first button of a row does; `NONE` while there is nothing to press."""

    NONE = ("", "")
    PAUSE = ("Pause", "pause")
    RESUME = ("Resume", "play")
    RETRY = ("Try again", "rotate-cw")
    START_AGAIN = ("Start again", "rotate-cw")
    CHOOSE_FILE = ("Choose again…", "file-braces")
    SIGN_IN = ("Sign in", "log-in")

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def icon(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Line:
    """The words of one row. `tint` and `phase_tint` name colour tokens; `hint` is the tooltip."""

    name: str
    note: str
    icon: str
    tint: str
    phase: str
    phase_tint: str
    amount: str
    rate: str = ""
    left: str = ""
    hint: str = ""
    action: RowAction = RowAction.NONE
    is_failed: bool = False
    is_closing: bool = False

    @property
    def spoken(self) -> str:
        """The whole row for a screen reader, in the order it is painted."""
        parts = (self.name, self.phase, self.amount, self.rate, self.left, self.note)
        return ", ".join(part for part in parts if part)


_FAILED_ACTIONS = {
    ErrorAction.START_AGAIN: RowAction.START_AGAIN,
    ErrorAction.CHOOSE_FILE: RowAction.CHOOSE_FILE,
    ErrorAction.SIGN_IN: RowAction.SIGN_IN,
}


def line_of(transfer: Transfer, *, is_next: bool = False, paused_at: datetime | None = None) -> Line:
    """The row of an upload.

    Args:
        is_next: it is the first of those that wait for their turn.
        paused_at: when the user paused it in this window.
    """
    name = safe_name(transfer.draft.name)
    if transfer.is_cancelling:
        words = "Removing what was sent"
        return Line(name, words, "x", "text2", "Cancelling", "text2", _amount(transfer), is_closing=True)
    match transfer.state:
        case TransferState.RUNNING:
            return _running(transfer, name)
        case TransferState.PAUSED:
            note = f"Paused by you at {paused_at.astimezone():%H:%M}" if paused_at else "Paused by you"
            return Line(
                name, note, "circle-pause", "text2", "Paused", "text2", _amount(transfer), action=RowAction.RESUME
            )
        case TransferState.WAITING:
            return _waiting(transfer, name, is_next)
        case TransferState.FAILED:
            return _failed(transfer, name)
    amount = size(transfer.progress.size_bytes)
    return Line(name, "Validation in progress", "circle-check", "ok", "Uploaded", "ok", amount, is_closing=True)


def bar_of(transfer: Transfer) -> list[tuple[str, float]]:
    """The parts of its bar; two shades only while bytes move."""
    progress = transfer.progress
    tone = BarTone.MOVING if transfer.state is TransferState.RUNNING else BarTone.STILL
    if transfer.state is TransferState.DONE:
        tone = BarTone.DONE
    return segments(progress.size_bytes, progress.stored_bytes, progress.sent_bytes, tone)


def action_of(transfer: Transfer) -> RowAction:
    """What can be done next with an upload besides cancelling it."""
    if transfer.is_cancelling:
        return RowAction.NONE
    match transfer.state:
        case TransferState.PAUSED:
            return RowAction.RESUME
        case TransferState.FAILED:
            action = describe(transfer.error).action_id if transfer.error else ErrorAction.RETRY
            return _FAILED_ACTIONS.get(action, RowAction.RETRY)
        case TransferState.DONE:
            return RowAction.NONE
    return RowAction.PAUSE


def counts(transfers: tuple[Transfer, ...]) -> str:
    """As "1 uploading, 2 waiting for the network, 1 paused"; "" for none."""
    numbers: dict[str, int] = dict.fromkeys(_GROUPS, 0)
    for transfer in transfers:
        if transfer.state is not TransferState.DONE:
            numbers[_group(transfer)] += 1
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)


def total_rate(transfers: tuple[Transfer, ...]) -> str:
    """The speed of all uploads together, "" while nothing moves."""
    rate_bps = sum(t.progress.rate_bps for t in transfers if t.state is TransferState.RUNNING)
    return rate(rate_bps) if rate_bps else ""


_GROUPS = (
    "uploading",
    "cancelling",
    "waiting for the network",
    "waiting for the server",
    "waiting for your sign-in",
    "waiting for the disk",
    "failed",
    "paused",
    "waiting",
)
_WAITS = {
    WaitReason.NETWORK: "waiting for the network",
    WaitReason.SERVER: "waiting for the server",
    WaitReason.SIGN_IN: "waiting for your sign-in",
    WaitReason.DISK: "waiting for the disk",
}


def _group(transfer: Transfer) -> str:
    if transfer.is_cancelling:
        return "cancelling"
    if transfer.state is TransferState.WAITING:
        return _WAITS.get(transfer.waits_for or WaitReason.TURN, "waiting")
    if transfer.state is TransferState.FAILED:
        return "failed"
    return "paused" if transfer.state is TransferState.PAUSED else "uploading"


def _running(transfer: Transfer, name: str) -> Line:
    progress, phase = transfer.progress, transfer.phase
    is_checking = phase is Phase.CHECKING or transfer.is_rereading
    is_sending = phase is Phase.UPLOADING and progress.sent_bytes < progress.size_bytes
    has_rate = is_sending and bool(progress.history_bps)
    return Line(
        name,
        transfer_detail(transfer) or safe_name(transfer.draft.file_name),
        "loader-circle" if is_checking else "circle-arrow-up",
        "busy" if is_checking else "accentText",
        phase_word(phase),
        "busy" if is_checking else "accentText",
        size_of(progress.sent_bytes, progress.size_bytes),
        rate(progress.rate_bps) if has_rate else "",
        remaining(progress.remaining_s) if has_rate else "",
        action=RowAction.PAUSE,
    )


def _waiting(transfer: Transfer, name: str, is_next: bool) -> Line:
    detail = transfer_detail(transfer)
    icon, phase, note, hint = "clock", "Waiting", detail, ""
    if transfer.waits_for is WaitReason.NETWORK:
        icon, phase = "wifi-off", "Waiting for the network"
        note = detail.partition(", t")[2]
        note = f"T{note}" if note else "Goes on by itself"
        hint = describe(transfer.error).sentence if transfer.error else ""
    elif transfer.waits_for is WaitReason.SERVER:
        phase = "Waiting for the server"
        hint = describe(transfer.error).sentence if transfer.error else ""
    elif transfer.waits_for in (None, WaitReason.TURN):
        note = "Next in line" if is_next else detail
    return Line(name, note, icon, "text2", phase, "text2", _amount(transfer), hint=hint, action=RowAction.PAUSE)


def _failed(transfer: Transfer, name: str) -> Line:
    words = describe(transfer.error) if transfer.error else None
    return Line(
        name,
        words.what if words else "Something went wrong.",
        "circle-x",
        "error",
        "Failed",
        "error",
        _amount(transfer),
        hint=words.sentence if words else "",
        action=action_of(transfer),
        is_failed=True,
    )


def _amount(transfer: Transfer) -> str:
    """The bytes of an upload that stands still: only what the server has counts."""
    progress = transfer.progress
    if not progress.stored_bytes:
        return f"0 of {size(progress.size_bytes)}"
    return f"{size_of(progress.stored_bytes, progress.size_bytes)} stored"
