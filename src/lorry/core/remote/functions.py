"""Starting the server's validation. Its answer is only "heard": the verdict is read from the row."""

from __future__ import annotations

from uuid import UUID

import httpx
from supabase_functions import SyncFunctionsClient

from lorry.core.config import ServerConfig
from lorry.core.errors import ErrorCode, RejectedError
from lorry.core.remote.answers import understanding

VALIDATE = "validate-dataset"


class FunctionsApi:
    """The project's Edge Functions, called as the signed-in user."""

    def __init__(self, config: ServerConfig, http: httpx.Client) -> None:
        self._functions = SyncFunctionsClient(f"{config.url}/functions/v1", headers={}, http_client=http)

    def validate(self, dataset_id: UUID) -> None:
        """Ask the server to validate a confirmed dataset. Repeating it is harmless.

        Raises:
            RejectedError: FUNCTION_MISSING when the project has no such function; else what `answers.py` maps.
        """
        try:
            with understanding("validation"):
                self._functions.invoke(VALIDATE, {"body": {"dataset_id": str(dataset_id)}, "responseType": "json"})
        except RejectedError as error:
            if error.code is ErrorCode.NOT_FOUND and "dataset" not in error.detail.lower():
                raise RejectedError(ErrorCode.FUNCTION_MISSING, error.detail) from error
            raise
