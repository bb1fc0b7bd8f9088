"""Limits in the configuration: what is taken, and what is refused with a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.tree import Config

PROVIDERS = {"stage": {"kind": "scripted"}}


def _loaded(directory: Path, limits: Mapping[str, object]) -> Config:
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump({"providers": PROVIDERS, "limits": limits}))
    return load(file, {"HOME": "/h"}).config


def test_none_by_default(tmp_path: Path) -> None:
    limits = load(None, {"HOME": "/h"}).config.limits
    assert limits.rules == ()
    assert limits.queue.max_waiting == 0
    assert limits.when_redis_is_down == "local"


def test_rules_are_read(tmp_path: Path) -> None:
    rule = {
        "name": "team",
        "per": ["tenant", "model"],
        "models": ["openai/*"],
        "requests_per_minute": 600,
        "tokens_per_minute": 90_000,
        "burst_tokens": 30_000,
        "concurrent_requests": 20,
    }
    queue = {"max_waiting": 100, "weights": {"acme": 2}}
    limits = _loaded(tmp_path, {"rules": [rule], "queue": queue}).limits
    (found,) = limits.rules
    assert found.per == {"tenant", "model"}
    assert (found.requests_per_minute, found.burst_requests) == (600, None)
    assert (found.tokens_per_minute, found.burst_tokens) == (90_000, 30_000)
    assert found.concurrent_requests == 20
    assert limits.queue.weights == {"acme": 2.0}


REFUSED = [
    ({"name": "a"}, "give requests_per_minute, tokens_per_minute or concurrent_requests"),
    ({"name": "a", "concurrent_requests": 1, "burst_requests": 2}, "needs requests_per_minute"),
    ({"name": "a", "concurrent_requests": 1, "burst_tokens": 2}, "needs tokens_per_minute"),
    (
        {"name": "a", "concurrent_requests": 1, "per": ["provider", "user"]},
        "an attempt at a provider has no tenant, tier, key or user",
    ),
    (
        {"name": "a", "concurrent_requests": 1, "per": ["provider"], "tenants": ["t"]},
        "an attempt at a provider has no tenant, tier, key or user",
    ),
    ({"name": "a", "concurrent_requests": 1, "providers": ["stage"]}, "needs per: [provider]"),
    (
        {"name": "a", "concurrent_requests": 1, "per": ["provider"], "providers": ["stag"]},
        "no provider 'stag' is configured; did you mean 'stage'?",
    ),
    ({"name": "A b", "concurrent_requests": 1}, "use lower-case letters"),
    ({"name": "a", "requests_per_minute": 0}, "greater than or equal to 1"),
]


@pytest.mark.parametrize(("rule", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, rule: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as failure:
        _loaded(tmp_path, {"rules": [rule]})
    assert message in str(failure.value)
    assert "limits" in str(failure.value)


def test_names_differ(tmp_path: Path) -> None:
    rule = {"name": "a", "concurrent_requests": 1}
    with pytest.raises(ConfigError, match="two limits have the name 'a'"):
        _loaded(tmp_path, {"rules": [rule, rule]})
