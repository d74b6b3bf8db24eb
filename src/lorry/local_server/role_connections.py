"""Database connections of the gateway: every request runs as the role its token names.

Owns the pool and the first statement of each transaction (`set local role`, the JWT claims), so that
row-level security decides what a request sees. Leaves SQL to the services. Event loop thread only.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from lorry.local_server.tokens import Claims, role_of

STATEMENT_TIMEOUT_MS = 30_000
POOL_MAX = 8

RoleConnection = AsyncConnection[DictRow]


class RoleConnections:
    """A small pool; `as_claims` for requests of users, `as_server` for the server's own bookkeeping."""

    def __init__(self, dsn: str) -> None:
        self._pool: AsyncConnectionPool[RoleConnection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=POOL_MAX,
            open=False,
            kwargs={"row_factory": dict_row, "application_name": "lorry-gateway"},
            check=AsyncConnectionPool.check_connection,
            connection_class=AsyncConnection[DictRow],
        )

    async def open(self) -> None:
        """Connect; raises psycopg_pool.PoolTimeout when the database does not answer."""
        await self._pool.open(wait=True, timeout=10)

    async def close(self) -> None:
        """Give all connections back to the database server."""
        await self._pool.close(timeout=1)

    @asynccontextmanager
    async def as_claims(
        self, claims: Claims, *, read_only: bool = False, rolled_back: bool = False
    ) -> AsyncIterator[RoleConnection]:
        """One transaction under the role in `claims`; an exception rolls it back, so does `rolled_back`."""
        settings = {
            "role": role_of(claims),
            "request.jwt.claims": json.dumps(claims),
            "request.jwt.claim.sub": str(claims.get("sub", "")),
            "request.jwt.claim.role": role_of(claims),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        }
        async with self._pool.connection() as connection, connection.transaction(force_rollback=rolled_back):
            if read_only:
                await connection.execute("set transaction read only")
            await connection.execute(
                "select " + ", ".join(["set_config(%s, %s, true)"] * len(settings)),
                [part for setting in settings.items() for part in setting],
            )
            yield connection

    @asynccontextmanager
    async def as_server(self) -> AsyncIterator[RoleConnection]:
        """One transaction with the server's own rights, for what no user may do directly."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection

    async def fetch_one(self, query: str, *values: Any) -> DictRow | None:
        """Run one statement with the server's own rights and return its first row."""
        async with self.as_server() as connection:
            return await (await connection.execute(query.encode(), values)).fetchone()
