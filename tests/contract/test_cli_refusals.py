"""Bad input at the command line: one clear sentence on stderr, exit code 1, nothing left on the server."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.client import Ended, holds_nothing, program_of
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer
from tests.support.faults import portal
from tests.support.workspace import RunningServer, User

from lorry.core.model import MAX_FILE_BYTES


def sentence(ended: Ended) -> str:
    """The one sentence of a command that failed, which is no traceback."""
    assert ended.status == 1, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr and "Error:" not in ended.stderr
    text = ended.complaint
    assert text.endswith(".") and len(text) < 350, text
    return text


def missing(folder: Path) -> Path:
    return folder / "missing.jsonl"


def directory(folder: Path) -> Path:
    (folder / "folder.jsonl").mkdir()
    return folder / "folder.jsonl"


def empty(folder: Path) -> Path:
    (folder / "empty.jsonl").touch()
    return folder / "empty.jsonl"


def too_large(folder: Path) -> Path:
    with (folder / "large.jsonl").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    return folder / "large.jsonl"


def wrong_extension(folder: Path) -> Path:
    (folder / "data.csv").write_text("a,b\n")
    return folder / "data.csv"


def not_unicode(folder: Path) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jsonl"))
    path.write_text("{}\n")
    return path


def escape_codes(folder: Path) -> Path:
    (folder / "\x1b[2Jcls.jsonl").write_text("{}\n")
    return folder / "\x1b[2Jcls.jsonl"


def secret_key() -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"role": "service_role"}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


@dataclass(frozen=True)
class Case:
    """A command that has to be refused: its words (`{file}` is a good one), its settings, and what it must say."""

    said: str
    words: tuple[str | Callable[[Path], Path], ...] = ("upload", "{file}")
    settings: dict[str, str] = field(default_factory=dict)


CASES = {
    "missing file": Case("File not found: missing.jsonl", ("upload", missing)),
    "folder": Case("This is a folder: folder.jsonl", ("upload", directory)),
    "empty file": Case("The file is empty: empty.jsonl", ("upload", empty)),
    "too large": Case("Too large: 524,288,001 bytes. The project accepts 524,288,000 bytes", ("upload", too_large)),
    "wrong extension": Case("Not a .jsonl or .json file: data.csv", ("upload", wrong_extension)),
    "name not unicode": Case("name", ("upload", not_unicode)),
    "escape codes": Case("name", ("upload", escape_codes)),
    "name of 1": Case("Too short. At least 2 characters are needed.", ("upload", "{file}", "--name", "x")),
    "name of 201": Case("1 character too long. At most 200 fit.", ("upload", "{file}", "--name", "x" * 201)),
    "two files": Case("--name goes with one file only.", ("upload", "{file}", "{file}", "--name", "Both")),
    "server down": Case("No connection to 127.0.0.1.", settings={"LORRY_URL": "{nowhere}"}),
    "web page": Case("Something else answered in place of 127.0.0.1.", settings={"LORRY_URL": "{portal}"}),
    "wrong password": Case("E-mail or password is not right.", settings={"LORRY_PASSWORD": "wrong-secret"}),
    "service role": Case("This is a secret key.", settings={"LORRY_KEY": secret_key()}),
    "secret key": Case("This is a secret key.", settings={"LORRY_KEY": "sb_secret_0123456789abcdef"}),
    "plain http": Case("must start with https://", settings={"LORRY_URL": "http://project.example.org"}),
    "user in address": Case("user name or password", settings={"LORRY_URL": "https://u:wrong-secret@p.example"}),
    "half of the settings": Case("LORRY_KEY", ("list",), {"LORRY_KEY": ""}),
    "nobody signed in": Case("You are not signed in.", ("list",), {"LORRY_EMAIL": "", "LORRY_PASSWORD": ""}),
    "no dataset id": Case("Dataset not found.", ("show", "no-id")),
    "no such dataset": Case("Dataset not found.", ("show", "9f1c0c8e-0000-4000-8000-000000000000")),
    "unusable folder": Case("The setting LORRY_HOME cannot be used.", settings={"LORRY_HOME": "{file}/home"}),
}


@dataclass(frozen=True)
class Refusals:
    """How each case ended, the user they were run as, and where they wrote."""

    user: User
    home: Path
    ended: dict[str, Ended]


@pytest.fixture(scope="module")
def refusals(workspace_server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusals]:
    """Every case, run side by side as one user."""
    folder = tmp_path_factory.mktemp("refusals")
    user = workspace_server.new_user()
    good = make_dataset("conversation_lines", 5_000, folder / "good.jsonl").path
    with FaultServer() as nobody, FaultServer(user.server.url) as network:
        nobody.refuse()
        network.on(".", portal())
        known = {"file": str(good), "nowhere": nobody.url, "portal": network.url}

        def run(name: str) -> Ended:
            case = CASES[name]
            words = [word.format(**known) if isinstance(word, str) else word(folder) for word in case.words]
            more = {key: value.format(**known) for key, value in case.settings.items()}
            return program_of(user, folder / "homes" / name.replace(" ", "-")).run(*words, settings=more)

        with ThreadPoolExecutor(4) as pool:
            yield Refusals(user, folder / "homes", dict(zip(CASES, pool.map(run, CASES), strict=True)))


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_one_clear_sentence(refusals: Refusals, name: str) -> None:
    ended = refusals.ended[name]
    assert CASES[name].said in sentence(ended)
    assert "\x1b" not in ended.stderr


def test_nothing_of_it_is_left_on_the_server(refusals: Refusals) -> None:
    assert holds_nothing(refusals.user)


def test_no_secret_is_told_or_kept(refusals: Refusals) -> None:
    secrets = ("wrong-secret", "sb_secret_", secret_key(), refusals.user.password)
    told = [ended.stderr for ended in refusals.ended.values()]
    kept = [path.read_bytes().decode("utf-8", "replace") for path in refusals.home.rglob("*") if path.is_file()]
    assert len(kept) > 10
    assert not [secret for secret in secrets for text in told + kept if secret in text]


@pytest.mark.long
def test_a_web_page_after_the_sign_in(alice: User, tmp_path: Path) -> None:
    good = make_dataset("conversation_lines", 5_000, tmp_path / "good.jsonl").path
    with FaultServer(alice.server.url) as proxy:
        proxy.on("/(rest|storage)/", portal())
        ended = program_of(alice, tmp_path / "home", url=proxy.url).run("upload", good)
    assert "Something else answered in place of 127.0.0.1." in sentence(ended)
    assert holds_nothing(alice)


def test_wrong_words_are_explained_with_the_usage(alice: User, tmp_path: Path) -> None:
    wrong: tuple[tuple[str, ...], ...] = (("upload",), ("list", "--limit", "0"), ("list", "--status", "x"))
    for ended in program_of(alice, tmp_path).run_together(*wrong):
        assert ended.status == 2
        assert ended.stderr.startswith("usage: lorry")
