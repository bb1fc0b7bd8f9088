"""Keys and tenants as they are kept, on a SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.identities import ApiKey, Tenant, digest, new_id, new_secret
from interlingua_gateway.core.identity import Scope
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.identities import SqlIdentities

NOW_S = 1_800_000_000.0


def key(number: int, **fields: object) -> ApiKey:
    given = {"id": f"{number:016x}", "created_at_s": NOW_S + number, **fields}
    return ApiKey(secret_sha256=digest(str(number)), **given)


@pytest.fixture
async def store(database: Database) -> SqlIdentities:
    return SqlIdentities(database)


async def reason_of(work: object) -> Reason:
    with pytest.raises(CallerError) as caught:
        await work
    return caught.value.reason


async def test_everything_of_a_key_is_kept(store: SqlIdentities) -> None:
    await store.put_tenant(Tenant(id="acme", created_at_s=NOW_S))
    whole = key(
        1,
        display_name="für Ada",
        tenant="acme",
        project="p",
        scopes=frozenset({Scope.ADMIN, Scope.USAGE}),
        models=("a", "b/*"),
        expires_at_s=NOW_S + 60.5,
    )
    await store.add_key(whole)
    assert (await store.changes(0)).keys == [whole]
    rotated = await store.rotate_key(whole.id, digest("new"), NOW_S + 30, NOW_S + 10)
    assert rotated.secret_sha256 == digest("new")
    assert rotated.previous_sha256 == whole.secret_sha256
    assert rotated.previous_until_s == NOW_S + 30
    revoked = await store.revoke_key(whole.id, NOW_S + 20)
    assert revoked.revoked_at_s == NOW_S + 20
    assert await store.revoke_key(whole.id, NOW_S + 99) == revoked
    assert (await store.changes(0)).keys == [revoked]


async def test_a_key_needs_a_living_tenant_or_none(store: SqlIdentities) -> None:
    await store.add_key(key(1))
    assert await reason_of(store.add_key(key(2, tenant="acme"))) is Reason.RESOURCE_NOT_FOUND
    await store.put_tenant(Tenant(id="acme"))
    await store.add_key(key(2, tenant="acme"))
    await store.delete_tenant("acme", NOW_S)
    assert await reason_of(store.add_key(key(3, tenant="acme"))) is Reason.RESOURCE_NOT_FOUND
    assert [k.id for k in (await store.changes(0)).keys if k.revoked_at_s] == [key(2).id]


async def test_what_has_ended_is_not_rotated(store: SqlIdentities) -> None:
    await store.add_key(key(1, expires_at_s=NOW_S + 5))
    await store.add_key(key(2))
    await store.revoke_key(key(2).id, NOW_S)
    for number in (1, 2):
        rotation = store.rotate_key(key(number).id, digest("new"), NOW_S, NOW_S + 5)
        assert await reason_of(rotation) is Reason.INVALID_REQUEST
    for work in (
        store.rotate_key("none", digest("new"), NOW_S, NOW_S),
        store.revoke_key("none", NOW_S),
        store.delete_tenant("none", NOW_S),
    ):
        assert await reason_of(work) is Reason.RESOURCE_NOT_FOUND


async def test_changes_are_those_since_a_revision(store: SqlIdentities) -> None:
    assert (await store.changes(0)).revision == 0
    await store.put_tenant(Tenant(id="acme", tier="gold"))
    await store.add_key(key(1, tenant="acme"))
    first = await store.changes(0)
    assert first.whole
    assert (len(first.keys), len(first.tenants)) == (1, 1)
    await store.add_key(key(2))
    second = await store.changes(first.revision)
    assert not second.whole
    assert [k.id for k in second.keys] == [key(2).id]
    assert not second.tenants
    assert (await store.changes(second.revision)).keys == ()
    back = await store.changes(second.revision + 7)
    assert back.whole
    assert back.revision == second.revision
    assert len(back.keys) == 2


async def test_a_failed_change_is_none(store: SqlIdentities) -> None:
    await store.add_key(key(1))
    before = await store.changes(0)
    await reason_of(store.add_key(key(2, tenant="nobody")))
    assert await store.changes(0) == before


async def test_changes_at_once_have_revisions_of_their_own(store: SqlIdentities) -> None:
    await asyncio.gather(*(store.add_key(key(n)) for n in range(20)))
    found = await store.changes(0)
    assert found.revision == 20
    assert len(found.keys) == 20


async def test_keys_by_pages(store: SqlIdentities) -> None:
    await store.put_tenant(Tenant(id="acme"))
    for number in range(5):
        await store.add_key(key(number, tenant="acme" if number % 2 else ""))
    # Of one moment, so that the id decides.
    await store.add_key(key(7, created_at_s=NOW_S + 4))
    await store.revoke_key(key(3).id, NOW_S + 9)
    seen: list[str] = []
    before = None
    while page := await store.keys(tenant="", live_at_s=None, before=before, limit=2):
        seen += [found.id for found in page]
        before = (page[-1].created_at_s, page[-1].id)
    assert seen == [key(n).id for n in (7, 4, 3, 2, 1, 0)]
    live = await store.keys(tenant="acme", live_at_s=NOW_S + 9, before=None, limit=9)
    assert [found.id for found in live] == [key(1).id]


async def test_tenants_by_pages(store: SqlIdentities) -> None:
    for name in ("b", "B", "a-1", "a", "z"):
        await store.put_tenant(Tenant(id=name))
    await store.delete_tenant("z", NOW_S)
    first = await store.tenants(after="", limit=2)
    rest = await store.tenants(after=first[-1].id, limit=9)
    assert [tenant.id for tenant in (*first, *rest)] == ["B", "a", "a-1", "b"]


async def test_a_tenant_is_replaced_and_comes_back(store: SqlIdentities) -> None:
    await store.put_tenant(Tenant(id="acme", tier="gold", models=("a",), created_at_s=NOW_S))
    changed = await store.put_tenant(Tenant(id="acme", tier="free", created_at_s=NOW_S + 5))
    assert changed == Tenant(id="acme", tier="free", created_at_s=NOW_S)
    await store.delete_tenant("acme", NOW_S + 6)
    assert (await store.changes(0)).tenants[0].deleted_at_s == NOW_S + 6
    again = await store.put_tenant(Tenant(id="acme", created_at_s=NOW_S + 7))
    assert again.created_at_s == NOW_S + 7
    assert (await store.changes(0)).tenants == [again]


async def test_a_scope_of_a_newer_gateway_allows_nothing(
    store: SqlIdentities, database: Database
) -> None:
    await store.add_key(key(1, scopes=frozenset({Scope.USAGE})))
    await database.write(
        lambda connection: connection.execute(
            text('UPDATE api_keys SET scopes = \'["usage", "moon"]\'')
        )
    )
    assert (await store.changes(0)).keys[0].scopes == {Scope.USAGE}


def test_secrets_have_all_their_bits() -> None:
    assert new_secret(lambda count: b"\xff" * count) != new_secret(lambda count: b"\xfe" * count)
    assert len(new_secret(bytes)) == 43
    assert len(new_secret(lambda count: b"\xff" * count)) == 43
    numbers = {new_secret(lambda count, n=n: n.to_bytes(count, "big")) for n in range(5000)}
    assert len(numbers) == 5000
    assert new_id(lambda count: b"\x0a" * count) == "0a" * 8
