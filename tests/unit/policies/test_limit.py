"""Limits and their queue, on an injected clock: who gets in, who waits, who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from interlingua_gateway.core.call import Call, Ending
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import Outcome, Usage
from interlingua_gateway.core.quota import Charge, Grant, Refusal
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.wishes import Caller, Priority
from interlingua_gateway.policies.limit import Limit
from interlingua_gateway.policies.limit_rules import Dimension, LimitRule, Rate, Rules
from interlingua_gateway.policies.queue import Queue, QueueOptions
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.telemetry.limits import LimitMetrics
from interlingua_gateway.telemetry.metrics import Metrics
from tests.support.calls import ask, call, embed, until
from tests.support.manual_clock import ManualClock

ENDED = Ending(outcome=Outcome.OK, duration_s=0.0)


class Door:
    """The policy with its queue; `inside` are the calls that got in, in their order."""

    def __init__(self, clock: ManualClock, *rules: LimitRule, **queue: object) -> None:
        self.clock = clock
        self.counters = queue.pop("counters", None) or MemoryCounters(clock)
        self.metrics = Metrics()
        limits = LimitMetrics(self.metrics)
        self.queue = Queue(self.counters, QueueOptions(**queue), limits, clock)
        self.rules = Rules(rules, 1000)
        names = {"alias": "model"}
        self.questions = 0
        self.policy = Limit(
            self.rules, self.queue, self.counters, names, lambda call: self.questions, limits
        )
        self.inside: list[Call] = []

    def call(self, tenant: str = "a", request: object = None, **fields: object) -> Call:
        user, tier = fields.pop("user", ""), fields.pop("tier", "")
        caller = Caller(tenant=tenant, user=user, tier=tier)
        return call(request or ask("model"), self.clock, caller=caller, **fields)

    async def enter(self, one: Call) -> Call:
        """Through the policy; the call does not end."""

        async def inner(passed: Call) -> Reply:
            self.inside.append(passed)
            return Reply(Start("d", "p", "m"), ())

        await self.policy(one, inner)
        return one

    async def reason(self, one: Call) -> Reason | None:
        """Why `one` is refused, or None."""
        try:
            await self.enter(one)
        except GatewayError as error:
            return error.reason
        return None

    def waits(self, one: Call) -> asyncio.Task[Call]:
        return asyncio.create_task(self.enter(one))

    def tenants(self) -> str:
        return "".join(one.caller.tenant for one in self.inside)


def per_minute(requests: int, burst: int | None = None, **fields: object) -> LimitRule:
    fields = {"name": "rule", "per": frozenset({Dimension.TENANT}), **fields}
    return LimitRule(requests=Rate(requests, burst or requests), **fields)


def of_tokens(tokens: int, burst: int | None = None) -> LimitRule:
    return LimitRule(name="rule", tokens=Rate(tokens, burst or tokens))


def at_once(count: int, **fields: object) -> LimitRule:
    return LimitRule(name="rule", concurrent=count, **fields)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turned.set_result, None)
        await turned


def _per(*names: str) -> frozenset[Dimension]:
    return frozenset(Dimension(name) for name in names)


# What has a bucket of its own: two calls, and whether the second finds the bucket of the first.
DIMENSIONS = [
    (_per(), {"tenant": "a"}, {"tenant": "b"}, True),
    (_per("tenant"), {"tenant": "a"}, {"tenant": "b"}, False),
    (_per("tenant"), {"tenant": "a", "user": "1"}, {"tenant": "a", "user": "2"}, True),
    (_per("user"), {"user": "1"}, {"user": "2"}, False),
    (_per("user"), {"tenant": "a", "user": "1"}, {"tenant": "b", "user": "1"}, False),
    (_per("model"), {"tenant": "a"}, {"tenant": "b"}, True),
    (_per("model"), {"request": ask("model")}, {"request": ask("other")}, False),
    (_per("model"), {"request": ask("model")}, {"request": ask("alias")}, True),
    (_per("tenant", "model"), {"request": ask("model")}, {"request": ask("other")}, False),
    (_per("user"), {"user": "1 model:x"}, {"user": "1"}, False),
]


@pytest.mark.parametrize(("per", "first", "second", "shared"), DIMENSIONS)
async def test_dimensions(
    clock: ManualClock,
    per: frozenset[Dimension],
    first: dict[str, object],
    second: dict[str, object],
    shared: bool,
) -> None:
    door = Door(clock, per_minute(60, burst=1, per=per))
    assert await door.reason(door.call(**first)) is None
    expected = Reason.RATE_LIMITED if shared else None
    assert await door.reason(door.call(**second)) == expected


# Where a rule holds, and for which calls.
MATCHES = [
    ({"tenants": frozenset({"a"})}, {"tenant": "a"}, True),
    ({"tenants": frozenset({"a"})}, {"tenant": "b"}, False),
    ({"tiers": frozenset({"gold"})}, {"tenant": "a", "tier": "gold"}, True),
    ({"tiers": frozenset({"gold"})}, {"tenant": "a", "tier": "free"}, False),
    ({"tiers": frozenset({"gold"})}, {"tenant": "gold"}, False),
    ({"models": ("model",)}, {"request": ask("model")}, True),
    ({"models": ("model",)}, {"request": ask("alias")}, True),
    ({"models": ("model",)}, {"request": ask("other")}, False),
    ({"models": ("openai/*",)}, {"request": ask("openai/x")}, True),
    ({"models": ("openai/*",)}, {"request": embed("x", model="openai/x")}, True),
]


@pytest.mark.parametrize(("where", "fields", "holds"), MATCHES)
async def test_matches(
    clock: ManualClock, where: dict[str, object], fields: dict[str, object], holds: bool
) -> None:
    door = Door(clock, per_minute(60, burst=1, **where))
    await door.enter(door.call(**fields))
    expected = Reason.RATE_LIMITED if holds else None
    assert await door.reason(door.call(**fields)) == expected


async def test_the_refusal_says_what_and_when(clock: ManualClock) -> None:
    door = Door(clock, per_minute(30, burst=2))
    await door.enter(door.call())
    await door.enter(door.call())
    clock.advance(0.5)
    with pytest.raises(GatewayError) as failure:
        await door.enter(door.call())
    error = failure.value
    assert error.reason is Reason.RATE_LIMITED
    assert error.retry_after_s == pytest.approx(1.5)
    assert error.metadata == {"limit": "requests_per_minute", "rule": "rule"}
    ((violation),) = error.violations
    assert violation.subject == "tenant:a"
    assert violation.description == "at most 30 requests a minute"
    value = door.metrics.registry.get_sample_value(
        "interlingua_limit_refused_total",
        {"rule": "rule", "limit": "requests_per_minute", "reason": "RATE_LIMITED"},
    )
    assert value == 1.0
    clock.advance(1.5)
    await door.enter(door.call())


# What a request reserves: estimated input (9 tokens for `hello` and its frame) and output.
SIZES = [
    (ask(max_output_tokens=91), 97),
    (ask(), 1006),
    (ask(max_output_tokens=100, n=3), 306),
    (embed("x" * 40, "y" * 40), 20),
]


@pytest.mark.parametrize(("request_", "tokens"), SIZES)
async def test_tokens_are_reserved_and_settled(
    clock: ManualClock, request_: object, tokens: int
) -> None:
    door = Door(clock, of_tokens(6000))
    one = await door.enter(door.call(request=request_))
    (bucket,) = door.rules.buckets({})
    assert await door.counters.remaining([bucket]) == [6000 - tokens]
    one.usage = Usage(input_tokens=7, output_tokens=5)
    one.end(ENDED)
    assert await door.counters.remaining([bucket]) == [6000 - 12]


async def test_the_question_of_a_classifier_is_reserved_too(clock: ManualClock) -> None:
    door = Door(clock, of_tokens(6000))
    plain = await door.enter(door.call())
    (bucket,) = door.rules.buckets({})
    (left,) = await door.counters.remaining([bucket])
    door.questions = 150
    asking = await door.enter(door.call())
    assert await door.counters.remaining([bucket]) == [left - (6000 - left) - 150]
    for one in (plain, asking):
        one.usage = Usage(input_tokens=7, output_tokens=5)
        one.end(ENDED)
    assert await door.counters.remaining([bucket]) == [6000 - 24]


async def test_a_free_answer_costs_no_tokens(clock: ManualClock) -> None:
    door = Door(clock, of_tokens(6000))
    one = await door.enter(door.call())
    one.usage, one.free = Usage(input_tokens=7, output_tokens=5), True
    one.end(ENDED)
    assert await door.counters.remaining(door.rules.buckets({})) == [6000]


async def test_a_call_larger_than_the_burst_needs_all_of_it(clock: ManualClock) -> None:
    door = Door(clock, of_tokens(6000, burst=500))
    one = await door.enter(door.call(request=ask(max_output_tokens=5000)))
    one.usage = Usage(output_tokens=800)
    one.end(ENDED)
    with pytest.raises(GatewayError) as failure:
        await door.enter(door.call(request=ask(max_output_tokens=5000)))
    assert failure.value.retry_after_s == pytest.approx(8.0)


async def test_places(clock: ManualClock) -> None:
    door = Door(clock, at_once(2))
    first = await door.enter(door.call())
    await door.enter(door.call())
    assert await door.reason(door.call()) is Reason.RATE_LIMITED
    first.end(ENDED)
    await door.enter(door.call())


async def test_a_queue_is_served_as_the_bucket_refills(clock: ManualClock) -> None:
    door = Door(clock, per_minute(60, burst=1), max_waiting=10)
    await door.enter(door.call())
    tasks = [door.waits(door.call()) for _ in range(3)]
    await clock.until_waiting()
    for count in (2, 3, 4):
        clock.advance(1.0)
        await until(lambda count=count: len(door.inside) == count)
        await turns()
        assert len(door.inside) == count
    done = await asyncio.gather(*tasks)
    assert [one.queue_s for one in done] == pytest.approx([1.0, 2.0, 3.0])
    assert len(door.queue) == 0


async def test_priorities_and_tenants(clock: ManualClock) -> None:
    """The order in which a queue of mixed priorities and tenants is served, one a second."""
    door = Door(clock, per_minute(60, burst=1, per=_per()), max_waiting=20)
    await door.enter(door.call("-"))
    come = ["al", "an", "an", "an", "bn", "ah", "bl", "ch", "cn", "bn"]
    level = {"l": Priority.LOW, "n": Priority.NORMAL, "h": Priority.HIGH}
    tasks = [door.waits(door.call(one[0], priority=level[one[1]])) for one in come]
    await until(lambda: len(door.queue) == len(come))
    await turns()
    for count in range(2, len(come) + 2):
        clock.advance(1.0)
        await until(lambda count=count: len(door.inside) == count)
    await asyncio.gather(*tasks)
    served = [f"{one.caller.tenant}{one.priority.name[0].lower()}" for one in door.inside[1:]]
    assert served == ["ah", "ch", "an", "bn", "cn", "an", "bn", "an", "al", "bl"]


async def test_a_flood_does_not_starve_another_tenant(clock: ManualClock) -> None:
    """One tenant sends 20 calls a second, another 2, and 10 a second are served: all of the
    second's are, each within a fifth of a second, and the flood gets what is left."""
    door = Door(clock, per_minute(600, burst=2, per=_per()), max_waiting=40)
    waited: dict[str, list[float]] = {"f": [], "s": []}
    refused: dict[str, int] = {"f": 0, "s": 0}

    async def one(tenant: str) -> None:
        made = door.call(tenant)
        try:
            await door.enter(made)
        except GatewayError:
            refused[tenant] += 1
        else:
            waited[tenant].append(made.queue_s)

    tasks: list[asyncio.Task[None]] = []
    for step in range(1200):
        tasks.append(asyncio.create_task(one("f")))
        if step % 10 == 0:
            tasks.append(asyncio.create_task(one("s")))
        await turns(12)
        clock.advance(0.05)
        await turns(12)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert refused["s"] == 0
    assert len(waited["s"]) == 120
    assert max(waited["s"]) <= 0.2 + 1e-6
    assert len(waited["s"]) + len(waited["f"]) == pytest.approx(600, abs=2)


