"""Limits as callers meet them: statuses, queue times, headroom, every method alike."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from interlingua.v1 import gateway_service_pb2, generate_pb2
from tests.support.calls import until
from tests.support.gateway import running
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask, embed


def _tree(*rules: dict[str, object], **queue: object) -> dict[str, object]:
    targets = [
        {"provider": "first", "model": "echo", "deployment": "first"},
        {"provider": "second", "model": "echo", "deployment": "second"},
    ]
    return {
        "providers": {"first": {"kind": "scripted"}, "second": {"kind": "scripted"}},
        "models": [{"name": "m", "aliases": ["default"], "targets": targets}],
        "limits": {"rules": list(rules), "queue": queue},
    }


def _details(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """The details of a refusal, by the name of their message."""
    metadata = error.trailing_metadata()
    assert metadata is not None
    status = status_pb2.Status.FromString(dict(metadata)["grpc-status-details-bin"])
    found: dict[str, object] = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        message = getattr(error_details_pb2, name)()
        detail.Unpack(message)
        found[name] = message
    return found


async def test_a_refusal_has_everything_to_act_on(clock: ManualClock, tmp_path: Path) -> None:
    rule = {"name": "team", "requests_per_minute": 30, "burst_requests": 1}
    async with running(_tree(rule), tmp_path, clock) as gateway:
        await gateway.calls.Generate(ask())
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await gateway.calls.Generate(ask())
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = _details(failure.value)
    assert details["ErrorInfo"].reason == "ERROR_REASON_RATE_LIMITED"
    assert details["ErrorInfo"].metadata["limit"] == "requests_per_minute"
    assert details["ErrorInfo"].metadata["rule"] == "team"
    assert details["RetryInfo"].retry_delay == Duration(seconds=2)
    (violation,) = details["QuotaFailure"].violations
    assert violation.subject == "gateway"
    assert violation.description == "at most 30 requests a minute"


async def test_every_method_counts_alike(clock: ManualClock, tmp_path: Path) -> None:
    rule = {"name": "team", "requests_per_minute": 60, "burst_requests": 6}
    async with running(_tree(rule), tmp_path, clock) as gateway:
        await gateway.calls.Generate(ask())
        async for _ in gateway.calls.StreamGenerate(ask()):
            pass
        await gateway.calls.Embed(embed("x", model="m"))
        await gateway.calls.CountTokens(generate_pb2.CountTokensRequest(request=ask()))
        batch = generate_pb2.BatchGenerateRequest(requests=[ask() for _ in range(4)])
        results = [result async for result in gateway.calls.BatchGenerate(batch)]
    assert sorted(result.WhichOneof("result") for result in results) == [
        "error",
        "error",
        "response",
        "response",
    ]


async def test_the_response_says_how_long_the_call_waited(
    clock: ManualClock, tmp_path: Path
) -> None:
    rule = {"name": "team", "requests_per_minute": 60, "burst_requests": 1}
    async with running(_tree(rule, max_waiting=5), tmp_path, clock) as gateway:
        await gateway.calls.Generate(ask())
        waits = asyncio.ensure_future(
            gateway.calls.Generate(ask(priority=generate_pb2.PRIORITY_HIGH))
        )
        await until(lambda: gateway.built.limits.waiting)
        await clock.until_waiting(1, (0.9, 1.1))
        clock.advance(1.0)
        response = await waits
    assert response.report.timings.queue == Duration(seconds=1)


async def test_a_provider_at_its_limit_is_passed_over(clock: ManualClock, tmp_path: Path) -> None:
    rule = {
        "name": "quota",
        "per": ["provider"],
        "providers": ["first"],
        "requests_per_minute": 60,
        "burst_requests": 2,
    }
    async with running(_tree(rule), tmp_path, clock) as gateway:
        answered = [(await gateway.calls.Generate(ask())).answered_by for _ in range(3)]
        health = await gateway.calls.Health(gateway_service_pb2.HealthRequest(provider="first"))
    assert [by.deployment for by in answered] == ["first", "first", "second"]
    (deployment,) = health.providers[0].deployments
    assert [(r.limit, r.capacity, r.remaining) for r in deployment.headroom] == [
        ("requests_per_minute", 2, 0)
    ]


async def test_without_limits_no_policy_stands_there(tmp_path: Path) -> None:
    async with running(_tree(), tmp_path) as gateway:
        assert gateway.built.limits.policies == ()
        providers = gateway.built.providers
        assert gateway.built.limits.around(providers) is providers
