"""What goes out through litellm, and what is refused before anything goes out."""

from __future__ import annotations

import json

import pytest

from interlingua_gateway.core.call import Warned
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.types import (
    CountRequest,
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
from tests.support.upstream import Upstream, always, whole
from tests.support.wires import ANTHROPIC, BEDROCK, COHERE, GEMINI, OLLAMA, OPENAI, Wire
from tests.unit.providers.litellm.conftest import Make, ask, attempt

TOOL = Tool(name="weather", description="d", parameters_json_schema='{"type":"object"}')
PIXEL = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89PNG")


async def sent(
    make: Make, wire: Wire, request: GenerateRequest, *, lenient: bool = False
) -> tuple[dict[str, object], list[Warned]]:
    """The JSON body that went out for `request`, and the warnings."""
    async with Upstream(always(whole(wire.whole))) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        tried = attempt(wire.model, request, lenient=lenient)
        await provider.open(tried)
        [visit] = upstream.visits
    return json.loads(visit.body), tried.warnings


@pytest.mark.parametrize(
    ("wire", "request_made", "path"),
    [
        (OPENAI, ask(sampling=Sampling(top_k=5)), "sampling.top_k"),
        (OPENAI, ask(sampling=Sampling(min_p=0.1)), "sampling.min_p"),
        (OPENAI, ask(safety=(SafetySetting(category="x", threshold="y"),)), "safety_settings"),
        (OPENAI, ask(reasoning=ReasoningOptions(effort=Effort.LOW)), "reasoning.effort"),
        (OPENAI, ask(reasoning=ReasoningOptions(budget_tokens=9)), "reasoning.budget_tokens"),
        (ANTHROPIC, ask(sampling=Sampling(seed=1)), "sampling.seed"),
        (ANTHROPIC, ask(sampling=Sampling(n=2)), "sampling.candidate_count"),
        (ANTHROPIC, ask(sampling=Sampling(logit_bias={1: 2.0})), "sampling.logit_bias"),
        (ANTHROPIC, ask(sampling=Sampling(logprobs=True)), "sampling.logprobs"),
        (BEDROCK, ask(sampling=Sampling(frequency_penalty=1.0)), "sampling.frequency_penalty"),
        (BEDROCK, ask(provider_options_json='{"a":1}'), "provider_options_json"),
        (COHERE, ask(parallel_tool_calls=True), "parallel_tool_calls"),
        (OLLAMA, ask(sampling=Sampling(logprobs=True)), "sampling.logprobs"),
    ],
    ids=lambda value: value.name if isinstance(value, Wire) else "",
)
async def test_unsupported_parameter_is_refused_or_warned_of(
    make: Make, wire: Wire, request_made: GenerateRequest, path: str
) -> None:
    async with Upstream(always(whole(wire.whole))) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        with pytest.raises(CallerError) as caught:
            await provider.open(attempt(wire.model, request_made))
        assert upstream.visits == []
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert [violation.subject for violation in caught.value.violations] == [path]
    body, warnings = await sent(make, wire, request_made, lenient=True)
    plain, none = await sent(make, wire, ask())
    assert [warning.field for warning in warnings] == [path]
    assert none == []
    assert body == plain


async def test_sampling_reaches_each_upstream(make: Make) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.25, max_output_tokens=9, stop=("a", "b"))
    body, _ = await sent(make, OPENAI, ask(sampling=sampling, user="u"))
    assert body == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "top_p": 0.25,
        "max_tokens": 9,
        "stop": ["a", "b"],
        "user": "u",
    }
    body, _ = await sent(make, ANTHROPIC, ask(sampling=Sampling(top_k=5, stop=("a",))))
    assert (body["top_k"], body["stop_sequences"]) == (5, ["a"])
    body, _ = await sent(make, GEMINI, ask(sampling=Sampling(top_k=5, temperature=0.5)))
    assert body["generationConfig"] == {"top_k": 5, "temperature": 0.5}
    body, _ = await sent(make, OLLAMA, ask(sampling=Sampling(top_k=5, seed=7)))
    assert body["options"] == {"top_k": 5, "seed": 7}
    body, _ = await sent(make, BEDROCK, ask(sampling=Sampling(temperature=0.5, stop=("a",))))
    assert body["inferenceConfig"] == {"temperature": 0.5, "stopSequences": ["a"]}


async def test_a_conversation_with_tools_and_reasoning_goes_back_to_anthropic(make: Make) -> None:
    thought = Reasoning(text="hm", signature=b"SIG==")
    hidden = Reasoning(signature=b"HIDDEN", redacted=True)
    call = ToolCall(id="t-1", name="weather", arguments_json='{"city":"Bern"}')
    result = ToolResult(tool_call_id="t-1", content=(Text(text="rain"),))
    request = GenerateRequest(
        model="alias",
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(role=Role.USER, parts=(Text(text="See"), PIXEL)),
            Message(role=Role.ASSISTANT, parts=(thought, hidden, Text(text="Wait"), call)),
            Message(role=Role.TOOL, parts=(result,)),
        ),
        tools=(TOOL,),
        tool_choice=ToolChoice(mode=ToolMode.NAMED, name="weather"),
    )
    body, _ = await sent(make, ANTHROPIC, request)
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert body["tool_choice"] == {"type": "tool", "name": "weather"}
    messages = body["messages"]
    assert isinstance(messages, list)
    seen, said, answered = messages
    assert [part["type"] for part in seen["content"]] == ["text", "image"]
    assert said["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "SIG=="},
        {"type": "redacted_thinking", "data": "HIDDEN"},
        {"type": "text", "text": "Wait"},
        {"type": "tool_use", "id": "t-1", "name": "weather", "input": {"city": "Bern"}},
    ]
    [block] = answered["content"]
    assert (block["type"], block["tool_use_id"]) == ("tool_result", "t-1")


