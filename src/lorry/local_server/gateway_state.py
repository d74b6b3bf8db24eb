"""What the services of one running gateway share, reachable from every request.

Owns nothing but the references; `serving` builds it and closes what is in it. Event loop thread.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from lorry.local_server.catalogue import Catalogue
from lorry.local_server.object_files import ObjectFiles
from lorry.local_server.role_connections import RoleConnections
from lorry.local_server.tokens import Claims, Tokens, bearer

if TYPE_CHECKING:
    from lorry.local_server.functions import Validations
    from lorry.local_server.tus_finish import ResumableUploads


@dataclass
class Holds:
    """Counts the applications that keep this server alive; `changed` wakes whoever waits for the last."""

    count: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class GatewayState:
    """Services and settings of one gateway; `closing` is set when the server is asked to stop."""

    connections: RoleConnections
    catalogue: Catalogue
    tokens: Tokens
    files: ObjectFiles
    validations: Validations
    resumable: ResumableUploads
    holds: Holds = field(default_factory=Holds)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def claims_of(self, request: Request) -> Claims:
        """Claims of the bearer token, else of the project key; raises TokenError."""
        token = bearer(request.headers.get("authorization"))
        return self.tokens.verify(token or project_key_of(request))


def project_key_of(request: Request) -> str | None:
    """The project key, sent as the header `apikey` or as a parameter of that name."""
    return request.headers.get("apikey") or request.query_params.get("apikey")


def state_of(request: Request) -> GatewayState:
    """The gateway's state; the mounted services share the application's."""
    state: GatewayState = request.app.state.gateway
    return state
