"""Whether and when to try again, or to begin again from zero. Pure: the clock and the dice are the caller's."""

from __future__ import annotations

from collections.abc import Callable

from lorry.core.errors import ErrorCode, LorryError

#: An upload of which nothing arrived for this long (s) stops and asks the user.
PATIENCE_S = 6 * 3600.0
_FIRST_S, _SECOND_S, _CAP_S = 0.5, 2.0, 60.0
#: An upload may begin again from zero this often in a day; then the user decides.
MAX_RESTARTS, _RESTARTS_IN_S = 3, 24 * 3600.0
#: Bounds on what a server may ask for (s).
_ADVICE_MIN_S, _ADVICE_MAX_S = 1.0, 900.0
#: Trouble on this computer goes away when somebody makes room, plugs a drive in, or another program lets go.
_LOCAL_S = 10.0
_LOCAL = (ErrorCode.DISK_FULL, ErrorCode.STORE_LOCKED, ErrorCode.FILE_UNREADABLE)


def delay_before_retry(
    error: LorryError,
    attempt: int,
    failing_for_s: float,
    dice: Callable[[float, float], float],
    patience_s: float = PATIENCE_S,
) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    Args:
        error: what went wrong.
        attempt: how many attempts in a row have failed without a byte arriving, from 1.
        failing_for_s: how long that has been going on.
        dice: `random.uniform` or a seeded stand-in; jitter keeps many clients from coming back at once.
    """
    if failing_for_s >= patience_s or error.code is ErrorCode.TLS:
        return None
    if error.code in _LOCAL:
        return _LOCAL_S
    if not error.retryable:
        return None
    if error.retry_after_s is not None:
        return min(_ADVICE_MAX_S, max(_ADVICE_MIN_S, error.retry_after_s))
    ceiling = _FIRST_S if attempt <= 1 else min(_CAP_S, _SECOND_S * 2.0 ** min(attempt - 2, 10))
    return dice(ceiling / 2, ceiling)


def recent_restarts(restarts: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Those of the last day, as POSIX times; a clock that was put back forgets what lies ahead of it."""
    return tuple(at for at in restarts if now - _RESTARTS_IN_S < at <= now)
