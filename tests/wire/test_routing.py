"""The routing as callers see it: through a whole gateway."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import gateway_service_pb2, generate_pb2
from tests.support.calls import until
from tests.support.failures import failure_of
from tests.support.gateway import Tree, running
from tests.support.http_get import http_get
from tests.support.requests import ask

OPEN = gateway_service_pb2.BREAKER_STATE_OPEN
CLOSED = gateway_service_pb2.BREAKER_STATE_CLOSED
FAIL = {"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}
SCRIPTS = {
    "down": [FAIL],
    "up": "from up",
    "broken": [{"do": "say", "text": "one two"}, FAIL],
    "rest": " three",
    "hang": [{"do": "hang"}],
}


def target(name: str, **fields: object) -> dict[str, object]:
    return {"provider": "stage", "model": name, "deployment": name, **fields}


TREE: Tree = {
    "http": {"listen": "127.0.0.1:0"},
    "providers": {"stage": {"kind": "scripted", "script": SCRIPTS}},
    "routing": {
        "breaker": {"failures": 2, "cooldown_s": 60},
        "retry": {"rounds": 1},
        "rules": [{"models": ["any"], "tags": ["eu"], "use": "up"}],
    },
    "models": [
        {"name": "any", "targets": [target("down"), target("up")]},
        {"name": "up", "targets": [target("up")]},
        {"name": "down", "targets": [target("down")], "fallbacks": {"general": ["up"]}},
        {"name": "alone", "targets": [target("down")]},
        {"name": "story", "targets": [target("broken"), target("rest")]},
        {"name": "slow", "targets": [target("hang"), target("up")]},
        {"name": "plain", "targets": [target("up")], "capabilities": ["chat"]},
    ],
}


def text(answer: generate_pb2.GenerateResponse) -> str:
    return "".join(part.text for part in answer.candidates[0].parts)


def tried(report: generate_pb2.CallReport) -> list[str]:
    return [attempt.deployment for attempt in report.attempts]


async def test_failover_breakers_and_how_they_are_shown(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        first = await gateway.calls.Generate(ask(model="any"))
        second = await gateway.calls.Generate(ask(model="down"))
        third = await gateway.calls.Generate(ask(model="any"))
        assert [text(answer) for answer in (first, second, third)] == ["from up"] * 3
        assert [tried(answer.report) for answer in (first, second, third)] == [
            ["down", "up"],
            ["down", "up"],
            ["up"],
        ]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.calls.Generate(ask(model="alone"))
        failed = failure_of(caught.value)
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "CIRCUIT_OPEN")
        assert 0 < failed.details["RetryInfo"].retry_delay.seconds <= 60
        health = await gateway.calls.Health(gateway_service_pb2.HealthRequest())
        states = {d.name: d.breaker_state for d in health.providers[0].deployments}
        assert (states["down"], states["up"]) == (OPEN, CLOSED)
        assert gateway.built.http is not None
        told = await http_get(gateway.built.http.address, "/metrics")
        level = 'interlingua_upstream_breaker_state{deployment="down",provider="stage"} 2.0'
        assert level in told.text


async def test_a_rule_sends_a_call_elsewhere(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        answer = await gateway.calls.Generate(ask(model="any", tags=["eu"]))
        assert tried(answer.report) == ["up"]
        assert answer.answered_by.model == "any"


async def test_a_hedge_that_the_caller_asked_for(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        routing = generate_pb2.RoutingOptions(hedge_after=Duration(nanos=10_000_000))
        answer = await gateway.calls.Generate(ask(model="slow", routing=routing))
        assert text(answer) == "from up"
        lost, won = answer.report.attempts
        assert (lost.deployment, lost.outcome) == ("hang", generate_pb2.ATTEMPT_OUTCOME_CANCELLED)
        assert (won.deployment, won.outcome) == ("up", generate_pb2.ATTEMPT_OUTCOME_OK)
        assert answer.usage.estimated
        await until(lambda: not gateway.in_flight)


async def test_a_broken_stream_is_gone_on_with_where_the_caller_allows_it(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        routing = generate_pb2.RoutingOptions(continue_broken_stream=True)
        stream = gateway.calls.StreamGenerate(ask(model="story", routing=routing))
        events = [event async for event in stream]
        kinds = [event.WhichOneof("event") for event in events]
        assert "".join(event.text_delta for event in events) == "one two three"
        at = kinds.index("attempt")
        assert kinds[at : at + 3] == ["attempt", "attempt", "text_delta"]
        assert [event.attempt.deployment for event in events[at : at + 2]] == ["broken", "rest"]
        assert kinds[-1] == "completed"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in gateway.calls.StreamGenerate(ask(model="story")):
                pass
        assert caught.value.code() is grpc.StatusCode.ABORTED


@pytest.mark.parametrize(
    ("routing", "field"),
    [
        (
            generate_pb2.RoutingOptions(
                required_capabilities=[generate_pb2.MODEL_CAPABILITY_IMAGE_INPUT]
            ),
            "routing.required_capabilities",
        ),
        (generate_pb2.RoutingOptions(max_cost_nano_usd=1), "routing.max_cost_nano_usd"),
    ],
)
async def test_a_demand_that_nobody_fulfils(
    tmp_path: Path, routing: generate_pb2.RoutingOptions, field: str
) -> None:
    async with running(TREE, tmp_path) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.calls.Generate(ask(model="plain", routing=routing))
        failed = failure_of(caught.value)
        assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
        assert failed.reason == "UNSUPPORTED_PARAMETER"
        assert failed.details["BadRequest"].field_violations[0].field == field
