"""Calls of both clients against a scripted gateway on a socket."""

import asyncio
import threading

import grpc
import pytest
from google.rpc import error_details_pb2

from interlingua import (
    CallCancelledError,
    Client,
    DeadlineExceededError,
    GenerateResult,
    InterlinguaError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    Resource,
    StreamBrokenError,
    UnavailableError,
    Violation,
)
from interlingua.v1 import gateway_service_pb2
from interlingua.v1.embed_pb2 import EMBEDDING_ENCODING_FLOAT32_LE, EmbedResponse
from interlingua.v1.generate_pb2 import BatchGenerateResponse
from tests.clients.python.conftest import SECRET
from tests.clients.python.scripted import answer, fail, info, status


async def test_generate(client, script):
    script.generate = lambda request, _: answer(request.messages[0].parts[0].text.upper())
    result = await client.generate("hello", "gpt", temperature=0)
    assert result.text == "HELLO"
    assert result.finish_reason == "stop"
    assert result.operation_id == "op"
    (request,) = script.requests
    assert request.model == "gpt"
    assert request.sampling.HasField("temperature")


async def test_metadata(client, script):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await client.generate("x", traceparent=trace, rpc_metadata=[("x-team", "a"), ("b-bin", b"\0")])
    assert script.metadata["authorization"] == f"Bearer {SECRET}"
    assert script.metadata["traceparent"] == trace
    assert script.metadata["x-team"] == "a"
    assert script.metadata["b-bin"] == b"\0"
    assert script.metadata["user-agent"].startswith("interlingua-python")


async def test_every_call_has_a_deadline(client, script):
    await client.generate("x")
    assert script.time_remaining_s == pytest.approx(600, rel=0.02)
    await client.generate("x", timeout_s=5000)
    assert script.time_remaining_s == pytest.approx(5000, rel=0.02)


async def test_deadline(client, script):
    script.generate = lambda *_: script.hold()
    with pytest.raises(DeadlineExceededError) as caught:
        await client.generate("x", timeout_s=0.2)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert script.over.wait(10)


async def test_error_with_details(client, script):
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="messages[0].role", description="must be set"
    )
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    reason = info("INVALID_REQUEST", operation_id="01J")
    script.generate = lambda _, context: fail(context, "INVALID_ARGUMENT", "no", reason, bad)
    with pytest.raises(InvalidRequestError) as caught:
        await client.generate("x")
    error = caught.value
    assert error.reason == "ERROR_REASON_INVALID_REQUEST"
    assert error.message == "no"
    assert error.operation_id == "01J"
    assert error.violations == (Violation("messages[0].role", "must be set"),)
    assert str(error) == "ERROR_REASON_INVALID_REQUEST: no; messages[0].role: must be set"
    error.message = "messages[0].role: must be set"
    assert str(error) == "ERROR_REASON_INVALID_REQUEST: messages[0].role: must be set"


async def test_rate_limit_is_not_retried(client, script):
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    details = info("RATE_LIMITED"), retry
    script.generate = lambda _, context: fail(context, "RESOURCE_EXHAUSTED", "slow", *details)
    with pytest.raises(RateLimitedError) as caught:
        await client.generate("x")
    assert caught.value.retry_after_s == 1.5
    assert len(script.requests) == 1


async def test_unavailable_is_retried(client, script):
    def generate(_, context):
        if len(script.requests) < 3:
            fail(context, "UNAVAILABLE", "not yet", info("SHUTTING_DOWN"))
        return answer("at last")

    script.generate = generate
    assert (await client.generate("x")).text == "at last"
    assert script.metadata["grpc-previous-rpc-attempts"] == "2"


async def test_a_large_request_is_retried(client, script):
    def generate(_, context):
        if len(script.requests) < 2:
            fail(context, "UNAVAILABLE", "not yet")
        return answer("at last")

    script.generate = generate
    assert (await client.generate("x" * 2_000_000)).text == "at last"


async def test_retries_end(client, script):
    script.generate = lambda _, context: fail(context, "UNAVAILABLE", "no", info("CIRCUIT_OPEN"))
    with pytest.raises(UnavailableError) as caught:
        await client.generate("x")
    assert caught.value.reason == "ERROR_REASON_CIRCUIT_OPEN"
    assert len(script.requests) == 5


async def test_large_answers_pass(client, script):
    script.generate = lambda *_: answer("x" * 6_000_000)
    assert len((await client.generate("x")).text) == 6_000_000


async def test_an_exception_of_the_server_is_an_error_of_ours(client, script):
    script.generate = lambda *_: 1 // 0
    with pytest.raises(InterlinguaError):
        await client.generate("x")


