"""Compiles scenarios: into the configuration of one gateway, and into the plan of a runner."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from interlingua.v1.embed_pb2 import EmbedRequest
from interlingua.v1.gateway_service_pb2 import HealthRequest
from interlingua.v1.generate_pb2 import BatchGenerateRequest, CountTokensRequest, GenerateRequest
from suite.scenario import Scenario

REQUESTS: Mapping[str, type[Message]] = {
    "generate": GenerateRequest,
    "stream": GenerateRequest,
    "embed": EmbedRequest,
    "batch": BatchGenerateRequest,
    "count_tokens": CountTokensRequest,
    "health": HealthRequest,
    "restart": GenerateRequest,
    "drain": GenerateRequest,
}
UNFORGIVING: Mapping[str, object] = {
    "retry": {"rounds": 1},
    "breaker": {
        "failures": 1_000_000,
        "min_attempts": 1_000_000,
        "cooldown_s": 0.001,
        "max_cooldown_s": 0.001,
    },
}
"""Each failure is told as it is; no scenario leaves a trace for the next one."""


def configuration(scenarios: Sequence[Scenario], places: Mapping[str, str]) -> dict[str, object]:
    """Providers, models, limits and routing of the gateway for `scenarios`."""
    scripts: dict[str, object] = {}
    models: list[dict[str, object]] = []
    for scenario in scenarios:
        for alias, upstream in scenario.upstreams:
            targets = _targets(alias, upstream, scripts)
            models.append({**scenario.model, "name": alias, "targets": targets})
    return {
        "providers": {
            "stage": {"kind": "scripted", "script": scripts},
            "nowhere": {"kind": "openai", "base_url": places["NOWHERE"]},
        },
        "models": models,
        "limits": {
            "rules": [rule for scenario in scenarios for rule in scenario.limits],
            "queue": {"max_waiting": 10},
        },
        "routing": UNFORGIVING,
    }


def _targets(alias: str, upstream: object, scripts: dict[str, object]) -> list[dict[str, object]]:
    if upstream == "nowhere":
        return [{"provider": "nowhere", "model": "any", "deployment": alias}]
    several = upstream["targets"] if isinstance(upstream, Mapping) else None
    names = [alias] if several is None else [f"{alias}-{n}" for n in range(len(several))]
    pairs = zip(names, several or [upstream], strict=True)
    scripts.update({name: script for name, script in pairs if script != "echo"})
    return [{"provider": "stage", "model": name, "deployment": name} for name in names]


def plan(scenarios: Sequence[Scenario], places: Mapping[str, str]) -> dict[str, object]:
    """What a runner reads; `$NAME` in an option stands for the place of that name."""
    return {"scenarios": [_entry(scenario, places) for scenario in scenarios]}


def _entry(scenario: Scenario, places: Mapping[str, str]) -> dict[str, object]:
    entry: dict[str, object] = {"name": scenario.name, "op": scenario.op}
    if scenario.op in REQUESTS:
        message = request(scenario)
        entry["request"] = base64.b64encode(message.SerializeToString()).decode()
    entry["options"] = _placed(scenario.options, places)
    return entry


def request(scenario: Scenario) -> Message:
    """The request of a scenario; where it names no model, that is the scenario's own."""
    asked: dict[str, object] = dict(scenario.request or {})
    if scenario.ask:
        asked["messages"] = [{"role": "ROLE_USER", "parts": [{"text": scenario.ask}]}]
    message = ParseDict(asked, REQUESTS[scenario.op]())
    for one in _asking(message):
        if not one.model:
            one.model = scenario.name
    return message


def _asking(message: Message) -> Sequence[GenerateRequest | EmbedRequest]:
    if isinstance(message, GenerateRequest | EmbedRequest):
        return [message]
    if isinstance(message, CountTokensRequest):
        return [message.request]
    return list(message.requests) if isinstance(message, BatchGenerateRequest) else []


def _placed(value: object, places: Mapping[str, str]) -> object:
    if isinstance(value, Mapping):
        return {key: _placed(item, places) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("$"):
        return places[value[1:]]
    return value
