"""Bad input at the command line: one clear sentence on stderr, exit code 1, nothing left on the server."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.client import Ended, Program, holds_nothing, program_of
from tests.support.datasets import make_dataset
from tests.support.fault_server import FaultServer, portal
from tests.support.workspace import User

from lorry.core.model import MAX_FILE_BYTES


@pytest.fixture
def lorry(alice: User, tmp_path: Path) -> Program:
    return program_of(alice, tmp_path / "home")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return make_dataset("conversation_lines", 5_000, tmp_path / "good.jsonl").path


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens."""
    with FaultServer() as server:
        server.refuse()
        yield server.url


def sentence(ended: Ended) -> str:
    """The one sentence of a command that failed; it starts with a capital and is no traceback."""
    assert ended.status == 1, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr and "Error:" not in ended.stderr
    text = ended.complaint
    assert text.endswith(".") and len(text) < 300, text
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


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jsonl")
    return folder / "pipe.jsonl"


def not_unicode(folder: Path) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jsonl"))
    path.write_text("{}\n")
    return path


def escape_codes(folder: Path) -> Path:
    (folder / "\x1b[2Jcls.jsonl").write_text("{}\n")
    return folder / "\x1b[2Jcls.jsonl"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "File not found: missing.jsonl"),
        (directory, "This is a folder: folder.jsonl"),
        (empty, "The file is empty: empty.jsonl"),
        (too_large, "Too large: 524,288,001 bytes. The project accepts 524,288,000 bytes"),
        (wrong_extension, "Not a .jsonl or .json file: data.csv"),
        (pipe, "Not an ordinary file: pipe.jsonl"),
        (not_unicode, "name"),
        (escape_codes, "name"),
    ],
)
def test_a_file_that_cannot_be_taken(
    lorry: Program, alice: User, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    ended = lorry.run("upload", make(tmp_path))
    assert words in sentence(ended)
    assert "\x1b" not in ended.stderr
    assert holds_nothing(alice)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x", "Too short. At least 2 characters are needed."),
        ("x" * 201, "1 character too long. At most 200 fit."),
        pytest.param("", "Give the dataset a name.", marks=pytest.mark.long),
        pytest.param("a\nb", "control character", marks=pytest.mark.long),
    ],
)
def test_a_name_that_does_not_fit(lorry: Program, alice: User, good: Path, name: str, words: str) -> None:
    assert words in sentence(lorry.run("upload", good, "--name", name))
    assert holds_nothing(alice)


def test_a_server_that_is_down(alice: User, nowhere: str, tmp_path: Path, good: Path) -> None:
    ended = program_of(alice, tmp_path / "home", url=nowhere).run("upload", good)
    assert "No connection to 127.0.0.1." in sentence(ended)


def test_a_server_that_answers_with_a_web_page(alice: User, tmp_path: Path, good: Path) -> None:
    with FaultServer(alice.server.url) as proxy:
        proxy.on(".", portal())
        ended = program_of(alice, tmp_path / "home", url=proxy.url).run("upload", good)
    assert "Something else answered in place of 127.0.0.1." in sentence(ended)
    assert holds_nothing(alice)


@pytest.mark.long
def test_a_web_page_after_the_sign_in(alice: User, tmp_path: Path, good: Path) -> None:
    with FaultServer(alice.server.url) as proxy:
        proxy.on("/(rest|storage)/", portal())
        ended = program_of(alice, tmp_path / "home", url=proxy.url).run("upload", good)
    assert "Something else answered in place of 127.0.0.1." in sentence(ended)
    assert holds_nothing(alice)


def test_a_wrong_password(lorry: Program, alice: User, good: Path) -> None:
    ended = lorry.run("upload", good, LORRY_PASSWORD="wrong-password-1")
    assert "E-mail or password is not right." in sentence(ended)
    assert "wrong-password-1" not in ended.stderr
    assert holds_nothing(alice)


def secret_keys() -> list[str]:
    payload = base64.urlsafe_b64encode(json.dumps({"role": "service_role"}).encode()).decode().rstrip("=")
    return [f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl", "sb_secret_0123456789abcdef"]


@pytest.mark.parametrize("key", secret_keys(), ids=["service role", "secret"])
def test_a_secret_key(lorry: Program, alice: User, good: Path, key: str) -> None:
    ended = lorry.run("upload", good, LORRY_KEY=key)
    assert "This is a secret key." in sentence(ended)
    assert key not in ended.stderr
    assert all(key.encode() not in file.read_bytes() for file in lorry.home.rglob("*") if file.is_file())
    assert holds_nothing(alice)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://project.example.org", "must start with https://"),
        ("https://user:secret-word@project.example.org", "user name or password"),
        ("https://project.example.org/rest/v1", "without a path"),
        pytest.param("project.example.org", "must look like", marks=pytest.mark.long),
    ],
)
def test_an_address_that_cannot_be_used(lorry: Program, good: Path, url: str, words: str) -> None:
    ended = lorry.run("upload", good, LORRY_URL=url)
    assert words in sentence(ended)
    assert "secret-word" not in ended.stderr


def test_half_of_the_settings(lorry: Program) -> None:
    assert "LORRY_KEY" in sentence(lorry.run("list", LORRY_KEY=""))


def test_nobody_signed_in(lorry: Program) -> None:
    assert "You are not signed in." in sentence(lorry.run("list", LORRY_EMAIL="", LORRY_PASSWORD=""))


@pytest.mark.parametrize("dataset_id", ["no-id", "9f1c0c8e-0000-4000-8000-000000000000"])
def test_a_dataset_that_is_not_there(lorry: Program, dataset_id: str) -> None:
    assert "Dataset not found." in sentence(lorry.run("show", dataset_id))


def test_one_name_for_several_files(lorry: Program, alice: User, good: Path) -> None:
    assert "--name goes with one file only." in sentence(lorry.run("upload", good, good, "--name", "Both"))
    assert holds_nothing(alice)


@pytest.mark.parametrize(
    "words", [("upload",), ("frobnicate", "--json"), ("list", "--limit", "0"), ("list", "--status", "x")]
)
def test_wrong_words_are_explained_with_the_usage(lorry: Program, words: tuple[str, ...]) -> None:
    ended = lorry.run(*words)
    assert ended.status in (1, 2)
    assert "Traceback" not in ended.stderr and ended.stderr.strip()


def test_a_profile_folder_that_cannot_be_made(lorry: Program, good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = lorry.run("upload", good, LORRY_HOME=str(tmp_path / "file" / "home"))
    assert "The setting LORRY_HOME cannot be used." in sentence(ended)
