"""Prices of the configuration: exact, in steps, by pattern, and before litellm's list."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.prices import LongContext, Price
from interlingua_gateway.core.target import Target
from interlingua_gateway.providers.price_map import load as load_list

WHOLE = """
providers:
  openai: {api_key: env:OPENAI_API_KEY}
  mine: {kind: openai, base_url: http://127.0.0.1:1}
  local: {kind: local}
models:
  - name: own
    targets:
      - provider: mine
        model: m
        price:
          input_usd_per_million: 1.25
          output_usd_per_million: 0.000001
          image_output_usd_per_million: 30
          long_context:
            - {above_input_tokens: 100, input_usd_per_million: 2.5, cached_input_usd_per_million: 1}
            - {above_input_tokens: 200, output_usd_per_million: 7}
  - {name: batch, targets: [{provider: openai, model: gpt-4o, service_tier: batch}]}
  - {name: ruled, targets: [{provider: mine, model: llama-3}]}
  - {name: exact, targets: [{provider: mine, model: llama-4}]}
  - {name: known, targets: [{provider: openai, model: gpt-4o-mini}]}
  - {name: unknown, targets: [{provider: mine, model: x}]}
  - {name: "any/*", targets: [{provider: mine, model: "*"}]}
  - {name: embedded, targets: [{provider: local, model: m}]}
  - {name: charged, targets: [{provider: local, model: dear}]}
  - name: billed
    targets: [{provider: local, model: m, deployment: b, price: {input_usd_per_million: 2}}]
prices:
  - {model: mine/llama-*, input_usd_per_million: 3}
  - {model: mine/llama-4, input_usd_per_million: 4, output_usd_per_million: 5}
  - {model: mine/m, input_usd_per_million: 9}
  - {model: local/dear, input_usd_per_million: 1}
"""
TWICE = "[{above_input_tokens: 2}, {above_input_tokens: 2}]"


def read(text: str, directory: Path) -> Config:
    file = directory / "c.yaml"
    file.write_text(text)
    return load(file, {"HOME": "/me", "OPENAI_API_KEY": "sk-1"}).config


@pytest.fixture(name="catalogue")
def _catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(read(WHOLE, tmp_path), load_list())


def price(catalogue: Catalogue, name: str) -> Price | None:
    (model,) = (model for model in catalogue.models if model.name == name)
    return model.targets[0].price


def test_a_price_of_its_own_with_steps(catalogue: Catalogue) -> None:
    shared = {"image_output": 30_000_000}
    longer = (
        LongContext(
            above_input_tokens=100,
            price=Price(input=2_500_000, output=1, cached_input=1_000_000, **shared),
        ),
        LongContext(
            above_input_tokens=200,
            price=Price(input=2_500_000, output=7_000_000, cached_input=1_000_000, **shared),
        ),
    )
    assert price(catalogue, "own") == Price(
        input=1_250_000, output=1, **shared, long_context=longer
    )


def test_rules_go_before_the_list_and_the_closest_before_the_others(catalogue: Catalogue) -> None:
    assert price(catalogue, "ruled") == Price(input=3_000_000, output=0)
    assert price(catalogue, "exact") == Price(input=4_000_000, output=5_000_000)
    assert price(catalogue, "unknown") is None


def test_a_rule_prices_what_a_wildcard_serves(catalogue: Catalogue) -> None:
    target = Target(deployment="d", provider="mine", model="llama-9", label="d")
    assert catalogue.enrich(target).price == Price(input=3_000_000, output=0)


def test_the_embedded_model_is_free_unless_it_is_said_otherwise(catalogue: Catalogue) -> None:
    assert price(catalogue, "embedded") == Price(input=0, output=0)
    assert price(catalogue, "charged") == Price(input=1_000_000, output=0)
    assert price(catalogue, "billed") == Price(input=2_000_000, output=0)


def test_the_level_of_service_that_is_billed(catalogue: Catalogue) -> None:
    standard, batch = price(catalogue, "known"), price(catalogue, "batch")
    assert standard is not None
    assert standard.service_tiers
    assert batch is not None
    assert batch.input == 1_250_000
    assert not batch.service_tiers


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{model: other/*, input_usd_per_million: 1}", "no provider 'other'"),
        ("{model: mine/*}", "input_usd_per_million"),
        ("{model: mine/*, input_usd_per_million: 0.0000001}", "decimal places"),
        (f"{{model: mine/*, input_usd_per_million: 1, long_context: {TWICE}}}", "must rise"),
    ],
)
def test_faults_are_named(tmp_path: Path, rule: str, fault: str) -> None:
    text = f"providers: {{mine: {{kind: openai, base_url: 'http://h'}}}}\nprices:\n  - {rule}\n"
    with pytest.raises(ConfigError, match=fault):
        read(text, tmp_path)
