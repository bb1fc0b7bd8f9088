"""BatchGenerate: each request on its own, each result under its index."""

from __future__ import annotations

import asyncio

import grpc

from interlingua.v1 import generate_pb2
from tests.support.failures import Failure, failure
from tests.support.gateway import openai, scripted
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask
from tests.support.upstream import Upstream, Visit, whole

Batch = generate_pb2.BatchGenerateRequest
ANSWER = whole(
    b'{"id":"x","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


async def test_every_request_has_one_result_under_its_index(start):
    gateway = await start(scripted(down=[{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]))
    requests = [
        ask("zero"),
        ask("one", model="unknown"),
        generate_pb2.GenerateRequest(),
        ask("three", model="down"),
        ask("four"),
    ]
    results = {
        result.index: result
        async for result in gateway.calls.BatchGenerate(Batch(requests=requests))
    }
    assert sorted(results) == [0, 1, 2, 3, 4]
    for index, word in ((0, "zero"), (4, "four")):
        assert results[index].response.candidates[0].parts[0].text == word
    reasons = [Failure(results[i].error).reason for i in (1, 2, 3)]
    assert reasons == ["MODEL_NOT_FOUND", "INVALID_REQUEST", "UPSTREAM_UNAVAILABLE"]
    assert Failure(results[2].error).fields == ["messages"]
    ids = [results[i].response.operation_id for i in (0, 4)]
    ids += [Failure(results[i].error).metadata["operation_id"] for i in (1, 2, 3)]
    assert len(set(ids)) == 5


async def test_the_error_of_an_item_is_the_one_that_generate_gives(start):
    gateway = await start(scripted())
    bad = ask(model="unknown")
    alone = await failure(gateway.calls.Generate(bad))
    async for result in gateway.calls.BatchGenerate(Batch(requests=[bad])):
        item = Failure(result.error)
    assert (item.code, item.message, set(item.details)) == (
        alone.code,
        alone.message,
        set(alone.details),
    )


async def test_results_come_as_they_get_ready(start):
    clock = ManualClock()
    slow = [{"do": "wait", "seconds": 50}, {"do": "say", "text": "late"}]
    gateway = await start(scripted(slow=slow), clock=clock)
    call = gateway.calls.BatchGenerate(Batch(requests=[ask(model="slow"), ask("early")]))
    assert (await call.read()).index == 1
    clock.advance(50)
    last = await call.read()
    assert (last.index, last.response.candidates[0].parts[0].text) == (0, "late")
    assert await call.read() is grpc.aio.EOF


async def bounded(start, count: int, **fields: object) -> int:
    """How many of `count` requests were at the upstream at once."""
    now = most = 0
    go = asyncio.Event()

    async def answer(visit: Visit) -> bool:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if len(upstream.visits) >= min(count, most):
            asyncio.get_running_loop().call_soon(go.set)
        await go.wait()
        now -= 1
        await visit.send(ANSWER)
        return True

    async with Upstream(answer) as upstream:
        tree = {**openai(upstream.url), "server": {"batch_concurrency": 4}}
        gateway = await start(tree, environment={"UP_KEY": "k"})
        request = Batch(requests=[ask(str(i)) for i in range(count)], **fields)
        results = [result async for result in gateway.calls.BatchGenerate(request)]
        assert sorted(r.index for r in results) == list(range(count))
        assert all(r.response.candidates for r in results)
    return most


async def test_no_more_run_at_once_than_the_caller_or_the_gateway_allows(start):
    assert await bounded(start, 12, max_parallel=2) <= 2
    assert await bounded(start, 12, max_parallel=100) <= 4
    assert await bounded(start, 12) <= 4


async def test_a_cancelled_batch_ends_all_its_calls(start):
    arrived = asyncio.Event()

    async def answer(visit: Visit) -> None:
        if len(upstream.visits) == 3:
            arrived.set()
        await visit.gone()

    async with Upstream(answer) as upstream:
        gateway = await start(openai(upstream.url), environment={"UP_KEY": "k"})
        call = gateway.calls.BatchGenerate(Batch(requests=[ask()] * 3))
        await arrived.wait()
        call.cancel()
        await asyncio.wait_for(upstream.none_open(), 1)
        await asyncio.wait_for(gateway.built.grpc.front.drained(), 1)


async def test_the_deadline_of_a_batch_is_the_deadline_of_its_items(start):
    clock = ManualClock()
    gateway = await start(scripted(never=[{"do": "hang"}]), clock=clock)
    call = gateway.calls.BatchGenerate(Batch(requests=[ask("a"), ask(model="never")]), timeout=30)
    assert (await call.read()).index == 0
    clock.advance(30)
    late = await call.read()
    failed = Failure(late.error)
    assert (late.index, failed.reason) == (1, "DEADLINE_EXCEEDED")
    assert failed.metadata["phase"] == "first_token"
    assert await call.read() is grpc.aio.EOF
