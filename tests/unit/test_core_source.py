"""The file on this computer: what is taken, what is refused, and that a changed one is never sent to its end."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from lorry.core.errors import ErrorCode, SourceError
from lorry.core.model import MAX_FILE_BYTES
from lorry.core.source import BLOCK_BYTES, SourceFile, suggested_name


def written(path: Path, content: bytes = b'{"turns": []}\n') -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path, max_bytes: int = MAX_FILE_BYTES) -> SourceError:
    with pytest.raises(SourceError) as caught:
        SourceFile.open(path, max_bytes=max_bytes)
    assert caught.value.context["path"] == str(path)
    comes_back = caught.value.code in (ErrorCode.FILE_MISSING, ErrorCode.FILE_UNREADABLE)
    assert caught.value.is_final is not comes_back
    return caught.value


def sparse(path: Path, size_bytes: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


@pytest.mark.parametrize("name", ["missing.jsonl", "no/such/folder.jsonl", "a" * 300 + ".jsonl", "nul\x00.jsonl"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name).code is ErrorCode.FILE_MISSING


def test_a_file_below_a_file_is_not_there(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl")
    assert refusal(tmp_path / "a.jsonl" / "b.jsonl").code is ErrorCode.FILE_MISSING


def test_a_folder_is_no_file_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path, tmp_path / "folder.jsonl", Path("/")):
        assert refusal(path).code is ErrorCode.FILE_IS_FOLDER


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert refusal(tmp_path / "pipe.jsonl").code is ErrorCode.FILE_NOT_REGULAR


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_a_device_is_refused(tmp_path: Path, device: str) -> None:
    (tmp_path / "device.jsonl").symlink_to(device)
    assert refusal(tmp_path / "device.jsonl").code is ErrorCode.FILE_NOT_REGULAR
    assert refusal(Path(device)).code is ErrorCode.FILE_NOT_REGULAR


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # a name in the file system, not the network
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jsonl"))
        assert refusal(tmp_path / "s.jsonl").code in (ErrorCode.FILE_NOT_REGULAR, ErrorCode.FILE_UNREADABLE)


def test_links_that_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "gone.jsonl")
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert refusal(tmp_path / "dangling.jsonl").code is ErrorCode.FILE_MISSING
    assert refusal(tmp_path / "a.jsonl").code is ErrorCode.FILE_UNREADABLE


def test_a_link_to_a_dataset_is_taken_under_its_own_name(tmp_path: Path) -> None:
    written(tmp_path / "real.txt", b"12345")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.txt")
    with SourceFile.open(tmp_path / "link.jsonl") as source:
        assert b"".join(source.blocks()) == b"12345"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_file_the_system_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = written(tmp_path / "closed.jsonl")

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    error = refusal(path)
    assert (error.code, error.context["reason"]) == (ErrorCode.FILE_UNREADABLE, os.strerror(number))


def test_an_empty_file(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "empty.jsonl", b"")).code is ErrorCode.FILE_EMPTY


def test_the_limit_itself_fits_and_one_byte_more_does_not(tmp_path: Path) -> None:
    with SourceFile.open(sparse(tmp_path / "largest.jsonl", MAX_FILE_BYTES)) as source:
        assert source.stamp.size_bytes == 500 * 1024 * 1024
    error = refusal(sparse(tmp_path / "larger.jsonl", MAX_FILE_BYTES + 1))
    assert error.code is ErrorCode.FILE_TOO_LARGE
    assert (error.context["size_bytes"], error.context["limit_bytes"]) == (524_288_001, 524_288_000)


@pytest.mark.parametrize(
    "name", ["a.txt", "a", "a.jsonl.gz", "a.jsonl~", ".jsonl", "a.json5", "a.ndjson", "a.", "jsonl", "a.jsonl "]
)
def test_a_wrong_extension(tmp_path: Path, name: str) -> None:
    assert refusal(written(tmp_path / name)).code is ErrorCode.FILE_WRONG_TYPE


@pytest.mark.parametrize(
    "name", ["a.jsonl", "A.JSONL", "a.Json", "a.b.json", "a b.jsonl", "-a.jsonl", "résumé.jsonl", "بيانات.jsonl"]
)
def test_a_right_extension(tmp_path: Path, name: str) -> None:
    with SourceFile.open(written(tmp_path / name)) as source:
        assert source.path.name == name


@pytest.mark.parametrize("name", [b"caf\xe9.jsonl", b"line\nbreak.jsonl", b"back\\slash.jsonl", b"\x1b[2J.jsonl"])
def test_a_name_no_row_can_hold(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    assert refusal(written(path)).code is ErrorCode.FILE_NAME_REFUSED


@pytest.mark.parametrize("size", [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 5_000_001])
def test_the_blocks_are_the_file(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    with SourceFile.open(written(tmp_path / "a.jsonl", content)) as source:
        for _ in range(2):
            blocks = list(source.blocks())
            assert b"".join(blocks) == content
            assert max(map(len, blocks)) <= BLOCK_BYTES


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    os.truncate(path, BLOCK_BYTES + 7)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def overwrite(path: Path) -> None:
    before = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"xyz")
    os.utime(path, ns=(before, before + 1))


@pytest.mark.parametrize("change", [append, truncate, empty, replace, touch, overwrite])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_file_that_changes_while_it_is_read_is_never_sent_to_its_end(
    tmp_path: Path, change: object, after: int
) -> None:
    path = written(tmp_path / "a.jsonl", os.urandom(3 * BLOCK_BYTES))
    assert callable(change)
    sent = 0
    with pytest.raises(SourceError) as caught, SourceFile.open(path) as source:
        if after == 0:
            change(path)
        for number, block in enumerate(source.blocks(), 1):
            sent += len(block)
            if number == after:
                change(path)
    assert caught.value.code is ErrorCode.FILE_CHANGED
    assert caught.value.context["file_name"] == "a.jsonl"
    # A server that has every byte stores the object; so the last block stays here.
    assert sent < 3 * BLOCK_BYTES


def test_a_file_deleted_while_open_is_still_read_to_its_end(tmp_path: Path) -> None:
    content = os.urandom(2 * BLOCK_BYTES)
    path = written(tmp_path / "a.jsonl", content)
    with SourceFile.open(path) as source:
        path.unlink()
        assert b"".join(source.blocks()) == content


def test_opening_and_reading_leave_the_file_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", b"x" * 100)
    path.chmod(0o444)
    before = path.stat()
    with SourceFile.open(path) as source:
        list(source.blocks())
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size, before.st_mode) == (after.st_mtime_ns, after.st_size, after.st_mode)


def test_refused_files_are_closed_again(tmp_path: Path) -> None:
    written(tmp_path / "a.txt")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        refusal(tmp_path / "a.txt")
        refusal(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("financial-coaching_v2.jsonl", "Financial coaching v2"),
        ("a.b.json", "A.b"),
        ("été.jsonl", "Été"),
        ("e\u0301te\u0301.jsonl", "Été"),
        ("  spaced   out .jsonl", "Spaced out"),
        ("tab\tnew\nline.jsonl", "Tabnewline"),
        ("___.jsonl", ""),
        ("قاعدة_بيانات.jsonl", "قاعدة بيانات"),
        ("x" * 240 + ".jsonl", "X" + "x" * 199),
    ],
)
def test_a_name_is_made_from_the_file_name(file_name: str, name: str) -> None:
    assert suggested_name(Path("/some/where") / file_name) == name
