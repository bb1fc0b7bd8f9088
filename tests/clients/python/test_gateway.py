"""Both clients against the real gateway with its scripted provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlingua import (
    CallCancelledError,
    Client,
    DeadlineExceededError,
    GenerateResult,
    InvalidRequestError,
    NotFoundError,
    StreamBrokenError,
    UnavailableError,
    function_tool,
    tool_result,
    user,
)
from interlingua.v1.feedback_service_pb2 import RecordFeedbackRequest
from interlingua.v1.gateway_service_pb2 import HEALTH_STATUS_UNHEALTHY
from interlingua.v1.usage_service_pb2 import (
    GetUsageRequest,
    ListOperationsRequest,
    UsageDimension,
)
from interlingua_gateway.app.build import build
from interlingua_gateway.config.load import load
from interlingua_gateway.core.clock import SystemClock
from tests.clients.python.conftest import SECRET

SCRIPTS = {
    "thinker": [
        {"do": "think", "text": "hm", "signature": "s"},
        {"do": "say", "text": "Hello you"},
    ],
    "caller": [
        {"do": "say", "text": "Wait"},
        {"do": "call_tool", "id": "1", "name": "f", "arguments_json": '{"a": 1}'},
    ],
    "down": [{"do": "fail", "reason": "UPSTREAM_RATE_LIMITED", "retry_after_s": 7}],
    "broken": [{"do": "say", "text": "Hello"}, {"do": "fail"}],
    "stuck": [{"do": "say", "text": "Hello"}, {"do": "hang"}],
}


def configuration(folder: Path) -> dict[str, object]:
    return {
        "server": {"listen": [f"unix:{folder}/gateway.sock"]},
        "auth": {"admin_key": "env:ADMIN_KEY"},
        "http": {"listen": None},
        "data_dir": str(folder / "data"),
        "providers": {"scripted": {"kind": "scripted", "script": SCRIPTS}},
        "models": [
            {
                "name": name,
                "aliases": ["default"] if name == "echo" else [],
                "targets": [{"provider": "scripted", "model": name}],
            }
            for name in ("echo", *SCRIPTS)
        ],
    }


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Where the gateway is: what the clients of conftest connect to."""
    file = tmp_path / "interlingua.yaml"
    file.write_text(json.dumps(configuration(tmp_path)))  # JSON is YAML too
    gateway = build(load(file, {"ADMIN_KEY": SECRET}).config, SystemClock(), {})
    gateway.ledger.start()
    await gateway.grpc.start()
    await gateway.grpc.serving()
    try:
        yield f"unix:{tmp_path}/gateway.sock"
    finally:
        await gateway.aclose()


async def test_generate(client):
    result = await client.generate("one two three four", "echo", max_output_tokens=2)
    assert result.text == "one two"
    assert result.finish_reason == "length"
    assert result.model == "echo"
    assert result.usage.input_tokens == 4
    assert result.operation_id
    assert (await client.generate("to the default")).text == "to the default"


async def test_stream_is_the_same_as_generate(client):
    whole = await client.generate("x", "thinker", candidate_count=2, logprobs=True)
    async with client.stream("x", "thinker", candidate_count=2, logprobs=True) as stream:
        assert [text async for text in stream.text_deltas(candidate=1)]
        streamed = stream.response
    assert streamed.candidates == whole.candidates
    assert streamed.reasoning == "hm"
    assert streamed.text == "Hello you"
    assert len(streamed.candidates[1].logprobs) == 2
    assert streamed.usage == whole.usage


async def test_a_conversation_with_tools(client):
    question = user("call it")
    tools = [function_tool("f", "does f", {"type": "object"})]
    result = await client.stream([question], "caller", tools=tools).collect()
    (call,) = result.tool_calls
    assert (call.name, call.arguments_json) == ("f", '{"a": 1}')
    assert result.finish_reason == "tool_calls"
    messages = [question, result.message, tool_result(call, "done")]
    assert (await client.generate(messages, tools=tools)).text == "call it"


async def test_embed(client):
    first, second = (await client.embed(["a", "b"], dimensions=8)).vectors
    assert len(first) == len(second) == 8
    assert sum(number * number for number in first) == pytest.approx(1, abs=1e-5)
    assert first != second


