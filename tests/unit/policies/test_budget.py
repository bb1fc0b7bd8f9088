"""The policy of budgets: what it holds, whom it refuses, what it settles."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.budget import Alert, BudgetRule, Facet, Period, Prospect
from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import PolicyError, Reason
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import CountRequest
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.budget import Budget, BudgetOptions
from interlingua_gateway.policies.budget_rules import BudgetRules
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.providers.script import Fail, Hang, Say, Script
from interlingua_gateway.store.memory_budgets import MemorySpending
from interlingua_gateway.telemetry.budgets import BudgetMetrics
from interlingua_gateway.telemetry.metrics import Metrics
from tests.support.calls import Reader, ask, call, collect, started, until
from tests.support.innermost import Innermost, target
from tests.support.manual_clock import ManualClock
from tests.support.pots import Floors

SCRIPTS: Mapping[str, Script] = {
    "text": (Say("one two three"),),
    "refused": (Fail(),),
    "broken": (Say("one two"), Fail()),
    "stalled": (Say("one"), Hang()),
}


class Known:
    complete = True


class Stage:
    """A budget around a scripted provider whose output tokens cost a nano-dollar."""

    def __init__(
        self,
        clock: ManualClock,
        *rules: BudgetRule,
        outside: tuple[Policy, ...] = (Account(),),
        **options: object,
    ) -> None:
        self.clock = clock
        self.floors = Floors()
        self.known = Known()
        self.metrics = Metrics()
        self.prospect = Prospect((target("text"),))
        self.rules = BudgetRules(rules, {}, clock)
        self.spending = MemorySpending(self.floors, self.floors.alerts.append, clock)
        self.innermost = Innermost(clock, SCRIPTS)
        self.policy = Budget(
            self.rules,
            self.spending,
            lambda call: self.prospect,
            self.known,
            BudgetOptions(**options),
            BudgetMetrics(self.metrics),
        )
        self.handler: Handler = stack((*outside, self.policy), self.innermost)

    async def ask(self, model: str = "text", tokens: int = 5, **fields: object) -> Call:
        made = call(ask(model, max_output_tokens=tokens), self.clock, **fields)
        await run(made, self.handler, collect, self.clock)
        return made

    async def level(self, made: Call | None = None) -> tuple[int, int]:
        """Spent and held."""
        (level,) = await self.spending.levels(self.rules.pots(made or call()))
        return level.spent_nano_usd, level.held_nano_usd


def rule(limit: int = 20, **fields: object) -> BudgetRule:
    values = {"name": "r", "period": Period.TOTAL, "limit_nano_usd": limit, **fields}
    return BudgetRule(**values)


async def test_what_was_measured_is_settled(clock: ManualClock) -> None:
    stage = Stage(clock, rule())
    made = await stage.ask()
    assert made.cost is not None
    assert made.cost.nano_usd == 3
    assert await stage.level() == (3, 0)


async def test_refusal_says_what_is_left(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=10, period=Period.MONTH))
    await stage.ask()
    with pytest.raises(PolicyError) as refused:
        await stage.ask(tokens=8)
    error = refused.value
    assert error.reason is Reason.BUDGET_EXCEEDED
    assert error.retry_after_s is None
    assert "0.000000007 USD left" in error.message
    assert "0.000000008 USD" in error.message
    assert "max_output_tokens" in error.message
    resets_at = error.metadata.pop("resets_at")
    assert resets_at.endswith("-01T00:00:00Z")
    assert error.metadata == {
        "budget": "r",
        "subject": "gateway",
        "period": "month",
        "left_nano_usd": "7",
        "needed_nano_usd": "8",
    }
    (violation,) = error.violations
    assert violation.subject == "gateway"
    assert resets_at in violation.description
    assert len(stage.innermost.requests) == 1
    await stage.ask(tokens=7)


async def test_a_spent_budget_gives_no_hint_to_be_brief(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=3))
    await stage.ask(tokens=3)
    with pytest.raises(PolicyError) as refused:
        await stage.ask(tokens=1)
    assert refused.value.message.endswith("is spent.")


async def test_it_begins_anew(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=3, period=Period.DAY))
    await stage.ask(tokens=3)
    with pytest.raises(PolicyError):
        await stage.ask(tokens=3)
    clock.advance(86_400)
    await stage.ask(tokens=3)


async def test_a_call_settles_in_the_period_in_which_it_began(clock: ManualClock) -> None:
    stage = Stage(clock, rule(period=Period.DAY))
    made = call(ask("stalled", max_output_tokens=5), clock, streaming=True)
    reader = Reader()
    reading = started(made, stage.handler, reader, clock)
    await until(lambda: reader.text)
    before = stage.rules.pots(call())
    clock.advance(86_400)
    reading.cancel()
    await asyncio.wait({reading})
    assert [level.spent_nano_usd for level in await stage.spending.levels(before)] == [1]
    assert await stage.level() == (0, 0)


@pytest.mark.parametrize(("model", "spent"), [("refused", 0), ("broken", 2)])
async def test_failures(clock: ManualClock, model: str, spent: int) -> None:
    """Broken answers cost what came; those that never began cost nothing."""
    stage = Stage(clock, rule())
    with pytest.raises(Exception, match="script fails"):
        await stage.ask(model, streaming=True)
    assert await stage.level() == (spent, 0)


async def test_an_open_call_holds_what_it_can_cost(clock: ManualClock) -> None:
    stage = Stage(clock, rule())
    reader = Reader()
    made = call(ask("stalled", max_output_tokens=12), clock, streaming=True)
    reading = started(made, stage.handler, reader, clock)
    await until(lambda: reader.text)
    assert await stage.level() == (0, 12)
    held = stage.metrics.registry.get_sample_value("interlingua_budget_held_usd", {"budget": "r"})
    assert held == pytest.approx(12e-9)
    with pytest.raises(PolicyError):
        await stage.ask(tokens=9)
    reading.cancel()
    await asyncio.wait({reading})
    assert await stage.level() == (1, 0)


async def test_twice_where_two_may_be_paid_for(clock: ManualClock) -> None:
    stage = Stage(clock, rule())
    stage.prospect = Prospect((target("text"),), twice=True)
    await stage.ask(tokens=10)
    with pytest.raises(PolicyError) as refused:
        await stage.ask(tokens=10)
    assert refused.value.metadata["needed_nano_usd"] == "20"


async def test_a_soft_budget_warns(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=8, hard=False))
    assert (await stage.ask(tokens=5)).warnings == []
    (warning,) = (await stage.ask(tokens=6)).warnings
    assert warning.field == "budget"
    assert "0.000000003 USD are spent" in warning.description
    assert await stage.level() == (6, 0)


async def test_prices_that_nobody_knows(clock: ManualClock) -> None:
    unknown = Prospect((msgspec.structs.replace(target("text"), price=None),))
    refusing = Stage(clock, rule())
    refusing.prospect = unknown
    with pytest.raises(PolicyError) as refused:
        await refusing.ask()
    assert refused.value.reason is Reason.BUDGET_EXCEEDED
    assert refused.value.metadata["cause"] == "unpriced"
    assert "budgets.unpriced" in refused.value.message
    for stage in (Stage(clock, rule(), allow_unpriced=True), Stage(clock, rule(hard=False))):
        stage.prospect = unknown
        await stage.ask()


async def test_before_spending_is_known(clock: ManualClock) -> None:
    stage = Stage(clock, rule())
    stage.known.complete = False
    with pytest.raises(PolicyError) as refused:
        await stage.ask()
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after_s
    soft = Stage(clock, rule(hard=False))
    soft.known.complete = False
    await soft.ask()


async def test_counting_tokens_costs_nothing(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=1))
    asked = call(CountRequest(request=ask()), clock)

    async def counted(reply: Reply) -> None:
        await reply.next()

    await run(asked, stage.handler, counted, clock)
    assert await stage.level() == (0, 0)


async def test_each_tenant_has_its_own(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=5, per=frozenset({Facet.TENANT})))
    await stage.ask(caller=Caller(tenant="a"))
    await stage.ask(caller=Caller(tenant="b"))
    with pytest.raises(PolicyError) as refused:
        await stage.ask(caller=Caller(tenant="a"))
    assert refused.value.metadata["subject"] == "tenant:a"


async def test_a_shared_answer_is_paid_for_once(clock: ManualClock) -> None:
    tasks = Tasks()
    flights = Flights(tasks, clock)
    dedupe = Dedupe(Aliases({"text": DedupeRule(configuration="c")}), flights, Fingerprints())
    stage = Stage(clock, rule(), outside=(Account(), dedupe))
    both = await asyncio.gather(stage.ask(), stage.ask())
    await tasks.joined()
    assert sorted(made.cost.nano_usd for made in both if made.cost) == [0, 3]
    assert await stage.level() == (3, 0)


async def test_a_leader_that_leaves_does_not_free_the_answer(clock: ManualClock) -> None:
    tasks = Tasks()
    flights = Flights(tasks, clock)
    dedupe = Dedupe(Aliases({"stalled": DedupeRule(configuration="c")}), flights, Fingerprints())
    stage = Stage(clock, rule(), outside=(Account(), dedupe))
    readers = [Reader(), Reader()]
    calls = [call(ask("stalled", max_output_tokens=5), clock, streaming=True) for _ in readers]
    first, second = (
        started(made, stage.handler, reader, clock)
        for made, reader in zip(calls, readers, strict=True)
    )
    await until(lambda: all(reader.text for reader in readers))
    first.cancel()
    await asyncio.wait({first})
    assert await stage.level() == (0, 5)
    second.cancel()
    await asyncio.wait({second})
    await tasks.joined()
    assert await stage.level() == (1, 0)


async def test_alerts_come_with_the_cost(clock: ManualClock) -> None:
    stage = Stage(clock, rule(limit=6, alert_at=(0.5, 1.0)))
    await stage.ask(tokens=6)
    await stage.ask(tokens=3)
    assert [_shown(alert) for alert in stage.floors.alerts] == [(3, 3), (6, 6)]


def _shown(alert: Alert) -> tuple[int, int]:
    return alert.threshold_nano_usd, alert.spent_nano_usd
