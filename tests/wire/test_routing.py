"""The routing as callers see it: through a whole gateway."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import gateway_service_pb2, generate_pb2, model_service_pb2
from interlingua_gateway.providers.local.weights import PACKAGE
from tests.support.calls import until
from tests.support.failures import failure_of
from tests.support.gateway import Tree, running
from tests.support.http_get import http_get
from tests.support.redis_server import redis_server
from tests.support.requests import ask, embed

OPEN = gateway_service_pb2.BREAKER_STATE_OPEN
CLOSED = gateway_service_pb2.BREAKER_STATE_CLOSED
FAIL = {"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}
SCRIPTS = {
    "down": [FAIL],
    "up": "from up",
    "broken": [{"do": "say", "text": "one two"}, FAIL],
    "rest": " three",
    "hang": [{"do": "hang"}],
    "judge": '{"route": "deep"}',
}


def target(name: str, **fields: object) -> dict[str, object]:
    return {"provider": "stage", "model": name, "deployment": name, **fields}


def priced(name: str, **fields: object) -> dict[str, object]:
    price = {"input_usd_per_million": 1, "output_usd_per_million": 1}
    return target(name, price=price, **fields)


TREE: Tree = {
    "http": {"listen": "127.0.0.1:0"},
    "providers": {"stage": {"kind": "scripted", "script": SCRIPTS}},
    "routing": {
        "breaker": {"failures": 2, "cooldown_s": 60},
        "retry": {"rounds": 1},
        "rules": [
            {"models": ["any"], "tags": ["eu"], "use": "up"},
            {"tags": ["smart"], "capabilities": ["chat"], "use": "auto"},
        ],
    },
    "models": [
        {"name": "any", "targets": [target("down"), target("up")]},
        {"name": "up", "targets": [target("up")]},
        {"name": "down", "targets": [target("down")], "fallbacks": {"general": ["up"]}},
        {"name": "alone", "targets": [target("down")]},
        {"name": "story", "targets": [target("broken"), target("rest")]},
        {"name": "slow", "targets": [target("hang"), target("up")]},
        {"name": "judge", "targets": [priced("judge")]},
        {"name": "deep/*", "targets": [priced("*", deployment="deep", model="deep-*")]},
        {
            "name": "auto",
            "description": "Chooses by itself.",
            "classifier": {
                "model": "judge",
                "default": "direct",
                "routes": [
                    {"name": "direct", "description": "Small talk.", "use": "up"},
                    {"name": "deep", "description": "Proofs.", "use": "deep/thought"},
                ],
            },
        },
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


CLASSIFY = generate_pb2.ATTEMPT_PURPOSE_CLASSIFY
ANSWER = generate_pb2.ATTEMPT_PURPOSE_ANSWER
BY_CLASSIFIER = generate_pb2.ROUTE_DECISION_SOURCE_CLASSIFIER
BY_CACHE = generate_pb2.ROUTE_DECISION_SOURCE_CACHE


def decided(report: generate_pb2.CallReport) -> tuple[str, str, int]:
    """The decision that the answer was made under; it stands with no attempt of the classifier."""
    *asked, answered = report.attempts
    assert all(not attempt.HasField("decision") for attempt in asked)
    assert all(attempt.purpose == CLASSIFY for attempt in asked)
    assert answered.purpose == ANSWER
    decision = answered.decision
    return decision.model, decision.route, decision.source


async def test_a_classifier_chooses_whatever_the_method(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        whole = await gateway.calls.Generate(ask("whole", model="auto"))
        assert tried(whole.report) == ["judge", "deep"]
        assert decided(whole.report) == ("auto", "deep", BY_CLASSIFIER)
        assert (whole.answered_by.model, whole.answered_by.upstream_model) == (
            "auto",
            "deep-thought",
        )
        question, answer = whole.report.attempts
        assert question.cost.cost_nano_usd > 0
        assert not question.cost.estimated
        assert whole.cost.cost_nano_usd == question.cost.cost_nano_usd + answer.cost.cost_nano_usd
        tokens = whole.usage.input_tokens + whole.usage.output_tokens
        assert whole.cost.cost_nano_usd == 1000 * tokens
        again = await gateway.calls.Generate(ask("whole", model="auto"))
        assert decided(again.report) == ("auto", "deep", BY_CACHE)
        stream = gateway.calls.StreamGenerate(ask("streamed", model="auto"))
        events = [event async for event in stream]
        assert "".join(event.text_delta for event in events) == "streamed"
        assert decided(events[-1].completed.report) == ("auto", "deep", BY_CLASSIFIER)
        batch = generate_pb2.BatchGenerateRequest(
            requests=[ask("a", model="auto"), ask("whole", model="auto"), ask("up", model="up")]
        )
        results = {r.index: r async for r in gateway.calls.BatchGenerate(batch)}
        reports = [results[index].response.report for index in range(3)]
        assert [tried(report) for report in reports] == [["judge", "deep"], ["deep"], ["up"]]
        ruled = await gateway.calls.Generate(ask("ruled", model="any", tags=["smart"]))
        assert tried(ruled.report) == ["judge", "deep"]
        assert gateway.built.http is not None
        told = (await http_get(gateway.built.http.address, "/metrics")).text
    labels = 'gen_ai_request_model="auto",route="deep",source='
    assert f'interlingua_classifier_decisions_total{{{labels}"classifier"}} 4.0' in told
    assert f'interlingua_classifier_decisions_total{{{labels}"cache"}} 2.0' in told


async def test_a_classifier_is_no_model_that_embeds_but_one_that_is_listed(tmp_path: Path) -> None:
    async with running(TREE, tmp_path) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.calls.Embed(embed("a", model="auto"))
        failed = failure_of(caught.value)
        assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
        assert failed.details["BadRequest"].field_violations[0].field == "model"
        vectors = await gateway.calls.Embed(embed("a", model="up", tags=["smart"]))
        assert tried(vectors.report) == ["up"]
        asked = model_service_pb2.GetModelRequest(name="auto")
        model = (await gateway.models.GetModel(asked)).model
        assert model.description == "Chooses by itself."
        assert [d.name for d in model.deployments] == ["up", "deep"]
        count = generate_pb2.CountTokensRequest(request=ask("a b", model="auto"))
        assert (await gateway.calls.CountTokens(count)).input_tokens == 2


async def test_a_cached_answer_of_a_classified_call_asks_nobody(tmp_path: Path) -> None:
    tree = {**TREE, "models": [dict(model) for model in TREE["models"]]}  # type: ignore[attr-defined]
    (auto,) = [model for model in tree["models"] if model["name"] == "auto"]
    auto["cache"] = {}
    async with running(tree, tmp_path) as gateway:
        first = await gateway.calls.Generate(ask(model="auto"))
        second = await gateway.calls.Generate(ask(model="auto"))
    assert second.report.cache_status == generate_pb2.CACHE_STATUS_HIT
    assert (tried(first.report), tried(second.report)) == (["judge", "deep"], [])
    assert (text(first), second.cost.cost_nano_usd) == (text(second), 0)


async def test_gateways_share_choices_through_redis_and_choose_without_it(tmp_path: Path) -> None:
    directories = [tmp_path / "one", tmp_path / "two"]
    for directory in directories:
        directory.mkdir()
    with redis_server() as server:
        shared = {"redis": {"url": server.url, "timeout_s": 5}, "cache": {"store": "redis"}}
        tree = {**TREE, **shared}
        async with running(tree, directories[0]) as one, running(tree, directories[1]) as two:
            first = await one.calls.Generate(ask(model="auto"))
            await one.built.stores.blobs.settled()
            again = await two.calls.Generate(ask(model="auto"))
            assert decided(first.report) == ("auto", "deep", BY_CLASSIFIER)
            assert decided(again.report) == ("auto", "deep", BY_CACHE)
            server.kill()
            without = await two.calls.Generate(ask(model="auto"))
            assert decided(without.report) == ("auto", "deep", BY_CLASSIFIER)


REAL: Tree = {
    "providers": {
        "local": {"kind": "local", "local": {"threads": 1}},
        "stage": {"kind": "scripted"},
    },
    "models": [
        {"name": "small", "targets": [{"provider": "local", "model": "smollm2"}]},
        {"name": "talker", "targets": [target("talker")]},
        {"name": "reckoner", "targets": [target("reckoner")]},
        {
            "name": "auto",
            "classifier": {
                "model": "small",
                "default": "talk",
                "timeout_s": 100,
                "routes": [
                    {"name": "talk", "description": "Greetings and small talk.", "use": "talker"},
                    {
                        "name": "maths",
                        "description": "Mathematics: sums, equations, proofs.",
                        "use": "reckoner",
                    },
                ],
            },
        },
    ],
}


@pytest.mark.timeout(120)
@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the weights are missing")
async def test_the_embedded_model_is_a_classifier(tmp_path: Path) -> None:
    """The smallest model there is, held to the schema, tells small talk from mathematics."""
    async with running(REAL, tmp_path) as gateway:
        for said, route in (
            ("Nice weather, isn't it?", "talk"),
            ("Prove that the square root of 2 is irrational.", "maths"),
        ):
            answer = await gateway.calls.Generate(ask(said, model="auto"))
            assert decided(answer.report) == ("auto", route, BY_CLASSIFIER)
            assert answer.usage.output_tokens > 0
            assert not answer.usage.estimated
