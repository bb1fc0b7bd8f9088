"""The same bytes of Anthropic's through litellm and through the native dialect, and the same
requests to both: where they are not the same, this page says why."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    Effort,
    FormatKind,
    GenerateRequest,
    Media,
    MediaKind,
    Message,
    Reasoning,
    ReasoningOptions,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from interlingua_gateway.providers.accounts import dialect_of
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.registry import BY_NAME
from interlingua_gateway.providers.transport.client import HttpClient
from tests.support.anthropic import Json, block, events, message, start, stop, text
from tests.support.library_warnings import OF_THE_LIBRARY
from tests.support.openai import KEY, ask, user
from tests.support.upstream import STREAM_HEAD, Upstream, Visit, always, chunk, whole

pytestmark = [pytest.mark.filterwarnings(warning) for warning in OF_THE_LIBRARY]

OLD, NEW = "claude-haiku-4-5", "claude-sonnet-5"
LONGEST = {OLD: 64_000, NEW: 128_000}
TOOL = Tool(name="weather", parameters_json_schema='{"type":"object","properties":{}}')
IMAGE = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89P")


class Seen(msgspec.Struct, frozen=True):
    """All that a provider makes of one response."""

    answer: Answer | None = None
    start: Start | None = None
    reason: str = ""
    retry_after_s: float | None = None


@asynccontextmanager
async def both(url: str) -> AsyncIterator[tuple[tuple[str, Provider], ...]]:
    """Both providers, the native one first, each with what stands before its model names."""
    clock, redactor = SystemClock(), Redactor((KEY,))
    dialect = dialect_of(
        BY_NAME["anthropic"], redactor=redactor, clock=clock, base_url=url, api_key=KEY
    )
    native = HttpProvider("p", dialect, HttpClient(clock=clock), redactor=redactor)
    library = LiteLLMProvider(
        "p",
        params={"api_base": url, "api_key": KEY},
        redactor=redactor,
        clock=clock,
        environment=process_environment(),
        transport=HttpClient(clock=clock),
    )
    try:
        yield (("", native), ("anthropic/", library))
    finally:
        await native.aclose()
        await library.aclose()


async def seen_by(
    provider: Provider, prefix: str, model: str, request: GenerateRequest, *, streaming: bool
) -> Seen:
    target = Target(
        deployment="d",
        provider="p",
        model=prefix + model,
        label="d",
        longest_output_tokens=LONGEST[model],
    )
    try:
        reply = await provider.open(Attempt(request, target, streaming=streaming))
        answer = await reply.collect()
    except GatewayError as error:
        return Seen(reason=error.reason, retry_after_s=error.retry_after_s)
    return Seen(answer=answer, start=msgspec.structs.replace(reply.start, model=model))


async def differ(response: bytes, *, streaming: bool) -> Seen:
    """What both make of `response`, which must be one and the same."""
    async with Upstream(always(response)) as upstream, both(upstream.url) as providers:
        native, library = [
            await seen_by(provider, prefix, OLD, ask(tools=(TOOL,)), streaming=streaming)
            for prefix, provider in providers
        ]
    assert plain(library) == plain(native)
    return native


def plain(seen: Seen) -> object:
    """`seen` with the arguments of tools as values: litellm writes them anew, in ASCII."""

    def replaced(value: object) -> object:
        if isinstance(value, dict):
            return {
                key: json.loads(inner) if key == "arguments_json" else replaced(inner)
                for key, inner in value.items()
            }
        return [replaced(inner) for inner in value] if isinstance(value, list) else value

    return replaced(json.loads(msgspec.json.encode(seen)))


async def sent(request: GenerateRequest, model: str) -> tuple[Json, Json]:
    """The bodies that both make of `request`."""
    answered = whole(msgspec.json.encode(message({"type": "text", "text": "a"})))
    async with Upstream(always(answered)) as upstream, both(upstream.url) as providers:
        for prefix, provider in providers:
            seen = await seen_by(provider, prefix, model, request, streaming=False)
            assert seen.answer is not None, seen.reason
        native, library = [json.loads(visit.body) for visit in upstream.visits]
    return native, library


def stream(values: Sequence[Json], size: int = 0) -> bytes:
    """The events as a stream, cut into pieces of `size` bytes, wherever that falls."""
    data = events(values)
    size = size or len(data)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return STREAM_HEAD + b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"


USAGE = {
    "input_tokens": 5,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 9,
    "service_tier": "standard",
}
CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Zürich"}}
SAID = {"type": "text", "text": "Grüße, 世界"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "SIG=="}
ARGUMENTS = [{"type": "input_json_delta", "partial_json": p} for p in ('{"city": ', '"Zürich"}')]

WHOLE = {
    "text": message(SAID, usage=USAGE),
    "tools": message(SAID, CALL, {**CALL, "id": "t2"}, reason="tool_use"),
    "thinking": message(THOUGHT, SAID),
    "length": message(SAID, reason="max_tokens"),
    "stop sequence": message(SAID, reason="stop_sequence", stop_sequence="END"),
    "refusal": message(SAID, reason="refusal"),
    "window": message(SAID, reason="model_context_window_exceeded"),
}
STREAMS = {
    "text": [start(**USAGE), {"type": "ping"}, *text(0, "Grüße, ", "世界 🦉"), *stop()],
    "tools": [
        start(),
        *text(0, "Let me see."),
        *block(1, {**CALL, "input": {}}, *ARGUMENTS),
        *block(2, {**CALL, "id": "t2", "input": {}}, *ARGUMENTS),
        *stop("tool_use"),
    ],
    "thinking": [
        start(),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "h"},
            {"type": "thinking_delta", "thinking": "m"},
            {"type": "signature_delta", "signature": "SIG=="},
        ),
        *text(1, "4"),
        *stop(),
    ],
    "length": [start(), *text(0, "a"), *stop("max_tokens")],
    "stop sequence": [start(), *text(0, "a"), *stop("stop_sequence", "END")],
    "refusal": [start(), *text(0, "a"), *stop("refusal")],
    "the same word again and again": [start(), *text(0, *["same "] * 150), *stop()],
}


@pytest.mark.parametrize("name", WHOLE)
async def test_whole_answers_are_the_same(name: str) -> None:
    seen = await differ(whole(msgspec.json.encode(WHOLE[name])), streaming=False)
    assert seen.answer is not None


@pytest.mark.parametrize("size", [0, 7])
@pytest.mark.parametrize("name", STREAMS)
async def test_streams_are_the_same(name: str, size: int) -> None:
    seen = await differ(stream(STREAMS[name], size), streaming=True)
    assert seen.answer is not None


def refused(status: str, kind: str, text: str = "no", *headers: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": text}}
    return whole(json.dumps(error).encode(), status, headers=headers)


FAILURES = {
    "rate limit": refused("429 No", "rate_limit_error", "slow", "Retry-After: 7"),
    "no credentials": refused("401 No", "authentication_error", f"invalid x-api-key {KEY}"),
    "forbidden": refused("403 No", "permission_error"),
    "unknown model": refused("404 No", "not_found_error"),
    "bad request": refused("400 No", "invalid_request_error"),
    "too long": refused("400 No", "invalid_request_error", "prompt is too long: 9 tokens > 8"),
    "too large": refused("413 No", "request_too_large"),
    "server error": refused("500 No", "api_error"),
    "bad gateway": whole(b"<html>", "502 No", "text/html"),
    "overloaded": refused("529 No", "overloaded_error"),
    "empty": whole(b""),
    "page": whole(b"<html>", content_type="text/html"),
    "cut": whole(b'{"id": "c-1", "conte'),
    "error in a good answer": whole(b'{"type":"error","error":{"type":"api_error"}}'),
}
BROKEN = {
    "nothing": [],
    "silent end": [start(), *text(0, "a")],
    "only a beginning": [start()],
    "overload": [
        start(),
        *text(0, "a"),
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
    ],
    "limit at once": [{"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}],
}


@pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
@pytest.mark.parametrize("name", FAILURES)
async def test_failures_are_the_same(name: str, streaming: bool) -> None:
    assert (await differ(FAILURES[name], streaming=streaming)).reason


BETTER = {
    "a whole answer without a stop reason": (
        whole(msgspec.json.encode(message(SAID, reason=None))),
        "UPSTREAM_INVALID_RESPONSE",
        "",
    ),
}
"""What the native dialect makes more of: its reason, and that of litellm's way."""


