"""What is known of every deployment while calls run: may it be tried, how busy, how fast is it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from interlingua_gateway.core.target import Target
from interlingua_gateway.route.breaker import Breaker, BreakerSettings, State
from interlingua_gateway.route.bulkhead import Bulkhead
from interlingua_gateway.route.pace import Pace

OnState: TypeAlias = Callable[[Target, State], None]


class Why(StrEnum):
    """Why a deployment is passed over."""

    CIRCUIT_OPEN = "circuit_open"
    RATE_LIMITED = "rate_limited"
    FULL = "full"


class Obstacle(msgspec.Struct, frozen=True):
    """Why a deployment may not be tried now, and in how many seconds that ends, if known."""

    why: Why
    ends_in_s: float | None = None


class Quota:
    """A rate limit of an upstream that one or several deployments share."""

    __slots__ = ("free_at",)

    def __init__(self) -> None:
        self.free_at = 0.0

    def hold(self, until: float) -> None:
        """Nothing is to be sent before `until`, in seconds of the monotonic clock."""
        self.free_at = max(self.free_at, until)


class Deployment:
    """The state of one deployment. `paces` are those of whole and of streamed answers."""

    __slots__ = ("breaker", "bulkhead", "paces", "quota", "target")

    def __init__(self, target: Target, breaker: Breaker, quota: Quota) -> None:
        self.target = target
        self.breaker = breaker
        self.quota = quota
        self.bulkhead = Bulkhead(target.max_concurrency)
        self.paces = {False: Pace(), True: Pace()}

    def obstacle(self, now: float) -> Obstacle | None:
        """What forbids an attempt now, or None."""
        if not self.breaker.admits(now):
            return Obstacle(Why.CIRCUIT_OPEN, max(0.0, self.breaker.reopens_at - now))
        if now < self.quota.free_at:
            return Obstacle(Why.RATE_LIMITED, self.quota.free_at - now)
        if self.bulkhead.full:
            return Obstacle(Why.FULL)
        return None


class Fleet:
    """All deployments of a configuration, by their names."""

    def __init__(
        self,
        targets: Sequence[Target],
        settings: BreakerSettings,
        on_state: OnState = lambda target, state: None,
    ) -> None:
        quotas: dict[tuple[str, str], Quota] = {}
        found: dict[str, Deployment] = {}
        for target in targets:
            shared = target.quota or f"deployment {target.deployment}"
            quota = quotas.setdefault((target.provider, shared), Quota())
            breaker = Breaker(settings, _teller(target, on_state))
            found[target.deployment] = Deployment(target, breaker, quota)
        self._deployments: Mapping[str, Deployment] = found

    def of(self, target: Target) -> Deployment:
        """The state of `target`'s deployment."""
        return self._deployments[target.deployment]

    def served_by(self, provider: str) -> Sequence[Deployment]:
        """The deployments of one provider."""
        return [d for d in self._deployments.values() if d.target.provider == provider]

    def configure(self, settings: BreakerSettings, provider: str | None = None) -> None:
        """From now on all breakers, or those of one provider, follow `settings`."""
        for deployment in self._deployments.values():
            if provider is None or deployment.target.provider == provider:
                deployment.breaker.configure(settings)

    def in_flight(self, deployment: str) -> int:
        """How many attempts are under way."""
        return self._deployments[deployment].bulkhead.in_flight

    def breaker_state(self, deployment: str) -> str:
        """`closed`, `open` or `half_open`."""
        return str(self._deployments[deployment].breaker.state)


def _teller(target: Target, on_state: OnState) -> Callable[[State], None]:
    return lambda state: on_state(target, state)
