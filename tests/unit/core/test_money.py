"""Costs to the nearest nano-USD, and estimates of tokens."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.estimate import input_tokens, text_tokens
from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.prices import Cost, LongContext, Price, cost_of
from interlingua_gateway.core.types import EmbedInput, EmbedRequest

PLAIN = Price(input=2_500_000, output=10_000_000)
FULL = Price(
    input=1_000_000,
    output=2_000_000,
    cached_input=100_000,
    cache_write_input=1_250_000,
    reasoning=3_000_000,
    audio_input=4_000_000,
    audio_output=0,
)
STEPPED = Price(
    input=1_000,
    output=2_000,
    cached_input=100,
    long_context=(
        LongContext(above_input_tokens=100, price=Price(input=2_000, output=3_000)),
        LongContext(above_input_tokens=200, price=Price(input=5_000, output=7_000)),
    ),
    service_tiers=(("flex", Price(input=500, output=1_000)),),
)
KINDS = Price(
    input=1_000,
    output=1_000,
    cached_input=0,
    cache_write_input=2_000,
    cache_write_1h_input=5_000,
    audio_input=10_000,
    image_input=100_000,
    image_output=1_000_000,
)


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        (Usage(), PLAIN, 0),
        (Usage(1_000_000, 1_000_000), PLAIN, 12_500_000_000),
        (Usage(100, 10, cached_input_tokens=40, reasoning_tokens=5), PLAIN, 350_000),
        (
            Usage(
                100,
                50,
                cached_input_tokens=40,
                cache_write_input_tokens=10,
                reasoning_tokens=20,
                audio_input_tokens=5,
                audio_output_tokens=10,
            ),
            FULL,
            45_000 + 4_000 + 12_500 + 20_000 + 40_000 + 60_000,
        ),
        (Usage(1, 0), Price(input=1_499, output=0), 1),
        (Usage(1, 0), Price(input=1_500, output=0), 2),
        (Usage(1, 0, cached_input_tokens=9), Price(input=1_000, output=0), 9),
        (Usage(100, 1, cached_input_tokens=10), STEPPED, 90 + 1 + 2),
        (Usage(101, 1, cached_input_tokens=10), STEPPED, 202 + 3),
        (Usage(200, 1), STEPPED, 400 + 3),
        (Usage(201, 1), STEPPED, 1_005 + 7),
        (Usage(201, 1, service_tier="flex"), STEPPED, 101 + 1),
        (Usage(201, 1, service_tier="default"), STEPPED, 1_005 + 7),
        (Usage(9, 0, cache_write_input_tokens=3, cache_write_1h_input_tokens=2), KINDS, 6 + 12),
        (Usage(3, 0, cache_write_input_tokens=3, cache_write_1h_input_tokens=2), FULL, 3_750),
        (Usage(9, 5, image_input_tokens=2, image_output_tokens=3), KINDS, 7 + 200 + 2 + 3_000),
        # Sound that was cached is paid for as cached.
        (Usage(9, 0, cached_input_tokens=7, audio_input_tokens=5), KINDS, 20),
        (
            Usage(9, 0, cached_input_tokens=6, audio_input_tokens=1, image_input_tokens=5),
            KINDS,
            10 + 200,
        ),
    ],
)
def test_costs(usage, price, nano):
    assert cost_of(usage, price) == Cost(nano)


def test_an_estimate_stays_one():
    assert cost_of(Usage(1, 1, estimated=True), PLAIN).estimated


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("日本", 2), ("é" + "a" * 4, 2)],
)
def test_tokens_of_a_text(text, tokens):
    assert text_tokens(text) == tokens


def test_tokens_of_inputs_to_embed():
    inputs = (EmbedInput(text="abcd"), EmbedInput(tokens=(1, 2, 3)))
    assert input_tokens(EmbedRequest(model="m", inputs=inputs)) == 4
