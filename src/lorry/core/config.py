"""Which server Lorry talks to, from the environment or the settings, checked before it is used.

An address is an https origin (plain http only for this computer); a key must be the public one. A secret key is
refused before it is stored or sent anywhere.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lorry.core.errors import ConfigError, ErrorCode

LOCAL_PROJECT = "Local workspace"

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_HOST_MAX = 253
#: Found anywhere, so that a secret copied along with its name is caught too.
_SECRET_MARKS = ("sb_secret_", "postgres://", "postgresql://")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One Supabase project: its origin and its public key.

    `email` and `password` are set only when they came from the environment or the local workspace.
    """

    url: str
    key: str
    email: str = ""
    password: str = field(default="", repr=False)
    is_local_workspace: bool = False

    @property
    def project(self) -> str:
        """What the project is called on screen: its host name."""
        return LOCAL_PROJECT if self.is_local_workspace else urlsplit(self.url).netloc

    @classmethod
    def create(
        cls, url: str, key: str, email: str = "", password: str = "", *, is_local_workspace: bool = False
    ) -> ServerConfig:
        """Check and normalise.

        Raises:
            ConfigError: BAD_SETTING (context `field`, `reason`) or SECRET_KEY.
        """
        return cls(
            url=check_origin(url),
            key=check_public_key(key),
            email=email.strip(),
            password=password,
            is_local_workspace=is_local_workspace,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ServerConfig | None:
        """Read LORRY_URL, LORRY_KEY, LORRY_EMAIL and LORRY_PASSWORD; None when no project is named.

        Raises:
            ConfigError: only one of address and key is set, or one of them cannot be used.
        """
        env = os.environ if environ is None else environ
        url, key = env.get("LORRY_URL", "").strip(), env.get("LORRY_KEY", "").strip()
        if not url and not key:
            return None
        for name, value in (("LORRY_URL", url), ("LORRY_KEY", key)):
            if not value:
                raise _bad(name, "it is empty, but the other of LORRY_URL and LORRY_KEY is set")
        return cls.create(url, key, env.get("LORRY_EMAIL", ""), env.get("LORRY_PASSWORD", ""))


def _bad(name: str, reason: str) -> ConfigError:
    return ConfigError(ErrorCode.BAD_SETTING, f"{name}: {reason}", context={"field": name, "reason": reason})


def check_origin(url: str) -> str:
    """Return `url` as scheme://host[:port] (IDNA as punycode, no default port), keeping only what an origin has.

    The result is spelt exactly as httpx spells it, so that it can be compared with what is about to be called.

    Raises:
        ConfigError: not https (http only for loopback), no host, user info, path, query or fragment.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _bad("LORRY_URL", "it is not a web address") from error
    if parts.scheme not in _DEFAULT_PORTS or not host or any(char.isspace() or char == "\\" for char in text):
        raise _bad("LORRY_URL", "it must look like https://your-project.supabase.co")
    if parts.username is not None or parts.password is not None:
        raise _bad("LORRY_URL", "it must not contain a user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _bad("LORRY_URL", "it must be the project's address alone, without a path")
    host = _ascii_host(host, is_bracketed="[" in parts.netloc)
    if parts.scheme == "http" and not _is_loopback(host.strip("[]")):
        raise _bad("LORRY_URL", "it must start with https:// (http is only for this computer)")
    if port == 0 or parts.netloc.partition("]")[2][:1] not in ("", ":"):
        raise _bad("LORRY_URL", "its port is not valid")
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else "")


def _ascii_host(host: str, *, is_bracketed: bool) -> str:
    """The host in lower-case ASCII, IPv6 in brackets. Raises ConfigError for what is no host name."""
    invalid = _bad("LORRY_URL", "its host name is not valid")
    if is_bracketed:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise invalid from error
        if address.scope_id is not None:
            raise invalid
        return f"[{address}]"
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
        # IDNA of 2003 turns some characters into others (ß into ss, invisible ones into nothing), which later rules
        # and browsers do not: such a name could lead to somebody else's server, so it has to be given as punycode.
        is_faithful = host.isascii() or ascii_host.encode("ascii").decode("idna") == unicodedata.normalize("NFC", host)
    except UnicodeError as error:
        raise invalid from error
    if not is_faithful or len(ascii_host) > _HOST_MAX or not _HOST.fullmatch(ascii_host):
        raise invalid
    return ascii_host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_public_key(key: str) -> str:
    """Return the key cleaned of spaces, quotes and `Bearer`.

    Raises:
        ConfigError: SECRET_KEY for a service-role or secret key or a database URL, BAD_SETTING for an empty one.
    """
    text = "".join(key.split()).strip("\"'")
    if text.lower().startswith("bearer"):
        text = text[6:].strip("\"'")
    if not text:
        raise _bad("LORRY_KEY", "it is empty")
    lowered = text.lower()
    if any(mark in lowered for mark in _SECRET_MARKS) or _jwt_role(text) not in (None, "anon"):
        raise ConfigError(ErrorCode.SECRET_KEY)
    if not text.isascii() or not text.isprintable():
        raise _bad("LORRY_KEY", "it has characters no key has")
    return text


def _jwt_role(key: str) -> str | None:
    segments = key.split(".")
    if len(segments) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(segments[1] + "=" * (-len(segments[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    role = payload.get("role") if isinstance(payload, dict) else None
    return role if isinstance(role, str) else None
