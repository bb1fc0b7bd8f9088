"""The same upstream bytes through litellm and through the native dialect give the same answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    Message,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Tool,
)
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.registry import BY_NAME, openai_dialect
from interlingua_gateway.providers.transport.client import HttpClient
from tests.support.upstream import STREAM_HEAD, Upstream, Visit, always, chunk, whole

KEY = "sk-canary-0123456789abcdef"
MODEL = "gpt-4o"
Json = dict[str, object]


class Seen(msgspec.Struct, frozen=True):
    """All that a provider makes of one response."""

    answer: Answer | None = None
    start: Start | None = None
    reason: str = ""
    retry_after_s: float | None = None


def ask(**more: object) -> GenerateRequest:
    messages = (Message(role=Role.USER, parts=(Text(text="Hi"),)),)
    return GenerateRequest(**({"model": "alias", "messages": messages} | more))  # type: ignore[arg-type]


@asynccontextmanager
async def both(base_url: str) -> AsyncIterator[tuple[tuple[str, Provider], ...]]:
    clock, redactor = SystemClock(), Redactor((KEY,))
    dialect = openai_dialect(
        BY_NAME["openai"], redactor=redactor, clock=clock, base_url=base_url, api_key=KEY
    )
    native = HttpProvider("p", dialect, HttpClient(clock=clock), redactor=redactor)
    library = LiteLLMProvider(
        "p",
        params={"api_base": base_url, "api_key": KEY},
        redactor=redactor,
        clock=clock,
        environment={},
        transport=HttpClient(clock=clock),
    )
    try:
        yield ((MODEL, native), (f"openai/{MODEL}", library))
    finally:
        await native.aclose()
        await library.aclose()


async def seen_by(provider: Provider, model: str, request: Request, *, streaming: bool) -> Seen:
    target = Target(deployment="d", provider="p", model=model, label="d")
    try:
        reply = await provider.open(Attempt(request, target, streaming=streaming))
        answer = await reply.collect()
    except GatewayError as error:
        return Seen(reason=error.reason, retry_after_s=error.retry_after_s)
    return Seen(answer=answer, start=msgspec.structs.replace(reply.start, model=MODEL))


async def differ(response: bytes, request: Request | None = None, *, streaming: bool) -> Seen:
    """What both make of `response`, which must be one and the same."""
    async with Upstream(always(response)) as upstream, both(upstream.url) as providers:
        native, library = [
            await seen_by(provider, model, request or ask(), streaming=streaming)
            for model, provider in providers
        ]
        sent = [json.loads(visit.body) for visit in upstream.visits]
    assert library == native
    assert sent[0].get("messages") == sent[1].get("messages")
    return native


def completion(choices: Sequence[Json], **more: object) -> bytes:
    body = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-x", **more}
    return whole(json.dumps({**body, "choices": choices}).encode())


def choice(message: Json, finish: str | None = "stop", index: int = 0, **more: object) -> Json:
    made: Json = {"index": index, "message": {"role": "assistant", "content": None, **message}}
    return {**made, "finish_reason": finish, **more}


def stream(chunks: Sequence[Json | bytes], *, done: bool = True, size: int = 0) -> bytes:
    """The chunks as a stream, cut into pieces of `size` bytes, wherever that falls."""
    common = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    text = b"".join(
        b"data: %s\n\n"
        % (
            item
            if isinstance(item, bytes)
            else json.dumps({**common, **item}, ensure_ascii=False).encode()
        )
        for item in chunks
    )
    if done:
        text += b"data: [DONE]\n\n"
    size = size or len(text) or 1
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return STREAM_HEAD + b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"


def delta(piece: Json, finish: str | None = None, index: int = 0, **more: object) -> Json:
    return {"choices": [{"index": index, "delta": piece, "finish_reason": finish, **more}]}


USAGE: Json = {
    "prompt_tokens": 11,
    "completion_tokens": 9,
    "total_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2},
}
TOKEN: Json = {
    "token": "é",
    "logprob": -0.25,
    "bytes": [195, 169],
    "top_logprobs": [{"token": "e", "logprob": -1.5, "bytes": [101]}],
}
TOOL = Tool(name="weather", parameters_json_schema='{"type":"object","properties":{}}')
SCHEMA = ResponseFormat(
    kind=FormatKind.JSON_SCHEMA,
    name="pair",
    json_schema='{"type":"object","properties":{"a":{"type":"integer"}}}',
    strict=True,
)


def tool_call(call_id: str, name: str, arguments: str, **more: object) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **more}


WHOLE: dict[str, tuple[bytes, GenerateRequest]] = {
    "text": (completion([choice({"content": "Grüße, 世界"})], usage=USAGE), ask()),
    "no usage": (completion([choice({"content": "Hi"}, "length")]), ask()),
    "two candidates": (
        completion([choice({"content": "a"}), choice({"content": "b"}, "length", 1)], usage=USAGE),
        ask(sampling=Sampling(n=2)),
    ),
    "tools": (
        completion(
            [
                choice(
                    {
                        "tool_calls": [
                            tool_call("t-1", "weather", '{"city": "Zürich"}'),
                            tool_call("t-2", "weather", "{}"),
                        ]
                    },
                    "tool_calls",
                )
            ],
            usage=USAGE,
        ),
        ask(tools=(TOOL,)),
    ),
    "logprobs": (
        completion([choice({"content": "é"}, logprobs={"content": [TOKEN], "refusal": None})]),
        ask(sampling=Sampling(logprobs=True, top_logprobs=1)),
    ),
    "reasoning": (
        completion([choice({"content": "4", "reasoning_content": "2 + 2"})], usage=USAGE),
        ask(),
    ),
    "schema": (completion([choice({"content": '{"a": 1}'})]), ask(response_format=SCHEMA)),
    "filtered": (completion([choice({"content": "x"}, "content_filter")]), ask()),
    "refusal": (completion([choice({"refusal": "No."})]), ask()),
}

STREAMS: dict[str, tuple[list[Json | bytes], GenerateRequest]] = {
    "text": (
        [
            delta({"role": "assistant", "content": ""}),
            delta({"content": "Grüße, "}),
            delta({"content": "世界 🦉"}),
            delta({}, "stop"),
            {"choices": [], "usage": USAGE},
        ],
        ask(),
    ),
    "two candidates": (
        [
            delta({"role": "assistant", "content": ""}),
            delta({"role": "assistant", "content": ""}, index=1),
            delta({"content": "a"}),
            delta({"content": "b"}, index=1),
            delta({"content": "c"}),
            delta({}, "length", 1),
            delta({}, "stop"),
        ],
        ask(sampling=Sampling(n=2)),
    ),
    "tools": (
        [
            delta({"role": "assistant", "content": None}),
            delta({"tool_calls": [tool_call("t-1", "weather", "", index=0)]}),
            delta({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
            delta({"tool_calls": [{"index": 0, "function": {"arguments": '"Zürich"}'}}]}),
            delta({"tool_calls": [tool_call("t-2", "weather", "{}", index=1)]}),
            delta({}, "tool_calls"),
        ],
        ask(tools=(TOOL,)),
    ),
    "logprobs": (
        [
            delta({"content": "é"}, logprobs={"content": [TOKEN], "refusal": None}),
            delta({}, "stop"),
        ],
        ask(sampling=Sampling(logprobs=True, top_logprobs=1)),
    ),
    "reasoning": (
        [
            delta({"role": "assistant", "reasoning_content": "2 + "}),
            delta({"reasoning_content": "2"}),
            delta({"content": "4"}),
            delta({}, "stop"),
            {"choices": [], "usage": USAGE},
        ],
        ask(),
    ),
    "the same word again and again": (
        [*[delta({"content": "same "}) for _ in range(150)], delta({}, "stop")],
        ask(),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_whole_answers_are_the_same(name: str) -> None:
    response, request = WHOLE[name]
    seen = await differ(response, request, streaming=False)
    assert seen.answer is not None
    assert seen.answer.candidates


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize("name", STREAMS)
async def test_streamed_answers_are_the_same(name: str, size: int) -> None:
    chunks, request = STREAMS[name]
    seen = await differ(stream(chunks, size=size), request, streaming=True)
    assert seen.answer is not None
    assert seen.answer.candidates


async def test_embeddings_are_the_same() -> None:
    rows = [
        {"object": "embedding", "index": index, "embedding": [0.5, -1.0, float(index)]}
        for index in (1, 0)
    ]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    body = json.dumps({"object": "list", "data": rows, "model": "e", "usage": usage}).encode()
    inputs = (EmbedInput(text="red"), EmbedInput(text="blue"))
    async with Upstream(always(whole(body))) as upstream, both(upstream.url) as providers:
        request = EmbedRequest(model="alias", inputs=inputs, normalize=True)
        native, library = [
            await seen_by(provider, model, request, streaming=False)
            for model, provider in providers
        ]
    assert native.answer is not None
    assert library.answer == native.answer


def refused(status: str, error: Json, *headers: str) -> bytes:
    return whole(json.dumps({"error": error}).encode(), status, headers=headers)


FAILURES: dict[str, bytes] = {
    "rate limit": refused(
        "429 No", {"message": "slow", "code": "rate_limit_exceeded"}, "Retry-After: 7"
    ),
    "rate limit in milliseconds": refused("429 No", {"message": "slow"}, "Retry-After-Ms: 250"),
    "quota": refused("429 No", {"message": "pay", "code": "insufficient_quota"}),
    "no credentials": refused("401 No", {"message": f"Incorrect API key: {KEY}"}),
    "forbidden": refused("403 No", {"message": "no"}),
    "unknown model": refused("404 No", {"message": "no", "code": "model_not_found"}),
    "bad request": refused("400 No", {"message": "no", "param": "temperature"}),
    "unprocessable": refused("422 No", {"message": "no"}),
    "too long": refused("400 No", {"message": "long", "code": "context_length_exceeded"}),
    "filtered": refused("400 No", {"message": "no", "code": "content_filter"}),
    "request timeout": refused("408 No", {"message": "no"}),
    "server error": refused("500 No", {"message": "no"}),
    "bad gateway": whole(b"<html>", "502 No", "text/html"),
    "unavailable": refused("503 No", {"message": "no"}, "Retry-After: 3"),
    "overloaded": refused("529 No", {"message": "no"}),
    "empty": whole(b""),
    "page": whole(b"<html>", content_type="text/html"),
    "cut": whole(b'{"id": "c-1", "choi'),
    "no choices": completion([]),
    "no finish": completion([choice({"content": "Hi"}, None)]),
    "error in a good answer": whole(b'{"error": {"message": "no", "type": "server_error"}}'),
}
BROKEN_STREAMS: dict[str, bytes] = {
    "nothing": stream([], done=False),
    "just done": stream([]),
    "silent end": stream([delta({"content": "Hi"})], done=False),
    "done without a finish": stream([delta({"content": "Hi"})]),
    "corrupt chunk": stream([delta({"content": "Hi"}), b'{"id": ', delta({}, "stop")]),
    "corrupt first chunk": stream([b"{nonsense", delta({}, "stop")]),
    "overload in the stream": stream(
        [delta({"content": "Hi"}), b'{"error": {"message": "x", "type": "overloaded_error"}}']
    ),
    "limit in the stream": stream(
        [b'{"error": {"message": "x", "code": "rate_limit_exceeded"}}', delta({}, "stop")]
    ),
    "number in the stream": stream([b'{"error": {"message": "x", "code": 503}}']),
    "one of two": stream([delta({"content": "a"}), delta({"content": "b"}, "stop", 1)]),
}


@pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
@pytest.mark.parametrize("name", FAILURES)
async def test_failures_are_the_same(name: str, streaming: bool) -> None:
    seen = await differ(FAILURES[name], streaming=streaming)
    assert seen.reason


@pytest.mark.parametrize("name", BROKEN_STREAMS)
async def test_broken_streams_are_the_same(name: str) -> None:
    seen = await differ(BROKEN_STREAMS[name], streaming=True)
    assert seen.reason


@pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
async def test_broken_connections_are_the_same(streaming: bool) -> None:
    async def answer(visit: Visit) -> None:
        begun = stream([delta({"content": "Hi"})], done=False).removesuffix(b"0\r\n\r\n")
        cut = completion([choice({"content": "Hi"})])[:-9]
        await visit.send(begun if streaming else cut)

    async with Upstream(answer) as upstream, both(upstream.url) as providers:
        native, library = [
            await seen_by(provider, model, ask(), streaming=streaming)
            for model, provider in providers
        ]
    assert library == native
    assert native.reason
