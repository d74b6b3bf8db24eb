"""Rows of storage.buckets and storage.objects: what a role may do, and the row of a finished upload.

The rights of a user are tried, not computed: the insert a policy guards is done as the user and rolled back.
Leaves bytes to `object_files`, HTTP to `storage`. Event loop thread.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow

from lorry.local_server.role_connections import RoleConnections
from lorry.local_server.storage_errors import (
    StorageError,
    access_denied,
    already_exists,
    bucket_missing,
    invalid_key,
    object_missing,
    type_refused,
)
from lorry.local_server.tokens import Claims, role_of

# The characters Storage accepts in a key; everything else, non-ASCII included, is refused.
_KEY = re.compile(r"[A-Za-z0-9_/!.*'()&$=@;:+,? -]+")
_COLUMNS = (
    "id, name, bucket_id, owner, owner_id, version, metadata, user_metadata, created_at, updated_at, last_accessed_at"
)


@dataclass(frozen=True)
class Bucket:
    """The limits of a bucket; None means no limit."""

    id: str
    size_limit_bytes: int | None
    mime_types: list[str] | None

    def check_type(self, mime_type: str) -> None:
        """Raise 415 unless the type is listed, exactly or as `image/*`."""
        if self.mime_types is None:
            return
        family = mime_type.split("/")[0] + "/*"
        if mime_type not in self.mime_types and family not in self.mime_types and "*/*" not in self.mime_types:
            raise type_refused(mime_type)


def check_key(key: str) -> None:
    """Raise InvalidKey for a name outside the allowed characters or with dot segments."""
    if not _KEY.fullmatch(key) or {".", ".."} & set(key.split("/")):
        raise invalid_key(key)


async def bucket(connections: RoleConnections, bucket_id: str) -> Bucket:
    """Look a bucket up with the server's rights; raises 404."""
    row = await connections.fetch_one(
        "select id, file_size_limit, allowed_mime_types from storage.buckets where id = %s", bucket_id
    )
    if row is None:
        raise bucket_missing()
    return Bucket(row["id"], row["file_size_limit"], row["allowed_mime_types"])


async def find(connections: RoleConnections, bucket_id: str, key: str) -> DictRow | None:
    """The object's row with the server's rights."""
    return await connections.fetch_one(
        f"select {_COLUMNS} from storage.objects where bucket_id = %s and name = %s",  # noqa: S608
        bucket_id,
        key,
    )


async def find_visible(connections: RoleConnections, claims: Claims, bucket_id: str, key: str) -> DictRow:
    """The object's row as this role sees it; raises 404 when it does not."""
    async with connections.as_claims(claims, read_only=True) as connection:
        cursor = await connection.execute(
            f"select {_COLUMNS} from storage.objects where bucket_id = %s and name = %s",  # noqa: S608
            [bucket_id, key],
        )
        row = await cursor.fetchone()
    if row is None:
        raise object_missing()
    return row


async def try_upload(
    connections: RoleConnections, claims: Claims, bucket_id: str, key: str, probe: dict[str, Any], *, upsert: bool
) -> None:
    """Insert as the user and roll back; raises 403, or 409 when the object exists and this is no upsert."""
    conflict = (
        "on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata"
        if upsert
        else ""
    )
    statement = f"""
        insert into storage.objects (bucket_id, name, owner, owner_id, version, metadata)
        values (%s, %s, %s, %s, '1', %s::jsonb) {conflict}
    """  # noqa: S608
    owner = claims.get("sub")
    try:
        async with connections.as_claims(claims, rolled_back=True) as connection:
            await connection.execute(statement.encode(), [bucket_id, key, owner, owner, json.dumps(probe)])
    except psycopg.errors.InsufficientPrivilege:
        # Asked only now: every part of a resumable upload comes through here, and hardly one is refused.
        if not upsert and await find(connections, bucket_id, key) is not None:
            raise already_exists() from None
        raise access_denied() from None
    except psycopg.errors.UniqueViolation:
        raise already_exists() from None
    except psycopg.errors.ForeignKeyViolation:
        if role_of(claims) != "service_role":
            raise access_denied() from None
        raise StorageError(404, "Not Found", "The related resource does not exist") from None


@dataclass(frozen=True)
class StoredUpload:
    """A body that is safely on disk and wants its row."""

    bucket_id: str
    key: str
    version: str
    owner: str | None
    size_bytes: int
    md5: str
    mime_type: str
    cache_control: str
    user_metadata: dict[str, Any]


async def commit_upload(connections: RoleConnections, upload: StoredUpload, *, upsert: bool) -> tuple[str, str | None]:
    """Write the row; returns the object's id and the version it replaced.

    Without upsert a name taken in the meantime is refused (409): real Storage lets the last of two overlapping
    uploads win there, which would swap bytes that were confirmed already.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    metadata = {
        "eTag": f'"{upload.md5}"',
        "size": upload.size_bytes,
        "mimetype": upload.mime_type,
        "cacheControl": upload.cache_control,
        "lastModified": now,
        "contentLength": upload.size_bytes,
        "httpStatusCode": 200,
    }
    async with connections.as_server() as connection:
        cursor = await connection.execute(
            "select version from storage.objects where bucket_id = %s and name = %s for update",
            [upload.bucket_id, upload.key],
        )
        replaced = await cursor.fetchone()
        if replaced is not None and not upsert:
            raise already_exists()
        cursor = await connection.execute(
            """
            insert into storage.objects (bucket_id, name, owner, owner_id, version, metadata, user_metadata)
            values (%(bucket)s, %(key)s, %(owner)s, %(owner_id)s, %(version)s, %(metadata)s::jsonb, %(user)s::jsonb)
            on conflict (bucket_id, name) do update
               set version = excluded.version, metadata = excluded.metadata, owner = excluded.owner,
                   owner_id = excluded.owner_id, user_metadata = excluded.user_metadata, updated_at = now()
             where %(upsert)s
            returning id
            """,
            {
                "bucket": upload.bucket_id,
                "key": upload.key,
                "owner": upload.owner,
                "owner_id": upload.owner,
                "version": upload.version,
                "metadata": json.dumps(metadata),
                "user": json.dumps(upload.user_metadata),
                "upsert": upsert,
            },
        )
        row = await cursor.fetchone()
    if row is None:
        raise already_exists()
    return str(row["id"]), replaced["version"] if replaced else None


async def delete(connections: RoleConnections, claims: Claims, bucket_id: str, keys: list[str]) -> list[DictRow]:
    """Delete rows as this role; returns those that really went, the rest is left out silently."""
    async with connections.as_claims(claims) as connection:
        await connection.execute("select set_config('storage.allow_delete_query', 'true', true)")
        cursor = await connection.execute(
            f"delete from storage.objects where bucket_id = %s and name = any(%s) returning {_COLUMNS}",  # noqa: S608
            [bucket_id, keys],
        )
        return await cursor.fetchall()
