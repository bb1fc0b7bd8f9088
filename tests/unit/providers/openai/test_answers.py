"""What OpenAI's answers become: whole bodies and streams, by every way of cutting the bytes."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import (
    Answer,
    AnswerEvent,
    Finish,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.types import (
    AudioOutput,
    Media,
    MediaKind,
    Modality,
    Sampling,
    Text,
)
from interlingua_gateway.providers.transport.replay import Replayed
from tests.support.openai import Bench, ask, attempt, delta, events, stream, whole

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 20,
    "total_tokens": 50,
    "prompt_tokens_details": {
        "cached_tokens": 10, "audio_tokens": 3, "cache_write_tokens": 4, "image_tokens": 6,
    },
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2, "image_tokens": 1},
}  # fmt: skip
COUNTED = Usage(30, 20, 10, 4, 5, 3, 2, image_input_tokens=6, image_output_tokens=1)


async def events_of(
    *responses: Replayed, name: str = "openai", **fields: object
) -> list[AnswerEvent]:
    streaming = bool(fields.pop("streaming", True))
    bench = Bench(*responses, name=name)
    reply = await bench.provider.open(attempt(ask(**fields), streaming=streaming))
    found = [event async for batch in reply for event in batch]
    assert all(response.closed for response in responses)
    return found


async def whole_events(
    message: dict[str, object], finish: str = "stop", **more: object
) -> list[AnswerEvent]:
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return await events_of(whole({"choices": [choice]}), streaming=False)


RICH = events(
    [
        {"id": "chatcmpl-1", "model": "", "choices": [], "prompt_filter_results": [{}]},
        delta({"role": "assistant", "content": "", "refusal": None}),
        delta({"reasoning_content": "hm"}),
        delta({"content": "Grüße 🦉"}, logprobs={
            "content": [{
                "token": "G", "logprob": -0.5, "bytes": [71],
                "top_logprobs": [{"token": "H", "logprob": -1, "bytes": None}],
            }],
            "refusal": None,
        }),
        delta({"tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
        ]}),
        delta({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        delta({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        delta({"tool_calls": [
            {"index": 1, "id": "c2", "function": {"name": "g", "arguments": "{}"}}
        ]}),
        delta({}, "tool_calls"),
        {"id": "chatcmpl-1", "choices": [], "usage": USAGE},
    ]
)  # fmt: skip
RICH_EVENTS = [
    ReasoningDelta(0, "hm"),
    TextDelta(0, "Grüße 🦉"),
    LogprobsDelta(0, (TokenLogprob("G", -0.5, b"G", (TopLogprob("H", -1.0, b""),)),)),
    ToolCallDelta(0, 0, "c1", "f", ""),
    ToolCallDelta(0, 0, "", "", '{"a"'),
    ToolCallDelta(0, 0, "", "", ":1}"),
    ToolCallDelta(0, 1, "c2", "g", "{}"),
    Finish(0, FinishReason.TOOL_CALLS),
    UsageUpdate(COUNTED),
]


async def test_stream() -> None:
    bench = Bench(stream(RICH))
    reply = await bench.provider.open(attempt(ask(), streaming=True))
    assert (reply.start.upstream_id, reply.start.upstream_model) == ("chatcmpl-1", "gpt-x-2026")
    assert reply.source is None
    assert [event async for batch in reply for event in batch] == RICH_EVENTS


@settings(deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=20), crlf=st.booleans())
async def test_stream_by_any_cut(places: list[int], crlf: bool) -> None:
    data = RICH.replace(b"\n", b"\r\n") if crlf else RICH
    edges = [0, *sorted(place % len(data) for place in places), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
    assert await events_of(stream(*pieces)) == RICH_EVENTS


async def test_one_read_is_one_batch_and_role_only_chunks_are_none() -> None:
    first = events([delta({"role": "assistant", "content": ""})], done=False)
    second = events([delta({"content": "a"}), delta({"content": "b"})], done=False)
    third = events([delta({}, "stop")])
    bench = Bench(stream(first, second, third))
    reply = await bench.provider.open(attempt(ask(), streaming=True))
    assert [list(batch) async for batch in reply] == [
        [TextDelta(0, "a"), TextDelta(0, "b")],
        [Finish(0, FinishReason.STOP)],
    ]


async def test_comments_and_unclosed_end() -> None:
    data = b": OPENROUTER PROCESSING\n\n" + events([delta({"content": "a"}, "stop")], done=False)
    assert await events_of(stream(data + b"data: [DONE]")) == [
        TextDelta(0, "a"),
        Finish(0, FinishReason.STOP),
    ]


async def test_stream_may_end_without_the_end_mark_once_it_is_finished() -> None:
    data = events([delta({"content": "a"}), delta({}, "length")], done=False)
    assert (await events_of(stream(data)))[-1] == Finish(0, FinishReason.LENGTH)


async def test_what_follows_the_end_mark_is_not_read() -> None:
    done = events([delta({"content": "a"}, "stop")])
    assert len(await events_of(stream(done + b"data: nonsense\n\n", broken=True))) == 2


async def test_several_candidates() -> None:
    data = events([
        delta({"content": "a"}, index=1), delta({"content": "b"}),
        delta({}, "stop"), delta({}, "length", index=1),
    ])  # fmt: skip
    assert await events_of(stream(data), sampling=Sampling(n=2)) == [
        TextDelta(1, "a"),
        TextDelta(0, "b"),
        Finish(0, FinishReason.STOP),
        Finish(1, FinishReason.LENGTH),
    ]


INCOMPLETE = {
    "nothing": b"",
    "only the end mark": b"data: [DONE]\n\n",
    "only a role": events([delta({"role": "assistant"})]),
    "no finish, no end mark": events([delta({"content": "a"})], done=False),
    "no finish": events([delta({"content": "a"})]),
    "cut in an event": events([delta({"content": "a"})], done=False)[:-9],
    "one of two candidates": events([delta({"content": "a"}), delta({"content": "b"}, "stop", 1)]),
    "no JSON": events([delta({"content": "a"})], done=False) + b"data: {oops\n\n",
    "no UTF-8": b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    "wrong type": b'data: {"choices":[{"delta":{"content":7}}]}\n\n',
    "an array": b"data: []\n\n",
}


@pytest.mark.parametrize("data", INCOMPLETE.values(), ids=INCOMPLETE)
async def test_incomplete_stream_never_looks_successful(data: bytes) -> None:
    response = stream(data)
    with pytest.raises(UpstreamError) as raised:
        await events_of(response)
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE
    assert response.closed


async def test_connection_that_breaks_in_the_stream() -> None:
    response = stream(events([delta({"content": "a"})], done=False), broken=True)
    bench = Bench(response)
    reply = await bench.provider.open(attempt(ask(), streaming=True))
    assert await reply.next() == [TextDelta(0, "a")]
    with pytest.raises(UpstreamError) as raised:
        await reply.next()
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert response.closed


async def test_fewer_candidates_than_asked_for() -> None:
    with pytest.raises(UpstreamError, match="1 of 2"):
        await events_of(stream(events([delta({"content": "a"}, "stop")])), sampling=Sampling(n=2))


@pytest.mark.parametrize("word", ["error", "insufficient_system_resource", "abort"])
async def test_finish_that_is_a_failure(word: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        await events_of(stream(events([delta({"content": "a"}), delta({}, word)])))
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ({"code": 502, "message": "x"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        ({"code": "429"}, UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        ({"type": "server_error"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        ({"type": "overloaded_error"}, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        ({"code": "content_filter"}, CallerError, Reason.CONTENT_FILTERED),
        ({"type": "invalid_request_error"}, CallerError, Reason.INVALID_REQUEST),
        ("boom", UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_error_inside_a_successful_response(
    error: object, kind: type[Exception], reason: Reason, streaming: bool
) -> None:
    value = {"error": error}
    response = stream(events([value], done=False)) if streaming else whole(value)
    with pytest.raises(kind) as raised:
        await events_of(response, streaming=streaming)
    assert raised.value.reason is reason  # type: ignore[attr-defined]
    assert response.closed


async def test_error_after_the_first_event() -> None:
    first = events([delta({"content": "a"})], done=False)
    second = events([{"error": {"code": 502}, "choices": []}], done=False)
    reply = await Bench(stream(first, second)).provider.open(attempt(ask(), streaming=True))
    assert await reply.next() == [TextDelta(0, "a")]
    with pytest.raises(UpstreamError):
        await reply.next()


async def test_null_error_is_none() -> None:
    value = {**delta({"content": "a"}, "stop"), "error": None, "usage": None, "unknown": {"x": []}}
    assert len(await events_of(stream(events([value])))) == 2


async def test_whole() -> None:
    message = {
        "role": "assistant",
        "content": "Paris",
        "reasoning": "hm",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
    bench = Bench(
        whole(
            {
                "id": "chatcmpl-9",
                "model": "gpt-x-2026",
                "choices": [{"message": message, "finish_reason": "tool_calls", "logprobs": None}],
                "usage": USAGE,
            }
        )
    )
    reply = await bench.provider.open(attempt(ask()))
    assert (reply.start.upstream_id, reply.start.upstream_model) == ("chatcmpl-9", "gpt-x-2026")
    assert list(await reply.next() or ()) == [
        ReasoningDelta(0, "hm"),
        TextDelta(0, "Paris"),
        ToolCallDelta(0, 0, "c1", "f", "{}"),
        Finish(0, FinishReason.TOOL_CALLS),
        UsageUpdate(COUNTED),
    ]


async def test_whole_and_stream_give_the_same_answer() -> None:
    message = {"content": "Grüße", "reasoning_content": "hm"}
    parts = [delta({"reasoning_content": "h"}), delta({"reasoning_content": "m"}),
             delta({"content": "Grü"}), delta({"content": "ße"}), delta({}, "stop")]  # fmt: skip
    one = whole({"choices": [{"message": message, "finish_reason": "stop"}]})

    async def answer(response: Replayed, streaming: bool) -> Answer:
        reply = await Bench(response).provider.open(attempt(ask(), streaming=streaming))
        return await reply.collect()

    assert await answer(one, False) == await answer(stream(events(parts)), True)


async def test_stream_that_is_answered_as_a_whole() -> None:
    one = whole({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})
    assert await events_of(one) == [TextDelta(0, "a"), Finish(0, FinishReason.STOP)]


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b'{"choices":[]}', b'{"choices":[{"message":{"content":"a"}}]}', b"{"],
)
async def test_whole_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        await events_of(whole(body), streaming=False)
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


async def test_refusal() -> None:
    assert await whole_events({"content": None, "refusal": "I will not"}) == [
        TextDelta(0, "I will not"),
        Finish(0, FinishReason.REFUSAL),
    ]


async def test_content_in_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"},
    ]
    assert (await whole_events({"content": parts}))[:2] == [
        ReasoningDelta(0, "hm"),
        TextDelta(0, "yes"),
    ]


async def test_images() -> None:
    images = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVA="}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]
    found = await whole_events({"content": "see", "images": images})
    assert found[1:3] == [
        MediaDelta(0, Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89P")),
        MediaDelta(0, Media(kind=MediaKind.IMAGE, mime_type="", uri="https://x/y.png")),
    ]


async def test_audio() -> None:
    data = events([
        delta({"audio": {"id": "a1", "transcript": "Hel"}}),
        delta({"audio": {"data": "AAE="}}), delta({"audio": {"data": "AgM="}}),
        delta({}, "stop"),
    ])  # fmt: skip
    found = await events_of(stream(data), modalities=(Modality.TEXT, Modality.AUDIO))
    assert found[:3] == [
        TextDelta(0, "Hel"),
        MediaDelta(0, Media(kind=MediaKind.AUDIO, mime_type="audio/pcm", data=b"\0\1")),
        MediaDelta(0, Media(kind=MediaKind.AUDIO, mime_type="audio/pcm", data=b"\2\3")),
    ]
    one = {"audio": {"data": "AAE=", "transcript": "x", "expires_at": 1}, "content": None}
    response = whole({"choices": [{"message": one, "finish_reason": "stop"}]})
    wanted = AudioOutput(format="mp3")
    found = await events_of(response, streaming=False, modalities=(Modality.AUDIO,), audio=wanted)
    media = found[1]
    assert isinstance(media, MediaDelta)
    assert media.media.mime_type == "audio/mpeg"


async def test_sound_and_its_transcript_are_two_parts() -> None:
    data = events(
        [
            delta({"audio": {"transcript": "Hel", "data": "AAE="}}),
            delta({"audio": {"transcript": "lo", "data": "AgM="}}),
            delta({}, "stop"),
        ]
    )
    request = ask(modalities=(Modality.TEXT, Modality.AUDIO))
    reply = await Bench(stream(data)).provider.open(attempt(request, streaming=True))
    assert (await reply.collect()).candidates[0].parts == (
        Text(text="Hello"),
        Media(kind=MediaKind.AUDIO, mime_type="audio/pcm", data=b"\0\1\2\3"),
    )


async def test_calls_without_numbers() -> None:
    """Some servers leave `index` out; each id then begins a call."""
    data = events([
        delta({"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{"}}]}),
        delta({"tool_calls": [{"function": {"arguments": "}"}}]}),
        delta({"tool_calls": [{"id": "c2", "function": {"name": "g", "arguments": "{}"}}]}),
        delta({}, "tool_calls"),
    ])  # fmt: skip
    found = await events_of(stream(data))
    assert [event.call for event in found if isinstance(event, ToolCallDelta)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("word", "more", "expected"),
    [
        ("stop", {}, Finish(0, FinishReason.STOP)),
        ("length", {}, Finish(0, FinishReason.LENGTH)),
        ("model_length", {}, Finish(0, FinishReason.LENGTH)),
        ("content_filter", {}, Finish(0, FinishReason.CONTENT_FILTER)),
        ("function_call", {}, Finish(0, FinishReason.TOOL_CALLS)),
        ("stop", {"stop_reason": "END"}, Finish(0, FinishReason.STOP_SEQUENCE, "END")),
        ("stop", {"stop_reason": 128009}, Finish(0, FinishReason.STOP)),
        ("novel", {}, Finish(0, FinishReason.OTHER, "", "novel")),
    ],
)
async def test_finish_reasons(word: str, more: dict[str, object], expected: Finish) -> None:
    assert (await whole_events({"content": "a"}, word, **more))[-1] == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, Usage(3, 4)),
        ({"prompt_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 3, "prompt_tokens_details": None}, Usage(3, 0)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}, Usage(9, 0, 4)),
        ({"prompt_tokens": 9, "cached_tokens": 4}, Usage(9, 0, 4)),
        (
            {
                "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(10, 105, reasoning_tokens=100),
        ),
    ],
)  # fmt: skip
async def test_usage(usage: dict[str, object], expected: Usage) -> None:
    choice = {"message": {"content": "a"}, "finish_reason": "stop"}
    found = await events_of(whole({"choices": [choice], "usage": usage}), streaming=False)
    assert found[-1] == UsageUpdate(expected)


async def test_the_level_of_service_goes_with_the_usage() -> None:
    """For its price; OpenAI says it in every chunk, and the usage comes in a later one."""
    used = {"prompt_tokens": 3, "completion_tokens": 1}
    served = {"service_tier": "Flex"}
    data = events([{**delta({"content": "a"}, "stop"), **served}, {"choices": [], "usage": used}])
    reply = await Bench(stream(data)).provider.open(attempt(ask(), streaming=True))
    assert (await reply.collect()).usage == Usage(3, 1, service_tier="flex")


async def test_usage_of_each_candidate_is_added_up() -> None:
    def chunks(index: int, tokens: int) -> list[object]:
        used = {"prompt_tokens": 3, "completion_tokens": tokens}
        return [delta({"content": "a"}, "stop", index), {"choices": [], "usage": used}]

    request = ask(sampling=Sampling(n=2))
    bench = Bench(stream(events([*chunks(1, 4), *chunks(0, 5)])), name="llamacpp")
    reply = await bench.provider.open(attempt(request, streaming=True))
    assert (await reply.collect()).usage == Usage(3, 9)

    choices = [{"index": n, "message": {"content": "a"}, "finish_reason": "stop"} for n in (0, 1)]
    one = whole({"choices": choices, "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    reply = await Bench(one, name="llamacpp").provider.open(attempt(request))
    assert (await reply.collect()).usage is None


async def test_cumulative_usage_in_every_chunk() -> None:
    data = events([
        {**delta({"content": "a"}), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        {**delta({"content": "b"}, "stop"), "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    ])  # fmt: skip
    reply = await Bench(stream(data)).provider.open(attempt(ask(), streaming=True))
    assert (await reply.collect()).usage == Usage(3, 2)


@given(data=st.binary(max_size=300))
async def test_any_bytes_are_an_upstream_error(data: bytes) -> None:
    for response in (stream(b"data: " + data + b"\n\n"), whole(data)):
        with pytest.raises((UpstreamError, CallerError)):
            await events_of(
                response, streaming=response.header("content-type") != "application/json"
            )


@settings(deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "error", "usage", "tool_calls",
                 "function", "index", "logprobs", "finish_reason", "audio", "data", "code"]
            ),
            inner,
            max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
async def test_any_json_is_an_answer_or_an_error(value: object) -> None:
    data = events([value])
    for response, streaming in ((stream(data), True), (whole(msgspec.json.encode(value)), False)):
        try:
            found = await events_of(response, streaming=streaming)
        except (UpstreamError, CallerError):
            continue
        assert any(isinstance(event, Finish) for event in found)
