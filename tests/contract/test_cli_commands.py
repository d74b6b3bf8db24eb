"""The commands as scripts use them: texts for people, one JSON object with `--json`, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.client import Ended, Program, objects, program_of, rows
from tests.support.datasets import make_dataset
from tests.support.workspace import User, short_folder

UUID_TEXT = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ROW_FIELDS = {"id", "name", "status", "format", "file_name", "file_size", "storage_path", "created_at", "description"}


@pytest.fixture
def lorry(alice: User, tmp_path: Path) -> Program:
    return program_of(alice, tmp_path / "home")


def good_file(path: Path) -> Path:
    return make_dataset("conversation_lines", 20_000, path).path


def data(ended: Ended) -> Any:
    """The data of a command that worked."""
    assert ended.status == 0, ended
    document = ended.document
    assert set(document) == {"success", "data"} and document["success"] is True
    return document["data"]


def failure(ended: Ended) -> tuple[str, Any]:
    """Sentence and details of a command that did not work."""
    assert ended.status == 1, ended
    document = ended.document
    assert set(document) == {"error", "details"}
    assert isinstance(document["error"], str) and document["error"].endswith(".")
    return document["error"], document["details"]


def test_upload_list_show_agree(lorry: Program, alice: User, tmp_path: Path) -> None:
    path = good_file(tmp_path / "Financial_coaching.jsonl")
    uploaded = data(lorry.run("upload", path, "--wait", "--json", "--description", "Two lines"))
    assert set(uploaded) == {"uploads"}
    (upload,) = uploaded["uploads"]
    assert set(upload) == {"file", "dataset_id", "storage_path", "status"}
    assert (upload["file"], upload["status"]) == (str(path), "ready")
    assert upload["storage_path"] == f"{alice.id}/{upload['dataset_id']}/Financial_coaching.jsonl"
    assert objects(alice.server, f"{alice.id}/{upload['dataset_id']}") == ["Financial_coaching.jsonl"]

    listed = data(lorry.run("list", "--json"))
    assert set(listed) == {"datasets", "total", "page", "limit", "total_pages"}
    assert (listed["total"], listed["page"], listed["limit"], listed["total_pages"]) == (1, 1, 25, 1)
    (dataset,) = listed["datasets"]
    assert set(dataset) >= ROW_FIELDS
    assert (dataset["id"], dataset["name"], dataset["status"]) == (upload["dataset_id"], "Financial coaching", "ready")

    shown = data(lorry.run("show", upload["dataset_id"], "--json"))
    assert set(shown) >= ROW_FIELDS | {"sample_data", "checksums", "total_training_pairs", "validation_errors"}
    assert shown["description"] == "Two lines"
    assert shown["total_training_pairs"] > 0 and shown["training_ready"] is True
    assert datetime.fromisoformat(shown["created_at"]).tzinfo is not None

    text = lorry.run("show", upload["dataset_id"])
    assert text.status == 0 and "Financial coaching" in text.stdout and upload["dataset_id"] in text.stdout


def test_an_upload_without_waiting_ends_with_validation_under_way(lorry: Program, tmp_path: Path) -> None:
    ended = lorry.run("upload", good_file(tmp_path / "a.jsonl"), "--name", "Mein Name", "--format", "brightrun_lora_v3")
    assert ended.status == 0, ended
    assert re.fullmatch(rf".*a\.jsonl: (validating|ready), dataset {UUID_TEXT}\n", ended.stdout)
    assert "Validation in progress." in ended.stderr
    (row,) = data(lorry.run("list", "--json", "--search", "mein", "--format", "brightrun_lora_v3"))["datasets"]
    assert (row["name"], row["format"]) == ("Mein Name", "brightrun_lora_v3")


def test_progress_goes_to_stderr_and_json_is_silent(lorry: Program, tmp_path: Path) -> None:
    path = good_file(tmp_path / "a.jsonl")
    assert lorry.run("upload", path, "--json").stderr == ""
    spoken = lorry.run("upload", path, "--wait")
    assert "a.jsonl: uploaded" in spoken.stderr
    assert "a.jsonl: Ready" in spoken.stderr or "a.jsonl: ready" in spoken.stderr.lower()
    assert len(spoken.stdout.splitlines()) == 1


def test_a_file_the_server_does_not_accept_is_a_failure_only_when_waiting(lorry: Program, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"turns": 7}\nnot json\n')
    waited = lorry.run("upload", path, "--wait", "--json", "--anyway")
    sentence, details = failure(waited)
    assert "does not accept bad.jsonl" in sentence
    (upload,) = details["uploads"]
    assert upload["status"] == "error"
    (entry,) = details["failures"]
    assert entry["file"] == str(path) and entry["error"] == sentence
    shown = lorry.run("show", upload["dataset_id"])
    assert shown.status == 0 and "line 2" in shown.stdout


def test_one_bad_file_among_several_does_not_stop_the_others(lorry: Program, alice: User, tmp_path: Path) -> None:
    files = [good_file(tmp_path / f"good {number}.jsonl") for number in (1, 2)]
    bad = [tmp_path / "missing.jsonl", tmp_path / "wrong.txt"]
    bad[1].write_text("x")
    sentence, details = failure(lorry.run("upload", files[0], *bad, files[1], "--wait", "--json"))
    assert sentence == "2 of 4 files did not become datasets."
    assert [entry["status"] for entry in details["uploads"]] == ["ready", "failed", "failed", "ready"]
    assert [entry["dataset_id"] is None for entry in details["uploads"]] == [False, True, True, False]
    assert [(entry["file"], entry["code"]) for entry in details["failures"]] == [
        (str(bad[0]), "file_missing"),
        (str(bad[1]), "file_wrong_type"),
    ]
    assert len(rows(alice.server, user_id=alice.id)) == 2
    text = lorry.run("upload", bad[0], files[0])
    assert text.status == 1
    assert "missing.jsonl: File not found" in text.complaint
    assert "good 1.jsonl: " in text.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "no-id"), "not_found"),
        (("list",), "wrong_password"),
        (("upload", "missing.jsonl"), "wrong_password"),
        (("resume",), "wrong_password"),
    ],
)
def test_a_failure_as_json(lorry: Program, alice: User, words: tuple[str, ...], code: str) -> None:
    ended = lorry.run(*words, "--json", LORRY_PASSWORD="wrong" if code == "wrong_password" else alice.password)
    _sentence, details = failure(ended)
    assert details["code"] == code and "step" in details
    assert ended.stderr == ""


def test_a_bad_draft_as_json_names_the_fields(lorry: Program, tmp_path: Path) -> None:
    _sentence, details = failure(lorry.run("upload", good_file(tmp_path / "a.jsonl"), "--name", "x", "--json"))
    (entry,) = details["failures"]
    assert (entry["code"], list(entry["fields"])) == ("invalid_draft", ["name"])


def test_pages_and_filters_of_the_list(lorry: Program, alice: User) -> None:
    for number in range(3):
        alice.insert(name=f"set {number}")
    second = data(lorry.run("list", "--json", "--page", "2", "--limit", "2"))
    assert ([d["name"] for d in second["datasets"]], second["total"], second["total_pages"]) == (["set 0"], 3, 2)
    assert data(lorry.run("list", "--json", "--page", "9"))["datasets"] == []
    assert data(lorry.run("list", "--json", "--status", "ready"))["total"] == 0
    assert data(lorry.run("list", "--json", "--search", "SET 1"))["total"] == 1
    text = lorry.run("list", "--limit", "2")
    assert text.status == 0
    header, *lines, total = text.stdout.splitlines()
    assert header.split() == ["Name", "Status", "Format", "Size", "Pairs", "Created", "ID"]
    assert [line.split("  ")[0] for line in lines] == ["set 2", "set 1"]
    assert total == "3 datasets, page 1 of 2"


def test_an_empty_list_in_words(lorry: Program) -> None:
    ended = lorry.run("list")
    assert (ended.status, ended.stdout) == (0, "No datasets.\n")


def test_names_cannot_write_to_the_terminal(lorry: Program, alice: User) -> None:
    alice.insert(name="plain \u202eevil\u202c name")
    ended = lorry.run("list")
    assert ended.status == 0
    assert "\u202e" not in ended.stdout and "plain" in ended.stdout


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.long)])
def test_a_terminal_that_cannot_show_a_name_is_no_reason_to_fail(lorry: Program, alice: User, encoding: str) -> None:
    name = "é مجموعة 😀"
    alice.insert(name=name)
    text = lorry.run("list", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert text.status == 0 and "\\u0645" in text.stdout
    listed = data(lorry.run("list", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0"))
    assert listed["datasets"][0]["name"] == name


def test_check_needs_no_server(tmp_path: Path) -> None:
    alone = Program(tmp_path / "home", {"LORRY_URL": "http://nowhere.example", "LORRY_KEY": "x"})
    clean = alone.run("check", good_file(tmp_path / "good.jsonl"), "--json")
    report = data(clean)
    assert report["counts"]["error"] == 0
    assert {"findings", "statistics", "counts"} <= set(report)
    assert report["statistics"]["training_pairs"] > 0
    bad = tmp_path / "bad.jsonl"
    bad.write_text("not json\n")
    found = alone.run("check", bad, "--json")
    assert found.status == 1
    findings = found.document["data"]["findings"]
    assert findings[0]["line"] == 1 and {"code", "level", "message"} <= set(findings[0])
    text = alone.run("check", bad)
    assert text.status == 1 and "line 1" in text.stdout
    cannot = alone.run("check", tmp_path / "missing.jsonl", "--json")
    assert cannot.status == 2 and set(cannot.document) == {"error", "details"}
    spoken = alone.run("check", tmp_path / "missing.jsonl")
    assert spoken.status == 2 and "missing.jsonl" in spoken.complaint


def test_doctor_tells_each_check(lorry: Program) -> None:
    checks = data(lorry.run("doctor", "--json"))["checks"]
    assert [check["name"] for check in checks] == [
        "Disk",
        "Server",
        "Clock",
        "Sign-in",
        "Table",
        "Upload limits",
        "Bucket",
    ]
    assert {check["verdict"] for check in checks} == {"passed"}
    assert all(set(check) == {"name", "verdict", "meaning", "fix"} and check["meaning"] for check in checks)
    failing = lorry.run("doctor", "--json", LORRY_PASSWORD="wrong")
    verdicts = {check["name"]: check for check in failing.document["data"]["checks"]}
    assert (verdicts["Sign-in"]["verdict"], verdicts["Table"]["verdict"]) == ("failed", "not_run")
    assert "E-mail or password is not right." in verdicts["Sign-in"]["meaning"]
    text = lorry.run("doctor")
    assert text.status == 0 and text.stdout.count("passed") == 7


def test_signing_in_says_who_and_that_nothing_is_remembered_here(lorry: Program, alice: User) -> None:
    signed = data(lorry.run("sign-in", "--json"))
    assert set(signed) == {"email", "project", "remembered"}
    assert (signed["email"], signed["project"]) == (alice.email, alice.server.url.removeprefix("http://"))
    text = lorry.run("sign-in")
    assert text.status == 0 and alice.email in text.stdout
    assert alice.password not in text.stdout + text.stderr
    sentence, details = failure(lorry.run("sign-in", "--json", LORRY_PASSWORD="wrong"))
    assert (sentence.split(".")[0], details["code"]) == ("E-mail or password is not right", "wrong_password")


def test_signing_in_without_a_terminal_or_a_password_is_explained(lorry: Program) -> None:
    ended = lorry.run("sign-in", LORRY_EMAIL="", LORRY_PASSWORD="")
    assert ended.status == 1
    assert "LORRY_EMAIL and LORRY_PASSWORD" in ended.stderr and "Traceback" not in ended.stderr


def test_resuming_nothing_is_fine(lorry: Program) -> None:
    ended = lorry.run("resume", "--wait")
    assert (ended.status, ended.stdout) == (0, "Nothing to resume.\n")
    assert data(lorry.run("resume", "--json")) == {"uploads": []}


def test_serve_says_where_it_is_and_stops_on_a_signal() -> None:
    with short_folder() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "lorry", "serve", "--json", "--data-dir", str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LORRY_HOME": str(folder.parent / "home")},
        )
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert set(ready) == {"url", "anon_key", "email", "password"}
        with httpx.Client(base_url=ready["url"], trust_env=False) as http:
            answer = http.post(
                "/auth/v1/token?grant_type=password",
                headers={"apikey": ready["anon_key"]},
                json={"email": ready["email"], "password": ready["password"]},
            )
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
        process.stdout.close()


def test_without_settings_the_local_workspace_is_used_and_ends_with_the_command(tmp_path: Path) -> None:
    with short_folder() as folder:
        alone = Program(folder)
        path = good_file(tmp_path / "a.jsonl")
        (upload,) = data(alone.run("upload", path, "--wait", "--json", limit_s=90))["uploads"]
        assert upload["status"] == "ready"
        listed = data(alone.run("list", "--json", limit_s=90))
        assert [dataset["id"] for dataset in listed["datasets"]] == [upload["dataset_id"]]
        note = json.loads((folder / "workspace" / "workspace.json").read_text())
        with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as http:
            http.get(note["url"])


def test_the_log_holds_no_secret(lorry: Program, alice: User, tmp_path: Path) -> None:
    lorry.run("upload", good_file(tmp_path / "a.jsonl"), "--wait")
    lorry.run("list", LORRY_PASSWORD="wrong-password-2")
    secrets = (alice.password, "wrong-password-2", "token=", "eyJ", "refresh_token")
    for file in (entry for entry in lorry.home.rglob("*") if entry.is_file()):
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], file


def test_version_and_help(lorry: Program) -> None:
    from lorry import __version__

    assert lorry.run("--version").stdout == f"lorry {__version__}\n"
    helped = lorry.run("--help")
    assert helped.status == 0 and "upload" in helped.stdout and "doctor" in helped.stdout
