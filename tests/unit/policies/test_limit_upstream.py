"""Limits of providers: the next target is tried, and everything comes back when attempts end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.ports import Headroom
from interlingua_gateway.core.quota import Measure
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.policies.limit_rules import Dimension, LimitRule, Rate, Rules, of_target
from interlingua_gateway.policies.limit_upstream import LimitedProvider, UpstreamLimits
from interlingua_gateway.providers.script import Fail, Hang, Say, Script
from interlingua_gateway.providers.scripted import ScriptedProvider
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.telemetry.limits import LimitMetrics
from interlingua_gateway.telemetry.metrics import Metrics
from tests.support.calls import ask, until
from tests.support.innermost import target
from tests.support.manual_clock import ManualClock

SCRIPTS: Mapping[str, Script] = {
    "text": (Say("one two three"),),
    "refused": (Fail(Reason.UPSTREAM_UNAVAILABLE, "down"),),
    "broken": (Say("one"), Fail()),
    "silent": (Hang(),),
    "stalled": (Say("one"), Hang()),
}


class Upstream:
    """A scripted provider with one place and 3,000 tokens."""

    def __init__(self, clock: ManualClock) -> None:
        rule = LimitRule(
            name="up",
            per=frozenset({Dimension.PROVIDER}),
            concurrent=1,
            tokens=Rate(3000, 3000),
        )
        self.rules = Rules([rule], 1000)
        self.counters = MemoryCounters(clock)
        self.metrics = Metrics()
        provider = ScriptedProvider("stage", clock=clock, scripts=SCRIPTS)
        limits = LimitMetrics(self.metrics)
        self.provider = LimitedProvider(provider, self.rules, self.counters, limits)

    async def open(self, model: str, *, streaming: bool = True) -> Reply:
        return await self.provider.open(Attempt(ask(model), target(model), streaming=streaming))

    async def left(self) -> dict[Measure, float]:
        buckets = self.rules.buckets(of_target(target("text")))
        left = await self.counters.remaining(buckets)
        return {b.measure: amount for b, amount in zip(buckets, left, strict=True)}

    def reserved(self) -> float | None:
        labels = {"rule": "up", "limit": "tokens_per_minute"}
        return self.metrics.registry.get_sample_value("interlingua_limit_reserved", labels)


@pytest.fixture
def upstream(clock: ManualClock) -> Upstream:
    return Upstream(clock)


async def test_a_reached_limit_looks_like_the_upstreams_own(upstream: Upstream) -> None:
    await upstream.open("stalled")
    with pytest.raises(UpstreamError) as failure:
        await upstream.open("text")
    assert failure.value.reason is Reason.UPSTREAM_RATE_LIMITED
    assert failure.value.retryable
    assert failure.value.retry_after_s == 1.0
    assert failure.value.metadata == {"limit": "concurrent_requests", "rule": "up"}


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_is_settled_to_what_was_measured(
    upstream: Upstream, streaming: bool
) -> None:
    reply = await upstream.open("text", streaming=streaming)
    answer = await reply.collect()
    assert answer.usage is not None
    used = answer.usage.input_tokens + answer.usage.output_tokens
    assert await upstream.left() == {Measure.TOKENS: 3000 - used, Measure.CONCURRENT: 1}
    assert upstream.reserved() == 0.0


async def test_a_whole_answer_that_nobody_reads_holds_nothing(upstream: Upstream) -> None:
    reply = await upstream.open("text", streaming=False)
    assert (await upstream.left())[Measure.CONCURRENT] == 1
    await reply.aclose()
    assert upstream.reserved() == 0.0


async def test_a_failure_before_the_first_event_gives_all_back(upstream: Upstream) -> None:
    with pytest.raises(UpstreamError):
        await upstream.open("refused")
    assert await upstream.left() == {Measure.TOKENS: 3000, Measure.CONCURRENT: 1}


async def test_a_break_leaves_the_estimate(upstream: Upstream) -> None:
    reply = await upstream.open("broken")
    with pytest.raises(UpstreamError):
        await reply.collect()
    assert await upstream.left() == {Measure.TOKENS: 1994, Measure.CONCURRENT: 1}


async def test_a_cancelled_attempt_gives_back(upstream: Upstream) -> None:
    task = asyncio.create_task(upstream.open("silent"))
    await until(upstream.reserved)
    task.cancel()
    await asyncio.wait({task})
    assert await upstream.left() == {Measure.TOKENS: 3000, Measure.CONCURRENT: 1}


async def test_a_reader_that_leaves_gives_its_place_back(upstream: Upstream) -> None:
    reply = await upstream.open("stalled")
    await reply.next()
    await reply.aclose()
    await reply.aclose()
    assert (await upstream.left())[Measure.CONCURRENT] == 1
    assert upstream.reserved() == 0.0


async def test_headroom(upstream: Upstream) -> None:
    await upstream.open("stalled")
    board = UpstreamLimits([target("text")], upstream.rules, upstream.counters)
    assert await board.headroom() == {
        "text": [
            Headroom("tokens_per_minute", 3000, 1994),
            Headroom("concurrent_requests", 1, 0),
        ]
    }
