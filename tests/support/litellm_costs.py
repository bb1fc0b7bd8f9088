"""What litellm itself says that usages cost; run as a script, for it takes seconds to import.

Reads a JSON list of [name, provider, mode, service tier, usage] and writes a list of USD, or null
where litellm refuses.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

PEAK = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
"""A Wednesday at 2 o'clock: no provider's off-peak hours."""


def main() -> None:
    """Answer what stands on standard input."""
    logging.disable(logging.CRITICAL)
    from litellm import provider_list  # noqa: PLC0415 - this process is for it
    from litellm._internal_context import pinned_billing_time  # noqa: PLC0415

    cases = json.load(sys.stdin)
    known = {str(getattr(provider, "value", provider)) for provider in provider_list}
    costs: list[float | None] = []
    with pinned_billing_time(PEAK):
        for name, provider, mode, tier, usage in cases:
            try:
                costs.append(cost(name, provider if provider in known else None, mode, tier, usage))
            except Exception:
                costs.append(None)
    json.dump(costs, sys.stdout)


def cost(name: str, provider: str | None, mode: str, tier: str, usage: dict[str, int]) -> float:
    """USD by the library's own function for that level of service."""
    from litellm import cost_calculator  # noqa: PLC0415

    counted = counted_as(usage)
    if tier == "batch":
        entered, left = cost_calculator.batch_cost_calculator(
            usage=counted, model=name, custom_llm_provider=provider
        )
    else:
        entered, left = cost_calculator.cost_per_token(
            model=name,
            custom_llm_provider=provider,
            usage_object=counted,
            service_tier=tier or None,
            call_type="embedding" if mode == "embedding" else "completion",
        )
    return float(entered + left)


def counted_as(usage: dict[str, int]) -> object:
    """litellm's form of a usage."""
    from litellm.types import utils as types  # noqa: PLC0415

    written, hour = usage["cache_write_input_tokens"], usage["cache_write_1h_input_tokens"]
    lives = types.CacheCreationTokenDetails(
        ephemeral_5m_input_tokens=written - hour, ephemeral_1h_input_tokens=hour
    )
    return types.Usage(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["input_tokens"] + usage["output_tokens"],
        prompt_tokens_details=types.PromptTokensDetailsWrapper(
            cached_tokens=usage["cached_input_tokens"],
            audio_tokens=usage["audio_input_tokens"],
            image_tokens=usage["image_input_tokens"],
            cache_creation_tokens=written,
            cache_creation_token_details=lives if hour else None,
        ),
        completion_tokens_details=types.CompletionTokensDetailsWrapper(
            reasoning_tokens=usage["reasoning_tokens"],
            audio_tokens=usage["audio_output_tokens"],
            image_tokens=usage["image_output_tokens"],
        ),
    )


if __name__ == "__main__":
    main()
