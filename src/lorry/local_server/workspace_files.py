"""The small files of a workspace folder: its secrets and the note that tells others how to reach it.

Both are 0600 and written whole or not at all. Secrets are made once for each workspace. Used at start and
end of the server process; no thread of its own.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lorry.local_server.tokens import Tokens

SECRETS_FILE = "secrets.json"
WORKSPACE_FILE = "workspace.json"
LOCAL_EMAIL = "you@lorry.local"


@dataclass(frozen=True)
class WorkspaceSecrets:
    """What only this workspace's server knows, and the local user it hands out to its owner."""

    jwt_secret: str = field(repr=False)
    anon_key: str
    service_key: str = field(repr=False)
    email: str
    password: str = field(repr=False)

    @classmethod
    def load_or_make(cls, data_dir: Path, jwt_secret: str | None = None) -> WorkspaceSecrets:
        """Read the folder's secrets or make them; a given `jwt_secret` replaces the stored one and its keys."""
        path = data_dir / SECRETS_FILE
        stored = read_json(path)
        if stored.keys() >= cls.__dataclass_fields__.keys() and jwt_secret in (None, stored["jwt_secret"]):
            return cls(**{name: str(stored[name]) for name in cls.__dataclass_fields__})
        secret = jwt_secret or secrets.token_urlsafe(48)
        tokens = Tokens(secret)
        made = cls(
            jwt_secret=secret,
            anon_key=tokens.project_key("anon"),
            service_key=tokens.project_key("service_role"),
            email=LOCAL_EMAIL,
            password=str(stored.get("password") or secrets.token_urlsafe(18)),
        )
        write_private_json(path, asdict(made))
        return made


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty when the file is missing or not JSON."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_private_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a file atomically and durably; nobody else can read it at any moment. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
