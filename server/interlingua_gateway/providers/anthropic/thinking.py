"""How a model is told to think: by a budget of tokens, or by an effort.

Facts: "Extended thinking", "Adaptive thinking" and "Effort" in Anthropic's guide. Models up to 4.5
take a budget, those after 4.6 an effort, and 4.6 both. The older ones are a closed set, so they
are known by their names, and every name that is to come takes an effort.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from interlingua_gateway.core.types import Effort, ReasoningOptions
from interlingua_gateway.providers.openai.form import Form

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

_OLDER: Final = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-\d{8}|-latest)?$)")
_BETWEEN: Final = re.compile(r"claude-(opus|sonnet|haiku)-4-6(-|$)")


class Way(Enum):
    """What a model takes."""

    BUDGET = "budget"
    EITHER = "either"
    EFFORT = "effort"


def way_of(model: str) -> Way:
    """What `model` takes; other makers' models behind this API are not known to refuse either."""
    if _OLDER.match(model):
        return Way.BUDGET
    return Way.EITHER if _BETWEEN.match(model) or not model.startswith("claude-") else Way.EFFORT


def put_thinking(form: Form, model: str, wanted: ReasoningOptions, limit: int | None) -> int:
    """Ask for the reasoning that is `wanted`, of an answer of at most `limit` tokens (None if that
    is open). Returns the tokens of thought that come out of the answer's limit, 0 if it is not
    known.

    Raises:
        CallerError: the model cannot honour it, and the caller is not lenient.
    """
    way, budget, effort = way_of(model), wanted.budget_tokens, wanted.effort
    if budget is not None:
        if effort is not None:
            form.refuse("reasoning.effort", "a budget and an effort exclude each other")
        if way is not Way.EFFORT or not budget:
            return _by_budget(form, budget)
        form.refuse("reasoning.budget_tokens", "this model takes an effort, not a budget")
        form.body["thinking"] = ADAPTIVE
    elif effort is Effort.NONE:
        form.body["thinking"] = DISABLED
    elif effort is not None and way is Way.BUDGET:
        budget = _fitting(form, BUDGETS[effort], limit)
        return _by_budget(form, budget) if budget else 0
    elif effort is not None:
        form.body["thinking"] = ADAPTIVE
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
