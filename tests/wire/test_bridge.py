"""What nobody foresaw inside the gateway: callers learn nothing of it, and never hang."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.errors import Reason, UpstreamError
from tests.support.failures import Failure, failure
from tests.support.faulty import FaultyProvider, Raise
from tests.support.gateway import Running, scripted
from tests.support.http_get import http_get
from tests.support.requests import ask, embed

KEY = "canary-of-the-configuration-1"
SHAPED = "sk-canaryABCDEFGH0123456789"
CANARY = f"{KEY} {SHAPED}"


def tree(**more: object) -> dict[str, object]:
    provider = {"kind": "scripted", "api_key": "env:CANARY"}
    return {**scripted(), "providers": {"stage": provider}, **more}


@pytest.fixture
async def gateway(start):
    return await start(tree(), environment={"CANARY": KEY})


@pytest.fixture
async def measured(start):
    return await start(tree(http={"listen": "127.0.0.1:0"}), environment={"CANARY": KEY})


def break_with(gateway: Running, fault: Raise, *, late: bool = False) -> None:
    gateway.built.providers["stage"] = FaultyProvider(fault, late=late)


def calls(gateway: Running) -> list[object]:
    count = generate_pb2.CountTokensRequest(request=ask())
    return [
        gateway.calls.Generate(ask()),
        gateway.calls.StreamGenerate(ask()),
        gateway.calls.Embed(embed("a")),
        gateway.calls.CountTokens(count),
    ]


async def batch(gateway: Running, count: int = 3) -> list[generate_pb2.BatchGenerateResponse]:
    request = generate_pb2.BatchGenerateRequest(requests=[ask()] * count)
    return [result async for result in gateway.calls.BatchGenerate(request, timeout=10)]


def refused() -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_REFUSED_CREDENTIALS, CANARY)


FAULTS = {
    kind.__name__: partial(kind, CANARY)
    for kind in (ValueError, TimeoutError, RuntimeError, KeyError, StopAsyncIteration, OSError)
} | {"refused": refused}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_secret_in_an_exception_goes_nowhere(measured, fault, late):
    gateway = measured
    break_with(gateway, FAULTS[fault], late=late)
    seen = []
    for call in calls(gateway):
        failed = await failure(call)
        broken = late and fault == "refused"
        assert failed.reason == (
            "STREAM_BROKEN"
            if broken
            else "UPSTREAM_REFUSED_CREDENTIALS"
            if fault == "refused"
            else "INTERNAL"
        )
        seen += [failed.message, str(failed.details)]
    for item in await batch(gateway):
        failed = Failure(item.error)
        seen += [failed.message, str(failed.details)]
    log = gateway.log
    assert broken or "call failed inside the gateway" in log
    metrics = (await http_get(gateway.built.http.address, "/metrics")).text
    assert "interlingua_upstream_errors_total" in metrics
    for text in (*seen, log, metrics):
        assert KEY not in text
        assert SHAPED not in text
    for text in seen:
        assert "Error" not in text.replace("ErrorInfo", "")


async def test_an_operation_that_failed_inside_is_found_in_the_log(gateway):
    break_with(gateway, partial(ValueError, "a bug"))
    told = [await failure(call) for call in calls(gateway)]
    told += [Failure(item.error) for item in await batch(gateway)]
    logged = {
        line["operation_id"] for line in gateway.log_lines if "a bug" in line.get("error", "")
    }
    for failed in told:
        assert failed.reason == "INTERNAL"
        assert failed.metadata == {"operation_id": failed.metadata["operation_id"]}
        assert failed.metadata["operation_id"] in logged


async def test_refused_credentials_of_the_gateway_are_found_in_the_log(gateway):
    break_with(gateway, refused)
    told = [await failure(call) for call in calls(gateway)]
    told += [Failure(item.error) for item in await batch(gateway)]
    log = gateway.log
    for failed in told:
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.INTERNAL,
            "UPSTREAM_REFUSED_CREDENTIALS",
        )
        assert failed.metadata["operation_id"] in log


@pytest.mark.parametrize("late", [False, True])
async def test_a_task_of_ours_that_was_cancelled_is_no_hang(gateway, late):
    break_with(gateway, asyncio.CancelledError, late=late)
    for call in calls(gateway):
        failed = await asyncio.wait_for(failure(call), 5)
        assert failed.code is grpc.StatusCode.UNAVAILABLE
        assert failed.reason == "UPSTREAM_UNAVAILABLE"
    assert {Failure(item.error).reason for item in await batch(gateway)} == {"UPSTREAM_UNAVAILABLE"}
    assert gateway.in_flight == 0


async def test_after_a_fault_the_next_call_is_served(gateway):
    good = gateway.built.providers["stage"]
    break_with(gateway, partial(ValueError, "a bug"))
    await failure(gateway.calls.Generate(ask()))
    gateway.built.providers["stage"] = good
    answer = await gateway.calls.Generate(ask("again"))
    assert answer.candidates[0].parts[0].text == "again"


async def test_a_method_that_does_not_exist_is_unimplemented(gateway):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.method("Nothing")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
