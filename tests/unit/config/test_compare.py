"""What differs between two configurations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from interlingua_gateway.config.compare import FIXED, differences
from interlingua_gateway.config.load import load
from interlingua_gateway.config.section import section_in
from interlingua_gateway.config.tree import Config

Tree = Mapping[str, object]


def model(name: str, *targets: str, **fields: object) -> dict[str, object]:
    entries = [{"provider": "p", "model": target} for target in targets or ("m",)]
    return {"name": name, "targets": entries, **fields}


def config(tree: Tree, directory: Path, **environment: str) -> Config:
    values = {"providers": {"p": {"kind": "scripted"}}, "models": [model("a")], **tree}
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump(values))
    return load(file, environment).config


@pytest.fixture
def lines(tmp_path: Path):
    def of(former: Tree, latter: Tree) -> list[str]:
        found = differences(config(former, tmp_path), config(latter, tmp_path))
        return [str(difference) for difference in found]

    return of


def rpm(name: str, number: int) -> Tree:
    return {"name": name, "requests_per_minute": number}


def of_limits(*rules: Tree) -> Tree:
    return {"limits": {"rules": list(rules)}}


CASES: list[tuple[Tree, Tree, list[str]]] = [
    ({}, {}, []),
    ({}, {"telemetry": {"log_level": "debug"}}, ['telemetry.log_level: "info" -> "debug"']),
    (
        of_limits(rpm("x", 60)),
        of_limits(rpm("new", 1), rpm("x", 120)),
        ["limits.rules[x].requests_per_minute: 60 -> 120", "limits.rules[new]: added"],
    ),
    (of_limits(rpm("x", 60)), {}, ["limits.rules[x]: removed"]),
    (
        of_limits(rpm("x", 1), rpm("y", 1)),
        of_limits(rpm("y", 1), rpm("x", 1)),
        ["limits.rules: in another order"],
    ),
    (
        {"models": [model("a", "one", "two")]},
        {"models": [model("a", "one", "three", "two", description="d")]},
        [
            'models[a].targets[1].model: "two" -> "three"',
            "models[a].targets[2]: added",
            'models[a].description: "" -> "d"',
        ],
    ),
    ({}, {"models": [model("a", aliases=["b"])]}, ["models[a].aliases: changed"]),
    ({}, {"redis": {"url": "redis://localhost"}}, ["redis: changed"]),
    (
        {"redis": {"url": "redis://localhost"}},
        {"redis": {"url": "redis://elsewhere"}},
        ["redis.url: changed"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("former", "latter", "expected"), CASES, ids=range(len(CASES)))
def test_every_key_is_named(lines, former, latter, expected):
    assert sorted(lines(former, latter)) == sorted(expected)


def test_a_secret_is_not_shown(tmp_path):
    tree = {"auth": {"admin_key": "env:KEY"}}
    former, latter = (config(tree, tmp_path, KEY=letter * 40) for letter in "ab")
    (found,) = differences(former, latter)
    assert str(found) == "auth.admin_key: another secret"
    (given,) = differences(config({}, tmp_path), latter)
    assert str(given) == "auth.admin_key: changed"


@pytest.mark.parametrize(
    ("tree", "restart"),
    [
        ({"server": {"batch_concurrency": 3}}, True),
        ({"server": {"tls": None, "keepalive": {"time_s": 5}}}, True),
        ({"redis": {"url": "redis://localhost"}}, True),
        ({"data_dir": "/elsewhere"}, True),
        ({"budgets": {"share_without_redis": 0.5}}, True),
        ({"budgets": {"unpriced": "allow"}}, False),
        ({"cache": {"max_bytes": 2**20}}, True),
        ({"cache": {"idempotency_ttl_s": 5}}, False),
        ({"auth": {"default_tier": "gold"}}, False),
        ({"limits": {"when_redis_is_down": "open"}}, False),
    ],
)
def test_what_needs_a_restart(tmp_path, tree, restart):
    (found,) = differences(config({}, tmp_path), config(tree, tmp_path))
    assert found.needs_restart is restart


def test_what_is_fixed_is_in_the_tree():
    for key in FIXED:
        section = Config
        for part in key.split("."):
            assert part in section.model_fields, key
            section = section_in(section.model_fields[part].annotation) or section
