"""What may be typed: commands and options of `lorry`. Scripts depend on these names."""

from __future__ import annotations

import argparse
from pathlib import Path

from lorry import __version__
from lorry.core.model import DEFAULT_PAGE_SIZE, DatasetFormat, DatasetStatus

COMMANDS = ("sign-in", "upload", "list", "show", "resume", "check", "doctor", "serve")


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be between 1 and 1000")
    return number


def command_parser() -> argparse.ArgumentParser:
    """The parser for `lorry COMMAND …`."""
    parser = argparse.ArgumentParser(
        prog="lorry",
        description="Hauls LoRA training datasets into a Supabase project.",
        epilog="Without a command the window opens: lorry [FILE…]",
    )
    parser.add_argument("--version", action="version", version=f"lorry {__version__}")
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[json_option])

    add("sign-in", "Sign in to the project of LORRY_URL and remember it.")

    upload = add("upload", "Upload dataset files.")
    upload.add_argument("files", nargs="+", type=Path, metavar="FILE")
    upload.add_argument("--name", help="name of the dataset (one file only); made from the file name if missing")
    upload.add_argument("--description", help="what the dataset is")
    upload.add_argument("--format", choices=[kind.value for kind in DatasetFormat], help="format of the file")
    upload.add_argument("--wait", action="store_true", help="wait for the server's verdict")
    upload.add_argument("--anyway", action="store_true", help="upload a file even if its check finds errors")

    listing = add("list", "List your datasets, newest first.")
    listing.add_argument("--status", choices=[status.value for status in DatasetStatus])
    listing.add_argument("--format", choices=[kind.value for kind in DatasetFormat])
    listing.add_argument("--search", default="", metavar="TEXT", help="text in the name, upper or lower case")
    listing.add_argument("--page", type=_count, default=1)
    listing.add_argument("--limit", type=_count, default=DEFAULT_PAGE_SIZE, help="datasets on a page")

    show = add("show", "Show one dataset.")
    show.add_argument("id", metavar="ID")

    resume = add("resume", "Go on with uploads that were interrupted.")
    resume.add_argument("--wait", action="store_true", help="wait for the server's verdict")

    check = add("check", "Check a dataset file without uploading it. Exit code 0: clean, 1: findings, 2: cannot run.")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--format", choices=[kind.value for kind in DatasetFormat])
    check.add_argument("--all", action="store_true", help="list every finding that was kept, up to 1,000 a code")
    check.add_argument("--sarif", type=Path, metavar="FILE", help="write the findings as SARIF 2.1.0 too")
    copies = check.add_mutually_exclusive_group()
    copies.add_argument("--fix", action="store_true", help="write a copy with the safe fixes beside the file")
    copies.add_argument("--convert", action="store_true", help="make conversation lines of another tool's format")
    check.add_argument(
        "--map-roles", action="store_true", help="in the fixed copy write human as user, gpt as assistant…"
    )
    check.add_argument("--merge-turns", action="store_true", help="in the fixed copy merge turns of the same role")

    add("doctor", "Check the connection and the project.")

    serve = add("serve", "Run the local workspace in the foreground.")
    serve.add_argument("--data-dir", type=Path, help="where the workspace keeps its data")
    serve.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; chosen freely if missing")
    serve.add_argument("--database-url", help="use this PostgreSQL (15 or newer) instead of the embedded one")
    serve.add_argument("--jwt-secret-file", type=Path, help="file with the secret that signs tokens")
    return parser


def window_parser() -> argparse.ArgumentParser:
    """The parser for `lorry [FILE…]`."""
    parser = argparse.ArgumentParser(
        prog="lorry",
        description="Opens the window, and the upload dialog for the files. Commands: " + ", ".join(COMMANDS) + ".",
    )
    parser.add_argument("--version", action="version", version=f"lorry {__version__}")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    return parser
