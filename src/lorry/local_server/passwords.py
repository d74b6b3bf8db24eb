"""Password hashes of the local workspace: scrypt, salted, with its parameters in the text.

CPU work of some tens of milliseconds by intent; callers run it off the event loop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

# The interactive parameters of the scrypt paper (N = 2^14, r = 8, p = 1): 16 MiB and 60 ms a guess, 2026-11.
_LOG_N, _R, _P = 14, 8, 1
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """Return `$scrypt$ln=..,r=..,p=..$salt$hash`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _derive(password, salt, _LOG_N, _R, _P)
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${_text(salt)}${_text(digest)}"


def is_password(password: str, stored: str | None) -> bool:
    """Compare in constant time; a missing or foreign hash costs the same time and never matches."""
    try:
        _, name, parameters, salt, digest = (stored or "").split("$")
        cost = dict(part.split("=") for part in parameters.split(","))
        if name != "scrypt":
            raise ValueError(name)
        derived = _derive(password, _bytes(salt), int(cost["ln"]), int(cost["r"]), int(cost["p"]))
    except (ValueError, KeyError):
        _derive(password, bytes(_SALT_BYTES), _LOG_N, _R, _P)
        return False
    return hmac.compare_digest(derived, _bytes(digest))


def _derive(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=256 * 1024 * 1024, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
