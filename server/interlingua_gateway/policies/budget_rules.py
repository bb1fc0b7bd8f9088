"""Which pots a call spends from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.budget import WITHIN_TENANT, BudgetRule, Facet, Pot, Span, span
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock

LONGEST_NAME: Final = 100
MAX_KNOWN: Final = 10_000

Scope: TypeAlias = tuple[tuple[Facet, str], ...]


class BudgetRules:
    """The rules of the configuration and those that were put at runtime.

    `names` gives for aliases the name of their model.
    """

    def __init__(
        self, configured: Sequence[BudgetRule], names: Mapping[str, str], clock: Clock
    ) -> None:
        self._configured = tuple(configured)
        self.names = names
        self._clock = clock
        self._known: dict[tuple[str, Scope], Pot] = {}
        self._put: tuple[BudgetRule, ...] = ()
        self._matchers = _matchers(self._configured)

    @property
    def configured(self) -> tuple[BudgetRule, ...]:
        """Those of the configuration."""
        return self._configured

    @property
    def put(self) -> tuple[BudgetRule, ...]:
        """Those that were put at runtime."""
        return self._put

    def configure(self, configured: Sequence[BudgetRule], names: Mapping[str, str]) -> None:
        """From now on `configured` are the rules of the configuration, and go before those of the
        same names that were put."""
        taken = {rule.name for rule in configured}
        self._configured, self.names = tuple(configured), names
        self.replace([rule for rule in self._put if rule.name not in taken])

    def replace(self, put: Sequence[BudgetRule]) -> None:
        """From now on `put` are the rules beside those of the configuration."""
        self._put = tuple(put)
        self._matchers = _matchers((*self._configured, *self._put))
        self._known.clear()

    def pots(self, call: Call) -> tuple[Pot, ...]:
        """What `call` spends from, in the current periods."""
        if not self._matchers:
            return ()
        caller = call.caller
        values = {
            Facet.TENANT: caller.tenant,
            Facet.PROJECT: caller.project,
            Facet.KEY: caller.key,
            Facet.MODEL: self.names.get(call.request.model, call.request.model),
            Facet.USER: caller.user,
        }
        return tuple(
            self.pot(rule, values)
            for rule, models in self._matchers
            if _matches(rule, models, values, caller.tier)
        )

    def pot(self, rule: BudgetRule, values: Mapping[Facet, str]) -> Pot:
        """The pot of `rule` for `values`, in the current period; those of recent ones are kept."""
        name = (rule.name, scope_of(rule, values))
        known = self._known.get(name)
        now = self._clock.time()
        if known is None or (known.ends_at_s is not None and now >= known.ends_at_s):
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[name] = _pot(rule, values, span(rule.period, now))
        return known

    def known(self) -> Sequence[Pot]:
        """The pots of calls that have come, in the current periods."""
        now = self._clock.time()
        return [p for p in self._known.values() if p.ends_at_s is None or now < p.ends_at_s]

    def located(self, rule: BudgetRule, values: Mapping[Facet, str]) -> Pot | None:
        """The pot that spending with `values` comes from, in the current period; None where the
        model is not one of the rule's."""
        model = values.get(Facet.MODEL)
        if rule.models is not None and model is not None:
            name = self.names.get(model, model)
            values = {**values, Facet.MODEL: name}
            if not Aliases(dict.fromkeys(rule.models, True)).find(name):
                return None
        return _pot(rule, values, span(rule.period, self._clock.time()))


def scope_of(rule: BudgetRule, values: Mapping[Facet, str]) -> Scope:
    """Whose money it is: one of `per`, or what the rule itself names; another scope is another
    pot."""
    if rule.per:
        per = rule.per | {Facet.TENANT} if rule.per & WITHIN_TENANT else rule.per
        return tuple((facet, values[facet]) for facet in Facet if facet in per)
    named = {
        Facet.TENANT: rule.tenants,
        Facet.PROJECT: rule.projects,
        Facet.KEY: rule.keys,
        Facet.MODEL: rule.models,
        Facet.USER: rule.users,
    }
    return tuple((facet, "|".join(sorted(names))) for facet, names in named.items() if names)


def _word(text: str) -> str:
    """`text` without spaces, so that no two subjects look the same, and not too long for a key."""
    if len(text) > LONGEST_NAME:
        return "sha256-" + hashlib.sha256(text.encode()).hexdigest()
    return text.replace("%", "%25").replace(" ", "%20")


def _pot(rule: BudgetRule, values: Mapping[Facet, str], current: Span) -> Pot:
    scope = scope_of(rule, values)
    subject = " ".join(f"{facet}:{_word(name)}" for facet, name in scope) or "gateway"
    return Pot(
        key=f"budget:{rule.name}:{subject}:{current.name}",
        budget=rule.name,
        subject=subject,
        scope=scope,
        period=rule.period,
        limit_nano_usd=rule.limit_nano_usd,
        hard=rule.hard,
        thresholds=tuple(
            max(1, round(share * rule.limit_nano_usd)) for share in sorted(set(rule.alert_at))
        ),
        ends_at_s=current.end_s,
    )


def _matchers(
    rules: Sequence[BudgetRule],
) -> tuple[tuple[BudgetRule, Aliases[bool] | None], ...]:
    return tuple(
        (rule, None if rule.models is None else Aliases(dict.fromkeys(rule.models, True)))
        for rule in rules
    )


def _matches(
    rule: BudgetRule, models: Aliases[bool] | None, values: Mapping[Facet, str], tier: str
) -> bool:
    for wanted, value in (
        (rule.tenants, values[Facet.TENANT]),
        (rule.tiers, tier),
        (rule.projects, values[Facet.PROJECT]),
        (rule.keys, values[Facet.KEY]),
        (rule.users, values[Facet.USER]),
    ):
        if wanted is not None and value not in wanted:
            return False
    return models is None or models.find(values[Facet.MODEL]) is True
