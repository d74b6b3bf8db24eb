"""Which badge a row of the table wears: icon, word and colour, from the server's row or the upload on this computer.

Status is always icon and word; colour comes third. Pure functions over the core's words, no painting.
"""

from __future__ import annotations

from dataclasses import dataclass

from lorry.core.model import Dataset, DatasetStatus
from lorry.core.transfers import Phase, Transfer, TransferState
from lorry.text.format import status_word, transfer_word


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge shows. `tone` names the colours: ok, warn, error, busy, idle or accent."""

    icon: str
    word: str
    tone: str

    @property
    def ink(self) -> str:
        """The token of icon and word."""
        return "accentText" if self.tone == "accent" else self.tone

    @property
    def ground(self) -> str:
        """The token behind them."""
        return f"{self.tone}Soft"


_ROW_LOOKS = {
    DatasetStatus.UPLOADING: ("circle-dashed", "idle"),
    DatasetStatus.VALIDATING: ("loader-circle", "busy"),
    DatasetStatus.READY: ("circle-check", "ok"),
    DatasetStatus.ERROR: ("circle-x", "error"),
}


def is_local(transfer: Transfer) -> bool:
    """Whether this computer knows more about the dataset than the server's row does."""
    return transfer.state is not TransferState.DONE and not (
        transfer.state is TransferState.RUNNING and transfer.phase is Phase.VALIDATING
    )


def badge_for(dataset: Dataset | None, transfer: Transfer | None) -> Badge:
    """The badge of a row made of either or both. At least one must be given."""
    if transfer is not None and (dataset is None or is_local(transfer)):
        return transfer_badge(transfer)
    if dataset is None:
        raise ValueError("a row needs a dataset or a transfer")
    return dataset_badge(dataset)


def dataset_badge(dataset: Dataset) -> Badge:
    """The badge of a row no transfer of this computer belongs to."""
    if dataset.deleted_at is not None:
        return Badge("trash-2", status_word(dataset), "idle")
    icon, tone = _ROW_LOOKS[dataset.status]
    return Badge(icon, status_word(dataset), tone)


def transfer_badge(transfer: Transfer) -> Badge:
    """The badge of an upload of this computer."""
    word = transfer_word(transfer)
    if not is_local(transfer):
        return dataset_badge(transfer.dataset) if transfer.dataset else Badge("loader-circle", word, "busy")
    if transfer.state is TransferState.FAILED:
        return Badge("circle-x", word, "error")
    if transfer.state is TransferState.PAUSED:
        return Badge("circle-pause", word, "idle")
    if transfer.state is TransferState.WAITING:
        return Badge("clock", word, "idle")
    if transfer.phase is Phase.CHECKING:
        return Badge("loader-circle", word, "busy")
    return Badge("circle-arrow-up", word, "accent")
