"""The parts of a gateway while they run: what is started, waited for and closed, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

from interlingua_gateway.app.parts import Parts
from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.providers.local.supervisor import Failed, LocalModel, Ready

CLOSE_S: Final = 2.0
"""Seconds that a database has to end what it was asked to do."""

OnEvent: TypeAlias = Callable[[str, Mapping[str, str]], None]


class Engine:
    """Everything behind the front of one gateway."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self.providers = parts.providers
        self.stores = parts.stores
        self.databases = parts.databases
        self.ledger = parts.ledger
        self.limits = parts.limits
        self.answers = parts.answers
        self.budgets = parts.budgets
        self.listing = parts.listing
        self.routing = parts.routing
        self.identities = parts.identities
        self.processing = parts.processing
        self.tasks = Tasks()
        self._clock = clock

    def start_models(self, on_event: OnEvent) -> None:
        """Start what takes long: the embedded models, litellm where it is needed, the lists of
        models that providers offer, health checks, and the copy of keys and tenants."""
        self.ledger.start()
        self.identities.start()
        self.budgets.start()
        self.listing.start(self.tasks)
        self.routing.start_checks(self.providers, self.tasks)
        for name, provider in self.providers.items():
            if isinstance(provider, LocalProvider):
                provider.model.start()
                self.tasks.start(self._tell(name, provider.model, on_event), f"tell-{name}")
            elif isinstance(provider, LiteLLMProvider):
                self.tasks.start(provider.preload(), f"preload-{name}")

    async def prepared(self) -> None:
        """Wait until keys, tenants and what was spent are known, and each embedded model answers or
        has failed for good."""
        await self.identities.loaded()
        await self.budgets.known()
        for provider in self.providers.values():
            if isinstance(provider, LocalProvider):
                while not isinstance(provider.model.state, Ready | Failed):
                    await provider.model.next_state()

    async def _tell(self, name: str, model: LocalModel, on_event: OnEvent) -> None:
        """Report each change of an embedded model's state."""
        began = self._clock.monotonic()
        on_event("loading", {"model": name})
        while True:
            state = await model.next_state()
            if isinstance(state, Ready):
                seconds = self._clock.monotonic() - began
                on_event("loaded", {"model": name, "seconds": f"{seconds:.1f}"})
            elif isinstance(state, Failed):
                on_event("failed", {"model": name, "reason": state.reason})
            else:
                began = self._clock.monotonic()
                on_event("loading", {"model": name, "after": state.after})

    async def aclose(self) -> None:
        """End everything that still runs."""
        await self.tasks.aclose()
        await self.identities.aclose()
        await self.processing.aclose()
        await self.limits.aclose()
        await self.answers.tasks.aclose()
        await self.budgets.aclose()
        await self.stores.aclose()
        await self.ledger.aclose()
        # What it does not answer in time it has not taken: that stays in the spool.
        with suppress(TimeoutError), Timeout(self._clock, self._clock.monotonic() + CLOSE_S):
            await self.databases.aclose()
        for provider in self.providers.values():
            await provider.aclose()
