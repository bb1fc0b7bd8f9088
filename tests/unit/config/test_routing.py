"""What the configuration of the routing must agree on."""

from __future__ import annotations

from collections.abc import Mapping
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


def shared(**settings: object) -> dict[str, object]:
    """The deployment stage/a as a target of two models, with other `settings` in the second."""
    values = tree()
    values["models"][1] = {  # type: ignore[index]
        "name": "n",
        "targets": [{"provider": "stage", "model": "a", **settings}],
    }
    return values


def route(name: str, use: str = "m") -> dict[str, str]:
    return {"name": name, "description": "What belongs here.", "use": use}


def choosing(beside: Mapping[str, object] = {}, **settings: object) -> dict[str, object]:
    """A third model, `auto`, with a classifier if there are `settings` or keys `beside` it."""
    classifier = {"model": "m", "default": "a", "routes": [route("a"), route("b", "open/x")]}
    model: dict[str, object] = {"name": "auto", **beside}
    if settings or beside:
        model["classifier"] = classifier | settings
    values = tree()
    vectors = {"name": "vectors", "targets": TARGETS, "capabilities": ["embeddings"]}
    return {**values, "models": [*values["models"], model, vectors]}  # type: ignore[misc]


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
        (shared(quota="q"), "models[1].targets[0].max_concurrency", "of another model: 4"),
        (shared(max_concurrency=4), "models[1].targets[0].quota", "of another model: q"),
        (choosing(), "models[2].targets", "needed"),
        (choosing(routes=[]), "models[2].classifier.routes", "2"),
        (choosing(routes=[route("a")]), "models[2].classifier.routes", "2"),
        (choosing(routes=[route("a"), route("a")]), "models[2].classifier", "two routes"),
        (choosing(default="c"), "models[2].classifier", "default is no route: 'c'"),
        (choosing(model="n"), "models[2].classifier.model", "no model 'n'"),
        (
            choosing(routes=[route("a"), route("b", "open")]),
            "models[2].classifier.routes[1].use",
            "no model 'open' is",
        ),
        (choosing(model="auto"), "models[2].classifier.model", "has a classifier itself"),
        (
            choosing(routes=[route("a"), route("b", "auto")]),
            "models[2].classifier.routes[1].use",
            "has a classifier itself",
        ),
        (
            choosing(routes=[route("a"), route("b", "vectors")]),
            "models[2].classifier.routes[1].use",
            "only embeds",
        ),
        (choosing(beside={"targets": TARGETS}), "models[2]", "targets belongs to the models"),
        (choosing(beside={"strategy": "weighted"}), "models[2]", "strategy belongs"),
        (choosing(beside={"embed_batching": {}}), "models[2]", "embed_batching belongs"),
        (choosing(beside={"capabilities": ["embeddings"]}), "models[2]", "not for embeddings"),
        (choosing(beside={"aliases": ["auto/*"]}), "models[2]", "not for a pattern"),
    ],
)
def test_each_fault_is_named_by_its_key(
    tmp_path: Path, values: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, values)
    assert key in str(caught.value)
    assert words in str(caught.value)


def test_a_classifier_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, choosing(timeout_s=1))
    model = config.models[2]
    assert (model.targets, model.classifier.timeout_s) == ((), 1)
    assert [(r.name, r.use) for r in model.classifier.routes] == [("a", "m"), ("b", "open/x")]
