"""Small things worth remembering (window size, last folder), in one JSON file. Losing it costs nothing."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

from lorry.core.paths import private_dir

log = logging.getLogger(__name__)


class Settings:
    """Values that JSON can hold, by name. Thread-safe; written at once, whole, by rename."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._values = _read(path)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        with self._lock:
            return self._values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Remember a value; a file that cannot be written is logged, not an error."""
        with self._lock:
            if key in self._values and self._values[key] == value:
                return
            self._values[key] = value
            text = json.dumps(self._values, indent=1, sort_keys=True)
            try:
                private_dir(self._path.parent)
                temporary = self._path.with_suffix(".new")
                temporary.touch(mode=0o600)
                temporary.write_text(text, encoding="utf-8")
                temporary.replace(self._path)
            except OSError as error:
                log.info("settings are not saved: %s", error)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.info("settings are started afresh: %s", error)
        return {}
    return values if isinstance(values, dict) else {}
