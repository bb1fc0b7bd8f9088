"""Prices as exact integers and the cost of a usage under them."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.events import Usage

PICO_PER_NANO = 1_000


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Price of one token in pico-USD (1e-12 USD): 2.50 USD a million tokens is 2_500_000.

    None means that the model has no separate price for that kind: cached input, input written to
    the provider's cache, sound and images in requests then cost what input costs; reasoning, sound
    and images in answers what output costs; a cache that lives for an hour what any cache costs.

    `long_context` replaces the whole price of requests that are longer, shortest first.
    `service_tiers` replaces it where the provider served at another level (`batch`, `flex`,
    `priority`), by that name.
    """

    input: int
    output: int
    cached_input: int | None = None
    cache_write_input: int | None = None
    cache_write_1h_input: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    long_context: tuple[LongContext, ...] = ()
    service_tiers: tuple[tuple[str, Price], ...] = ()

    def at(self, service_tier: str) -> Price:
        """The price at a level of service: this one where it has no other."""
        return next((price for name, price in self.service_tiers if name == service_tier), self)

    def of_length(self, input_tokens: int) -> Price:
        """The price of a request of so many tokens, cached ones included."""
        for step in reversed(self.long_context):
            if input_tokens > step.above_input_tokens:
                return step.price
        return self


class LongContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a request of more than `above_input_tokens` costs, all of its tokens."""

    above_input_tokens: int
    price: Price


class Cost(msgspec.Struct, frozen=True):
    """Money in nano-USD (1e-9 USD), rounded to the nearest; `estimated` as in its usage."""

    nano_usd: int
    estimated: bool = False


def cost_of(usage: Usage, price: Price) -> Cost:
    """What `usage` costs under `price`."""
    if usage.service_tier:
        price = price.at(usage.service_tier)
    if price.long_context:
        price = price.of_length(usage.input_tokens)
    pico = _input_pico(usage, price) + _output_pico(usage, price)
    return Cost((pico + PICO_PER_NANO // 2) // PICO_PER_NANO, usage.estimated)


def _input_pico(usage: Usage, price: Price) -> int:
    """Sound and images may be among the cached tokens too; those are paid for once."""
    cached, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    if not (cached or written or usage.audio_input_tokens or usage.image_input_tokens):
        return max(0, usage.input_tokens) * price.input  # the most usual case
    written_1h = min(usage.cache_write_1h_input_tokens, written)
    rest = max(0, usage.input_tokens - cached - written)
    audio = min(usage.audio_input_tokens, rest)
    image = min(usage.image_input_tokens, rest - audio)
    write_price = _or(price.cache_write_input, price.input)
    return (
        (rest - audio - image) * price.input
        + cached * _or(price.cached_input, price.input)
        + (written - written_1h) * write_price
        + written_1h * _or(price.cache_write_1h_input, write_price)
        + audio * _or(price.audio_input, price.input)
        + image * _or(price.image_input, price.input)
    )


def _output_pico(usage: Usage, price: Price) -> int:
    reasoning, audio, image = (
        usage.reasoning_tokens,
        usage.audio_output_tokens,
        usage.image_output_tokens,
    )
    if not (reasoning or audio or image):
        return max(0, usage.output_tokens) * price.output
    return (
        max(0, usage.output_tokens - reasoning - audio - image) * price.output
        + reasoning * _or(price.reasoning, price.output)
        + audio * _or(price.audio_output, price.output)
        + image * _or(price.image_output, price.output)
    )


def _or(price: int | None, otherwise: int) -> int:
    return otherwise if price is None else price
