"""Puts the targets of an alias in order, best first: one function for each strategy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.target import Model, Strategy, Target
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.need import Need

Targets: TypeAlias = tuple[Target, ...]

LEAST_SECONDS: Final = 1e-6
"""An estimate of nothing must not hide how busy a deployment is."""


class Strategies:
    """Orders targets by what is known now. A sticky key goes before every strategy."""

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._turns: dict[tuple[str, ...], int] = {}
        self._orders: Mapping[Strategy, Callable[[Call, Need, Targets], Targets]] = {
            Strategy.WEIGHTED: self._weighted,
            Strategy.ROUND_ROBIN: self._in_turn,
            Strategy.LEAST_IN_FLIGHT: self._least_in_flight,
            Strategy.LOWEST_LATENCY: self._lowest_latency,
            Strategy.LOWEST_COST: self._lowest_cost,
        }

    def order(self, call: Call, need: Need, model: Model, targets: Targets) -> Targets:
        """`targets` of `model`, best first."""
        if len(targets) < 2:
            return targets
        key = call.routing.sticky_key
        if key:
            return tuple(sorted(targets, key=lambda target: _distance(key, target)))
        order = self._orders.get(call.routing.strategy or model.strategy)
        return targets if order is None else order(call, need, targets)

    def _weighted(self, call: Call, need: Need, targets: Targets) -> Targets:
        """A draw without putting back. Source: Efraimidis and Spirakis, 2006."""
        return _sorted(targets, [_arrival(self._clock.random(), t.weight) for t in targets])

    def _in_turn(self, call: Call, need: Need, targets: Targets) -> Targets:
        # Of configured deployments there are finitely many subsets; names of callers are not in it.
        names = tuple(target.label for target in targets)
        turn = self._turns.get(names, 0) % len(targets)
        self._turns[names] = turn + 1
        return targets[turn:] + targets[:turn]

    def _least_in_flight(self, call: Call, need: Need, targets: Targets) -> Targets:
        busy = [float(self._fleet.of(t).bulkhead.in_flight) for t in targets]
        return _sorted(targets, [count + self._clock.random() for count in busy])

    def _lowest_latency(self, call: Call, need: Need, targets: Targets) -> Targets:
        """The better of two drawn at random comes first, so that not all calls of a moment go to
        one and the same target; the others follow by their load."""
        now = self._clock.monotonic()
        loads = [self._load(call, target, now) for target in targets]
        ordered = _sorted(targets, loads)
        one = int(self._clock.random() * len(targets))
        other = (one + 1 + int(self._clock.random() * (len(targets) - 1))) % len(targets)
        best = targets[one] if loads[one] <= loads[other] else targets[other]
        return (best, *(target for target in ordered if target is not best))

    def _load(self, call: Call, target: Target, now: float) -> float:
        deployment = self._fleet.of(target)
        estimate_s = deployment.paces[call.streaming].estimate_s(now)
        return max(LEAST_SECONDS, estimate_s) * (deployment.bulkhead.in_flight + 1)

    def _lowest_cost(self, call: Call, need: Need, targets: Targets) -> Targets:
        costs = [need.cost_nano_usd(target) for target in targets]
        return _sorted(targets, [math.inf if cost is None else float(cost) for cost in costs])


def _sorted(targets: Targets, ranks: list[float]) -> Targets:
    """`targets` by their ranks, the lowest first; equal ones in the configured order."""
    places = sorted(range(len(targets)), key=ranks.__getitem__)
    return tuple(targets[place] for place in places)


def _distance(key: str, target: Target) -> float:
    """Rendezvous hashing by weight: when a target goes away, only its own keys move.

    Source: Thaler and Ravishankar, 1998; with weights, Schindelhauer and Schomaker, 2005.
    """
    text = f"{target.deployment}\n{key}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return _arrival((number + 0.5) / 2.0**64, target.weight)


def _arrival(uniform: float, weight: int) -> float:
    """The first of exponential arrivals of rate `weight` comes first as often as its weight."""
    return -math.log(max(uniform, 1e-300)) / weight
