"""Prices of what providers sell, where litellm's list does not know them or knows them wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from pydantic import Field, field_validator

from interlingua_gateway.config.fields import Count, NamePattern
from interlingua_gateway.config.section import Section
from interlingua_gateway.core.prices import LongContext, Price

PICO_PER_MICRO = 1_000_000

UsdPerMillion = Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=6)]
ServiceTier = Literal["batch", "flex", "priority", "balanced", "ultrafast"]


class RatesConfig(Section):
    """What differs from the price of text, in USD for a million tokens, to six decimal places."""

    cached_input_usd_per_million: UsdPerMillion | None = None
    """Input read from the provider's cache; by default the price of input."""
    cache_write_input_usd_per_million: UsdPerMillion | None = None
    """Input written to the provider's cache; by default the price of input."""
    cache_write_1h_input_usd_per_million: UsdPerMillion | None = None
    """Input written to it for an hour; by default the price of what is written to it."""
    reasoning_usd_per_million: UsdPerMillion | None = None
    """By default the price of output."""
    audio_input_usd_per_million: UsdPerMillion | None = None
    """By default the price of input."""
    audio_output_usd_per_million: UsdPerMillion | None = None
    """By default the price of output."""
    image_input_usd_per_million: UsdPerMillion | None = None
    """By default the price of input."""
    image_output_usd_per_million: UsdPerMillion | None = None
    """By default the price of output."""

    def rates(self) -> dict[str, int]:
        """What is given, in pico-USD a token, exactly, by the fields of Price."""
        found: dict[str, int] = {}
        for field in Price.__struct_fields__:
            usd: Decimal | None = getattr(self, f"{field}_usd_per_million", None)
            if usd is not None:
                found[field] = int(usd * PICO_PER_MICRO)
        return found


class LongContextConfig(RatesConfig):
    """Other prices for long requests. What is not given is as for shorter ones."""

    above_input_tokens: Count
    """They hold for all tokens of requests with more input than this."""
    input_usd_per_million: UsdPerMillion | None = None
    """Input."""
    output_usd_per_million: UsdPerMillion | None = None
    """Output."""


class PriceConfig(RatesConfig):
    """Prices in USD for a million tokens, to six decimal places."""

    input_usd_per_million: UsdPerMillion
    """Input."""
    output_usd_per_million: UsdPerMillion = Decimal(0)
    """Output; 0 for models that only embed."""
    long_context: tuple[LongContextConfig, ...] = ()
    """Prices of longer requests, shortest first."""

    @field_validator("long_context")
    @classmethod
    def _ascends(cls, value: tuple[LongContextConfig, ...]) -> tuple[LongContextConfig, ...]:
        bounds = [step.above_input_tokens for step in value]
        if bounds != sorted(set(bounds)):
            raise ValueError("above_input_tokens must rise from each entry to the next")
        return value

    def price(self) -> Price:
        """The same in pico-USD a token, exactly."""
        rates = {"output": 0, **self.rates()}
        longer = []
        long = rates
        for step in self.long_context:
            long = {**long, **step.rates()}
            price = msgspec.convert(long, Price)
            longer.append(LongContext(above_input_tokens=step.above_input_tokens, price=price))
        return msgspec.structs.replace(msgspec.convert(rates, Price), long_context=tuple(longer))


class PriceRuleConfig(PriceConfig):
    """Prices of a provider's models."""

    model: NamePattern
    """provider/model: a name under providers, and the provider's own name of the model. A * stands
    for anything."""
