"""What is known of every deployment."""

from __future__ import annotations

from interlingua_gateway.core.target import Target
from interlingua_gateway.route.breaker import BreakerSettings, State
from interlingua_gateway.route.fleet import Fleet

TARGETS = tuple(
    Target(deployment=name, provider=name[0], model="m", label=name) for name in ("a1", "a2", "b1")
)


def opened_by_one_failure(fleet: Fleet) -> list[str]:
    for target in TARGETS:
        breaker = fleet.of(target).breaker
        breaker.failed(breaker.begin(0.0), 0.0)
    return [t.deployment for t in TARGETS if fleet.of(t).breaker.state is State.OPEN]


def test_breakers_of_one_provider_follow_other_settings():
    fleet = Fleet(TARGETS, BreakerSettings())
    fleet.configure(BreakerSettings(failures=1), "a")
    assert opened_by_one_failure(fleet) == ["a1", "a2"]


def test_all_breakers_follow_other_settings():
    fleet = Fleet(TARGETS, BreakerSettings())
    fleet.configure(BreakerSettings(failures=1))
    assert opened_by_one_failure(fleet) == ["a1", "a2", "b1"]
