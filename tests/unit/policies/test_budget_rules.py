"""Which pots calls spend from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlingua_gateway.core.budget import BudgetRule, Facet, Period, ScopedBudget
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.budget_rules import BudgetRules
from tests.support.calls import ask, call
from tests.support.manual_clock import ManualClock

ACME = Caller(tenant="acme", project="web", key="k1", user="ann b", tier="gold")


def rule(name: str = "r", **fields: object) -> BudgetRule:
    values = {"period": Period.TOTAL, "limit_nano_usd": 1000, **fields}
    return BudgetRule(name=name, **values)


def subjects(
    rules: list[BudgetRule], clock: ManualClock, caller: Caller = ACME, model: str = "chat"
) -> list[str]:
    found = BudgetRules(rules, {"talk": "chat"}, clock)
    return [pot.subject for pot in found.pots(call(ask(model), caller=caller))]


PER = [
    ((), "gateway"),
    (("tenant",), "tenant:acme"),
    (("key",), "key:k1"),
    (("model",), "model:chat"),
    (("project",), "tenant:acme project:web"),
    (("user",), "tenant:acme user:ann%20b"),
    (("user", "model"), "tenant:acme model:chat user:ann%20b"),
]


@pytest.mark.parametrize(("per", "subject"), PER)
def test_each_has_its_own(clock: ManualClock, per: tuple[str, ...], subject: str) -> None:
    assert subjects([rule(per=frozenset(map(Facet, per)))], clock, model="talk") == [subject]


MATCHES = [
    ({"tenants": frozenset({"acme", "other"})}, True),
    ({"tenants": frozenset({"other"})}, False),
    ({"tiers": frozenset({"gold"})}, True),
    ({"tiers": frozenset({"free"})}, False),
    ({"projects": frozenset({"web"})}, True),
    ({"projects": frozenset({"app"})}, False),
    ({"keys": frozenset({"k1"})}, True),
    ({"keys": frozenset({"k2"})}, False),
    ({"users": frozenset({"ann b"})}, True),
    ({"users": frozenset({"bob"})}, False),
    ({"models": ("chat",)}, True),
    ({"models": ("c*",)}, True),
    ({"models": ("openai/*",)}, False),
    ({"tenants": frozenset({"acme"}), "models": ("other",)}, False),
]


@pytest.mark.parametrize(("fields", "holds"), MATCHES)
def test_matching(clock: ManualClock, fields: dict[str, object], holds: bool) -> None:
    assert len(subjects([rule(**fields)], clock, model="talk")) == holds


def test_a_scope_is_one_pot_and_another_scope_another(clock: ManualClock) -> None:
    budget = ScopedBudget(id="b", period=Period.TOTAL, limit_nano_usd=5, tenant="acme", model="c*")
    assert subjects([budget.rule], clock) == ["tenant:acme model:c*"]


def test_all_rules_hold(clock: ManualClock) -> None:
    found = BudgetRules([rule("a")], {}, clock)
    found.replace([rule("b", per=frozenset({Facet.TENANT}))])
    keys = [pot.key for pot in found.pots(call(caller=ACME))]
    assert keys == ["budget:a:gateway:total", "budget:b:tenant:acme:total"]
    found.replace([])
    assert len(found.pots(call(caller=ACME))) == 1


def test_thresholds_are_amounts_and_rise(clock: ManualClock) -> None:
    found = BudgetRules([rule(alert_at=(1.0, 0.5, 0.5, 0.0001))], {}, clock)
    (pot,) = found.pots(call())
    assert pot.thresholds == (1, 500, 1000)


def test_a_new_period_is_a_new_pot(clock: ManualClock) -> None:
    found = BudgetRules([rule(period=Period.DAY)], {}, clock)
    (today,) = found.pots(call())
    now = datetime.fromtimestamp(clock.time(), UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    clock.advance((midnight - now).total_seconds() - 0.001)
    assert found.pots(call()) == (today,)
    clock.advance(0.001)
    (tomorrow,) = found.pots(call())
    assert today.ends_at_s == midnight.timestamp()
    assert tomorrow.key == f"budget:r:gateway:day:{midnight:%Y-%m-%d}"


def test_spending_of_the_ledger_belongs_to_the_same_pots(clock: ManualClock) -> None:
    """The ledger knows aliases; patterns and names of models are seen to here."""
    patterned = rule(per=frozenset({Facet.TENANT, Facet.MODEL}), models=("chat",))
    found = BudgetRules([patterned], {"talk": "chat"}, clock)
    (pot,) = found.pots(call(ask("talk"), caller=ACME))
    assert found.located(patterned, {Facet.TENANT: "acme", Facet.MODEL: "talk"}) == pot
    assert found.located(patterned, {Facet.TENANT: "acme", Facet.MODEL: "other"}) is None
