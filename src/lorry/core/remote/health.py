"""Whether a server of the right kind answers, and what time it has there."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from lorry.core.config import ServerConfig


class HealthApi:
    """Asks without a session. May raise what `remote/answers.py` maps."""

    def __init__(self, config: ServerConfig, http: httpx.Client) -> None:
        self._url = f"{config.url}/auth/v1/settings"
        self._http = http

    def server_time(self) -> datetime | None:
        """The server's time by its `Date` header (whole seconds), None when it does not say."""
        answer = self._http.get(self._url)
        try:
            return parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError, TypeError):
            return None
