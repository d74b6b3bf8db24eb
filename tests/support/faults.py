"""The ways a server or a line can fail, as values that `FaultServer.on` takes, and what it notes of a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PORTAL_PAGE = b"<!doctype html><html><title>Welcome to the hotel network</title><body>Please sign in</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer in the server's place; the request never reaches it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CutRequest:
    """End both connections after `at` bytes of the body, by a reset or `in_order`; None: at a seeded random byte."""

    at: int | None = None
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """Pass `at` bytes of the body on (None: a seeded random number), then nothing any more `for_s`, then reset."""

    at: int | None = None
    for_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Pass the whole request on twice; the client gets the first or the second `answer`."""

    answer: int = 2


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """Let the server do its work, pass `at` bytes of the answer on, then reset the connection. 0: swallow it."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """Stop reading after `at` bytes of the body, until the client goes away or the proxy closes."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Throttle:
    """Pass the body on at this rate."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Pass the head of the answer on at once, its body one byte at a time, `pause_s` apart."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Let the server do its work, then change the status or headers of its answer (None: leave a header out)."""

    status: int = 0
    headers: Mapping[str, str | None] = field(default_factory=dict)

    def apply(self, head: bytes) -> bytes:
        """The changed head of an answer."""
        first, *lines = head.decode("latin-1").split("\r\n")
        if self.status:
            first = f"HTTP/1.1 {self.status} Fault"
        gone = {name.lower() for name in self.headers}
        lines = [line for line in lines if line.partition(":")[0].strip().lower() not in gone]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if value is not None]
        return "\r\n".join([first, *lines]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Before:
    """Run something before the request is passed on unharmed."""

    action: Callable[[], object]


Fault = Answer | CutRequest | CutAnswer | Stall | Freeze | Throttle | Drip | Duplicate | Rewrite | Before


def portal() -> Answer:
    """The page of a captive portal: success in HTML."""
    return Answer(200, PORTAL_PAGE, {"Content-Type": "text/html; charset=utf-8"})


def busy(status: int = 503, retry_after: str = "") -> Answer:
    """A server that cannot serve now, in JSON, with Retry-After if given."""
    headers = {"Content-Type": "application/json"} | ({"Retry-After": retry_after} if retry_after else {})
    return Answer(status, b'{"code":"over_load","message":"try later"}', headers)


def redirect(location: str, status: int = 307) -> Answer:
    """Send the client elsewhere."""
    return Answer(status, b"", {"Location": location})


@dataclass(slots=True)
class Seen:
    """One request as it came in; `body_bytes` counts what was read of its body."""

    method: str
    path: str
    headers: dict[str, str]
    fault: str = ""
    body_bytes: int = 0

    @property
    def content_length(self) -> int:
        return int(self.headers.get("content-length", "0"))


@dataclass(slots=True)
class Rule:
    """A fault for the requests that match; it is spent after `times` of them, and lets the first `skip` pass."""

    fault: Fault
    method: str
    path: re.Pattern[str]
    times: int | None
    skip: int
    used: int = 0

    def matches(self, seen: Seen) -> bool:
        return self.method in ("", seen.method) and self.path.search(seen.path) is not None
