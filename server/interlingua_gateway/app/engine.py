"""The parts of a gateway while they run: what is started, waited for and closed, in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

from interlingua_gateway.app.lasting import Lasting
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.app.routing import Routing
from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.providers.local.supervisor import Failed, Loading, LocalModel, Ready
from interlingua_gateway.route.listing import Listing

CLOSE_S: Final = 2.0
"""Seconds that a database has to end what it was asked to do."""

OnEvent: TypeAlias = Callable[[str, Mapping[str, str]], None]

AUTHENTICATION_S: Final = 5.0
"""Longer than a call waits for the keys of an identity provider."""

log = logging.getLogger("interlingua.engine")


def _untold(name: str, facts: Mapping[str, str]) -> None:
    """Nobody wants to know."""


class Engine:
    """Everything behind the front of one gateway: what lasts, and the parts that are in force."""

    def __init__(self, parts: Parts, lasting: Lasting, clock: Clock) -> None:
        self.parts = parts
        self.lasting = lasting
        self.stores = lasting.stores
        self.databases = lasting.databases
        self.ledger = lasting.ledger
        self.budgets = lasting.budgets
        self.identities = lasting.identities
        self.processing = lasting.processing
        self.tasks = Tasks()
        self.former: list[Parts] = []
        self._clock = clock
        self._on_event: OnEvent = _untold

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Those in force."""
        return self.parts.providers

    @property
    def routing(self) -> Routing:
        """The one in force."""
        return self.parts.routing

    @property
    def listing(self) -> Listing:
        """The one in force."""
        return self.parts.listing

    @property
    def limits(self) -> LimitPolicies:
        """Those in force."""
        return self.parts.limits

    def start_models(self, on_event: OnEvent) -> None:
        """Start what takes long: the embedded models, litellm where it is needed, the lists of
        models that providers offer, health checks, and the copy of keys and tenants."""
        self._on_event = on_event
        self.lasting.start()
        self.parts.begin()
        self._start(self.parts, self.providers)
        for name, provider in self.providers.items():
            if isinstance(provider, LiteLLMProvider):
                self.tasks.start(provider.preload(), f"preload-{name}")

    async def prepared(self) -> None:
        """Wait until keys, tenants and what was spent are known, and each embedded model answers or
        has failed for good."""
        await self.lasting.known()
        for model in _models(self.parts, self.providers).values():
            await _settled(model)

    async def prepare(self, parts: Parts) -> None:
        """Make the providers that are new in `parts` ready to serve.

        Raises:
            InternalError: an embedded model has failed; the message says why.
        """
        self._start(parts, parts.new)
        for model in _models(parts, parts.new).values():
            state = await _settled(model)
            if isinstance(state, Failed):
                raise InternalError(state.reason)
        for name in parts.new:
            provider = parts.providers[name]
            if isinstance(provider, LiteLLMProvider):
                await provider.preload()

    def replace(self, parts: Parts, longest_s: float) -> None:
        """Put `parts` in force for every call that begins from now on. Those that run go on with
        what they began with, for at most `longest_s` seconds; then it is closed."""
        former, self.parts = self.parts, parts
        self.former.append(former)
        self.lasting.configure(parts.config)
        parts.begin(former)
        self._tell_of(parts, parts.providers.keys() - parts.new)
        self.tasks.start(self._retire(former, longest_s), "retire-configuration")

    async def _retire(self, former: Parts, longest_s: float) -> None:
        await former.tasks.aclose()
        if not set(former.callers.trusted) <= set(self.parts.callers.trusted):
            # Calls whose tokens are being looked at are none of the parts yet.
            await self._clock.sleep(AUTHENTICATION_S)
        try:
            with Timeout(self._clock, self._clock.monotonic() + longest_s):
                await former.idle()
        except TimeoutError:
            log.warning("calls of a former configuration are cut")
        self.former.remove(former)
        await former.aclose(self._in_use)
        former.routing.end(self.routing)
        former.limits.leave()

    @property
    def _in_use(self) -> Iterable[Parts]:
        return (self.parts, *self.former)

    def _start(self, parts: Parts, names: Iterable[str]) -> None:
        for model in _models(parts, names).values():
            model.start()
        self._tell_of(parts, names)

    def _tell_of(self, parts: Parts, names: Iterable[str]) -> None:
        for name, model in _models(parts, names).items():
            parts.tasks.start(self._tell(name, model), f"tell-{name}")

    async def _tell(self, name: str, model: LocalModel) -> None:
        """Report each change of an embedded model's state."""
        began = self._clock.monotonic()
        if isinstance(model.state, Loading):
            self._on_event("loading", {"model": name})
        while True:
            state = await model.next_state()
            if isinstance(state, Ready):
                seconds = self._clock.monotonic() - began
                self._on_event("loaded", {"model": name, "seconds": f"{seconds:.1f}"})
            elif isinstance(state, Failed):
                self._on_event("failed", {"model": name, "reason": state.reason})
            else:
                began = self._clock.monotonic()
                self._on_event("loading", {"model": name, "after": state.after})

    async def aclose(self) -> None:
        """End everything that still runs."""
        await self.tasks.aclose()
        await self.parts.tasks.aclose()
        await self.identities.aclose()
        await self.processing.aclose()
        for parts in self._in_use:
            await parts.limits.aclose()
        await self.parts.answers.tasks.aclose()
        await self.budgets.aclose()
        await self.stores.aclose()
        await self.ledger.aclose()
        # What it does not answer in time it has not taken: that stays in the spool.
        with suppress(TimeoutError), Timeout(self._clock, self._clock.monotonic() + CLOSE_S):
            await self.databases.aclose()
        for parts in self._in_use:
            await parts.aclose()


def _models(parts: Parts, names: Iterable[str]) -> Mapping[str, LocalModel]:
    """The embedded models among the providers `names`."""
    providers = ((name, parts.providers[name]) for name in names)
    return {name: one.model for name, one in providers if isinstance(one, LocalProvider)}


async def _settled(model: LocalModel) -> Ready | Failed:
    """The state of `model` once it answers or has failed for good."""
    while not isinstance(state := model.state, Ready | Failed):
        await model.next_state()
    return state
