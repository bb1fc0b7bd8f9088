"""Makes, rotates and ends API keys; a secret exists in what is returned, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.identities import (
    ApiKey,
    Entropy,
    IdentityStore,
    Tenant,
    digest,
    new_id,
    new_secret,
    token_of,
)
from interlingua_gateway.policies.known_identities import KnownIdentities


class KeyOffice:
    """Implements KeyAdmin on the store that `opened` gives; this process knows of a change when a
    method returns."""

    def __init__(
        self,
        opened: Callable[[], Awaitable[IdentityStore]],
        known: KnownIdentities,
        entropy: Entropy,
        clock: Clock,
    ) -> None:
        self._opened = opened
        self._known = known
        self._entropy = entropy
        self._clock = clock

    async def create_key(self, wish: ApiKey, ttl_s: float | None) -> tuple[ApiKey, str]:
        """See KeyAdmin."""
        now_s, secret = self._now_s(), new_secret(self._entropy)
        key = msgspec.structs.replace(
            wish,
            id=new_id(self._entropy),
            created_at_s=now_s,
            expires_at_s=None if ttl_s is None else now_s + ttl_s,
            secret_sha256=digest(secret),
        )
        await (await self._opened()).add_key(key)
        await self._learn()
        return key, token_of(key.id, secret)

    async def rotate_key(self, key: str, overlap_s: float) -> tuple[ApiKey, str]:
        """See KeyAdmin."""
        now_s, secret = self._now_s(), new_secret(self._entropy)
        store = await self._opened()
        rotated = await store.rotate_key(key, digest(secret), now_s + overlap_s, now_s)
        await self._learn()
        return rotated, token_of(key, secret)

    async def revoke_key(self, key: str) -> ApiKey:
        """See KeyAdmin."""
        revoked = await (await self._opened()).revoke_key(key, self._now_s())
        await self._learn()
        return revoked

    async def keys(
        self, *, tenant: str, ended: bool, before: tuple[float, str] | None, limit: int
    ) -> Sequence[ApiKey]:
        """See KeyAdmin."""
        live_at_s = None if ended else self._now_s()
        store = await self._opened()
        return await store.keys(tenant=tenant, live_at_s=live_at_s, before=before, limit=limit)

    async def put_tenant(self, tenant: Tenant) -> Tenant:
        """See KeyAdmin."""
        wish = msgspec.structs.replace(tenant, created_at_s=self._now_s())
        kept = await (await self._opened()).put_tenant(wish)
        await self._learn()
        return kept

    async def delete_tenant(self, tenant: str) -> None:
        """See KeyAdmin."""
        await (await self._opened()).delete_tenant(tenant, self._now_s())
        await self._learn()

    async def tenants(self, *, after: str, limit: int) -> Sequence[Tenant]:
        """See KeyAdmin."""
        store = await self._opened()
        return await store.tenants(after=after, limit=limit)

    async def _learn(self) -> None:
        """Know of the change at once; if it cannot be read now, it is known a little later."""
        with suppress(GatewayError):
            await self._known.refresh(await self._opened())

    def _now_s(self) -> float:
        """Now, to the millisecond, as it is kept."""
        return round(self._clock.time(), 3)
