"""Requests that litellm only makes are those that it would have sent, and so are the answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import TextDelta, Usage
from interlingua_gateway.core.types import (
    Effort,
    EmbedInput,
    EmbedRequest,
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
from interlingua_gateway.providers.litellm.plain import (
    anthropic_text,
    cohere_text,
    converse_text,
    gemini_text,
    openai_text,
)
from interlingua_gateway.providers.litellm.ways import embeds_alone, made_alone
from tests.support.upstream import LAST_CHUNK, Upstream, Visit, always, chunk, whole
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


async def test_litellm_would_have_asked_for_the_same_embeddings(make: Make) -> None:
    rows = [
        {"index": 1, "embedding": [3.0, 4.0], "object": "embedding"},
        {"index": 0, "embedding": [1.0, 2.0], "object": "embedding"},
    ]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    body = {"object": "list", "model": "m", "data": rows, "usage": usage}
    request = EmbedRequest(
        model="alias", inputs=(EmbedInput(text="a"), EmbedInput(text="b")), dimensions=2, user="u"
    )
    async with Upstream(always(whole(json.dumps(body).encode()))) as upstream:
        params = {"api_base": upstream.url, **OPENAI.params}
        assert embeds_alone("openai", params)
        assert not embeds_alone("openai", params | THROUGH)
        alone = await make(**params).open(attempt("openai/text-embedding-3-small", request))
        through = make(**params, **THROUGH)
        await through.open(attempt("openai/text-embedding-3-small", request))
        made, sent = map(told, upstream.visits)
    *_, asked = made
    assert isinstance(asked, dict)
    assert asked.pop("encoding_format") == "base64"  # which litellm leaves at lists of numbers
    assert made == sent
    answer = await alone.collect()
    assert [vector.data.hex() for vector in answer.vectors] == [
        "0000803f00000040",
        "0000404000008040",
    ]
    assert answer.usage == Usage(input_tokens=2)
    assert alone.start.upstream_model == "m"


def test_what_litellm_has_to_fetch_or_to_decide_is_its_own() -> None:
    key = {"api_key": "k", "api_base": "http://localhost"}
    aws = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key", "aws_region_name"), "x")
    assert made_alone("anthropic", key, ask())
    assert made_alone("bedrock", aws, ask())
    assert not made_alone("anthropic", {}, ask())  # a key of the environment, or a federation's
    assert not made_alone("anthropic", key | {"extra_headers": {}}, ask())
    assert not made_alone("bedrock", aws | {"aws_role_name": "r"}, ask())
    assert not made_alone("openai", {"api_key": "k"}, ask())
    assert not made_alone("vertex_ai", key, ask())
    picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", uri="https://example.org/p.png")
    result = ToolResult(tool_call_id="t", content=(picture,))
    for part in (picture, result):
        seen = Message(role=Role.USER, parts=(part,))
        assert not made_alone("anthropic", key, GenerateRequest(model="alias", messages=(seen,)))


async def test_pieces_that_come_together_go_on_together(make: Make) -> None:
    for wire in (ANTHROPIC, GEMINI, COHERE, BEDROCK, OPENAI):
        together = wire.head + chunk(b"".join(wire.pieces)) + LAST_CHUNK
        async with Upstream(always(together)) as upstream:
            provider = make(api_base=upstream.url, **wire.params)
            reply = await provider.open(attempt(wire.model, streaming=True))
            first = await anext(aiter(reply))
        said = [event.text for event in first if isinstance(event, TextDelta)]
        assert said == ["Hello ", "there"], wire.name


async def test_what_came_before_a_fault_is_passed_on(make: Make) -> None:
    for wire in (ANTHROPIC, COHERE, OPENAI):
        broken = b"".join(wire.pieces[: wire.unfinished]) + b"data: {broken\n\n"
        async with Upstream(always(wire.head + chunk(broken) + LAST_CHUNK)) as upstream:
            provider = make(api_base=upstream.url, **wire.params)
            reply = await provider.open(attempt(wire.model, streaming=True))
            batches = aiter(reply)
            first = await anext(batches)
            with pytest.raises(GatewayError) as caught:
                await anext(batches)
        assert "".join(event.text for event in first if isinstance(event, TextDelta)) == (
            "Hello there"
        )
        assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (openai_text, {"choices": [{"index": 0, "delta": {"content": "a", "refusal": "b"}}]}),
        (openai_text, {"choices": [{"index": 0, "delta": {"content": "a"}}] * 2}),
        (openai_text, {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {}}]}),
        (openai_text, {"choices": [{"index": 0, "delta": {"content": "a"}}], "error": {}}),
        (openai_text, {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}),
        (anthropic_text, {"type": "content_block_delta", "delta": {"type": "thinking_delta"}}),
        (anthropic_text, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        (converse_text, {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 0}),
        (converse_text, {"delta": {"text": ""}, "contentBlockIndex": 0}),
        (cohere_text, {"type": "content-delta", "delta": None}),
        (
            cohere_text,
            {"type": "content-delta", "delta": {"message": {"content": {"thinking": ""}}}},
        ),
        (gemini_text, {"candidates": [{"content": {"parts": [{"text": "a", "thought": True}]}}]}),
        (gemini_text, {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}),
        (
            gemini_text,
            {
                "candidates": [{"content": {"parts": [{"text": "a"}]}}],
                "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 9},
            },
        ),
    ],
)
def test_what_is_more_than_text_is_left_to_litellm(
    read: Callable[[dict[str, object]], object], value: dict[str, object]
) -> None:
    assert read(value) is None
