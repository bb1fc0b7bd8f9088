"""Which target each strategy puts first, as shares of many calls and as orders."""

from __future__ import annotations

from collections import Counter

import pytest

from interlingua_gateway.core.target import Strategy, Target
from interlingua_gateway.route.breaker import BreakerSettings
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.need import Need
from interlingua_gateway.route.strategies import Strategies
from tests.support.calls import ask
from tests.support.routing import ChanceClock, model, priced, target, wishing

CALLS = 20_000


class Choosing:
    def __init__(self, *targets: Target) -> None:
        self.clock = ChanceClock()
        self.model = model("m", *targets)
        self.fleet = Fleet(targets, BreakerSettings())
        self.strategies = Strategies(self.fleet, self.clock)

    def order(self, strategy: str, **fields: object) -> list[str]:
        asked = wishing(strategy=Strategy(strategy), **fields)
        ordered = self.strategies.order(asked, Need(asked), self.model, self.model.targets)
        assert set(ordered) == set(self.model.targets)
        return [t.deployment for t in ordered]

    def shares(self, strategy: str) -> dict[str, float]:
        firsts = Counter(self.order(strategy)[0] for _ in range(CALLS))
        return {name: count / CALLS for name, count in firsts.items()}

    def busy(self, **in_flight: int) -> None:
        for name, count in in_flight.items():
            for _ in range(count):
                self.fleet.of(target(name)).bulkhead.enter()

    def pace(self, **seconds: float) -> None:
        for name, value in seconds.items():
            self.fleet.of(target(name)).paces[False].saw(value, self.clock.monotonic())


def test_priority_is_the_configured_order() -> None:
    assert Choosing(target("a"), target("b"), target("c")).order("priority") == ["a", "b", "c"]


def test_weighted_shares() -> None:
    shares = Choosing(target("a", weight=6), target("b", weight=3), target("c")).shares("weighted")
    assert shares == {
        "a": pytest.approx(0.6, abs=0.015),
        "b": pytest.approx(0.3, abs=0.015),
        "c": pytest.approx(0.1, abs=0.015),
    }


def test_weighted_second_choices_follow_the_weights_too() -> None:
    choosing = Choosing(target("a", weight=6), target("b", weight=3), target("c"))
    orders = [choosing.order("weighted") for _ in range(CALLS)]
    seconds = Counter(order[1] for order in orders if order[0] == "a")
    assert seconds["b"] / seconds["c"] == pytest.approx(3, rel=0.1)


def test_round_robin_takes_turns() -> None:
    choosing = Choosing(target("a"), target("b"), target("c"))
    orders = [choosing.order("round_robin") for _ in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    ("in_flight", "order"),
    [
        ({"a": 2, "b": 0, "c": 1}, ["b", "c", "a"]),
        ({"a": 0, "b": 5, "c": 9}, ["a", "b", "c"]),
    ],
)
def test_least_in_flight(in_flight: dict[str, int], order: list[str]) -> None:
    choosing = Choosing(target("a"), target("b"), target("c"))
    choosing.busy(**in_flight)
    assert choosing.order("least_in_flight") == order


def test_least_in_flight_spreads_ties() -> None:
    shares = Choosing(target("a"), target("b")).shares("least_in_flight")
    assert shares["a"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("pace", "in_flight", "shares"),
    [
        # The best of two drawn from three: the worst never comes first, the best in two of three.
        ({"a": 0.1, "b": 0.2, "c": 2.0}, {}, {"a": 2 / 3, "b": 1 / 3}),
        # As fast, but busier.
        ({"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 3, "b": 1}, {"c": 2 / 3, "b": 1 / 3}),
        # Twice as slow, but idle.
        ({"a": 0.1, "b": 0.2, "c": 9.0}, {"a": 2}, {"b": 2 / 3, "a": 1 / 3}),
        # Never tried: tried first.
        ({"a": 0.1, "b": 0.2}, {}, {"c": 2 / 3, "a": 1 / 3}),
    ],
)
def test_lowest_latency(
    pace: dict[str, float], in_flight: dict[str, int], shares: dict[str, float]
) -> None:
    choosing = Choosing(target("a"), target("b"), target("c"))
    choosing.pace(**pace)
    choosing.busy(**in_flight)
    found = choosing.shares("lowest_latency")
    assert found == {name: pytest.approx(share, abs=0.02) for name, share in shares.items()}


def test_one_slow_answer_counts_at_once_and_fades() -> None:
    choosing = Choosing(target("a"), target("b"))
    choosing.pace(a=0.1, b=0.2)
    assert choosing.order("lowest_latency")[0] == "a"
    choosing.pace(a=5.0)
    assert choosing.order("lowest_latency")[0] == "b"
    for _ in range(120):
        choosing.clock.advance(1.0)
        choosing.pace(b=0.2)
    assert choosing.order("lowest_latency")[0] == "a"


@pytest.mark.parametrize(
    ("words", "max_output_tokens", "order"),
    [
        (10, 1000, ["small", "large", "unknown"]),  # output dominates
        (40_000, 1, ["large", "small", "unknown"]),  # input dominates
    ],
)
def test_lowest_cost_by_expected_tokens(
    words: int, max_output_tokens: int, order: list[str]
) -> None:
    choosing = Choosing(target("unknown"), priced("large", 0.1, 9.0), priced("small", 1.0, 2.0))
    request = ask(text="word " * words, max_output_tokens=max_output_tokens)
    assert choosing.order("lowest_cost", request=request) == order


def test_a_sticky_key_always_has_the_same_order_and_keys_spread_by_weight() -> None:
    choosing = Choosing(target("a", weight=2), target("b"), target("c"))
    keys = [f"user-{number}" for number in range(CALLS)]
    firsts = {key: choosing.order("round_robin", sticky_key=key)[0] for key in keys}
    assert all(choosing.order("weighted", sticky_key=key)[0] == firsts[key] for key in keys[:100])
    assert Counter(firsts.values())["a"] / CALLS == pytest.approx(0.5, abs=0.02)


def test_only_the_keys_of_a_target_that_went_away_move() -> None:
    three = Choosing(target("a"), target("b"), target("c"))
    two = Choosing(target("a"), target("b"))
    for number in range(500):
        key = f"user-{number}"
        before = three.order("priority", sticky_key=key)
        after = two.order("priority", sticky_key=key)
        assert after == [name for name in before if name != "c"]