async def test_reasoning_budget_and_schema_reach_anthropic(make: Make) -> None:
    schema = ResponseFormat(kind=FormatKind.JSON_SCHEMA, name="x", json_schema='{"type":"object"}')
    request = ask(
        reasoning=ReasoningOptions(budget_tokens=2048), sampling=Sampling(max_output_tokens=4096)
    )
    body, _ = await sent(make, ANTHROPIC, request)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    body, _ = await sent(make, GEMINI, ask(response_format=schema))
    assert body["generationConfig"] == {
        "response_mime_type": "application/json",
        "response_json_schema": {"type": "object"},
    }


async def test_provider_options_go_into_the_body_as_they_stand(make: Make) -> None:
    options = '{"api_key": "not ours", "mock_response": "no", "metadata": {"a": 1}}'
    for wire in (OPENAI, ANTHROPIC, GEMINI, COHERE, OLLAMA):
        body, _ = await sent(make, wire, ask(provider_options_json=options))
        assert {key: body[key] for key in json.loads(options)} == json.loads(options)


@pytest.mark.parametrize(
    "options", ["[]", "{", '{"model":"x"}', '{"models":["x"]}', '{"stream":true}', '{"n":2}']
)
async def test_provider_options_that_are_none_are_refused(make: Make, options: str) -> None:
    provider = make(api_base="http://localhost:9", **OPENAI.params)
    with pytest.raises(CallerError) as caught:
        await provider.open(attempt(OPENAI.model, ask(provider_options_json=options)))
    assert caught.value.violations[0].subject == "provider_options_json"


async def test_invalid_schemas_name_their_field(make: Make) -> None:
    provider = make(api_base="http://localhost:9", **OPENAI.params)
    bad = Tool(name="weather", parameters_json_schema="{")
    with pytest.raises(CallerError) as caught:
        await provider.open(attempt(OPENAI.model, ask(tools=(bad,))))
    assert caught.value.violations[0].subject == "tools[0].parameters_json_schema"


async def test_trace_headers_reach_the_upstream(make: Make) -> None:
    async with Upstream(always(whole(ANTHROPIC.whole))) as upstream:
        provider = make(api_base=upstream.url, **ANTHROPIC.params)
        tried = attempt(ANTHROPIC.model)
        tried.headers = {"traceparent": "00-abc-def-01"}
        await provider.open(tried)
        [visit] = upstream.visits
    assert visit.headers["traceparent"] == "00-abc-def-01"
    assert visit.headers["x-api-key"] == ANTHROPIC.params["api_key"]


async def test_embeddings_of_gemini_and_cohere(make: Make) -> None:
    inputs = (EmbedInput(text="a"), EmbedInput(text="b"))
    vectors = [[1.0, 2.0], [3.0, 4.0]]
    gemini = {"embeddings": [{"values": vector} for vector in vectors]}
    cohere = {
        "id": "e",
        "embeddings": {"float": vectors},
        "meta": {"billed_units": {"input_tokens": 2}},
    }
    for model, body, params in (
        ("gemini/gemini-embedding-001", gemini, GEMINI.params),
        ("cohere/embed-v4.0", cohere, COHERE.params),
    ):
        async with Upstream(always(whole(json.dumps(body).encode()))) as upstream:
            provider = make(api_base=upstream.url, **params)
            request = EmbedRequest(model="alias", inputs=inputs, task="search_query")
            answer = await (await provider.open(attempt(model, request))).collect()
            [visit] = upstream.visits
        assert [vector.data.hex() for vector in answer.vectors] == [
            "0000803f00000040",
            "0000404000008040",
        ]
        assert b"RETRIEVAL_QUERY" in visit.body or b"search_query" in visit.body


async def test_unknown_embedding_task_is_refused(make: Make) -> None:
    provider = make(api_base="http://localhost:9", **OPENAI.params)
    request = EmbedRequest(model="alias", inputs=(EmbedInput(text="a"),), task="search_query")
    with pytest.raises(CallerError) as caught:
        await provider.open(attempt("openai/text-embedding-3-small", request))
    assert caught.value.violations[0].subject == "task"


async def test_tokens_are_counted_without_the_upstream(make: Make) -> None:
    provider = make(api_base="http://localhost:9", **ANTHROPIC.params)
    reply = await provider.open(attempt(ANTHROPIC.model, CountRequest(request=ask())))
    count = (await reply.collect()).token_count
    assert isinstance(count, TokenCount)
    assert count.estimated
    assert 1 <= count.tokens < 30


async def test_model_without_a_provider_is_refused(make: Make) -> None:
    provider = make(**OPENAI.params)
    with pytest.raises(GatewayError) as caught:
        await provider.open(attempt("nobody-knows-this-model"))
    assert caught.value.reason is Reason.INVALID_REQUEST
