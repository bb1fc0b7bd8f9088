"""Active health checks: asks providers in the background whether they are there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.route.fleet import Fleet


class CheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every provider is asked each `interval_s`; `failures` in a row that take longer than
    `timeout_s` or fail open the circuits of its deployments, a success ends their rest."""

    interval_s: float
    timeout_s: float = 5.0
    failures: int = 2


class HealthChecks:
    """Asks for the list of models, which costs nothing and no tokens. No answer of a model is
    judged here: a provider that lists its models may still fail, which the breakers notice."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        fleet: Fleet,
        settings: CheckSettings,
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._fleet = fleet
        self._settings = settings
        self._clock = clock
        self._in_a_row = dict.fromkeys(providers, 0)

    def start(self, tasks: Tasks) -> None:
        """Check from now on, until `tasks` ends."""
        for name in self._providers:
            tasks.start(self._watch(name), f"check-{name}")

    async def _watch(self, name: str) -> None:
        while True:
            # Providers, and replicas of the gateway, are not to be asked all at one moment.
            await self._clock.sleep(self._settings.interval_s * (0.5 + self._clock.random()))
            await self.check(name)

    async def check(self, name: str) -> None:
        """Ask the provider `name` once."""
        settings = self._settings
        try:
            with Timeout(self._clock, self._clock.monotonic() + settings.timeout_s):
                await self._providers[name].models()
        except (GatewayError, TimeoutError):
            self._in_a_row[name] += 1
        else:
            self._in_a_row[name] = 0
        now = self._clock.monotonic()
        for deployment in self._fleet.served_by(name):
            if self._in_a_row[name] == 0:
                deployment.breaker.try_again(now)
            elif self._in_a_row[name] >= settings.failures:
                # Until after the next check, which may come half an interval late.
                deployment.breaker.trip(now, 1.5 * settings.interval_s + settings.timeout_s)
