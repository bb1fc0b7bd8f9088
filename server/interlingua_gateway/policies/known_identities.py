"""The keys and tenants that this process knows: a whole copy of what is kept, always at hand."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from interlingua_gateway.core.aliases import AllowedModels
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.identities import ApiKey, Changes, IdentityFeed, Tenant
from interlingua_gateway.core.identity import Identity, Via
from interlingua_gateway.core.wishes import Caller

POLL_S: Final = 2.0
"""A change reaches every gateway within this time and that of one query."""

log = logging.getLogger("interlingua.identities")


class KnownIdentities:
    """A copy that `follow` keeps fresh. While the database is away the last one stays in force.

    `default_tier` is that of callers whose tenant has none, or is not known.
    """

    def __init__(self, default_tier: str) -> None:
        self._loaded = asyncio.Event()
        self._default_tier = default_tier
        self._revision = 0
        self._keys: dict[str, ApiKey] = {}
        self._tenants: dict[str, Tenant] = {}
        self._identities: dict[str, Identity] = {}
        self._refreshing = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether there is a copy yet."""
        return self._loaded.is_set()

    async def first(self) -> None:
        """Wait for the first copy."""
        await self._loaded.wait()

    def classify(self, default_tier: str) -> None:
        """From now on this is the tier of callers whose tenant has none."""
        self._default_tier = default_tier
        self._identities.clear()

    def key(self, key: str) -> ApiKey | None:
        """The key with this id."""
        return self._keys.get(key)

    def ended(self, tenant: str) -> bool:
        """Whether `tenant` was ended. One of which nothing is kept was not."""
        found = self._tenants.get(tenant)
        return found is not None and found.deleted_at_s is not None

    def identity(self, key: ApiKey) -> Identity:
        """Who calls with `key`."""
        found = self._identities.get(key.id)
        if found is None:
            caller = self.caller(key.tenant, project=key.project, key=key.id, models=key.models)
            found = Identity(via=Via.API_KEY, scopes=key.scopes, caller=caller)
            self._identities[key.id] = found
        return found

    def caller(
        self,
        tenant: str = "",
        *,
        project: str = "",
        key: str = "",
        user: str = "",
        models: tuple[str, ...] = (),
    ) -> Caller:
        """A caller of `tenant` with the tier of it, and the models that both lists allow."""
        known = self._tenants.get(tenant)
        return Caller(
            tenant=tenant,
            project=project,
            key=key,
            user=user,
            tier=(known.tier if known is not None else "") or self._default_tier,
            models=AllowedModels(known.models if known is not None else (), models),
        )

    def learn(self, changes: Changes) -> None:
        """Take over what has changed."""
        if changes.whole:
            self._keys.clear()
            self._tenants.clear()
        self._keys.update((key.id, key) for key in changes.keys)
        self._tenants.update((tenant.id, tenant) for tenant in changes.tenants)
        if changes.whole or changes.keys or changes.tenants:
            self._identities.clear()
        self._revision = changes.revision
        self._loaded.set()

    async def refresh(self, feed: IdentityFeed) -> None:
        """Take over what `feed` has by now.

        Raises:
            GatewayError: it does not answer.
        """
        # One after the other: what was read earlier must not be learned later.
        async with self._refreshing:
            self.learn(await feed.changes(self._revision))

    async def follow(self, feed: IdentityFeed, clock: Clock) -> None:
        """Refresh every `POLL_S` seconds, for ever."""
        away = False
        while True:
            try:
                await self.refresh(feed)
                if away:
                    log.info("keys and tenants are fresh again")
                away = False
            except GatewayError as error:
                if not away:
                    fields = {"error": error.message, "loaded": self.loaded}
                    log.warning("keys and tenants cannot be read", extra={"fields": fields})
                away = True
            await clock.sleep(POLL_S)