async def test_who_needs_another_limit_does_not_wait(clock: ManualClock) -> None:
    door = Door(clock, per_minute(60, burst=1), max_waiting=10)
    await door.enter(door.call("a"))
    task = door.waits(door.call("a"))
    await until(lambda: len(door.queue) == 1)
    await turns()
    await door.enter(door.call("b"))
    assert door.tenants() == "ab"
    task.cancel()


async def test_nobody_overtakes(clock: ManualClock) -> None:
    """A small call does not slip past a large one that waits for the same tokens."""
    door = Door(clock, of_tokens(6000, burst=1000), max_waiting=10)
    first = await door.enter(door.call("a", ask(max_output_tokens=400)))
    large = door.waits(door.call("b", ask(max_output_tokens=900)))
    await until(lambda: len(door.queue) == 1)
    await turns()
    small = door.waits(door.call("c", ask(max_output_tokens=10)))
    await turns()
    assert door.tenants() == "a"
    first.usage = Usage(output_tokens=0)
    first.end(ENDED)
    await large
    await small
    assert door.tenants() == "abc"


# Calls that find a queue: what they may wait, and what becomes of them at once. One call a second
# is served, and three wait already.
DEADLINES = [(3.9, Reason.QUEUE_FULL, 4.0), (4.1, None, None)]


