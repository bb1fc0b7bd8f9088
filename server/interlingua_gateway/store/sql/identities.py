"""Keeps API keys and tenants; implements IdentityStore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, Row, Select, and_, or_, select, update

from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.identities import ApiKey, Changes, Tenant
from interlingua_gateway.core.identity import Scope
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.dialect import insert
from interlingua_gateway.store.sql.identity_tables import API_KEYS, REVISIONS, TENANTS

SUBJECT: Final = "identity"

_TEXTS: Final = msgspec.json.Decoder(tuple[str, ...])


class SqlIdentities:
    """Keys and tenants in `database`. A change is seen under a revision that only grows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changes(self, since: int) -> Changes:
        """See IdentityFeed. A database that was put back to an earlier state is read as a whole."""

        def read(connection: Connection) -> Changes:
            current = connection.execute(_REVISION).scalar() or 0
            if current == since:
                return Changes(revision=current, whole=since == 0)
            after = since if current > since else 0
            keys = connection.execute(select(API_KEYS).where(API_KEYS.c.revision > after))
            tenants = connection.execute(select(TENANTS).where(TENANTS.c.revision > after))
            return Changes(
                revision=current,
                whole=after == 0,
                keys=[_key(row) for row in keys],
                tenants=[_tenant(row) for row in tenants],
            )

        return await self._database.read(read)

    async def add_key(self, key: ApiKey) -> None:
        """See IdentityStore."""

        def write(connection: Connection) -> None:
            revision = _next_revision(connection)
            if key.tenant:
                _living_tenant(connection, key.tenant)
            values = {**_key_values(key), "revision": revision}
            connection.execute(insert(connection, API_KEYS).values(values))

        await self._database.write(write)

    async def rotate_key(self, key: str, secret: bytes, until_s: float, now_s: float) -> ApiKey:
        """See IdentityStore."""

        def write(connection: Connection) -> ApiKey:
            revision = _next_revision(connection)
            found = _key_row(connection, key)
            if not _lives(found, now_s):
                raise CallerError.of_field("id", "names a key that has ended; make a new one")
            rotated = msgspec.structs.replace(
                found,
                secret_sha256=secret,
                previous_sha256=found.secret_sha256,
                previous_until_s=until_s,
            )
            _replace_key(connection, rotated, revision)
            return rotated

        return await self._database.write(write)

    async def revoke_key(self, key: str, now_s: float) -> ApiKey:
        """See IdentityStore."""

        def write(connection: Connection) -> ApiKey:
            revision = _next_revision(connection)
            found = _key_row(connection, key)
            if found.revoked_at_s is not None:
                return found
            revoked = msgspec.structs.replace(found, revoked_at_s=now_s)
            _replace_key(connection, revoked, revision)
            return revoked

        return await self._database.write(write)

    async def keys(
        self, *, tenant: str, live_at_s: float | None, before: tuple[float, str] | None, limit: int
    ) -> Sequence[ApiKey]:
        """See IdentityStore."""
        query = _keys_query(tenant, live_at_s, before).limit(limit)
        return await self._database.read(
            lambda connection: [_key(row) for row in connection.execute(query)]
        )

    async def put_tenant(self, tenant: Tenant) -> Tenant:
        """See IdentityStore. A tenant that was ended lives again; its keys stay revoked."""

        def write(connection: Connection) -> Tenant:
            revision = _next_revision(connection)
            found = connection.execute(_tenant_query(tenant.id)).one_or_none()
            kept = tenant
            if found is not None and found.deleted_at_ms is None:
                created_at_s = _seconds(found.created_at_ms)
                kept = msgspec.structs.replace(tenant, created_at_s=created_at_s)
            values = {**_tenant_values(kept), "revision": revision}
            statement = insert(connection, TENANTS).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
            return kept

        return await self._database.write(write)

    async def delete_tenant(self, tenant: str, now_s: float) -> None:
        """See IdentityStore."""

        def write(connection: Connection) -> None:
            revision = _next_revision(connection)
            _living_tenant(connection, tenant)
            connection.execute(
                update(TENANTS)
                .where(TENANTS.c.id == tenant)
                .values(deleted_at_ms=_ms(now_s), revision=revision)
            )
            connection.execute(
                update(API_KEYS)
                .where(API_KEYS.c.tenant_id == tenant, API_KEYS.c.revoked_at_ms.is_(None))
                .values(revoked_at_ms=_ms(now_s), revision=revision)
            )

        await self._database.write(write)

    async def tenants(self, *, after: str, limit: int) -> Sequence[Tenant]:
        """See IdentityStore."""
        query = (
            select(TENANTS)
            .where(TENANTS.c.id > after, TENANTS.c.deleted_at_ms.is_(None))
            .order_by(TENANTS.c.id)
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [_tenant(row) for row in connection.execute(query)]
        )


