"""Budgets in the configuration: what is taken, and what is refused with a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.tree import Config

PROVIDERS = {"stage": {"kind": "scripted"}}
RULE = {"name": "team", "period": "month", "limit_usd": 25}


def _loaded(directory: Path, budgets: Mapping[str, object]) -> Config:
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump({"providers": PROVIDERS, "budgets": budgets}))
    return load(file, {"HOME": "/h", "HOOK": "hush"}).config


def test_none_by_default() -> None:
    budgets = load(None, {"HOME": "/h"}).config.budgets
    assert budgets.rules == ()
    assert budgets.unpriced == "refuse"
    assert budgets.share_without_redis == 0.1
    assert budgets.webhook is None


def test_rules_are_read(tmp_path: Path) -> None:
    rule = RULE | {
        "per": ["tenant", "model"],
        "tiers": ["free"],
        "limit_usd": "0.000000001",
        "enforcement": "soft",
        "alert_at": [0.9],
    }
    webhook = {"url": "https://example.com/hook", "secret": "env:HOOK"}
    budgets = _loaded(tmp_path, {"rules": [rule], "webhook": webhook}).budgets
    (found,) = budgets.rules
    assert found.per == {"tenant", "model"}
    assert found.limit_nano_usd == 1
    assert (found.enforcement, found.alert_at) == ("soft", (0.9,))
    assert budgets.webhook is not None
    assert budgets.webhook.secret.reveal() == "hush"


@pytest.mark.parametrize(
    ("amount", "nano_usd"), [(25, 25 * 10**9), (0.1, 10**8), (9_000_000, 9 * 10**15)]
)
def test_amounts_are_exact(tmp_path: Path, amount: float, nano_usd: int) -> None:
    (rule,) = _loaded(tmp_path, {"rules": [RULE | {"limit_usd": amount}]}).budgets.rules
    assert rule.limit_nano_usd == nano_usd


REFUSED = [
    ({"rules": [RULE | {"name": "Team"}]}, "lower-case letters"),
    ({"rules": [RULE | {"period": "year"}]}, "'day', 'week', 'month' or 'total'"),
    ({"rules": [RULE | {"limit_usd": 0}]}, "greater than 0"),
    ({"rules": [RULE | {"limit_usd": 9_000_001}]}, "less than or equal to 9000000"),
    ({"rules": [RULE | {"limit_usd": "0.0000000001"}]}, "9 decimal places"),
    ({"rules": [RULE | {"alert_at": [0]}]}, "greater than 0"),
    ({"rules": [RULE | {"alert_at": [1.1]}]}, "less than or equal to 1"),
    ({"rules": [RULE | {"tiers": ["free"]}]}, "tiers needs per: [tenant]"),
    ({"rules": [RULE | {"per": ["provider"]}]}, "'tenant', 'project', 'key', 'user' or 'model'"),
    ({"rules": [RULE, RULE]}, "two budgets have the name 'team'"),
    ({"share_without_redis": 1.5}, "less than or equal to 1"),
    ({"webhook": {"url": "example.com", "secret": "env:HOOK"}}, "write a URL"),
    ({"webhook": {"url": "https://example.com", "secret": "hush"}}, "not written into the conf"),
]


@pytest.mark.parametrize(("budgets", "said"), REFUSED)
def test_refused_with_a_word(tmp_path: Path, budgets: Mapping[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _loaded(tmp_path, budgets)
    assert said in str(refused.value)
