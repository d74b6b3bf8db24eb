"""What Deno is started with in tests."""

from __future__ import annotations

import os
from pathlib import Path


def deno_environment(deno_folder: Path) -> dict[str, str]:
    """This process's environment; downloads are kept in `deno_folder`.

    Certificates of the operating system's store count besides Deno's own, so that it also works behind a company's
    proxy.
    """
    return {
        "DENO_TLS_CA_STORE": "system,mozilla",
        **os.environ,
        "DENO_DIR": str(deno_folder),
        "DENO_NO_UPDATE_CHECK": "1",
        "NO_COLOR": "1",
    }
