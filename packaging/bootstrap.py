"""Prepares a clone for `make run` and `make test`: system packages first, then `.venv`.

Standard library alone, because nothing of ours is installed yet when it runs. What the system must offer is
data in `requirements_system.py`; this file looks for it, installs it where that is allowed and otherwise
names the one command to run. A finished set-up leaves a stamp, so the next call only compares it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from requirements_system import Need, missing_needs, needs_for

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "lorry-setup.json"
UNFINISHED = VENV / "lorry-setup.unfinished"
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
EXTRAS = {"run": ("local",), "test": ("local", "dev")}
MINIMUM_PYTHON = (3, 11)
# Another apt or unattended-upgrades often holds the lock for a while after boot.
APT_LOCK_WAIT_S = 180


class SetupFailed(Exception):
    """The set-up cannot go on. The text is meant for the person at the terminal; `output` is a program's own."""

    def __init__(self, text: str, output: str = "") -> None:
        super().__init__(text)
        self.output = output.strip()


def say(line: str) -> None:
    """Print one line of progress at once, also when the output is a pipe."""
    print(f"lorry set-up: {line}", flush=True)


def has_display(environment: Mapping[str, str]) -> bool:
    """Whether a window could be opened: an X11 or Wayland display is named."""
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def apt_prefix() -> list[str] | None:
    """The words before `apt-get` that give it the rights it needs, or None when it may not be run."""
    if shutil.which("apt-get") is None:
        return None
    frontend = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return frontend
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo", "-n", *frontend] if allowed else None


def explain(missing: Sequence[Need]) -> str:
    """What is missing and the one command that brings it, for where we may not install it ourselves."""
    lines = ["the system lacks something Lorry needs:"]
    lines += [f"  {need.package:<22} {need.what}" for need in missing]
    packages = " ".join(dict.fromkeys(need.package for need in missing))
    if shutil.which("apt-get"):
        sudo, who = ("sudo ", "") if shutil.which("sudo") else ("", "as root ")
        install = f"{sudo}apt-get install --no-install-recommends -y {packages}"
        lines += [
            f"Install it {who}with this command, then try again:",
            f"  {sudo}apt-get update && {install}",
        ]
    else:
        lines.append("These are Debian's names; install what carries the same files here, then try again.")
    return "\n".join(lines)