@pytest.mark.parametrize(("seconds", "reason", "retry_after_s"), DEADLINES)
async def test_who_cannot_be_served_in_time_is_refused_at_once(
    clock: ManualClock, seconds: float, reason: Reason | None, retry_after_s: float | None
) -> None:
    door = Door(clock, per_minute(60, burst=1), max_waiting=10)
    await door.enter(door.call())
    tasks = [door.waits(door.call()) for _ in range(3)]
    await until(lambda: len(door.queue) == 3)
    await turns()
    late = door.waits(door.call(deadline=clock.monotonic() + seconds))
    await turns()
    assert late.done() == (reason is not None)
    if late.done():
        error = late.exception()
        assert isinstance(error, GatewayError)
        assert error.reason is reason
        assert error.retry_after_s == pytest.approx(retry_after_s)
        assert error.metadata["limit"] == "requests_per_minute"
    for task in (*tasks, late):
        task.cancel()
    await asyncio.gather(*tasks, late, return_exceptions=True)
    assert len(door.queue) == 0


async def test_higher_priorities_may_make_a_call_too_late(clock: ManualClock) -> None:
    door = Door(clock, per_minute(60, burst=1), max_waiting=10)
    await door.enter(door.call())
    low = door.call(priority=Priority.LOW, deadline=clock.monotonic() + 2.5)
    waits = door.waits(low)
    await until(lambda: len(door.queue) == 1)
    await turns()
    high = [door.waits(door.call(priority=Priority.HIGH)) for _ in range(2)]
    await turns()
    assert isinstance(waits.exception(), GatewayError)
    for task in high:
        task.cancel()


