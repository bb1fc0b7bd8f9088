"""What the configuration of the routing must agree on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.core.target import Strategy

TARGETS = [{"provider": "stage", "model": "a", "weight": 3, "quota": "q", "max_concurrency": 4}]


def tree(model: dict[str, object] | None = None, **routing: object) -> dict[str, object]:
    return {
        "providers": {"stage": {"kind": "scripted"}},
        "routing": routing,
        "models": [
            {"name": "m", "targets": TARGETS, **(model or {})},
            {"name": "open/*", "targets": [{"provider": "stage", "model": "*"}]},
        ],
    }


def loaded(tmp_path: Path, values: dict[str, object]) -> object:
    file = tmp_path / "interlingua.yaml"
    file.write_text(yaml.safe_dump(values))
    return load(file, {}).config


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        tree(
            {
                "strategy": "lowest_latency",
                "fallbacks": {"general": ["open/x"], "context_window": ["m"]},
                "hedge": {"after_s": 0.5, "max_cost_usd": "0.01"},
            },
            rules=[{"use": "open/y", "tags": ["b", "a"], "min_input_tokens": 100}],
        ),
    )
    model = config.models[0]
    assert model.strategy is Strategy.LOWEST_LATENCY
    assert model.fallbacks.general == ("open/x",)
    assert model.hedge.max_cost_nano_usd == 10_000_000
    assert model.targets[0].weight == 3
    assert config.routing.rules[0].tags == {"a", "b"}


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        (tree({"fallbacks": {"general": ["opem/x"]}}), "models[0].fallbacks.general[0]", "opem/x"),
        (tree({"strategy": "random"}), "models[0].strategy", "lowest_cost"),
        (tree({"hedge": {"after_s": "p50"}}), "models[0].hedge.after_s", "p95"),
        (tree(rules=[{"use": "n"}]), "routing.rules[0].use", "no model 'n'"),
        (tree(breaker={"cooldown_s": 90}), "routing", "max_cooldown_s"),
        (tree(retry={"rounds": 0}), "routing.retry.rounds", "1"),
    ],
)
def test_each_fault_is_named_by_its_key(
    tmp_path: Path, values: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, values)
    assert key in str(caught.value)
    assert words in str(caught.value)
