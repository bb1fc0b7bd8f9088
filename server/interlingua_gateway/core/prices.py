"""Prices as exact integers and the cost of a usage under them."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.events import Usage

PICO_PER_NANO = 1_000


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Price of one token in pico-USD (1e-12 USD): 2.50 USD a million tokens is 2_500_000.

    None means that the model has no separate price for that kind: cached input then costs what
    input costs, reasoning what output costs.
    """

    input: int
    output: int
    cached_input: int | None = None
    cache_write_input: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None


class Cost(msgspec.Struct, frozen=True):
    """Money in nano-USD (1e-9 USD), rounded to the nearest; `estimated` as in its usage."""

    nano_usd: int
    estimated: bool = False


def cost_of(usage: Usage, price: Price) -> Cost:
    """What `usage` costs under `price`."""
    plain_input = (
        usage.input_tokens
        - usage.cached_input_tokens
        - usage.cache_write_input_tokens
        - usage.audio_input_tokens
    )
    plain_output = usage.output_tokens - usage.reasoning_tokens - usage.audio_output_tokens
    pico = (
        max(0, plain_input) * price.input
        + usage.cached_input_tokens * _or(price.cached_input, price.input)
        + usage.cache_write_input_tokens * _or(price.cache_write_input, price.input)
        + usage.audio_input_tokens * _or(price.audio_input, price.input)
        + max(0, plain_output) * price.output
        + usage.reasoning_tokens * _or(price.reasoning, price.output)
        + usage.audio_output_tokens * _or(price.audio_output, price.output)
    )
    return Cost((pico + PICO_PER_NANO // 2) // PICO_PER_NANO, usage.estimated)


def _or(price: int | None, otherwise: int) -> int:
    return otherwise if price is None else price
