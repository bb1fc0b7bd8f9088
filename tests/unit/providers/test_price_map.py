"""The price map of the installed litellm, and one that the test writes."""

from __future__ import annotations

from pathlib import Path

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
        "google": {"litellm_provider": "vertex_ai-language-models", "mode": "chat"}
        }"""
    )
    return load(file)


def test_prices_are_exact(written: PriceMap) -> None:
    known = written.find("openai", "odd")
    assert known is not None
    assert known.price == Price(input=100_000, output=3_000_000)
    assert (known.context_window_tokens, known.max_output_tokens) == (None, 50)


@pytest.mark.parametrize("name", ["zeros", "half"])
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
