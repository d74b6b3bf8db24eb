"""Whether and when to try again. Pure: the clock and the dice are the caller's."""

from __future__ import annotations

from collections.abc import Callable

from lorry.core.errors import LorryError

#: Attempts without progress before an upload stops and asks the user.
MAX_ATTEMPTS = 4
_FIRST_DELAY_S = 1.0
_CAP_S = 30.0


def delay_before_retry(error: LorryError, attempt: int, dice: Callable[[float, float], float]) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    Args:
        error: what went wrong.
        attempt: how many attempts in a row have failed without progress, from 1.
        dice: `random.uniform` or a seeded stand-in; full jitter keeps many clients from coming back at once.
    """
    if not error.retryable or attempt >= MAX_ATTEMPTS:
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s
    ceiling = min(_CAP_S, _FIRST_DELAY_S * 2.0 ** (attempt - 1))
    return dice(ceiling / 2, ceiling)
