"""Limits of a configuration: the policy, what stands around providers, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from interlingua_gateway.config.limits import LimitConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ports import Counters, Policy, Provider
from interlingua_gateway.core.target import Target
from interlingua_gateway.policies.limit import Limit
from interlingua_gateway.policies.limit_rules import Dimension, LimitRule, Rate, Rules
from interlingua_gateway.policies.limit_upstream import LimitedProvider, UpstreamLimits
from interlingua_gateway.policies.queue import Queue, QueueOptions
from interlingua_gateway.telemetry.limits import LimitMetrics
from interlingua_gateway.telemetry.metrics import Metrics


class LimitPolicies:
    """`policies` is empty without a limit of callers; `board` tells of limits of providers.
    `questions` estimates the tokens of what a classifier is asked for a call."""

    def __init__(
        self,
        config: Config,
        counters: Counters,
        targets: Sequence[Target],
        questions: Callable[[Call], int],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._counters = counters
        self._metrics = LimitMetrics(metrics)
        rules = [_rule(rule) for rule in config.limits.rules]
        expected = config.limits.expected_output_tokens
        callers = Rules((r for r in rules if Dimension.PROVIDER not in r.per), expected)
        self._upstream = Rules((r for r in rules if Dimension.PROVIDER in r.per), expected)
        self.board = UpstreamLimits(targets, self._upstream, counters)
        self._queue = Queue(counters, _queue_options(config), self._metrics, clock)
        names = {alias: model.name for model in config.models for alias in model.aliases}
        policy = Limit(callers, self._queue, counters, names, questions, self._metrics)
        self.policies: Sequence[Policy] = (policy,) if callers else ()

    def around(self, providers: Mapping[str, Provider]) -> Mapping[str, Provider]:
        """The same providers, behind their limits."""
        if not self._upstream:
            return providers
        return {
            name: LimitedProvider(provider, self._upstream, self._counters, self._metrics)
            for name, provider in providers.items()
        }

    def follow(self, former: LimitPolicies) -> None:
        """Calls that wait in `former`, or will yet, came earlier than those here."""
        self._queue.follow(former._queue)

    def leave(self) -> None:
        """No call is left here, nor will one come."""
        self._queue.leave()

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return len(self._queue)

    async def aclose(self) -> None:
        """Refuse all that wait."""
        await self._queue.aclose()


def _queue_options(config: Config) -> QueueOptions:
    queue = config.limits.queue
    return QueueOptions(
        max_waiting=queue.max_waiting, max_wait_s=queue.max_wait_s, weights=queue.weights
    )


def _rule(config: LimitConfig) -> LimitRule:
    return LimitRule(
        name=config.name,
        per=frozenset(Dimension(name) for name in config.per),
        tenants=config.tenants,
        tiers=config.tiers,
        providers=config.providers,
        models=config.models,
        requests=_rate(config.requests_per_minute, config.burst_requests),
        tokens=_rate(config.tokens_per_minute, config.burst_tokens),
        concurrent=config.concurrent_requests,
    )


def _rate(per_minute: int | None, burst: int | None) -> Rate | None:
    return None if per_minute is None else Rate(per_minute, burst or per_minute)
