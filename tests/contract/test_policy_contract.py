"""What every policy promises: each kind of answer passes, and afterwards nothing is held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.budget import NO_FLOOR, BudgetRule, Facet, Period, Prospect
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.core.run import run
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.budget import Budget, BudgetOptions
from interlingua_gateway.policies.budget_book import BudgetBook
from interlingua_gateway.policies.budget_rules import BudgetRules
from interlingua_gateway.policies.cache import Cache, CacheRule
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.embed_batches import EmbedBatches, EmbedBatchRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.policies.idempotency import Idempotency
from interlingua_gateway.policies.ledger import Ledger
from interlingua_gateway.policies.limit import Limit
from interlingua_gateway.policies.limit_rules import Dimension, LimitRule, Rate, Rules
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.policies.queue import Queue, QueueOptions
from interlingua_gateway.providers.script import Fail, Hang, Say, Script
from interlingua_gateway.store.memory_blobs import MemoryBlobs
from interlingua_gateway.store.memory_budgets import MemorySpending
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.telemetry.budgets import BudgetMetrics
from interlingua_gateway.telemetry.limits import LimitMetrics
from interlingua_gateway.telemetry.metrics import Metrics
from tests.support.calls import Reader, ask, call, collect, embed, started, until
from tests.support.innermost import Innermost, target
from tests.support.journal import Kept
from tests.support.manual_clock import ManualClock

SCRIPTS: Mapping[str, Script] = {
    "text": (Say("one two three"),),
    "refused": (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 7.0),),
    "broken": (Say("one"), Fail()),
    "silent": (Hang(),),
    "stalled": (Say("one"), Hang()),
}
MODELS = (*SCRIPTS, "vectors")


class Subject:
    """A policy under test; `held` gives what it holds now: permits, reservations, flights, ..."""

    def __init__(self, policy: Policy, held: Callable[[], int] = lambda: 0) -> None:
        self.policy = policy
        self.held = held


def _observe(clock: ManualClock, tasks: Tasks) -> Subject:
    return Subject(Observe(Metrics(), clock))


def _account(clock: ManualClock, tasks: Tasks) -> Subject:
    return Subject(Account())


def _cache(clock: ManualClock, tasks: Tasks) -> Subject:
    rule = CacheRule(
        configuration="c",
        targets={name: target(name) for name in MODELS},
        ttl_s=60.0,
        max_answer_bytes=1000,
    )
    rules = Aliases(dict.fromkeys(MODELS, rule))
    return Subject(Cache(rules, MemoryBlobs(10_000, clock), Fingerprints(), clock))


def _dedupe(clock: ManualClock, tasks: Tasks) -> Subject:
    flights = Flights(tasks, clock)
    rules = Aliases(dict.fromkeys(MODELS, DedupeRule(configuration="c")))
    return Subject(Dedupe(rules, flights, Fingerprints()), lambda: len(flights))


def _idempotency(clock: ManualClock, tasks: Tasks) -> Subject:
    flights = Flights(tasks, clock)
    blobs = MemoryBlobs(10_000, clock)
    policy = Idempotency(blobs, 60.0, flights, Fingerprints(), clock)
    return Subject(policy, lambda: len(flights))


def _embed_batches(clock: ManualClock, tasks: Tasks) -> Subject:
    rule = EmbedBatchRule(max_delay_s=0.01, max_inputs=2)
    policy = EmbedBatches(Aliases({"vectors": rule}), tasks, clock)
    return Subject(policy, lambda: policy.gathering)


def _limit(clock: ManualClock, tasks: Tasks) -> Subject:
    """Every reservation and place is held in the gauge until its call has ended."""
    metrics = Metrics()
    limits = LimitMetrics(metrics)
    counters = MemoryCounters(clock)
    rule = LimitRule(
        name="rule",
        per=frozenset({Dimension.TENANT, Dimension.MODEL}),
        requests=Rate(10, 10),
        tokens=Rate(10_000, 10_000),
        concurrent=1,
    )
    queue = Queue(counters, QueueOptions(max_waiting=10), limits, clock)
    policy = Limit(Rules([rule], 100), queue, counters, {}, lambda call: 0, limits)

    def held() -> int:
        values = [
            metrics.registry.get_sample_value(
                "interlingua_limit_reserved", {"rule": "rule", "limit": limit}
            )
            for limit in ("tokens_per_minute", "concurrent_requests")
        ]
        return len(queue) + sum(int(value or 0) for value in values)

    return Subject(policy, held)


def _budget(clock: ManualClock, tasks: Tasks) -> Subject:
    """What is held of the pot is in the gauge until its call has ended."""
    metrics = Metrics()
    told = BudgetMetrics(metrics)
    rule = BudgetRule(
        name="rule", period=Period.DAY, limit_nano_usd=10**9, per=frozenset({Facet.TENANT})
    )
    spending = MemorySpending(lambda key: NO_FLOOR, lambda alert: None, clock)
    policy = Budget(
        BudgetRules([rule], {}, clock),
        spending,
        lambda call: Prospect((target(call.request.model),)),
        BudgetBook(BudgetRules([], {}, clock), lambda: True, clock, empty=True),
        BudgetOptions(longest_output_tokens=1000),
        told,
    )

    def held() -> int:
        value = metrics.registry.get_sample_value("interlingua_budget_held_usd", {"budget": "rule"})
        return round((value or 0) * 1e9)

    return Subject(policy, held)


def _ledger(clock: ManualClock, tasks: Tasks) -> Subject:
    """What is not recorded yet is held: at the end of a call it is one record."""
    journal = Kept()
    return Subject(Ledger(journal), lambda: 1 - len(journal.records))


POLICIES: Mapping[str, Callable[[ManualClock, Tasks], Subject]] = {
    "observe": _observe,
    "account": _account,
    "cache": _cache,
    "dedupe": _dedupe,
    "idempotency": _idempotency,
    "embed_batches": _embed_batches,
    "limit": _limit,
    "ledger": _ledger,
    "budget": _budget,
}


class Stage:
    """The policy under test around a scripted provider."""

    def __init__(self, subject: Subject, clock: ManualClock, tasks: Tasks) -> None:
        self.subject = subject
        self.clock = clock
        self.tasks = tasks
        self.innermost = Innermost(clock, SCRIPTS)
        self.handler = stack((subject.policy,), self.innermost)
        self.endings: list[str] = []

    def call(self, model: str, *, streaming: bool, deadline_s: float | None = None) -> Call:
        made = call(
            ask(model),
            self.clock,
            streaming=streaming,
            deadline=None if deadline_s is None else self.clock.monotonic() + deadline_s,
            idempotency_key="key",
        )
        made.defer(lambda call, ending: self.endings.append(str(ending.outcome)))
        return made

    async def quiet(self) -> None:
        """Wait until nothing is held any more; the test's timeout says that something is."""
        await until(lambda: not (self.innermost.open or self.subject.held() or len(self.tasks)))
        assert len(self.endings) == 1


