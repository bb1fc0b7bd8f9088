"""A streamed answer: numbered, first `start`, last `completed`, and never whole when it broke."""

from __future__ import annotations

import json

import grpc
import pytest

from interlingua.v1 import content_pb2, generate_pb2
from tests.support.failures import failure_of
from tests.support.gateway import openai, scripted
from tests.support.listener import EVENT
from tests.support.requests import ask
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse

Sampling = generate_pb2.SamplingOptions
STOP, TOOL_CALLS = generate_pb2.FINISH_REASON_STOP, generate_pb2.FINISH_REASON_TOOL_CALLS
LENGTH = generate_pb2.FINISH_REASON_LENGTH


async def read(call) -> list[generate_pb2.StreamGenerateResponse]:
    """All events of a stream that comes to its end, after checking what holds for every stream."""
    events = [event async for event in call]
    check_order(events)
    assert kinds(events)[-1] == "completed"
    return events


async def read_into(events: list[generate_pb2.StreamGenerateResponse], call) -> None:
    async for event in call:
        events.append(event)


def check_order(events: list[generate_pb2.StreamGenerateResponse]) -> None:
    assert [event.sequence for event in events] == list(range(len(events)))
    assert kinds(events)[0] == "start"
    assert kinds(events).count("start") == 1
    assert None not in kinds(events)


