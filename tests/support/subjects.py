"""Implementations of the Provider port, each with an upstream that plays the contract's scenarios.

The target's model names the scenario:

    text        says "one two three" to an input of two tokens
    tools       calls `weather` as `call_1` with {"city":"Paris"}
    refused     is rate limited for 7 seconds before its first event
    broken      says "one" and breaks off (a whole answer breaks off before it is whole)
    silent      accepts the request and never answers
    stalled     says "one" and never goes on (a whole answer never comes)

Embeddings of any model have 4 dimensions or more and count one token an input. A subject whose API
has no embeddings, or one candidate only, says so.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import Reason
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.accounts import dialect_of
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.registry import BY_NAME, openai_dialect
from interlingua_gateway.providers.script import CallTool, Fail, Hang, Say
from interlingua_gateway.providers.scripted import ScriptedProvider
from interlingua_gateway.providers.transport.client import HttpClient
from tests.support.subjects_anthropic import answer_anthropic
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse, whole

TEXT = ("one", " two", " three")
ARGUMENTS = '{"city":"Paris"}'


class Subject:
    """A provider under test and what is known of its upstream."""

    def __init__(
        self,
        provider: Provider,
        *,
        model_prefix: str = "",
        upstream: Upstream | None = None,
        open_connections: Callable[[], int] = lambda: 0,
        lists: frozenset[str] = frozenset({"text", "tools"}),
        embeds: bool = True,
        several_candidates: bool = True,
    ) -> None:
        self.provider = provider
        self.model_prefix = model_prefix
        self.open_connections = open_connections
        self.lists = lists
        self.embeds = embeds
        self.several_candidates = several_candidates
        self._upstream = upstream

    async def arrived(self) -> None:
        """Wait until a request has reached the upstream."""
        while self._upstream is not None and not self._upstream.visits:
            await turn()

    async def upstream_gone(self) -> None:
        """Wait until the upstream has seen every connection close."""
        if self._upstream is not None:
            await self._upstream.none_open()


async def turn() -> None:
    """Let everything that is ready run once."""
    ready = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ready.set_result, None)
    await ready


@asynccontextmanager
async def scripted() -> AsyncIterator[Subject]:
    provider = ScriptedProvider(
        "subject",
        clock=SystemClock(),
        scripts={
            "text": (Say("".join(TEXT)),),
            "tools": (CallTool("call_1", "weather", ARGUMENTS),),
            "refused": (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 7.0),),
            "broken": (Say("one"), Fail()),
            "silent": (Hang(),),
            "stalled": (Say("one"), Hang()),
        },
    )
    try:
        yield Subject(provider)
    finally:
        await provider.aclose()


@asynccontextmanager
async def native() -> AsyncIterator[Subject]:
    async with Upstream(answer_openai) as upstream:
        clock, redactor = SystemClock(), Redactor(("sk-canary",))
        dialect = openai_dialect(
            BY_NAME["openai"],
            redactor=redactor,
            clock=clock,
            base_url=f"{upstream.url}/v1",
            api_key="sk-canary",
        )
        transport = HttpClient(clock=clock)
        provider = HttpProvider("subject", dialect, transport, redactor=redactor)
        try:
            yield Subject(
                provider, upstream=upstream, open_connections=lambda: provider.open_connections
            )
        finally:
            await provider.aclose()


@asynccontextmanager
async def native_anthropic() -> AsyncIterator[Subject]:
    async with Upstream(answer_anthropic) as upstream:
        clock, redactor = SystemClock(), Redactor(("sk-canary",))
        dialect = dialect_of(
            BY_NAME["anthropic"],
            redactor=redactor,
            clock=clock,
            base_url=upstream.url,
            api_key="sk-canary",
        )
        transport = HttpClient(clock=clock)
        provider = HttpProvider("subject", dialect, transport, redactor=redactor)
        try:
            yield Subject(
                provider,
                upstream=upstream,
                open_connections=lambda: provider.open_connections,
                embeds=False,
                several_candidates=False,
            )
        finally:
            await provider.aclose()


@asynccontextmanager
async def library() -> AsyncIterator[Subject]:
    async with Upstream(answer_openai) as upstream:
        clock = SystemClock()
        transport = HttpClient(clock=clock)
        provider = LiteLLMProvider(
            "openai",
            params={"api_base": f"{upstream.url}/v1", "api_key": "sk-canary"},
            redactor=Redactor(("sk-canary",)),
            clock=clock,
            environment={},
            transport=transport,
        )
        await provider.preload()
        try:
            yield Subject(
                provider,
                model_prefix="openai/text-embedding-3/",
                upstream=upstream,
                open_connections=lambda: transport.open_connections,
                lists=frozenset({"gpt-4o"}),
            )
        finally:
            await provider.aclose()


SUBJECTS: dict[str, Callable[[], AbstractAsyncContextManager[Subject]]] = {
    "scripted": scripted,
    "native": native,
    "native-anthropic": native_anthropic,
    "litellm": library,
}


async def answer_openai(visit: Visit) -> bool:
    """The scenarios in OpenAI's own words."""
    if visit.path == "/v1/models":
        await visit.send(whole(b'{"object":"list","data":[{"id":"text"},{"id":"tools"}]}'))
        return True
    asked = msgspec.json.decode(visit.body)
    if visit.path == "/v1/embeddings":
        await visit.send(whole(_embeddings(asked)))
        return True
    scenario = asked["model"].rpartition("/")[2]
    if scenario == "refused":
        error = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'
        await visit.send(whole(error, "429 Too Many Requests", headers=["Retry-After: 7"]))
        return True
    if scenario == "silent":
        await visit.gone()
        return False
    if asked.get("stream"):
        return await _stream(visit, scenario, asked.get("n", 1))
    return await _whole(visit, scenario, asked.get("n", 1))


