"""The quick way: a block of lines in which nothing is wrong is decoded and counted as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from lorry.core.checks.intake import Intake


def take_block(intake: Intake, block: bytes, first_line: int) -> int:
    """Nothing is quick yet."""
    return 0


def take_elements(intake: Intake, elements: bytes, opener_counts: Sequence[int], places: Sequence[int]) -> bool:
    """Nothing is quick yet."""
    return False
