"""What is known of every deployment."""

from __future__ import annotations

import msgspec

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


def changed(target: Target, **fields: object) -> Target:
    return msgspec.structs.replace(target, **fields)


def test_a_deployment_is_the_same_in_the_next_fleet_where_its_place_is():
    former = Fleet(TARGETS, BreakerSettings(failures=1))
    assert opened_by_one_failure(former) == ["a1", "a2", "b1"]
    a1, a2, b1 = TARGETS
    new = changed(a1, deployment="new")
    latter = (changed(a1, weight=7), changed(a2, model="n"), b1, new)
    fleet = Fleet(latter, BreakerSettings(failures=1), former=former.former(frozenset("a")))
    assert fleet.kept == {"a1"}
    states = {t.deployment: fleet.breaker_state(t.deployment) for t in latter}
    assert states == {"a1": "open", "a2": "closed", "b1": "closed", "new": "closed"}


def test_attempts_of_both_fleets_are_counted_together():
    (target, *_) = TARGETS
    former = Fleet([changed(target, max_concurrency=2)], BreakerSettings())
    former.of(target).bulkhead.enter()
    narrow = changed(target, max_concurrency=1)
    fleet = Fleet([narrow], BreakerSettings(), former=former.former(frozenset("a")))
    assert fleet.of(narrow).obstacle(0.0) is None
    fleet.take_over(BreakerSettings())
    assert fleet.of(narrow).obstacle(0.0) is not None
    former.of(target).bulkhead.leave()
    assert fleet.of(narrow).obstacle(0.0) is None


def test_breakers_follow_other_settings_from_the_take_over_on():
    former = Fleet(TARGETS, BreakerSettings())
    settings = BreakerSettings(failures=1)
    fleet = Fleet(TARGETS, settings, former=former.former(frozenset("a")))
    assert opened_by_one_failure(fleet) == ["b1"]
    fleet.take_over(BreakerSettings())
    assert opened_by_one_failure(fleet) == ["a1", "a2", "b1"]


def test_a_shared_quota_is_shared_with_newcomers():
    (target, *_) = TARGETS
    old, new = changed(target, quota="q"), changed(target, deployment="new", quota="q")
    former = Fleet([old], BreakerSettings())
    former.of(old).quota.hold(10.0)
    fleet = Fleet([old, new], BreakerSettings(), former=former.former(frozenset("a")))
    assert fleet.of(new).obstacle(0.0) is not None
    assert fleet.of(new).obstacle(10.0) is None
