"""The price in one entry of litellm's price map.

An entry has a flat object of prices in USD a token. A key names the kind, then perhaps the length
of request from which on it holds, then perhaps the level of service:
`input_cost_per_token_above_200k_tokens_priority`. Some have a list of steps instead. Prices of
images, seconds and characters are for services that the gateway does not offer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from interlingua_gateway.core.prices import LongContext, Price

Fields: TypeAlias = Mapping[str, msgspec.Raw]
"""The fields of an entry, undecoded: floats would lose what their text says."""

Rates: TypeAlias = dict[str, int]
"""Pico-USD by the field of Price."""

_KEYS: Final = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write_input": "cache_creation_input_token_cost",
    "cache_write_1h_input": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_input": "input_cost_per_audio_token",
    "audio_output": "output_cost_per_audio_token",
    "image_input": "input_cost_per_image_token",
    "image_output": "output_cost_per_image_token",
}
_LIKE_TEXT: Final = {
    "reasoning": "output",
    "audio_input": "input",
    "audio_output": "output",
    "image_input": "input",
    "image_output": "output",
}
_SERVICE_TIERS: Final = {
    "batch": "batches",
    "flex": "flex",
    "priority": "priority",
    "balanced": "balanced",
    "ultrafast": "ultrafast",
}
_ABOVE: Final = re.compile(r"_above_(\d+)(k?)_tokens")
_INCLUSIVE: Final = "xai"
"""Its higher price begins at the length that is named, not above it (docs.x.ai, pricing)."""

_PICO_PER_USD: Final = 10**12


def read_price(fields: Fields) -> Price | None:
    """The price, or None where the entry has none: nothing but zeros means that nobody filled it
    in. An embedding has no output to be paid for."""
    steps = _steps(fields)
    if steps:
        return _price(steps[0][1], steps[1:])
    rates = _rates(fields, "")
    if _text(fields, "mode") == "embedding":
        rates.setdefault("output", 0)
    elif not rates.get("output") and "image_output" in rates:
        rates["output"] = rates["image_output"]  # a model that makes nothing but images
    if not {"input", "output"} <= rates.keys() or not (rates["input"] or rates["output"]):
        return None
    if _text(fields, "litellm_provider") == "fireworks_ai":
        # https://docs.fireworks.ai/serverless/pricing: half the price of input where none is named
        rates.setdefault("cached_input", rates["input"] // 2)
    rates = _own(rates)
    price = _price(rates, _longer(fields, rates))
    return msgspec.structs.replace(price, service_tiers=_service_tiers(fields, rates))


def number(raw: msgspec.Raw | None) -> Decimal | None:
    """The number as it is written, or None for what is not a number."""
    text = b"" if raw is None else bytes(raw)
    return Decimal(text.decode()) if text[:1].isdigit() else None


def _service_tiers(fields: Fields, standard: Rates) -> tuple[tuple[str, Price], ...]:
    """The prices of the levels of service that have prices of their own."""
    found = []
    for name, suffix in _SERVICE_TIERS.items():
        own = _rates(fields, f"_{suffix}")
        if own:
            rates = {**standard, **own}
            if "output" in own and "reasoning" not in own:
                rates.pop("reasoning", None)
            longer = _longer_at(fields, f"_{suffix}", standard, rates)
            found.append((name, _price(rates, longer)))
    return tuple(found)


def _longer(fields: Fields, rates: Rates) -> list[tuple[int, Rates]]:
    """The prices of longer requests, shortest first; what one does not name is as before."""
    found = []
    for above, name in _lengths(fields):
        own = _rates(fields, name)
        if own:
            rates = {**rates, **own}
            found.append((above, rates))
    return found


def _longer_at(
    fields: Fields, suffix: str, standard: Rates, rates: Rates
) -> list[tuple[int, Rates]]:
    """The same at a level of service. What that does not name rises as the standard price does: a
    level of service is sold as a share of it."""
    found = []
    long = standard
    for above, name in _lengths(fields):
        long = {**long, **_rates(fields, name)}
        risen = {
            kind: _risen(pico, standard.get(kind), long.get(kind)) for kind, pico in rates.items()
        }
        found.append((above, {**risen, **_rates(fields, f"{name}{suffix}")}))
    return found


def _risen(pico: int, standard: int | None, long: int | None) -> int:
    return pico * long // standard if standard and long else pico


def _lengths(fields: Fields) -> list[tuple[int, str]]:
    """From which lengths on (tokens) the entry has other prices, and how its keys say so."""
    matches = [match for match in map(_ABOVE.search, fields) if match is not None]
    inclusive = _text(fields, "litellm_provider") == _INCLUSIVE
    return sorted(
        {(int(match[1]) * (1000 if match[2] else 1) - inclusive, match[0]) for match in matches}
    )


def _rates(fields: Fields, suffix: str) -> Rates:
    """What is named with `suffix`."""
    found = {name: _pico(fields.get(key + suffix)) for name, key in _KEYS.items()}
    return {name: pico for name, pico in found.items() if pico is not None}


def _steps(fields: Fields) -> list[tuple[int, Rates]]:
    """`tiered_pricing`: above which length (tokens), which prices. They are whole: what one does
    not name follows its own input and output."""
    raw = fields.get("tiered_pricing")
    if raw is None:
        return []
    steps = []
    for step in msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]]):
        bounds = msgspec.json.decode(step.get("range", msgspec.Raw(b"[]")), type=list[float])
        rates = _rates(step, "")
        if len(bounds) == 2 and {"input", "output"} <= rates.keys():
            steps.append((int(bounds[0]), rates))
    return sorted(steps, key=lambda step: step[0])


def _price(rates: Rates, longer: list[tuple[int, Rates]]) -> Price:
    steps = tuple(
        LongContext(above_input_tokens=above, price=_flat(step)) for above, step in longer
    )
    return msgspec.structs.replace(_flat(rates), long_context=steps)


def _flat(rates: Rates) -> Price:
    return msgspec.convert(_own(rates), Price)


def _own(rates: Rates) -> Rates:
    """`rates` without those that are no price of their own, because they follow the text's."""
    return {
        name: pico
        for name, pico in rates.items()
        if name not in _LIKE_TEXT or pico != rates[_LIKE_TEXT[name]]
    }


def _pico(raw: msgspec.Raw | None) -> int | None:
    """USD as written, in pico-USD to the nearest."""
    found = number(raw)
    return None if found is None else round(found * _PICO_PER_USD)


def _text(fields: Fields, key: str) -> str:
    raw = fields.get(key)
    return "" if raw is None else bytes(raw).decode().strip('"')
