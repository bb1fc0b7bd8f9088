"""How a model is told to think: by a budget of tokens, or by an effort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlingua_gateway.core.types import Effort, ReasoningOptions
from interlingua_gateway.providers.anthropic.generations import Generation
from interlingua_gateway.providers.form import Form

SMALLEST_BUDGET: Final = 1024
"""Tokens below which the API takes no budget."""
BUDGETS: Final[Mapping[Effort, int]] = {
    Effort.MINIMAL: SMALLEST_BUDGET,
    Effort.LOW: SMALLEST_BUDGET,
    Effort.MEDIUM: 2048,
    Effort.HIGH: 4096,
    Effort.MAX: 16_384,
}
"""Tokens of thought for each effort, for models that take a budget."""
EFFORTS: Final[Mapping[Effort, str]] = {
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.MAX: "max",
}
"""The API's own words; it has none below `low`."""
ADAPTIVE: Final[Mapping[str, str]] = {"type": "adaptive", "display": "summarized"}
"""The newer models keep their thoughts to themselves unless they are asked for a summary."""
DISABLED: Final[Mapping[str, str]] = {"type": "disabled"}


def put_thinking(
    form: Form, generation: Generation, wanted: ReasoningOptions, limit: int | None
) -> int:
    """Ask for the reasoning that is `wanted`, of an answer of at most `limit` tokens (None if that
    is open). Returns the tokens of thought that come out of the answer's limit, 0 if it is not
    known.

    Raises:
        CallerError: the model cannot honour it, and the caller is not lenient.
    """
    budget, effort = wanted.budget_tokens, wanted.effort
    if budget is not None and (generation.budget or not budget):
        if effort is not None:
            form.refuse("reasoning.effort", "a budget and an effort exclude each other")
        return _by_budget(form, budget)
    if budget is not None:
        form.refuse("reasoning.budget_tokens", "this model takes an effort, not a budget")
    if effort is Effort.NONE:
        form.body["thinking"] = DISABLED
    elif effort is not None and not generation.effort:
        budget = _fitting(form, BUDGETS[effort], limit)
        return _by_budget(form, budget) if budget else 0
    elif effort is not None or budget is not None:
        form.body["thinking"] = ADAPTIVE
        if effort is not None:
            form.body["output_config"] = {"effort": EFFORTS[effort]}
    return 0


def _by_budget(form: Form, budget: int) -> int:
    form.body["thinking"] = {"type": "enabled", "budget_tokens": budget} if budget else DISABLED
    return budget


def _fitting(form: Form, budget: int, limit: int | None) -> int:
    """A budget below the answer's limit, which it is part of; 0 if there is no room for one."""
    if limit is None or limit > budget:
        return budget
    if limit > SMALLEST_BUDGET:
        return limit - 1
    form.refuse(
        "reasoning.effort",
        f"thinking takes {SMALLEST_BUDGET} tokens or more of this model's answer, "
        f"which is limited to {limit}",
    )
    return 0
