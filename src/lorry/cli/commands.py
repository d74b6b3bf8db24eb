"""The commands. Each gets its arguments and what it needs, prints its result and returns the exit code."""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from lorry.cli.checking import run_check
from lorry.cli.output import (
    dataset_facts,
    dataset_table,
    error_details,
    error_sentence,
    print_failure,
    print_result,
)
from lorry.cli.transfers import Follower, Outcome, draft_for, failed
from lorry.cli.upload_checks import record_anyway, refusal, same_content_line, warning_line
from lorry.core.client import Client
from lorry.core.errors import ErrorCode, LorryError, RejectedError
from lorry.core.model import DatasetFormat, DatasetQuery, DatasetStatus
from lorry.core.paths import Paths
from lorry.text import format as fmt
from lorry.text.error_text import damaged_journal

log = logging.getLogger(__name__)

#: Builds and closes a client. Making one starts the local workspace if no other project is named.
ClientFactory = Callable[[], AbstractContextManager[Client]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What commands may use."""

    paths: Paths
    open_client: ClientFactory

    @contextmanager
    def signed_in(self) -> Iterator[Client]:
        """A client with somebody signed in."""
        with self.open_client() as client:
            client.connect()
            yield client


def run(arguments: argparse.Namespace, around: Surroundings) -> int:
    """Run one command and return its exit code; a LorryError becomes one sentence and exit code 1."""
    command = {
        "sign-in": _sign_in,
        "upload": _upload,
        "list": _list,
        "show": _show,
        "resume": _resume,
        "check": _check,
        "doctor": _doctor,
        "serve": _serve,
    }[arguments.command]
    try:
        return command(arguments, around)
    except LorryError as error:
        print_failure(error_sentence(error), error_details(error), as_json=arguments.json)
        return 2 if arguments.command == "check" else 1


def _sign_in(arguments: argparse.Namespace, around: Surroundings) -> int:
    with around.open_client() as client:
        email, password = client.config.email, client.config.password
        try:
            email = email or _ask("E-mail: ")
            password = password or getpass.getpass("Password: ")
        except EOFError:
            sentence = "Nobody is here to type: set LORRY_EMAIL and LORRY_PASSWORD to sign in without a terminal."
            print_failure(sentence, {"code": "bad_usage"}, as_json=arguments.json)
            return 1
        account = client.sign_in(email, password)
    data = {"email": account.email, "project": account.project, "remembered": account.is_remembered}
    text = f"Signed in to {account.project} as {fmt.safe_name(account.email)}."
    if not account.is_remembered:
        text += (
            " This computer has no safe place for the session, so it ends here; "
            "set LORRY_EMAIL and LORRY_PASSWORD for scripts."
        )
    print_result(data, text, as_json=arguments.json)
    return 0


def _ask(question: str) -> str:
    # On stderr, like the question for the password, so that a pipe only gets the result.
    print(question, end="", file=sys.stderr, flush=True)
    return input()


def _upload(arguments: argparse.Namespace, around: Surroundings) -> int:
    if arguments.name is not None and len(arguments.files) > 1:
        print_failure("--name goes with one file only.", {"code": "bad_usage"}, as_json=arguments.json)
        return 1
    with around.signed_in() as client:
        follower = Follower(client, wait_for_verdict=arguments.wait, quiet=arguments.json)
        client.read_limits()
        outcomes = []
        for path in arguments.files:
            outcomes.append(_check_and_queue(client, follower, path, arguments))
        follower.run()
    return _report(outcomes, as_json=arguments.json)


def _check_and_queue(client: Client, follower: Follower, path: Path, arguments: argparse.Namespace) -> Outcome:
    """Check a file and queue its upload, unless the check says that it is not to be uploaded."""
    try:
        draft = draft_for(client, path, arguments.name, arguments.description, arguments.format)
        checked = follower.wait_for_check(client.check_file(path, arguments.format), path)
        report = checked.report
        refused = refusal(path, report)
        if refused is not None and not arguments.anyway:
            return Outcome(str(path), status="failed", sentence=refused[0], details=refused[1])
        if refused is not None:
            follower.say(record_anyway(path, report))
        follower.say(warning_line(path, report))
        follower.say(_same_content(client, path, report.checksums["whole"]))
        if arguments.format is None and report.format is not None:
            draft = draft.model_copy(update={"format": DatasetFormat(report.format)})
        return follower.add(client.upload(path, draft, checked), str(path))
    except (LorryError, ValidationError) as error:
        return failed(path, error)


def _same_content(client: Client, path: Path, sha256: str) -> str:
    """A line about a dataset with the same content; "" without one, or when the server cannot say now."""
    try:
        same = client.find_same_content(sha256)
    except LorryError as error:
        log.info("whether the content is there already is not known: %s", error)
        return ""
    return same_content_line(path, same) if same else ""


def _resume(arguments: argparse.Namespace, around: Surroundings) -> int:
    with around.signed_in() as client:
        follower = Follower(client, wait_for_verdict=arguments.wait, quiet=arguments.json)
        if client.damaged_journal is not None:
            print(f"lorry: {damaged_journal(client.damaged_journal).sentence}", file=sys.stderr)
        client.resume_interrupted()
        outcomes = []
        for transfer in client.snapshot():
            if transfer.is_cancelling:
                follower.add_cleaning(transfer.dataset_id)
            else:
                outcomes.append(follower.add(transfer.dataset_id, str(transfer.path)))
        client.resume_all()
        follower.run()
    if not outcomes and not arguments.json:
        print("Nothing to resume.")
    return _report(outcomes, as_json=arguments.json)


def _report(outcomes: Sequence[Outcome], *, as_json: bool) -> int:
    uploads = [outcome.to_dict() for outcome in outcomes]
    bad = [outcome for outcome in outcomes if outcome.sentence]
    if not bad:
        lines = [f"{fmt.safe_name(o.file)}: {o.status}, dataset {o.dataset_id}" for o in outcomes]
        print_result({"uploads": uploads}, "\n".join(lines), as_json=as_json)
        return 0
    if as_json:
        failures = [{"file": o.file, "error": o.sentence, **o.details} for o in bad]
        sentence = bad[0].sentence if len(bad) == 1 else f"{len(bad)} of {len(outcomes)} files did not become datasets."
        print_failure(sentence, {"uploads": uploads, "failures": failures}, as_json=True)
        return 1
    for outcome in outcomes:
        name = fmt.safe_name(outcome.file)
        if outcome.sentence:
            print_failure(f"{name}: {outcome.sentence}", None, as_json=False)
        else:
            print(f"{name}: {outcome.status}, dataset {outcome.dataset_id}")
    return 1


def _list(arguments: argparse.Namespace, around: Surroundings) -> int:
    query = DatasetQuery(
        page=arguments.page,
        limit=arguments.limit,
        status=DatasetStatus(arguments.status) if arguments.status else None,
        format=DatasetFormat(arguments.format) if arguments.format else None,
        search=arguments.search,
    )
    with around.signed_in() as client:
        page = client.list_datasets(query)
    data = {
        "datasets": [dataset.model_dump(mode="json") for dataset in page.datasets],
        "total": page.total,
        "page": query.page,
        "limit": query.limit,
        "total_pages": page.total_pages,
    }
    print_result(data, dataset_table(page), as_json=arguments.json)
    return 0


def _show(arguments: argparse.Namespace, around: Surroundings) -> int:
    try:
        dataset_id = UUID(arguments.id)
    except ValueError as error:
        context: dict[str, str | int] = {"id": arguments.id}
        raise RejectedError(ErrorCode.NOT_FOUND, "not a dataset id", step="show", context=context) from error
    with around.signed_in() as client:
        dataset = client.get_dataset(dataset_id)
    print_result(dataset.model_dump(mode="json"), dataset_facts(dataset), as_json=arguments.json)
    return 0


def _check(arguments: argparse.Namespace, _around: Surroundings) -> int:
    return run_check(arguments)


def _doctor(arguments: argparse.Namespace, around: Surroundings) -> int:
    with around.open_client() as client:
        checks = client.diagnose()
    entries = []
    for check in checks:
        entry = check.to_dict()
        if check.error is not None:
            entry["meaning"] = error_sentence(check.error)
        entries.append(entry)
    lines = [
        f"{entry['verdict'].replace('_', ' '):<8} {entry['name']}: {entry['meaning']}"
        + (f" {entry['fix']}" if entry["fix"] else "")
        for entry in entries
    ]
    print_result({"checks": entries}, "\n".join(lines), as_json=arguments.json)
    return 0


def _serve(arguments: argparse.Namespace, around: Surroundings) -> int:
    options = ["--data-dir", str(arguments.data_dir or around.paths.workspace_dir), "--port", str(arguments.port)]
    options += ["--json"] if arguments.json else []
    options += ["--database-url", arguments.database_url] if arguments.database_url else []
    options += ["--jwt-secret-file", str(arguments.jwt_secret_file)] if arguments.jwt_secret_file else []
    # The server replaces this process, so that signals reach it and nothing of the client stays in memory.
    os.execv(sys.executable, [sys.executable, "-m", "lorry.local_server", *options])  # noqa: S606 - our own program
