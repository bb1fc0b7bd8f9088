"""Decides where a call may go, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.budget import Prospect
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.ports import Directory
from interlingua_gateway.core.target import Chains, Hedge, Model, Target
from interlingua_gateway.core.types import GenerateRequest
from interlingua_gateway.route.need import Need
from interlingua_gateway.route.question import Question
from interlingua_gateway.route.rules import Rule, alias_of
from interlingua_gateway.route.strategies import Strategies

SHOWN_NAME: Final = 80


class Stage(msgspec.Struct, frozen=True):
    """An alias on the way, and those of its targets that can serve the call."""

    model: Model
    targets: tuple[Target, ...]


class Plan(msgspec.Struct, frozen=True):
    """The stages of a call, one after the other; for some failures there are others to go on with.

    `need` is the call's own; `chains` has the aliases to go on with.
    """

    need: Need
    stages: tuple[Stage, ...]
    chains: Chains
    hedge: Hedge | None


class Planner:
    """Makes plans from what there is; orders each stage when it is reached."""

    def __init__(
        self, directory: Directory, strategies: Strategies, rules: Sequence[Rule] = ()
    ) -> None:
        self._directory = directory
        self._strategies = strategies
        self._rules = tuple(rules)

    def model(self, call: Call, need: Need) -> Model:
        """The model that `call` names, or to which a rule sends it.

        Raises:
            CallerError: MODEL_NOT_FOUND.
        """
        return self.find(alias_of(call, need, self._rules))

    def plan(self, call: Call, need: Need, model: Model) -> Plan:
        """Where `call` may go, once it is known that it goes to `model`, which has no classifier.

        Raises:
            CallerError: MODEL_NOT_FOUND for a fallback that the directory does not have;
                UNSUPPORTED_PARAMETER where no target fulfils what the caller demands.
        """
        chains = model.fallbacks
        names = call.routing.fallbacks or chains.general
        stages = self._stages(need, [model, *map(self._fallback, names)])
        if chains.context_window and not any(map(need.has_room, stages[0].targets)):
            stages = self._stages(need, [*map(self._fallback, chains.context_window), model])
        return Plan(need, stages, chains, _hedge(call, model))

    def detour(self, plan: Plan, reason: Reason) -> Plan | None:
        """The plan to go on with after a failure of `reason`, or None if there is none."""
        names: tuple[str, ...] = ()
        if reason is Reason.CONTEXT_LENGTH_EXCEEDED:
            names = plan.chains.context_window
        elif reason is Reason.CONTENT_FILTERED:
            names = plan.chains.content_policy
        if not names:
            return None
        stages = self._stages(plan.need, [self._fallback(name) for name in names])
        return Plan(plan.need, stages, Chains(), plan.hedge)

    def prospect(self, call: Call) -> Prospect:
        """Every target that `call` may come to, detours and a classifier included. Raises as `plan`
        does."""
        need = Need(call)
        model = self.model(call, need)
        if model.classifier is None:
            return self._prospect(call, need, model)
        routes, failure = [], None
        for route in model.classifier.routes:
            try:
                routes.append(self._prospect(call, need, self.find(route.use)))
            except CallerError as error:
                failure = error
        if not routes and failure is not None:
            raise failure
        asked = self.find(model.classifier.model).targets
        targets = (*asked, *(target for route in routes for target in route.targets))
        return Prospect(targets, twice=True)

    def question_tokens(self, call: Call) -> int:
        """What a classifier may be asked for `call`, with its answer, estimated; 0 without one."""
        request = call.request
        if not isinstance(request, GenerateRequest):
            return 0
        name = alias_of(call, Need(call), self._rules)
        model = self._directory.find(name)
        if model is None or model.classifier is None:
            return 0
        return Question(call, request, model.classifier, model.classifier.routes).tokens()

    def _prospect(self, call: Call, need: Need, model: Model) -> Prospect:
        plan = self.plan(call, need, model)
        targets = [target for stage in plan.stages for target in stage.targets]
        for name in (*plan.chains.context_window, *plan.chains.content_policy):
            targets.extend(need.fitting(self._fallback(name).targets))
        twice = plan.hedge is not None or call.routing.continue_broken_stream
        return Prospect(tuple(targets), twice)

    def ordered(self, call: Call, plan: Plan, stage: Stage) -> tuple[Target, ...]:
        """The targets of `stage`, best first as things stand now."""
        return self._strategies.order(call, plan.need, stage.model, stage.targets)

    def _stages(self, need: Need, models: Sequence[Model]) -> tuple[Stage, ...]:
        stages = [Stage(model, need.fitting(model.targets)) for model in models]
        fitting = tuple(stage for stage in stages if stage.targets)
        if not fitting:
            raise need.refusal([target for model in models for target in model.targets])
        return fitting

    def _fallback(self, name: str) -> Model:
        """The model `name`; where a classifier would have to choose, that of its default route."""
        model = self.find(name)
        return model if model.classifier is None else self.find(model.classifier.default.use)

    def find(self, name: str) -> Model:
        """The model that serves `name`.

        Raises:
            CallerError: MODEL_NOT_FOUND.
        """
        model = self._directory.find(name)
        if model is None:
            raise unknown_model(name, self._directory)
        return model


def _hedge(call: Call, model: Model) -> Hedge | None:
    """The caller's wish, else the alias's; the lower of two ceilings holds."""
    after_s, ceiling = call.routing.hedge_after_s, call.routing.max_cost_nano_usd
    hedge = model.hedge
    if hedge is None and after_s is None:
        return None
    ceilings = [c for c in (ceiling, hedge.max_cost_nano_usd if hedge else None) if c is not None]
    return Hedge(
        after_s=after_s if hedge is None or after_s is not None else hedge.after_s,
        max_cost_nano_usd=min(ceilings, default=None),
    )


def unknown_model(name: str, directory: Directory) -> CallerError:
    """The error for a model that is not there; its message names what is near."""
    shown = name if len(name) <= SHOWN_NAME else name[: SHOWN_NAME - 1] + "…"
    near = directory.near(shown)
    hint = f" Did you mean {_either(near)}?" if near else " ListModels shows what there is."
    return CallerError(
        Reason.MODEL_NOT_FOUND,
        f"There is no model `{shown}`.{hint}",
        resource=Resource("model", shown),
    )


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
