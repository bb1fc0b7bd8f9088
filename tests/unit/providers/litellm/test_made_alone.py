"""Requests that litellm only makes are those that it would have sent, and so are the answers."""

from __future__ import annotations

import json

import pytest

from interlingua_gateway.core.errors import GatewayError
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
    SafetySetting,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.litellm.ways import made_alone
from tests.support.upstream import Upstream, Visit, always, whole
from tests.support.wires import ANTHROPIC, BEDROCK, COHERE, GEMINI, OPENAI, Wire
from tests.unit.providers.litellm.conftest import Make, ask, attempt

THROUGH = {"cooldown_time": 0}
"""A parameter that says nothing, of which only litellm itself knows that."""

MODELS = (
    *((wire, wire.model) for wire in (ANTHROPIC, GEMINI, COHERE, BEDROCK, OPENAI)),
    (ANTHROPIC, "anthropic/claude-3-5-haiku-20241022"),
    (ANTHROPIC, "anthropic/claude-opus-4-6"),
    (ANTHROPIC, "anthropic/claude-not-yet-known-9"),
    (GEMINI, "gemini/gemini-1.5-pro"),
    (GEMINI, "gemini/gemini-3-pro-preview"),
    (COHERE, "cohere/command-r-plus"),
    (BEDROCK, "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0"),
    (BEDROCK, "bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0"),
    (BEDROCK, "bedrock/converse/us.deepseek.r1-v1:0"),
    (OPENAI, "openai/gpt-5"),
    (OPENAI, "openai/o3-mini"),
    (OPENAI, "openai/of-somebody-else"),
)
TOOLS = (
    Tool(name="weather", description="d", parameters_json_schema='{"type":"object"}'),
    Tool(name="see/all", parameters_json_schema='{"type":"object","properties":{}}', strict=True),
)
SCHEMA = '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'
CALL = ToolCall(id="t-1", name="weather", arguments_json='{"city":"Bern"}')
CONVERSATION = (
    Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
    Message(role=Role.DEVELOPER, parts=(Text(text="And polite."),)),
    Message(
        role=Role.USER,
        parts=(Text(text="See"), Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"P")),
    ),
    Message(role=Role.ASSISTANT, parts=(Text(text="Wait"), CALL)),
    Message(
        role=Role.TOOL,
        parts=(ToolResult(tool_call_id="t-1", name="weather", content=(Text(text="rain"),)),),
    ),
)
REQUESTS = {
    "plain": ask(),
    "sampled": ask(
        sampling=Sampling(
            temperature=0.5,
            top_p=0.25,
            max_output_tokens=9,
            top_k=3,
            stop=tuple("abcde"),
        ),
        user="u",
    ),
    "candidates": ask(sampling=Sampling(n=2, seed=1, presence_penalty=0.5, logprobs=True)),
    "conversation": GenerateRequest(model="alias", messages=CONVERSATION, tools=TOOLS),
    "without its tools": GenerateRequest(model="alias", messages=CONVERSATION),
    "tools": ask(
        tools=TOOLS,
        tool_choice=ToolChoice(mode=ToolMode.NAMED, name="weather"),
        parallel_tool_calls=False,
    ),
    "tool at will": ask(tools=TOOLS[:1], tool_choice=ToolChoice(mode=ToolMode.REQUIRED)),
    "json": ask(response_format=ResponseFormat(kind=FormatKind.JSON_OBJECT)),
    "schema": ask(
        response_format=ResponseFormat(
            kind=FormatKind.JSON_SCHEMA, name="x", json_schema=SCHEMA, strict=True
        )
    ),
    "budget": ask(
        reasoning=ReasoningOptions(budget_tokens=2048), sampling=Sampling(max_output_tokens=4096)
    ),
    "effort": ask(reasoning=ReasoningOptions(effort=Effort.HIGH), tools=TOOLS[:1]),
    "thought": GenerateRequest(
        model="alias",
        messages=(
            Message(role=Role.USER, parts=(Text(text="Hi"),)),
            Message(
                role=Role.ASSISTANT,
                parts=(Reasoning(text="hm", signature=b"SIG=="), Text(text="Ho"), CALL),
            ),
            Message(
                role=Role.TOOL, parts=(ToolResult(tool_call_id="t-1", content=(Text(text="r"),)),)
            ),
        ),
        tools=TOOLS,
        reasoning=ReasoningOptions(budget_tokens=1024),
    ),
    "options": ask(
        safety=(SafetySetting(category="hate_speech", threshold="block_none"),),
        provider_options_json='{"metadata":{"a":1}}',
    ),
}
UNTOLD = frozenset({"user-agent", "accept", "accept-encoding", "connection", "host"}) | frozenset(
    {"authorization", "x-amz-date", "content-length"}
)
"""Headers that tell of the client or of the moment."""


def told(visit: Visit) -> tuple[object, ...]:
    """What an upstream is told by a request."""
    headers = {
        name: value
        for name, value in visit.headers.items()
        if name not in UNTOLD and not name.startswith("x-stainless-")
    }
    scheme = visit.headers.get("authorization", "").partition(" ")[0]
    return visit.method, visit.path, scheme, headers, json.loads(visit.body)


async def exchanged(
    provider: LiteLLMProvider, model: str, request: GenerateRequest, streaming: bool
) -> tuple[object, object]:
    """What came back, or what was raised, and the warnings."""
    tried = attempt(model, request, streaming=streaming, lenient=True)
    try:
        return await (await provider.open(tried)).collect(), tried.warnings
    except GatewayError as error:
        return (type(error), error.reason, error.message), tried.warnings


@pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
@pytest.mark.parametrize(("wire", "model"), MODELS, ids=lambda value: getattr(value, "name", value))
async def test_litellm_would_have_sent_the_same(
    make: Make, wire: Wire, model: str, streaming: bool
) -> None:
    answer = wire.stream() if streaming else whole(wire.whole)
    async with Upstream(always(answer)) as upstream:
        params = {"api_base": upstream.url, **wire.params}
        alone, through = make(**params), make(**params, **THROUGH)
        for name, request in REQUESTS.items():
            assert made_alone(model.partition("/")[0], params, request)
            upstream.visits.clear()
            outcomes = [
                await exchanged(provider, model, request, streaming)
                for provider in (alone, through)
            ]
            seen = [told(visit) for visit in upstream.visits]  # nothing, if both were refused
            assert seen[: len(seen) // 2] == seen[len(seen) // 2 :], name
            assert outcomes[0] == outcomes[1], name