@pytest.mark.parametrize("packed", [True, False])
async def test_embed(client, script, packed):
    def embed(request, _):
        assert request.encoding == EMBEDDING_ENCODING_FLOAT32_LE
        response = EmbedResponse()
        for number, _input in enumerate(request.inputs):
            embedding = response.embeddings.add(index=number)
            if packed:
                embedding.float32_le = b"\0\0\x80\x3f\0\0\0\xc0"
            else:
                embedding.values.extend([1.0, -2.0])
        return response

    script.embed = embed
    result = await client.embed(["a", [1, 2]], "e", dimensions=2, normalize=True)
    assert result.vectors == [[1.0, -2.0], [1.0, -2.0]]
    assert [list(buffer) for buffer in result.buffers] == result.vectors
    assert result.buffers[0].format == "f"
    (request,) = script.requests
    assert list(request.inputs[1].token_ids.ids) == [1, 2]
    assert request.normalize
    await client.embed("one text")
    assert [item.text for item in script.requests[1].inputs] == ["one text"]


async def test_batch_keeps_the_order(client, script):
    def batch(request, _):
        yield BatchGenerateResponse(index=2, response=answer("c"))
        gone = status("NOT_FOUND", "gone", info("MODEL_NOT_FOUND"))
        yield BatchGenerateResponse(index=1, error=gone)
        yield BatchGenerateResponse(index=0, response=answer("a"))

    script.batch = batch
    results = await client.batch(["a", "b", "c"], "gpt", max_parallel=2, seed=1)
    assert isinstance(results[0], GenerateResult)
    assert results[0].text == "a"
    assert isinstance(results[1], NotFoundError)
    assert results[2].text == "c"
    (request,) = script.requests
    assert request.max_parallel == 2
    assert [one.sampling.seed for one in request.requests] == [1, 1, 1]


async def test_batch_that_breaks_keeps_what_came(client, script):
    def batch(_, context):
        yield BatchGenerateResponse(index=1, response=answer("b"))
        fail(context, "UNAVAILABLE", "lost")

    script.batch = batch
    results = await client.batch(["a", "b"])
    assert isinstance(results[0], StreamBrokenError)
    assert results[1].text == "b"


async def test_batch_with_a_hole(client, script):
    script.batch = lambda *_: iter([BatchGenerateResponse(index=0, response=answer("a"))])
    results = await client.batch(["a", "b"])
    assert results[0].text == "a"
    assert isinstance(results[1], StreamBrokenError)


async def test_batch_that_does_not_begin(client, script):
    def batch(_, context):
        fail(context, "PERMISSION_DENIED", "no", info("PERMISSION_DENIED"))
        yield

    script.batch = batch
    with pytest.raises(InterlinguaError) as caught:
        await client.batch(["a", "b"])
    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_models(client, script):
    names = [model.name for model in await client.models(timeout_s=5)]
    assert names == ["model-0", "model-1", "model-2"]


async def test_model(client):
    assert (await client.model("known")).context_window_tokens == 4096
    with pytest.raises(NotFoundError) as caught:
        await client.model("gpt-5o")
    assert caught.value.resource == Resource("model", "gpt-5o")


async def test_health(client):
    health = await client.health("openai")
    assert health.status == gateway_service_pb2.HEALTH_STATUS_HEALTHY
    assert health.version == "openai"


async def test_count_tokens(client, script):
    count = await client.count_tokens("x", "gpt", temperature=1)
    assert count.input_tokens == 7
    assert script.requests[0].request.model == "gpt"


async def test_cancelling_the_task_cancels_the_call(aio, script):
    arrived = threading.Event()

    def generate(*_):
        arrived.set()
        script.hold()

    script.generate = generate
    task = asyncio.ensure_future(aio.generate("x"))
    assert await asyncio.to_thread(arrived.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(script.over.wait, 10)


async def test_closing_the_client_ends_its_calls(aio, script):
    arrived = threading.Event()

    def generate(*_):
        arrived.set()
        script.hold()

    script.generate = generate
    task = asyncio.ensure_future(aio.generate("x"))
    assert await asyncio.to_thread(arrived.wait, 10)
    await aio.aclose()
    with pytest.raises(CallCancelledError):
        await task


def test_nobody_listens(tmp_path):
    with (
        Client(f"unix:{tmp_path}/nothing.sock") as client,
        pytest.raises(UnavailableError) as caught,
    ):
        client.generate("x")
    assert caught.value.reason == ""