@pytest.fixture(params=POLICIES)
async def stage(request: pytest.FixtureRequest, clock: ManualClock) -> Stage:
    tasks = Tasks()
    return Stage(POLICIES[request.param](clock, tasks), clock, tasks)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streaming(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_answer(stage: Stage, streaming: bool) -> None:
    asked = stage.call("text", streaming=streaming)
    answer = await run(asked, stage.handler, collect, stage.clock)
    assert [part.text for part in answer.candidates[0].parts] == ["one two three"]
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3
    assert asked.target == target("text")
    await stage.quiet()
    assert stage.endings == ["ok"]


async def test_events_come_as_they_are_made(stage: Stage) -> None:
    reader = Reader()
    reading = started(stage.call("stalled", streaming=True), stage.handler, reader, stage.clock)
    await until(lambda: reader.text == "one")
    assert not reading.done()
    reading.cancel()
    await asyncio.wait({reading})
    await stage.quiet()


async def test_embedding(stage: Stage) -> None:
    asked = call(embed("a", "b"), stage.clock, method="Embed", idempotency_key="key")
    asked.defer(lambda call, ending: stage.endings.append(str(ending.outcome)))
    answer = await run(asked, stage.handler, collect, stage.clock)
    assert [vector.index for vector in answer.vectors] == [0, 1]
    await stage.quiet()


async def test_failure_before_the_first_event(stage: Stage, streaming: bool) -> None:
    asked = stage.call("refused", streaming=streaming)
    with pytest.raises(GatewayError) as failure:
        await run(asked, stage.handler, collect, stage.clock)
    assert failure.value.reason is Reason.UPSTREAM_RATE_LIMITED
    assert failure.value.retry_after_s == 7.0
    await stage.quiet()
    assert stage.endings == ["failed"]


async def test_break_after_the_first_event(stage: Stage) -> None:
    reader = Reader()
    with pytest.raises(GatewayError) as failure:
        await run(stage.call("broken", streaming=True), stage.handler, reader, stage.clock)
    assert failure.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert reader.text == "one"
    await stage.quiet()
    assert stage.endings == ["failed"]


@pytest.mark.parametrize("model", ["silent", "stalled"])
async def test_cancellation(stage: Stage, streaming: bool, model: str) -> None:
    reader = Reader()
    asked = stage.call(model, streaming=streaming)
    reading = started(asked, stage.handler, reader, stage.clock)
    await until(lambda: stage.innermost.open)
    if model == "stalled" and streaming:
        await until(lambda: reader.text)
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    await stage.quiet()
    assert stage.endings == ["cancelled"]


@pytest.mark.parametrize("model", ["silent", "stalled"])
async def test_deadline(stage: Stage, streaming: bool, model: str) -> None:
    asked = stage.call(model, streaming=streaming, deadline_s=5.0)
    reading = started(asked, stage.handler, Reader(), stage.clock)
    await until(lambda: stage.innermost.open)
    if model == "stalled" and streaming:
        await until(lambda: asked.phase == "stream")
    stage.clock.advance(5.0)
    with pytest.raises(GatewayError) as failure:
        await reading
    assert failure.value.reason is Reason.DEADLINE_EXCEEDED
    expected = "stream" if model == "stalled" and streaming else "first_token"
    assert failure.value.metadata["phase"] == expected
    await stage.quiet()
    assert stage.endings == ["failed"]