@pytest.mark.parametrize("name", BETTER)
async def test_what_litellms_way_does_not_see(name: str) -> None:
    response, *reasons = BETTER[name]
    async with Upstream(always(response)) as upstream, both(upstream.url) as providers:
        seen = [
            await seen_by(provider, prefix, OLD, ask(), streaming=False)
            for prefix, provider in providers
        ]
    assert [one.reason for one in seen] == reasons


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_streams_are_the_same(name: str) -> None:
    assert (await differ(stream(BROKEN[name], 20), streaming=True)).reason


@pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
async def test_broken_connections_are_the_same(streaming: bool) -> None:
    async def answer(visit: Visit) -> None:
        begun = stream([start(), *text(0, "a")]).removesuffix(b"0\r\n\r\n")
        cut = whole(msgspec.json.encode(message(SAID)))[:-9]
        await visit.send(begun if streaming else cut)

    async with Upstream(answer) as upstream, both(upstream.url) as providers:
        native, library = [
            await seen_by(provider, prefix, OLD, ask(), streaming=streaming)
            for prefix, provider in providers
        ]
    assert library == native
    assert native.reason


def of(role: Role, *parts: Any) -> Message:
    return Message(role=role, parts=parts)


RESULT = ToolResult(tool_call_id="t1", content=(Text(text="sun"), IMAGE))
TALK = (
    of(Role.SYSTEM, Text(text="Be brief.")),
    of(Role.USER, Text(text="See"), IMAGE),
    of(
        Role.ASSISTANT,
        Reasoning(text="hm", signature=b"SIG=="),
        Reasoning(signature=b"HIDDEN", redacted=True),
        Text(text="Wait"),
        ToolCall(id="t1", name="weather", arguments_json='{"city":"Bern"}'),
    ),
    of(Role.TOOL, RESULT),
    user("And?"),
)
SCHEMA = ResponseFormat(
    kind=FormatKind.JSON_SCHEMA,
    name="pair",
    json_schema='{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}',
)
SHORT = Sampling(max_output_tokens=9000)
REQUESTS: dict[str, tuple[str, GenerateRequest]] = {
    "smallest": (NEW, ask()),
    "conversation": (OLD, ask(messages=TALK, tools=(TOOL,))),
    "sampling": (
        OLD,
        ask(sampling=Sampling(temperature=0.5, top_k=4, max_output_tokens=9, stop=("x",))),
    ),
    "user": (NEW, ask(user="u-1")),
    "one tool at a time": (NEW, ask(tools=(TOOL,), parallel_tool_calls=False)),
    "no tool": (NEW, ask(tools=(TOOL,), tool_choice=ToolChoice(mode=ToolMode.NONE))),
    "a tool": (NEW, ask(tools=(TOOL,), tool_choice=ToolChoice(mode=ToolMode.REQUIRED))),
    "this tool": (
        NEW,
        ask(tools=(TOOL,), tool_choice=ToolChoice(mode=ToolMode.NAMED, name="weather")),
    ),
    "effort": (NEW, ask(reasoning=ReasoningOptions(effort=Effort.MEDIUM))),
    "effort by a budget": (
        OLD,
        ask(reasoning=ReasoningOptions(effort=Effort.MEDIUM), sampling=SHORT),
    ),
    "budget": (OLD, ask(reasoning=ReasoningOptions(budget_tokens=5000), sampling=SHORT)),
    "schema": (NEW, ask(response_format=SCHEMA)),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_requests_are_the_same(name: str) -> None:
    model, request = REQUESTS[name]
    native, library = await sent(request, model)
    assert canonical(native) == canonical(library)


def canonical(body: Json) -> Json:
    """`body` in one of the forms that mean the same: litellm writes a text alone as a string, says
    `custom` of each tool, `is_error` of each result, and has its own longest answer"""
    made: Json = json.loads(json.dumps(body))
    for tool in made.get("tools", ()):
        tool.pop("type", None)
    if "output_format" in made:  # the name of the same before it was generally available
        made.setdefault("output_config", {})["format"] = made.pop("output_format")
    for turn in made["messages"]:
        if isinstance(turn["content"], str):
            turn["content"] = [{"type": "text", "text": turn["content"]}]
        for part in turn["content"]:
            if part["type"] == "tool_result" and isinstance(part["content"], str):
                part["content"] = [{"type": "text", "text": part["content"]}]
    return made
