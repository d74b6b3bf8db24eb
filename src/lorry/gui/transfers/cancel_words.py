"""The words of the question before uploads are given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorry.core.transfers import Transfer
from lorry.text.format import size_so_far


@dataclass(frozen=True, slots=True)
class CancelWords:
    """Question, what it means, and both answers."""

    question: str
    meaning: str
    yes: str
    no: str = "Keep uploading"


def cancel_words(transfers: Sequence[Transfer]) -> CancelWords:
    """Ask about one upload or several; at least one must be given."""
    stored_bytes = sum(transfer.progress.stored_bytes for transfer in transfers)
    number = len(transfers)
    files = "Your file stays." if number == 1 else "Your files stay."
    if stored_bytes:
        size_bytes = sum(transfer.progress.size_bytes for transfer in transfers)
        meaning = f"{size_so_far(stored_bytes, size_bytes)} already stored will be removed from the project. {files}"
    else:
        meaning = f"Nothing is stored yet. {files}"
    if number == 1:
        return CancelWords("Cancel this upload?", meaning, "Cancel upload")
    return CancelWords(f"Cancel {number:,} uploads?", meaning, "Cancel uploads")
