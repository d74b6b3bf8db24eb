"""The rules every test runs under: environment, markers by folder, and what may not be left behind.

Set before anything of Lorry is imported: Qt without a screen, an own LORRY_HOME, no setting of the developer.
After each test: no thread of Lorry alive, no unexpected warning on a `lorry` logger. In CI a skipped
contract, interop or gui test is a failure, because there the tool it lacks was to be installed.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FOLDERS = ("unit", "contract", "interop", "gui", "fault", "bench")
MUST_RUN_IN_CI = {"contract", "interop", "gui"}
THREAD_END_S = 5.0

_home = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that repeats one round of the seeded tests of kills and faults."""
    parser.addoption("--round", default="", metavar="ROUND", help="run this round of the kill and fault tests alone")


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of the whole session, before any test module is imported."""
    for name in [name for name in os.environ if name.startswith("LORRY_")]:
        del os.environ[name]
    # Short on purpose: sockets live below it and their paths may have 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="lorry-"))
    config.stash[_home] = home
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.update(
        LORRY_HOME=str(home / "home"),
        XDG_RUNTIME_DIR=str(runtime),
        XDG_CONFIG_HOME=str(home / "config"),
        # The developer's own keyring is never read or written.
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
        NO_PROXY="localhost,127.0.0.1,::1",
        no_proxy="localhost,127.0.0.1,::1",
    )
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the session wrote."""
    home = config.stash.get(_home, None)
    if home is not None:
        shutil.rmtree(home, ignore_errors=True)


def _folder(path: Path) -> str:
    parts = path.relative_to(TESTS).parts if path.is_relative_to(TESTS) else ()
    return parts[0] if parts else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the name of its folder."""
    for item in items:
        folder = _folder(item.path)
        if folder in FOLDERS:
            item.add_marker(folder)


def _objection_to_skip(item: pytest.Item, reason: str) -> str | None:
    """Why this skip may not stand, or None."""
    if reason in {"", "unconditional skip"}:
        return "A skipped test must say why."
    folder = _folder(item.path)
    if os.environ.get("CI") == "true" and folder in MUST_RUN_IN_CI and not reason.startswith("only on "):
        return f"In CI every {folder} test must run, but this one was skipped: {reason}"
    return None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.CallInfo[None], None]:
    """Turn a skip that may not stand into a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ").strip()
        objection = _objection_to_skip(item, reason)
        if objection is not None:
            report.outcome = "failed"
            report.longrepr = objection


class _Collector(logging.Handler):
    """Keeps every record of WARNING and above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_unexpected_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which Lorry logged a warning that the test did not announce with `expects_log`."""
    marker = request.node.get_closest_marker("expects_log")
    collector = _Collector()
    logger = logging.getLogger("lorry")
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
    if marker is None:
        assert not collector.lines, "unexpected log lines:\n" + "\n".join(collector.lines)
        return
    parts: tuple[str, ...] = marker.args
    strays = [line for line in collector.lines if parts and not any(part in line for part in parts)]
    assert not strays, "log lines that expects_log does not name:\n" + "\n".join(strays)
    silent = [part for part in parts if not any(part in line for line in collector.lines)]
    assert not silent, f"announced by expects_log but never logged: {silent}"


@pytest.fixture(autouse=True)
def _unit_opens_no_socket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a unit test that reaches for the network; what needs a server is a contract test."""
    if _folder(request.path) != "unit":
        return

    def refuse(self: socket.socket, address: object) -> None:
        assert self.family == socket.AF_UNIX, f"a unit test opens a socket: {address}"

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


def _lorry_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("lorry-")}


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test after which a thread of Lorry, started by it, is still alive."""
    before = _lorry_threads()
    yield
    deadline = time.monotonic() + THREAD_END_S
    for thread in _lorry_threads() - before:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = _lorry_threads() - before
    frames = sys._current_frames()
    where = [f"{t.name} at {frames[t.ident].f_code.co_qualname}" for t in left if t.ident in frames]
    assert not left, f"still alive {THREAD_END_S:.0f} s after the test: {where}"
