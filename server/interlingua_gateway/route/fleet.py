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


class Former(msgspec.Struct, frozen=True):
    """The deployments of an earlier fleet; only of providers that are `unchanged` are they still
    the same."""

    deployments: Mapping[str, Deployment]
    unchanged: frozenset[str]

    def find(self, target: Target) -> Deployment | None:
        """The deployment that `target` was already, at the same place."""
        found = self.deployments.get(target.deployment)
        if found is None or target.provider not in self.unchanged:
            return None
        return found if _place_of(found.target) == _place_of(target) else None


class Fleet:
    """All deployments of a configuration, by their names.

    Those that are in `former` too, at the same place, are the same: attempts of both fleets are
    counted together. Until `take_over` they stand as `former` has them. `kept` are their names.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        settings: BreakerSettings,
        on_state: OnState = lambda target, state: None,
        former: Former | None = None,
    ) -> None:
        former = former or Former({}, frozenset())
        self._targets = {target.deployment: target for target in targets}
        self._settings = settings
        found = {name: former.find(target) for name, target in self._targets.items()}
        kept = {name: old for name, old in found.items() if old is not None}
        self.kept = frozenset(kept)
        quotas = {_quota_of(old.target): old.quota for old in kept.values()}
        for name, target in self._targets.items():
            quota = quotas.setdefault(_quota_of(target), Quota())
            breaker = Breaker(settings, _teller(target, on_state))
            kept.setdefault(name, Deployment(target, breaker, quota))
        self._deployments: Mapping[str, Deployment] = kept

    def former(self, unchanged: frozenset[str]) -> Former:
        """What the next fleet takes over of this one, of the providers `unchanged`."""
        return Former(self._deployments, unchanged)

    def take_over(self, before: BreakerSettings) -> None:
        """From now on this fleet's bounds and settings hold; those of breakers were `before`."""
        for name, target in self._targets.items():
            self._deployments[name].bulkhead.limit = target.max_concurrency
        if self._settings != before:
            self.configure(self._settings)

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


def _place_of(target: Target) -> tuple[str, str, str]:
    return target.provider, target.model, target.quota


def _quota_of(target: Target) -> tuple[str, str]:
    return target.provider, target.quota or f"deployment {target.deployment}"


def _teller(target: Target, on_state: OnState) -> Callable[[State], None]:
    return lambda state: on_state(target, state)