async def test_the_longest_wait(clock: ManualClock) -> None:
    door = Door(clock, at_once(1), max_waiting=10, max_wait_s=5.0)
    await door.enter(door.call())
    waits = door.waits(door.call())
    await until(lambda: len(door.queue) == 1)
    for _ in range(49):
        await clock.until_waiting()
        clock.advance(0.1)
        await turns()
    assert not waits.done()
    clock.advance(0.2)
    with pytest.raises(GatewayError) as failure:
        await waits
    assert failure.value.reason is Reason.QUEUE_FULL


async def test_a_full_queue_drops_who_would_be_served_last(clock: ManualClock) -> None:
    door = Door(clock, per_minute(60, burst=1, per=_per()), max_waiting=3)
    await door.enter(door.call("-"))
    flood = [door.waits(door.call("a")) for _ in range(3)]
    await until(lambda: len(door.queue) == 3)
    other = door.waits(door.call("b"))
    await turns()
    assert [task.done() for task in flood] == [False, False, True]
    error = flood[2].exception()
    assert isinstance(error, GatewayError)
    assert error.reason is Reason.QUEUE_FULL
    assert not other.done()
    again = door.waits(door.call("a"))
    await turns()
    assert again.done()
    assert isinstance(again.exception(), GatewayError)
    for task in (*flood, other):
        task.cancel()
    await asyncio.gather(*flood, other, return_exceptions=True)


class Interrupting(MemoryCounters):
    """Cancels `victim` after it was granted its place and before it learns of it."""

    victim: asyncio.Task[Call] | None = None

    async def reserve(self, charges: Sequence[Charge]) -> Grant | Refusal:
        given = await super().reserve(charges)
        if isinstance(given, Grant) and self.victim is not None:
            asyncio.get_running_loop().call_soon(self.victim.cancel)
            self.victim = None
        return given


async def test_who_leaves_in_the_turn_it_is_served_gives_back(clock: ManualClock) -> None:
    counters = Interrupting(clock)
    door = Door(clock, at_once(1), counters=counters, max_waiting=5)
    first = await door.enter(door.call())
    second, third = door.waits(door.call("b")), door.waits(door.call("c"))
    await until(lambda: len(door.queue) == 2)
    await turns()
    counters.victim = second
    first.end(ENDED)
    await asyncio.wait({second})
    assert second.cancelled()
    await third
    assert door.tenants() == "ac"


async def test_the_end_of_the_gateway(clock: ManualClock) -> None:
    door = Door(clock, at_once(1), max_waiting=5)
    await door.enter(door.call())
    waits = door.waits(door.call())
    await until(lambda: len(door.queue) == 1)
    await turns()
    await door.queue.aclose()
    with pytest.raises(GatewayError) as failure:
        await waits
    assert failure.value.reason is Reason.SHUTTING_DOWN
