"""Names of models, patterns, and what is near."""

from __future__ import annotations

import msgspec
import pytest

from interlingua_gateway.core.target import Model, Target
from interlingua_gateway.route.directory import Directory


def target(deployment: str, model: str = "m") -> Target:
    return Target(deployment=deployment, provider="p", model=model, label=deployment)


def model(name: str, *targets: Target) -> Model:
    return Model(name=name, targets=targets, aliases_pattern="*" in name)


SHARED = target("shared")
MODELS = (
    model("gpt", target("one"), SHARED),
    model("claude", SHARED, target("two")),
    model("any/*", target("any", "up/*")),
    model("any/long/*", target("long", "*")),
    model("any/exact", target("exact")),
)
DIRECTORY = Directory(MODELS)


@pytest.mark.parametrize(
    ("name", "deployment", "upstream"),
    [
        ("gpt", "one", "m"),
        ("any/thing", "any", "up/thing"),
        ("any/a/b", "any", "up/a/b"),
        ("any/long/x", "long", "x"),
        ("any/long/", "any", "up/long/"),
        ("any/exact", "exact", "m"),
        ("any/*", "any", "up/*"),
    ],
)
def test_the_exact_name_wins_and_then_the_longest_pattern(name, deployment, upstream):
    found = DIRECTORY.find(name)
    assert found.targets[0].deployment == deployment
    assert found.targets[0].model == upstream
    assert found.name == name
    assert not found.aliases_pattern


@pytest.mark.parametrize("name", ["", "GPT", "gpt ", "any/", "any", "xany/thing"])
def test_other_names_are_not_there(name):
    assert DIRECTORY.find(name) is None


def test_what_is_known_of_a_covered_model_is_added():
    directory = Directory(MODELS, lambda t: msgspec.structs.replace(t, label=t.model))
    assert directory.find("any/thing").targets[0].label == "up/thing"
    assert directory.find("gpt").targets[0].label == "one"
