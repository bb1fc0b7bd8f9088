"""The price map of the installed litellm, and one that the test writes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.target import Capability
from interlingua_gateway.providers.price_map import PriceMap, load


@pytest.fixture(scope="module")
def installed() -> PriceMap:
    return load()


@pytest.fixture
def written(tmp_path: Path) -> PriceMap:
    file = tmp_path / "prices.json"
    file.write_text(
        """{
        "sample_spec": {"litellm_provider": "one of many", "input_cost_per_token": 0.0},
        "odd": {"litellm_provider": "openai", "mode": "chat",
                "input_cost_per_token": 0.1e-6, "output_cost_per_token": 0.30000000000000004e-5,
                "max_input_tokens": "100", "max_output_tokens": 50.0},
        "zeros": {"litellm_provider": "openai", "mode": "chat",
                  "input_cost_per_token": 0, "output_cost_per_token": 0.0},
        "half": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06},
        "far/near": {"litellm_provider": "far", "mode": "embedding",
                     "input_cost_per_token": 2e-08, "output_vector_size": 1536.0},
        "long/step": {"litellm_provider": "long", "mode": "chat",
            "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 1.25e-06,
            "cache_creation_input_token_cost_above_1hr": 2e-06,
            "output_cost_per_reasoning_token": 2e-06, "input_cost_per_audio_token": 5e-06,
            "input_cost_per_token_above_200k_tokens": 3e-06,
            "output_cost_per_token_above_200k_tokens": 4e-06,
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 7e-06,
            "input_cost_per_token_above_128k_tokens": 2e-06,
            "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1e-06,
            "input_cost_per_token_above_200k_tokens_batches": 1e-06,
            "input_cost_per_token_priority": 0.0000018},
        "grok": {"litellm_provider": "xai", "mode": "chat",
            "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "input_cost_per_token_above_200k_tokens": 2e-06},
        "tiers": {"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": [
            {"range": [32000.0, 128000.0], "input_cost_per_token": 2e-06,
             "output_cost_per_token": 6e-06, "cache_read_input_token_cost": 1e-06},
            {"range": [0, 32000.0], "input_cost_per_token": 1e-06,
             "output_cost_per_token": 5e-06, "output_cost_per_reasoning_token": 8e-06}]},
        "fire": {"litellm_provider": "fireworks_ai", "mode": "chat",
            "input_cost_per_token": 9e-07, "output_cost_per_token": 9e-07},
        "painter": {"litellm_provider": "openai", "mode": "image_generation",
            "input_cost_per_token": 5e-06, "output_cost_per_image_token": 4e-05},
        "seconds": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_second": 0.1},
        "google": {"litellm_provider": "vertex_ai-language-models", "mode": "chat"}
        }"""
    )
    return load(file)


def test_prices_are_exact(written: PriceMap) -> None:
    known = written.find("openai", "odd")
    assert known is not None
    assert known.price == Price(input=100_000, output=3_000_000)
    assert (known.context_window_tokens, known.max_output_tokens) == (None, 50)


def price_of(written: PriceMap, provider: str, name: str) -> Price:
    known = written.find(provider, name)
    assert known is not None
    assert known.price is not None
    return known.price


def test_longer_requests_and_levels_of_service(written: PriceMap) -> None:
    price = price_of(written, "long", "step")
    shared = {"cached_input": 100_000, "cache_write_input": 1_250_000, "audio_input": 5_000_000}
    hour = {"cache_write_1h_input": 2_000_000}
    assert msgspec.structs.replace(price, long_context=(), service_tiers=()) == Price(
        input=1_000_000, output=2_000_000, **shared, **hour
    )
    assert price.of_length(128_000) == price
    assert price.of_length(128_001) == Price(input=2_000_000, output=2_000_000, **shared, **hour)
    longest = Price(input=3_000_000, output=4_000_000, cache_write_1h_input=7_000_000, **shared)
    assert price.of_length(200_001) == longest

    batch = price.at("batch")
    assert (batch.input, batch.output, batch.cached_input) == (500_000, 1_000_000, 100_000)
    # Named for input; for output as the standard price rises.
    assert (batch.of_length(200_001).input, batch.of_length(200_001).output) == (
        1_000_000,
        2_000_000,
    )
    assert price.at("priority").of_length(128_001).input == 3_600_000
    assert price.at("flex") == price


def test_the_length_that_xai_names_is_itself_long(written: PriceMap) -> None:
    price = price_of(written, "xai", "grok")
    assert [price.of_length(n).input for n in (199_999, 200_000)] == [1_000_000, 2_000_000]


def test_steps_are_whole(written: PriceMap) -> None:
    price = price_of(written, "dashscope", "tiers")
    assert (price.input, price.output, price.reasoning) == (1_000_000, 5_000_000, 8_000_000)
    assert price.of_length(32_000) == price
    assert price.of_length(999_999) == Price(
        input=2_000_000, output=6_000_000, cached_input=1_000_000
    )


def test_prices_that_have_to_be_inferred(written: PriceMap) -> None:
    assert price_of(written, "fireworks_ai", "fire").cached_input == 450_000
    assert price_of(written, "openai", "painter") == Price(input=5_000_000, output=40_000_000)


@pytest.mark.parametrize("name", ["zeros", "half", "seconds"])
def test_unknown_price_is_none(written: PriceMap, name: str) -> None:
    known = written.find("openai", name)
    assert known is not None
    assert known.price is None


def test_unknown_models_are_none(written: PriceMap) -> None:
    assert written.find("openai", "nothing") is None
    assert written.find("anthropic", "odd") is None
    assert written.find("litellm", "sample_spec") is None
    assert written.find("gemini", "google") is None
    assert load(None).find("azure", "a-deployment-of-ours") is None


def test_embedding(written: PriceMap) -> None:
    for provider, model in (("far", "near"), ("far", "far/near"), ("litellm", "far/near")):
        known = written.find(provider, model)
        assert known is not None
        assert known.price == Price(input=20_000, output=0)
        assert known.embedding_dimensions == 1536
        assert known.capabilities == {Capability.EMBEDDINGS}


def test_finer_provider_names(written: PriceMap) -> None:
    assert written.find("vertex_ai", "google") is not None
    assert load(None).find("litellm", "amazon-nova/nova-micro-v1") is not None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("azure", "gpt-4o"),
        ("litellm", "azure/gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
        ("litellm", "anthropic/claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-flash"),
        ("vertex_ai", "gemini-2.5-flash"),
        ("cohere", "command-a-03-2025"),
        ("litellm", "bedrock/converse/anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock", "us-east-1/anthropic.claude-instant-v1"),
        ("mistral", "mistral-large-latest"),
    ],
)
def test_installed_map_knows(installed: PriceMap, provider: str, model: str) -> None:
    known = installed.find(provider, model)
    assert known is not None
    assert known.price is not None
    assert known.price.input > 0
    assert known.context_window_tokens
    assert Capability.CHAT in known.capabilities


def test_entries_are_found_wherever_they_stand(tmp_path: Path) -> None:
    def entry(tokens: int) -> str:
        return f'{{"litellm_provider": "a", "mode": "chat", "max_input_tokens": {tokens}}}'

    file = tmp_path / "prices.json"
    file.write_text(
        f'{{"a/{{odd": {entry(1)}, "a/twice": {entry(2)}, "a/between": {entry(3)},\n'
        f'"a/twice": {entry(4)}, "a/same": {entry(3)}, "a/grün": {entry(5)}, "a/word": null}}'
    )
    prices = load(file)
    file.unlink()  # as when another version of litellm is installed
    file.write_text("{}")
    names = ("{odd", "twice", "between", "same", "grün")
    found = {name: prices.find("a", name) for name in names}
    assert {name: known and known.context_window_tokens for name, known in found.items()} == {
        "{odd": 1,
        "twice": 4,
        "between": 3,
        "same": 3,
        "grün": 5,
    }