_REVISION: Final = select(REVISIONS.c.revision).where(REVISIONS.c.subject == SUBJECT)


def _next_revision(connection: Connection) -> int:
    """Count up. From here on to the end of its transaction nobody else changes keys or tenants."""
    statement = insert(connection, REVISIONS).values(subject=SUBJECT, revision=1)
    raised = statement.on_conflict_do_update(
        index_elements=["subject"], set_={"revision": REVISIONS.c.revision + 1}
    )
    return int(connection.execute(raised.returning(REVISIONS.c.revision)).scalar_one())


def _key_row(connection: Connection, key: str) -> ApiKey:
    row = connection.execute(select(API_KEYS).where(API_KEYS.c.id == key)).one_or_none()
    if row is None:
        raise CallerError(
            Reason.RESOURCE_NOT_FOUND,
            f"There is no key `{key[:80]}`. ListApiKeys shows what there is.",
            resource=Resource("api_key", key[:80]),
        )
    return _key(row)


def _living_tenant(connection: Connection, tenant: str) -> None:
    row = connection.execute(_tenant_query(tenant)).one_or_none()
    if row is None or row.deleted_at_ms is not None:
        raise CallerError(
            Reason.RESOURCE_NOT_FOUND,
            f"There is no tenant `{tenant[:80]}`. PutTenant makes one.",
            resource=Resource("tenant", tenant[:80]),
        )


def _tenant_query(tenant: str) -> Select[tuple[object, ...]]:
    return select(TENANTS).where(TENANTS.c.id == tenant)


def _keys_query(
    tenant: str, live_at_s: float | None, before: tuple[float, str] | None
) -> Select[tuple[object, ...]]:
    columns = API_KEYS.c
    query = select(API_KEYS).order_by(columns.created_at_ms.desc(), columns.id.desc())
    if tenant:
        query = query.where(columns.tenant_id == tenant)
    if live_at_s is not None:
        expires = or_(columns.expires_at_ms.is_(None), columns.expires_at_ms > _ms(live_at_s))
        query = query.where(columns.revoked_at_ms.is_(None), expires)
    if before is not None:
        at_ms, key = _ms(before[0]), before[1]
        earlier = and_(columns.created_at_ms == at_ms, columns.id < key)
        query = query.where(or_(columns.created_at_ms < at_ms, earlier))
    return query


def _replace_key(connection: Connection, key: ApiKey, revision: int) -> None:
    values = {**_key_values(key), "revision": revision}
    connection.execute(update(API_KEYS).where(API_KEYS.c.id == key.id).values(values))


def _lives(key: ApiKey, now_s: float) -> bool:
    expired = key.expires_at_s is not None and key.expires_at_s <= now_s
    return key.revoked_at_s is None and not expired


def _key_values(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "display_name": key.display_name,
        "tenant_id": key.tenant,
        "project": key.project,
        "scopes": _list(sorted(key.scopes)),
        "models": _list(key.models),
        "created_at_ms": _ms(key.created_at_s),
        "expires_at_ms": None if key.expires_at_s is None else _ms(key.expires_at_s),
        "revoked_at_ms": None if key.revoked_at_s is None else _ms(key.revoked_at_s),
        "secret_sha256": key.secret_sha256,
        "previous_sha256": key.previous_sha256,
        "previous_until_ms": _ms(key.previous_until_s),
    }


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        display_name=row.display_name,
        tenant=row.tenant_id,
        project=row.project,
        # A scope that only a newer gateway knows allows nothing here.
        scopes=frozenset(Scope(name) for name in _TEXTS.decode(row.scopes) if name in _SCOPES),
        models=_TEXTS.decode(row.models),
        created_at_s=_seconds(row.created_at_ms),
        expires_at_s=None if row.expires_at_ms is None else _seconds(row.expires_at_ms),
        revoked_at_s=None if row.revoked_at_ms is None else _seconds(row.revoked_at_ms),
        secret_sha256=bytes(row.secret_sha256),
        previous_sha256=bytes(row.previous_sha256),
        previous_until_s=_seconds(row.previous_until_ms),
    )


def _tenant_values(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.id,
        "display_name": tenant.display_name,
        "tier": tenant.tier,
        "models": _list(tenant.models),
        "created_at_ms": _ms(tenant.created_at_s),
        "deleted_at_ms": None,
    }


def _tenant(row: Row[tuple[object, ...]]) -> Tenant:
    return Tenant(
        id=row.id,
        display_name=row.display_name,
        tier=row.tier,
        models=_TEXTS.decode(row.models),
        created_at_s=_seconds(row.created_at_ms),
        deleted_at_s=None if row.deleted_at_ms is None else _seconds(row.deleted_at_ms),
    )


_SCOPES: Final = frozenset(Scope)


def _list(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _seconds(ms: int) -> float:
    return ms / 1000