def _embeddings(asked: dict[str, object]) -> bytes:
    inputs = asked["input"]
    assert isinstance(inputs, list)
    vectors = [struct.pack("<4f", index, 0.5, -1.0, 2.0) for index in range(len(inputs))]
    if asked.get("encoding_format") == "base64":
        shown: list[object] = [base64.b64encode(vector).decode() for vector in vectors]
    else:
        shown = [list(struct.unpack("<4f", vector)) for vector in vectors]
    count = len(inputs)
    return msgspec.json.encode(
        {
            "object": "list",
            "model": "embedder-1",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in reversed(list(enumerate(shown)))
            ],
            "usage": {"prompt_tokens": count, "total_tokens": count},
        }
    )


def _call(index: int | None) -> dict[str, object]:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": ARGUMENTS},
    }
    return call if index is None else {"index": index, **call}


def _usage(output: int) -> dict[str, int]:
    return {"prompt_tokens": 2, "completion_tokens": output, "total_tokens": 2 + output}


async def _whole(visit: Visit, scenario: str, n: int) -> bool:
    message: dict[str, object] = {"role": "assistant", "content": "".join(TEXT)}
    if scenario == "tools":
        message = {"role": "assistant", "content": None, "tool_calls": [_call(None)]}
    finish = "tool_calls" if scenario == "tools" else "stop"
    body = whole(
        msgspec.json.encode(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "text-2026",
                "choices": [
                    {"index": index, "message": message, "finish_reason": finish}
                    for index in range(n)
                ],
                "usage": _usage(3 * n),
            }
        )
    )
    if scenario in ("broken", "stalled"):
        await visit.send(body[: len(body) // 2])
        if scenario == "stalled":
            await visit.gone()
        return False
    await visit.send(body)
    return True


def _chunk(**fields: object) -> bytes:
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    return msgspec.json.encode({**common, "model": "text-2026", **fields})


def _delta(index: int, delta: dict[str, object], finish: str | None = None) -> bytes:
    return _chunk(choices=[{"index": index, "delta": delta, "finish_reason": finish}])


async def _stream(visit: Visit, scenario: str, n: int) -> bool:
    await visit.send(STREAM_HEAD)
    for index in range(n):
        await visit.send(sse(_delta(index, {"role": "assistant", "content": ""})))
    if scenario == "tools":
        first = _call(0)
        first["function"] = {"name": "weather", "arguments": ""}
        rest = {"index": 0, "function": {"arguments": ARGUMENTS}}
        await visit.send(sse(_delta(0, {"tool_calls": [first]}), _delta(0, {"tool_calls": [rest]})))
    else:
        for word in TEXT:
            for index in range(n):
                await visit.send(sse(_delta(index, {"content": word})))
            if scenario == "broken":
                return False
            if scenario == "stalled":
                await visit.gone()
                return False
    finish = "tool_calls" if scenario == "tools" else "stop"
    for index in range(n):
        await visit.send(sse(_delta(index, {}, finish)))
    await visit.send(sse(_chunk(choices=[], usage=_usage(3 * n)), b"[DONE]") + LAST_CHUNK)
    return True
