"""Rules of the house that a machine can check: file sizes, one version, nothing left to do, readable colours.

Reads the files git knows of, so that scratch files of a work in progress do not count.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest

import lorry

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 500
TOKENS = ROOT / "resources" / "style" / "tokens.json"

# Written with a group in each word so that the pattern does not match its own line.
REGISTRY = re.compile(r"index[-]url|find[-]links|registry[.]npmjs|python[h]osted|pypi[.]org")
LEFT_TO_DO = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b|NotImplemente[d]|pragma: no cove[r]")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(work|root)/\w")

# What is drawn on what, in both themes. WCAG 2 AA asks 4.5 of text and 3.0 of graphics.
TEXT_CONTRAST, GRAPHIC_CONTRAST = 4.5, 3.0
TEXT_ON = {
    "text": ("surface", "window", "sunken", "selection"),
    "text2": ("surface", "window", "selection", "errorSoft"),
    "accentText": ("surface", "accentSoft"),
    "onAccent": ("accent",),
    "ok": ("surface", "okSoft"),
    "warn": ("surface", "selection", "warnSoft"),
    "error": ("surface", "selection", "errorSoft"),
    "busy": ("surface", "busySoft"),
    "idle": ("surface", "idleSoft"),
}
GRAPHICS_ON = {
    "control": ("surface", "window"),
    "accentText": ("window",),  # the focus ring
    "barAck": ("barTrack",),
    "barPaused": ("barTrack",),
    "plot": ("surface",),
    "plot2": ("surface",),
    "plot3": ("surface",),
    "plotOver": ("surface",),
}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file in the index that is still there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file())


def text_of(path: Path) -> str:
    """The file's text, empty for a binary one."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def lines_matching(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]


def sources() -> list[Path]:
    return [path for path in tracked_files() if path.is_relative_to(ROOT / "src")]


def test_files_stay_small_enough_to_read() -> None:
    long = {str(p.relative_to(ROOT)): n for p in sources() if (n := len(text_of(p).splitlines())) > MAX_LINES}
    assert long == {}


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.suffix == ".py" and not ast.get_docstring(ast.parse(text_of(path)))
    ]
    assert silent == []


def test_nothing_is_left_to_do() -> None:
    assert lines_matching(LEFT_TO_DO, sources()) == []


def test_the_version_is_written_once() -> None:
    number = re.compile(re.escape(lorry.__version__))
    outside = [ROOT / "pyproject.toml", ROOT / "Makefile", *(ROOT / "packaging").glob("*.py")]
    own = [path for path in (*sources(), *outside) if path.suffix in {".py", ".toml", ""}]
    assert lines_matching(number, own) == [f'src/lorry/__init__.py:3: __version__ = "{lorry.__version__}"']


def test_the_installed_version_is_that_one() -> None:
    assert version("lorry") == lorry.__version__


def test_no_file_names_a_package_registry() -> None:
    assert lines_matching(REGISTRY, list(tracked_files())) == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert lines_matching(MACHINE_PATH, list(tracked_files())) == []


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def distribution_name(text: str) -> str:
    return re.split(r"[^\w.-]", text)[0].lower().replace("_", "-")


def test_every_imported_package_is_declared() -> None:
    """What is imported must be asked for in pyproject.toml, not merely come along with something else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    # A declared distribution may consist of several, each with an import name of its own.
    parts = {
        "pyside6-essentials": {"shiboken6"},
        "supabase": {"supabase-auth", "postgrest", "storage3", "supabase-functions"},
        "psycopg": {"psycopg-pool"},
    }
    declared = set(map(distribution_name, asked))
    declared |= {part for whole in declared for part in parts.get(whole, ())}
    tops = {
        name.partition(".")[0]
        for path in sources()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(text_of(path)))
        for name in imported_names(node)
    }
    homes = packages_distributions()
    foreign = tops - sys.stdlib_module_names - {"lorry"}
    undeclared = {top for top in foreign if not declared & set(map(distribution_name, homes.get(top, [])))}
    assert undeclared == set()


def linear(channel: int) -> float:
    value = channel / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours written #RRGGBB, 1 to 21."""
    luminances = []
    for colour in (first, second):
        red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
        luminances.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    darker, lighter = sorted(luminances)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("colours", "expected"), [(("#000000", "#FFFFFF"), 21.0), (("#777777", "#FFFFFF"), 4.48)])
def test_contrast_follows_the_wcag_formula(colours: tuple[str, str], expected: float) -> None:
    assert contrast(*colours) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_pair_can_be_read(theme: str) -> None:
    tokens: dict[str, Any] = json.loads(TOKENS.read_text(encoding="utf-8"))[theme]
    pairs = [
        (ink, ground, least)
        for table, least in ((TEXT_ON, TEXT_CONTRAST), (GRAPHICS_ON, GRAPHIC_CONTRAST))
        for ink, grounds in table.items()
        for ground in grounds
    ]
    too_weak = {
        f"{ink} on {ground}": round(ratio, 2)
        for ink, ground, least in pairs
        if (ratio := contrast(tokens[ink], tokens[ground])) < least
    }
    assert too_weak == {}