def kinds(events: list[generate_pb2.StreamGenerateResponse]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def text(events: list[generate_pb2.StreamGenerateResponse], candidate: int = 0) -> str:
    return "".join(e.text_delta for e in events if e.candidate_index == candidate)


async def test_an_echo_is_streamed_word_by_word(start):
    gateway = await start(scripted())
    events = await read(gateway.calls.StreamGenerate(ask("one two three")))
    assert kinds(events) == ["start", *["text_delta"] * 3, "finish", "usage", "completed"]
    assert text(events) == "one two three"
    begun = events[0].start
    assert begun.operation_id.startswith("op_")
    assert (begun.answered_by.model, begun.answered_by.provider) == ("default", "stage")
    assert begun.answered_by.deployment == "stage/echo"
    assert begun.answered_by.upstream_id == "scripted"
    assert begun.answered_by.accepted_at.seconds > 1_700_000_000
    assert events[4].finish.reason == STOP
    done = events[-1].completed
    assert done.usage == events[5].usage
    assert (done.usage.input_tokens, done.usage.output_tokens) == (3, 3)
    assert not done.usage.estimated
    attempt = done.report.attempts[0]
    assert (attempt.deployment, attempt.outcome) == (
        "stage/echo",
        generate_pb2.ATTEMPT_OUTCOME_OK,
    )
    assert attempt.error_reason == ""
    assert done.report.timings.total.ToNanoseconds() > 0
    assert done.report.timings.HasField("time_to_first_token")


async def test_the_stream_and_the_whole_answer_say_the_same(start):
    steps = [
        {"do": "think", "text": "hm hm", "signature": "proof"},
        {"do": "say", "text": "Let me look."},
        {"do": "call_tool", "id": "c1", "name": "look", "arguments_json": '{"at": "x"}'},
        {"do": "call_tool", "id": "c2", "name": "find", "arguments_json": "{}"},
    ]
    gateway = await start(scripted(agent=steps))
    events = await read(gateway.calls.StreamGenerate(ask(model="agent")))
    whole = await gateway.calls.Generate(ask(model="agent"))
    candidate = whole.candidates[0]
    reasoning, said, *tools = candidate.parts
    assert (reasoning.reasoning.text, reasoning.reasoning.signature) == ("hm hm", b"proof")
    assert said.text == text(events) == "Let me look."
    thought = [e.reasoning_delta for e in events if e.WhichOneof("event") == "reasoning_delta"]
    assert "".join(delta.text for delta in thought) == "hm hm"
    assert thought[-1].signature == b"proof"
    deltas = [e.tool_call_delta for e in events if e.WhichOneof("event") == "tool_call_delta"]
    for index, part in enumerate(tools):
        mine = [delta for delta in deltas if delta.call_index == index]
        assert (mine[0].id, mine[0].name) == (part.tool_call.id, part.tool_call.name)
        assert not any(delta.id or delta.name for delta in mine[1:])
        joined = "".join(delta.arguments_json_fragment for delta in mine)
        assert joined == part.tool_call.arguments_json
        json.loads(joined)
    assert [part.tool_call.name for part in tools] == ["look", "find"]
    assert candidate.finish.reason == TOOL_CALLS
    assert whole.usage == events[-1].completed.usage
    assert whole.usage.reasoning_tokens == 2


async def test_several_candidates_are_told_apart(start):
    gateway = await start(scripted())
    request = ask("a b", sampling=Sampling(candidate_count=3))
    events = await read(gateway.calls.StreamGenerate(request))
    assert [text(events, index) for index in range(3)] == ["a b"] * 3
    finished = [e.candidate_index for e in events if e.WhichOneof("event") == "finish"]
    assert finished == [0, 1, 2]
    whole = await gateway.calls.Generate(request)
    assert [(c.index, c.parts[0].text) for c in whole.candidates] == [(i, "a b") for i in range(3)]
    assert whole.usage.output_tokens == 6


async def test_log_probabilities_come_with_their_tokens(start):
    gateway = await start(scripted())
    request = ask("alpha beta", sampling=Sampling(logprobs=True, top_logprobs=2))
    events = await read(gateway.calls.StreamGenerate(request))
    tokens = [t for e in events for t in e.logprobs.tokens]
    assert "".join(token.token for token in tokens) == "alpha beta"
    assert tokens[0].raw == b"alpha"
    assert [len(token.top) for token in tokens] == [2, 2]
    whole = await gateway.calls.Generate(request)
    assert list(whole.candidates[0].logprobs) == tokens


async def test_stop_sequences_and_limits_end_an_answer(start):
    gateway = await start(scripted())
    stopped = ask("one two three", sampling=Sampling(stop_sequences=["two"]))
    events = await read(gateway.calls.StreamGenerate(stopped))
    finish = next(e.finish for e in events if e.WhichOneof("event") == "finish")
    assert finish.reason == generate_pb2.FINISH_REASON_STOP_SEQUENCE
    assert finish.stop_sequence == "two"
    assert text(events).strip() == "one"
    cut = await gateway.calls.Generate(ask("one two", sampling=Sampling(max_output_tokens=1)))
    assert cut.candidates[0].finish.reason == LENGTH


async def test_a_long_stream_says_its_usage_so_far(start):
    gateway = await start(scripted(long=" ".join(["word"] * 300)))
    events = await read(gateway.calls.StreamGenerate(ask(model="long")))
    usages = [e.usage for e in events if e.WhichOneof("event") == "usage"]
    assert len(usages) == 300 // 64 + 1
    counts = [usage.output_tokens for usage in usages[:-1]]
    assert counts == sorted(counts)
    assert all(usage.estimated for usage in usages[:-1])
    assert (usages[-1].output_tokens, usages[-1].estimated) == (300, False)
    assert events[-1].completed.usage == usages[-1]


async def test_a_fallback_takes_over_and_the_failed_attempt_is_announced(start):
    gateway = await start(scripted(down=[{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]))
    routing = generate_pb2.RoutingOptions(fallback_models=["echo"])
    request = ask("saved", model="down", routing=routing)
    events = await read(gateway.calls.StreamGenerate(request))
    assert kinds(events)[:3] == ["start", "attempt", "text_delta"]
    assert events[0].start.answered_by.deployment == "echo"
    failed = events[1].attempt
    assert (failed.deployment, failed.outcome) == ("down", generate_pb2.ATTEMPT_OUTCOME_FAILED)
    assert failed.error_reason == "ERROR_REASON_UPSTREAM_UNAVAILABLE"
    report = events[-1].completed.report
    assert [a.deployment for a in report.attempts] == ["down", "echo"]
    whole = await gateway.calls.Generate(request)
    assert [a.deployment for a in whole.report.attempts] == ["down", "echo"]
    assert whole.candidates[0].parts[0].text == "saved"


async def test_when_all_fail_the_attempts_are_told(start):
    gateway = await start(
        scripted(
            slow=[{"do": "fail", "reason": "UPSTREAM_RATE_LIMITED", "retry_after_s": 9}],
            down=[{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE", "retry_after_s": 4}],
        )
    )
    routing = generate_pb2.RoutingOptions(fallback_models=["down"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.calls.Generate(ask(model="slow", routing=routing))
    failed = failure_of(caught.value)
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "ALL_TARGETS_FAILED")
    assert failed.retry_s == 4
    assert failed.metadata["attempts"] == "slow=UPSTREAM_RATE_LIMITED, down=UPSTREAM_UNAVAILABLE"


async def test_the_callers_fault_is_not_tried_elsewhere(start):
    gateway = await start(scripted(bad=[{"do": "fail", "reason": "CONTENT_FILTERED"}]))
    routing = generate_pb2.RoutingOptions(fallback_models=["echo"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.calls.Generate(ask(model="bad", routing=routing))
    assert failure_of(caught.value).reason == "CONTENT_FILTERED"


async def test_a_stream_that_breaks_says_what_was_sent(start):
    broken = [{"do": "say", "text": "so far so good"}, {"do": "fail", "message": "gone"}]
    gateway = await start(scripted(broken=broken))
    events = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_into(events, gateway.calls.StreamGenerate(ask(model="broken")))
    check_order(events)
    assert kinds(events) == ["start", *["text_delta"] * 4]
    failed = failure_of(caught.value)
    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "STREAM_BROKEN")
    assert failed.metadata["events_sent"] == "5"
    assert failed.metadata["cause"] == "UPSTREAM_UNAVAILABLE"
    assert int(failed.metadata["output_tokens"]) > 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.calls.Generate(ask(model="broken"))
    assert failure_of(caught.value).reason == "UPSTREAM_UNAVAILABLE"


async def test_what_was_not_honoured_is_listed_where_the_caller_allowed_it(start):
    end = b'{"id":"x","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'

    async def answer(visit: Visit) -> bool:
        assert b"top_k" not in visit.body
        await visit.send(STREAM_HEAD + sse(EVENT, end, b"[DONE]") + LAST_CHUNK)
        return True

    async with Upstream(answer) as upstream:
        gateway = await start(openai(upstream.url), environment={"UP_KEY": "k"})
        request = ask(sampling=Sampling(top_k=5))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.calls.Generate(request)
        assert failure_of(caught.value).reason == "UNSUPPORTED_PARAMETER"
        assert failure_of(caught.value).fields == ["sampling.top_k"]
        assert upstream.connections == 0
        request.unsupported_parameters = generate_pb2.UNSUPPORTED_PARAMETER_POLICY_WARN
        events = await read(gateway.calls.StreamGenerate(request))
    warnings = events[-1].completed.report.warnings
    assert [warning.field for warning in warnings] == ["sampling.top_k"]
    assert events[-1].completed.usage.estimated


async def test_a_forced_tool_is_called(start):
    gateway = await start(scripted())
    request = ask(
        tools=[content_pb2.Tool(name="a"), content_pb2.Tool(name="b")],
        tool_choice=content_pb2.ToolChoice(tool_name="b"),
    )
    whole = await gateway.calls.Generate(request)
    assert whole.candidates[0].parts[0].tool_call.name == "b"


async def test_the_trace_of_the_caller_reaches_the_upstream(start):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = []

    async def answer(visit: Visit) -> bool:
        seen.append((visit.headers.get("traceparent"), visit.headers.get("tracestate")))
        await visit.send(STREAM_HEAD + sse(b"[DONE]") + LAST_CHUNK)
        return True

    async with Upstream(answer) as upstream:
        gateway = await start(openai(upstream.url), environment={"UP_KEY": "k"})
        for metadata in (
            (("traceparent", parent), ("tracestate", "a=b")),
            (("traceparent", "nonsense"), ("tracestate", "a=b")),
            (("traceparent", parent), ("tracestate", "a=" + "b" * 600)),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await gateway.calls.Generate(ask(), metadata=metadata)
    # Each answer is no answer, so each call is tried again: with the same context.
    assert list(dict.fromkeys(seen)) == [(parent, "a=b"), (None, None), (parent, None)]
