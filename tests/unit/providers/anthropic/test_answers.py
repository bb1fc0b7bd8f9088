"""What Anthropic's answers become: whole bodies and streams, by every way of cutting the bytes."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import (
    Answer,
    AnswerEvent,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.types import Reasoning, Text, ToolCall
from interlingua_gateway.providers.transport.replay import Replayed
from tests.support.anthropic import Bench, attempt, block, events, message, start, stop, text
from tests.support.openai import ask, stream, whole

STARTED = UsageUpdate(Usage(7, 1))
ENDED = UsageUpdate(Usage(7, 3))
STOP = Finish(0, FinishReason.STOP)

USAGE = {
    "input_tokens": 5,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 2,
    "service_tier": "priority",
}
RICH = events([
    start(**USAGE),
    {"type": "ping"},
    *block(
        0, {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "h"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": "SIG=="},
    ),
    *block(1, {"type": "redacted_thinking", "data": "HIDDEN"}),
    *text(2, "Grüße ", "🦉"),
    *block(
        3, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
    ),
    *block(4, {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"x": 1}]}),
    *block(
        5, {"type": "text", "text": "", "citations": []},
        {"type": "citations_delta", "citation": {"type": "page_location"}},
    ),
    *block(
        6, {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a"'},
        {"type": "input_json_delta", "partial_json": ":1}"},
    ),
    *block(7, {"type": "tool_use", "id": "t2", "name": "g", "input": {}}),
    {"type": "an_event_that_is_to_come", "data": [1]},
    *stop("tool_use", output_tokens=9, output_tokens_details={"thinking_tokens": 4}),
])  # fmt: skip
BEGUN = Usage(35, 2, 20, 10, cache_write_1h_input_tokens=4, service_tier="priority")
COUNTED = msgspec.structs.replace(BEGUN, output_tokens=9, reasoning_tokens=4)
RICH_EVENTS = [
    ReasoningDelta(0, "h"),
    ReasoningDelta(0, "m"),
    ReasoningDelta(0, signature=b"SIG=="),
    ReasoningDelta(0, signature=b"HIDDEN", redacted=True),
    TextDelta(0, "Grüße "),
    TextDelta(0, "🦉"),
    ToolCallDelta(0, 0, "t1", "f"),
    ToolCallDelta(0, 0, arguments_json='{"a"'),
    ToolCallDelta(0, 0, arguments_json=":1}"),
    ToolCallDelta(0, 1, "t2", "g"),
    ToolCallDelta(0, 1, arguments_json="{}"),
    Finish(0, FinishReason.TOOL_CALLS),
]


async def events_of(*responses: Replayed, streaming: bool = True) -> list[AnswerEvent]:
    reply = await Bench(*responses).provider.open(attempt(ask(), streaming=streaming))
    found = [event async for batch in reply for event in batch]
    assert all(response.closed for response in responses)
    return found


async def whole_events(*content: dict[str, Any], **more: Any) -> list[AnswerEvent]:
    return await events_of(whole(message(*content, **more)), streaming=False)


async def test_stream() -> None:
    reply = await Bench(stream(RICH)).provider.open(attempt(ask(), streaming=True))
    names = (reply.start.upstream_id, reply.start.upstream_model)
    assert names == ("msg_1", "claude-sonnet-5-20260101")
    assert reply.source is None
    found = [event async for batch in reply for event in batch]
    assert found == [*RICH_EVENTS[:-1], UsageUpdate(COUNTED), RICH_EVENTS[-1]]


@settings(deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=20), crlf=st.booleans())
async def test_stream_by_any_cut(places: list[int], crlf: bool) -> None:
    data = RICH.replace(b"\n", b"\r\n") if crlf else RICH
    edges = [0, *sorted(place % len(data) for place in places), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
    found = await events_of(stream(*pieces))
    assert [event for event in found if not isinstance(event, UsageUpdate)] == RICH_EVENTS
    counts = [event.usage for event in found if isinstance(event, UsageUpdate)]
    assert counts in ([COUNTED], [BEGUN, COUNTED])


async def test_parts_of_the_answer() -> None:
    reply = await Bench(stream(RICH)).provider.open(attempt(ask(), streaming=True))
    answer = await reply.collect()
    assert answer.usage == COUNTED
    assert answer.candidates[0].parts == (
        Reasoning(text="hm", signature=b"SIG=="),
        Reasoning(signature=b"HIDDEN", redacted=True),
        Text(text="Grüße 🦉"),
        ToolCall(id="t1", name="f", arguments_json='{"a":1}'),
        ToolCall(id="t2", name="g", arguments_json="{}"),
    )


async def test_one_read_is_one_batch_and_a_beginning_alone_is_none() -> None:
    """While no content has come, the call can still go elsewhere; the count waits for it."""
    reads = [
        events([start(), {"type": "ping"}, text(0)[0]]),
        events(text(0, "a", "b")[1:]),
        events(stop()[:1]),
        events(stop()[1:]),
    ]
    reply = await Bench(stream(*reads)).provider.open(attempt(ask(), streaming=True))
    assert [list(batch) async for batch in reply] == [
        [TextDelta(0, "a"), TextDelta(0, "b"), STARTED],
        [ENDED, STOP],
    ]


async def test_failure_after_the_beginning_is_one_before_the_first_event() -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    reads = [events([start(), text(0)[0]]), events([overloaded])]
    with pytest.raises(UpstreamError) as raised:
        await Bench(stream(*reads)).provider.open(attempt(ask(), streaming=True))
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE


async def test_what_follows_the_end_is_not_read() -> None:
    data = events([start(), *text(0, "a"), *stop()])
    found = await events_of(stream(data + b"data: nonsense\n\n", broken=True))
    assert found == [TextDelta(0, "a"), ENDED, STOP]


async def test_end_that_no_empty_line_has_closed() -> None:
    data = events([start(), *text(0, "a"), *stop()])[:-2]
    assert (await events_of(stream(data)))[-1] == STOP


ERROR = {"type": "error", "error": {"type": "api_error"}}
BEGIN = [start(), *text(0, "a")]
INCOMPLETE = {
    "nothing": b"",
    "only a beginning": events([start()]),
    "no stop reason, no end": events(BEGIN),
    "no end": events([*BEGIN, stop()[0]]),
    "no stop reason": events([*BEGIN, {"type": "message_stop"}]),
    "only the end": events([{"type": "message_stop"}]),
    "cut in the end": events([*BEGIN, *stop()])[:-6],
    "another dialect's end": events(BEGIN) + b"data: [DONE]\n\n",
    "no JSON": events(BEGIN) + b"data: {oops\n\n" + events(stop()),
    "no UTF-8": events(BEGIN) + b'data: {"type":"\xff"}\n\n' + events(stop()),
    "arguments that are no UTF-8": events(BEGIN)
    + b'data: {"type":"content_block_start","content_block":{"type":"tool_use","input":"\xff"}}\n\n'
    + events(stop()),
    "wrong type": b'data: {"type":"content_block_delta","delta":{"text":7}}\n\n',
    "an array": b"data: []\n\n",
}


@pytest.mark.parametrize("data", INCOMPLETE.values(), ids=INCOMPLETE)
async def test_incomplete_stream_never_looks_successful(data: bytes) -> None:
    response = stream(data)
    with pytest.raises(UpstreamError) as raised:
        await events_of(response)
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE
    assert response.closed


@given(place=st.integers(1, len(RICH) - 3))
async def test_stream_that_is_cut_anywhere_never_looks_successful(place: int) -> None:
    """Without as much as its last brace."""
    with pytest.raises(UpstreamError):
        await events_of(stream(RICH[:place]))


async def test_the_finish_comes_only_with_the_end() -> None:
    reads = [events(BEGIN), events(stop("tool_use")[:1])]
    reply = await Bench(stream(*reads, broken=True)).provider.open(attempt(ask(), streaming=True))
    assert await reply.next() == [TextDelta(0, "a"), STARTED]
    with pytest.raises(UpstreamError) as raised:
        await reply.next()
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ({"type": "overloaded_error"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        ({"type": "api_error"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        ({"type": "rate_limit_error"}, UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        ({"type": "authentication_error"}, UpstreamError, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        ({"type": "invalid_request_error"}, CallerError, Reason.INVALID_REQUEST),
        (
            {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8"},
            CallerError,
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        ({"type": "a_new_error"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_error_inside_a_successful_response(
    error: dict[str, object], kind: type[GatewayError], reason: Reason, streaming: bool
) -> None:
    value = {"type": "error", "error": error}
    response = stream(events([value])) if streaming else whole(value)
    with pytest.raises(kind) as raised:
        await events_of(response, streaming=streaming)
    assert raised.value.reason is reason
    assert response.closed


async def test_error_after_the_first_event() -> None:
    response = stream(events(BEGIN), events([ERROR, *stop()]))
    reply = await Bench(response).provider.open(attempt(ask(), streaming=True))
    assert await reply.next() == [TextDelta(0, "a"), STARTED]
    with pytest.raises(UpstreamError):
        await reply.next()
    assert response.closed


async def test_whole() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "SIG=="},
        {"type": "redacted_thinking", "data": "HIDDEN"},
        {"type": "text", "text": "Paris", "citations": None},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"z": 1.0, "a": [1]}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    answered = whole(message(*content, reason="tool_use", usage=USAGE))
    reply = await Bench(answered).provider.open(attempt(ask()))
    names = (reply.start.upstream_id, reply.start.upstream_model)
    assert names == ("msg_1", "claude-sonnet-5-20260101")
    assert list(await reply.next() or ()) == [
        ReasoningDelta(0, "hm"),
        ReasoningDelta(0, signature=b"SIG=="),
        ReasoningDelta(0, signature=b"HIDDEN", redacted=True),
        TextDelta(0, "Paris"),
        ToolCallDelta(0, 0, "t1", "f"),
        ToolCallDelta(0, 0, arguments_json='{"z":1.0,"a":[1]}'),
        ToolCallDelta(0, 1, "t2", "g"),
        ToolCallDelta(0, 1, arguments_json="{}"),
        UsageUpdate(BEGUN),
        Finish(0, FinishReason.TOOL_CALLS),
    ]


async def test_whole_and_stream_give_the_same_answer() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "S"}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    one = whole(message(thought, {"type": "text", "text": "Grüße"}, call, reason="tool_use"))
    parts = [
        start(),
        *block(
            0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "S"},
        ),
        *text(1, "Grü", "ße"),
        *block(2, {**call, "input": {}}, {"type": "input_json_delta", "partial_json": '{"a":1}'}),
        *stop("tool_use"),
    ]  # fmt: skip

    async def answer(response: Replayed, streaming: bool) -> Answer:
        reply = await Bench(response).provider.open(attempt(ask(), streaming=streaming))
        return await reply.collect()

    assert await answer(one, False) == await answer(stream(events(parts)), True)


async def test_stream_that_is_answered_as_a_whole() -> None:
    one = whole(message({"type": "text", "text": "a"}))
    assert await events_of(one) == [TextDelta(0, "a"), ENDED, STOP]


async def test_answer_without_content() -> None:
    """As it comes where the model has nothing to add to what its tools found."""
    assert await whole_events() == [ENDED, STOP]


async def test_thoughts_that_are_kept_back_have_their_signature() -> None:
    found = await whole_events({"type": "thinking", "thinking": "", "signature": "S"})
    assert found[0] == ReasoningDelta(0, signature=b"S")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"null", b"{", b"[]", b'{"type":"message"}', b'{"type":"completion"}',
        b'{"type":"message","stop_reason":null,"content":[{"type":"text","text":"a"}]}',
        b'{"type":"message","stop_reason":"tool_use","content":[{"type":"tool_use","input":"\xff"}]}',
    ],
)  # fmt: skip
async def test_whole_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        await events_of(whole(body), streaming=False)
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


@pytest.mark.parametrize(
    ("word", "sequence", "expected"),
    [
        ("end_turn", None, STOP),
        ("stop_sequence", "END", Finish(0, FinishReason.STOP_SEQUENCE, "END")),
        ("max_tokens", None, Finish(0, FinishReason.LENGTH)),
        ("model_context_window_exceeded", None, Finish(0, FinishReason.LENGTH)),
        ("tool_use", None, Finish(0, FinishReason.TOOL_CALLS)),
        ("refusal", None, Finish(0, FinishReason.REFUSAL)),
        ("pause_turn", None, Finish(0, FinishReason.OTHER, "", "pause_turn")),
        ("novel", None, Finish(0, FinishReason.OTHER, "", "novel")),
    ],
)
async def test_stop_reasons(word: str, sequence: str | None, expected: Finish) -> None:
    found = await whole_events(reason=word, stop_sequence=sequence)
    assert found[-1] == expected
    data = events([start(), *stop(word, sequence)])
    assert (await events_of(stream(data)))[-1] == expected


@pytest.mark.parametrize(
    ("begun", "ended", "expected"),
    [
        ({"input_tokens": 3, "output_tokens": 1}, {"output_tokens": 4}, Usage(3, 4)),
        ({"input_tokens": 3}, {"input_tokens": None, "output_tokens": 4}, Usage(3, 4)),
        ({"input_tokens": 3}, {"input_tokens": 0, "output_tokens": 4}, Usage(3, 4)),
        # The provider's own tools add input as the message goes on.
        ({"input_tokens": 3}, {"input_tokens": 90, "output_tokens": 4}, Usage(90, 4)),
        ({"output_tokens": 1}, {"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
        (
            {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation": None},
            {"output_tokens": 4},
            Usage(8, 4, 5),
        ),
    ],
)
async def test_usage_is_cumulative(
    begun: dict[str, Any], ended: dict[str, Any], expected: Usage
) -> None:
    data = events([start(**begun), *text(0, "a"), *stop(**ended)])
    reply = await Bench(stream(data)).provider.open(attempt(ask(), streaming=True))
    assert (await reply.collect()).usage == expected


async def test_a_stream_without_counts_has_none() -> None:
    begun = {**start(), "message": {"id": "m", "usage": None}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    data = events([begun, *text(0, "a"), ended, {"type": "message_stop"}])
    assert await events_of(stream(data)) == [TextDelta(0, "a"), STOP]


@given(data=st.binary(max_size=300))
async def test_any_bytes_are_an_upstream_error(data: bytes) -> None:
    for response, streaming in ((stream(b"data: " + data + b"\n\n"), True), (whole(data), False)):
        with pytest.raises((UpstreamError, CallerError)):
            await events_of(response, streaming=streaming)


TYPES = [
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "error", "message", "text", "tool_use",
]  # fmt: skip


@settings(deadline=None)
@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(TYPES),
            lambda inner: st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "message", "index", "delta", "content_block", "usage", "content",
                     "text", "input", "partial_json", "stop_reason", "error", "input_tokens"]
                ),
                inner,
                max_size=4,
            ),
            max_leaves=12,
        ),
        max_size=4,
    )
)  # fmt: skip
async def test_any_json_is_an_answer_or_an_error(values: list[object]) -> None:
    encoded = [msgspec.json.encode(value) for value in values]
    streamed = stream(b"".join(b"data: %s\n\n" % data for data in encoded))
    responses = [(streamed, True), *((whole(data), False) for data in encoded)]
    for response, streaming in responses:
        try:
            found = await events_of(response, streaming=streaming)
        except (UpstreamError, CallerError):
            continue
        assert isinstance(found[-1], Finish)