async def test_batch(client):
    done, failed, also_done = await client.batch(["a", [], "c"])
    assert isinstance(done, GenerateResult)
    assert isinstance(failed, InvalidRequestError)
    assert failed.violations
    assert (done.text, also_done.text) == ("a", "c")


async def test_models_and_health(client):
    names = {model.name for model in await client.models()}
    assert {"echo", "broken"} <= names
    assert (await client.model("echo")).deployments[0].provider == "scripted"
    assert (await client.health()).status != HEALTH_STATUS_UNHEALTHY
    assert (await client.count_tokens("one two")).input_tokens == 2


async def test_reports_and_feedback(address):
    with Client(address, api_key=SECRET) as blocking:
        answer = await asyncio.to_thread(blocking.generate, "one two", user="ann", tags=["t"])
        said = {"operation_id": answer.operation_id}
        given = await asyncio.to_thread(
            blocking.reports.record_feedback, RecordFeedbackRequest(useful=True, **said)
        )
        assert given.feedback_id
        usage = await asyncio.to_thread(blocking.reports.usage)
        assert (usage.total.operations, usage.total.unpriced_operations) == (1, 1)
        summary = await asyncio.to_thread(blocking.reports.cost_summary)
        assert summary.unpriced_operations == 1
        insights = await asyncio.to_thread(blocking.reports.insights)
        assert insights.total.useful_rate == 1
        every = await asyncio.to_thread(lambda: list(blocking.reports.operations()))
        assert [one.user for one in every] == ["ann"]


async def test_reports_and_feedback_for_asyncio(aio):
    for number in range(5):
        await aio.generate("one two", user=f"u{number}")
    request = ListOperationsRequest(page_size=2)
    found = [one async for one in aio.reports.operations(request)]
    assert sorted(one.user for one in found) == ["u0", "u1", "u2", "u3", "u4"]
    times_ms = [one.accepted_at.ToMilliseconds() for one in found]
    assert times_ms == sorted(times_ms, reverse=True)  # within one of them in any order
    assert request == ListOperationsRequest(page_size=2)
    by_user = GetUsageRequest(group_by=[UsageDimension.USAGE_DIMENSION_USER], max_groups=3)
    usage = await aio.reports.usage(by_user)
    assert (len(usage.groups), usage.omitted_groups) == (3, 2)
    assert (await aio.reports.cost_summary()).unpriced_operations == 5
    about = RecordFeedbackRequest(query="q", error="wrong")
    assert (await aio.reports.record_feedback(about)).feedback_id
    assert (await aio.reports.insights()).total.error_count == 1


async def test_unknown_model(client):
    with pytest.raises(NotFoundError) as caught:
        await client.generate("x", "ecko")
    assert caught.value.resource.name == "ecko"
    assert "echo" in caught.value.message
    assert caught.value.operation_id


async def test_no_messages(client):
    with pytest.raises(InvalidRequestError) as caught:
        await client.generate([])
    assert caught.value.violations[0].subject == "messages"


async def test_retry_after(client):
    with pytest.raises(UnavailableError) as caught:
        await client.generate("x", "down")
    assert caught.value.reason == "ERROR_REASON_UPSTREAM_RATE_LIMITED"
    assert caught.value.retry_after_s == 7


async def test_a_broken_stream(client):
    async with client.stream("x", "broken") as stream:
        with pytest.raises(StreamBrokenError) as caught:
            await stream.collect()
        assert caught.value.reason == "ERROR_REASON_STREAM_BROKEN"
        assert stream.partial.text == "Hello"


async def test_deadline(client):
    with pytest.raises(DeadlineExceededError):
        await client.stream("x", "stuck", timeout_s=0.3).collect()


async def test_close(client):
    async with client.stream("x", "stuck") as stream:
        async for _ in stream.text_deltas():
            break
    with pytest.raises(CallCancelledError):
        await stream.collect()


async def test_a_message_that_is_too_large(client):
    # 17 MiB is above the gateway's limit and below that of its transport.
    with pytest.raises(InvalidRequestError):
        await client.generate("x" * (17 * 1024 * 1024))


async def test_many_at_once(aio):
    answers = await asyncio.gather(*(aio.generate(f"number {n}") for n in range(50)))
    assert [answer.text for answer in answers] == [f"number {n}" for n in range(50)]
