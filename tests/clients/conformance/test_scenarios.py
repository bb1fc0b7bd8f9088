"""The scenarios are well formed, and cover what the suite promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from interlingua.v1.error_pb2 import ErrorReason
from interlingua_gateway.config.load import load as load_configuration
from suite.plan import configuration, plan
from suite.scenario import OPS, Scenario, ScenarioError, load

HERE = Path(__file__).parents[3] / "clients" / "conformance" / "scenarios"
PLACES = dict.fromkeys(
    "NOWHERE MIRROR SERVER_NAME CA OTHER_CA CERT KEY UNIX TLS".split(), "http://127.0.0.1:1"
)


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    return load(HERE)


def test_there_is_one_of_each_kind(scenarios: list[Scenario]) -> None:
    assert len(scenarios) >= 40
    assert {scenario.op for scenario in scenarios} == set(OPS)
    assert [one.choreographed for one in scenarios] == sorted(
        one.choreographed for one in scenarios
    )


def test_every_reason_of_the_contract_is_seen(scenarios: list[Scenario]) -> None:
    expected = json.dumps([scenario.expect for scenario in scenarios])
    missing = {name for name in ErrorReason.keys() if name not in expected}  # noqa: SIM118
    # The client's own clock may be first to end a call; a cancelled call has nobody to tell.
    assert missing == {
        "ERROR_REASON_UNSPECIFIED",
        "ERROR_REASON_DEADLINE_EXCEEDED",
        "ERROR_REASON_CANCELLED",
    }
    assert "DEADLINE_EXCEEDED" in expected


def test_the_configuration_is_valid(scenarios: list[Scenario], tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(configuration(scenarios, PLACES), allow_unicode=True), "utf-8")
    config = load_configuration(file, {}).config
    assert {"text", "batch_failures.slow"} <= {model.name for model in config.models}
    (fallback,) = (model for model in config.models if model.name == "fallback")
    assert [target.deployment for target in fallback.targets] == ["fallback-0", "fallback-1"]


def test_the_plan_names_places(scenarios: list[Scenario]) -> None:
    found = plan(scenarios, {**PLACES, "UNIX": "unix:/here"})
    entries = {entry["name"]: entry for entry in found["scenarios"]}  # type: ignore[attr-defined]
    assert entries["unix_socket"]["options"] == {"address": "unix:/here"}
    assert entries["text"]["request"]
    assert "request" not in entries["build"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: a, about: b, op: generate, expect: {a: 1}, upstreem: x}", "upstreem"),
        ("- {name: a, about: b, op: genrate, expect: {a: 1}}", "unknown op"),
        ("- {name: a, about: b, op: generate, expect: {a: 1}, options: {x: 1}}", "unknown options"),
        ("- {name: a, about: b, op: generate}", "expects nothing"),
        ("- &a {name: a, about: b, op: generate, expect: {a: 1}}\n- *a", "twice"),
    ],
)
def test_mistakes_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ScenarioError, match=message):
        load(tmp_path)


def test_repeated_texts(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "- {name: a, about: b, op: generate, expect: {text: !repeat [ab, 3]}}"
    )
    assert load(tmp_path)[0].expect == {"text": "ababab"}