def install_system_packages(missing: Sequence[Need], prefix: Sequence[str]) -> None:
    """Install the packages of `missing` with apt-get; raises SetupFailed with apt's own words."""
    packages = list(dict.fromkeys(need.package for need in missing))
    say(f"installing {len(packages)} system packages: {' '.join(packages)}")
    apt = [*prefix, "apt-get", "-o", f"DPkg::Lock::Timeout={APT_LOCK_WAIT_S}", "-q"]
    # One unreachable third-party source fails `update` although Debian's lists arrived: the install decides.
    update = subprocess.run([*apt, "update"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    done = subprocess.run(
        [*apt, "install", "--no-install-recommends", "-y", *packages],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupFailed(explain(missing), output=update.stderr + done.stdout + done.stderr)


def ensure_system(mode: str) -> None:
    """Make sure the system offers what `mode` needs: installs it when allowed, else raises SetupFailed."""
    needs = needs_for(mode, display=has_display(os.environ))
    missing = missing_needs(needs)
    if not missing:
        return
    prefix = apt_prefix()
    if prefix is None:
        raise SetupFailed(explain(missing))
    install_system_packages(missing, prefix)
    still_missing = missing_needs(needs)
    if still_missing:
        raise SetupFailed("after installing the packages, " + explain(still_missing))


def fingerprint() -> str:
    """Changes with everything a finished `.venv` depends on, also the clone's place (scripts hold it)."""
    digest = hashlib.sha256()
    digest.update(f"{ROOT}\0{sys.version_info[:2]}\0".encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS, ROOT / "src" / "lorry" / "__init__.py"):
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_stamp() -> dict[str, object]:
    """The record of the last finished set-up; empty when there is none that can be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_ready(stamp: Mapping[str, object], mode: str) -> bool:
    """Whether `.venv` already holds everything for `mode`."""
    installed = stamp.get("extras")
    return (
        not UNFINISHED.exists()
        and stamp.get("fingerprint") == fingerprint()
        and isinstance(installed, list)
        and set(EXTRAS[mode]) <= set(installed)
        and (VENV / "bin" / "python").exists()
    )


def is_usable(stamp: Mapping[str, object]) -> bool:
    """Whether packages may be added to the present `.venv`; otherwise it is made anew."""
    if UNFINISHED.exists() or stamp.get("root", str(ROOT)) != str(ROOT):
        return False
    probe = "import pip, sys; print(*sys.version_info[:2], sep='.')"
    try:
        answer = subprocess.run(
            [VENV / "bin" / "python", "-c", probe], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == f"{sys.version_info[0]}.{sys.version_info[1]}"


def run_quietly(command: Sequence[str | Path], failure: str) -> None:
    """Run `command` in the clone; if it fails show its output and raise SetupFailed with the text `failure`."""
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH"}}
    # The user-wide pip setting `user = true` would make pip refuse a virtual environment.
    environment["PIP_USER"] = "0"
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupFailed(failure, output=done.stdout + done.stderr)


def ensure_venv(mode: str) -> None:
    """Make `.venv` hold Lorry (editable) and the extras of `mode`; raises SetupFailed with pip's words."""
    stamp = read_stamp()
    if is_ready(stamp, mode):
        return
    started = time.monotonic()
    fresh = not is_usable(stamp)
    kept = stamp.get("extras") if not fresh else None
    extras = sorted({*EXTRAS[mode], *(kept if isinstance(kept, list) else ())})
    say("installing Lorry's Python packages into .venv; the first time takes a minute or two")
    try:
        VENV.mkdir(exist_ok=True)
        # Written before anything else and removed after everything else: a set-up killed in between is seen.
        UNFINISHED.touch()
        if fresh:
            empty_folder(VENV, keep=UNFINISHED)
            # The base interpreter: `make` may have been called from inside the .venv that was just emptied.
            python = getattr(sys, "_base_executable", sys.executable)
            run_quietly([python, "-m", "venv", VENV], "python3 -m venv failed; its own words stand above.")
        pip: list[str | Path] = [VENV / "bin" / "python", "-m", "pip", "install", "-q"]
        run_quietly(
            [*pip, "--disable-pip-version-check", "-c", CONSTRAINTS, "-e", f".[{','.join(extras)}]"],
            "pip could not install Lorry's packages; its own words stand above. It needs the network.",
        )
        record = {"fingerprint": fingerprint(), "extras": extras, "root": str(ROOT)}
        STAMP.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        UNFINISHED.unlink()
    except OSError as error:
        raise SetupFailed(f"cannot write to {VENV}: {error.strerror}. Does it belong to another user?") from error
    say(f"done in {time.monotonic() - started:.0f} s")


def empty_folder(folder: Path, keep: Path) -> None:
    """Remove everything inside `folder` but `keep`."""
    for entry in folder.iterdir():
        if entry == keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def wait_for(lock: BinaryIO) -> None:
    """Take the lock, saying so when another set-up of this clone holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another set-up of this clone to finish")
        fcntl.flock(lock, fcntl.LOCK_EX)


def main() -> int:
    """Command line: `bootstrap.py run` or `bootstrap.py test`; exit code 0 when the clone is ready."""
    parser = argparse.ArgumentParser(description="Prepare this clone of Lorry.")
    parser.add_argument("mode", choices=sorted(EXTRAS))
    mode: str = parser.parse_args().mode
    if sys.version_info < MINIMUM_PYTHON:
        print(f"Lorry needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    try:
        # Two makes at once must not build the same .venv: the second waits here and then finds it ready.
        with (ROOT / "pyproject.toml").open("rb") as lock:
            wait_for(lock)
            ensure_system(mode)
            ensure_venv(mode)
    except SetupFailed as failure:
        if failure.output:
            print(failure.output, file=sys.stderr)
        print(f"lorry set-up: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
