"""What a request becomes on Anthropic's wire."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.types import (
    CountRequest,
    Effort,
    EmbedInput,
    EmbedRequest,
    FormatKind,
    Media,
    MediaKind,
    Message,
    Modality,
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
from tests.support.anthropic import MODEL, Bench, attempt, body_of
from tests.support.openai import KEY, ask, user, whole

IMAGE = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89P")
PDF = Media(kind=MediaKind.FILE, mime_type="application/pdf", data=b"%PDF", name="a.pdf")
PDF_64 = base64.b64encode(b"%PDF").decode()
OLD = "claude-sonnet-4-5-20250929"


def said(*parts: object, role: Role = Role.USER) -> dict[str, Any]:
    return {"messages": (Message(role=role, parts=parts),)}  # type: ignore[arg-type]


def content_of(*parts: object, role: Role = Role.USER) -> Any:
    (turn,) = body_of(ask(**said(*parts, role=role)))["messages"]
    return turn["content"]


def think(**how: Any) -> dict[str, Any]:
    return {"reasoning": ReasoningOptions(**how)}


def schema_of(text: str, **more: Any) -> dict[str, Any]:
    kind = FormatKind.JSON_SCHEMA
    return {"response_format": ResponseFormat(kind=kind, name="x", json_schema=text, **more)}


def test_smallest_request() -> None:
    made = Bench().dialect.request(attempt(ask()))
    assert (made.method, made.path) == ("POST", "/v1/messages")
    assert made.origin.authority == "api.anthropic.com"
    assert dict(made.headers) == {
        "x-api-key": KEY,
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
    }
    assert msgspec.json.decode(made.body) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 4096,
    }


@pytest.mark.parametrize(
    "base_url", ["http://h:1/a", "http://h:1/a/", "http://h:1/a/v1", "http://h:1/a/v1/"]
)
def test_base_url_with_and_without_the_version(base_url: str) -> None:
    dialect = Bench(base_url=base_url).dialect
    assert dialect.request(attempt(ask())).path == "/a/v1/messages"
    listed = dialect.models_request()
    assert listed is not None
    assert listed.path == "/a/v1/models?limit=1000"


def test_headers_of_account_and_attempt() -> None:
    own = {"Anthropic-Version": "2030-01-01", "X-Api-Key": "other", "X-Team": "t"}
    tried = attempt(ask())
    tried = Attempt(tried.request, tried.target, headers={"traceparent": "00-1-2-01"})
    assert dict(Bench(headers=own).dialect.request(tried).headers) == {
        "anthropic-version": "2030-01-01",
        "x-api-key": "other",
        "x-team": "t",
        "content-type": "application/json",
        "traceparent": "00-1-2-01",
    }


def test_sampling() -> None:
    sampling = Sampling(
        temperature=0.0, top_p=0.9, top_k=5, max_output_tokens=10, stop=("a", "b"), n=1
    )
    body = body_of(ask(sampling=sampling, user="u1"), streaming=True, model=OLD)
    del body["messages"]
    assert body == {
        "model": OLD,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 5,
        "max_tokens": 10,
        "stop_sequences": ["a", "b"],
        "metadata": {"user_id": "u1"},
        "stream": True,
    }


@pytest.mark.parametrize(
    ("model", "takes"),
    [(OLD, True), ("claude-sonnet-4-6", True), ("other-1", True), ("claude-opus-4-7", False),
     ("claude-haiku-5-5", False)],
)  # fmt: skip
def test_newer_models_draw_tokens_as_they_will(model: str, takes: bool) -> None:
    neutral = body_of(ask(sampling=Sampling(temperature=1.0, top_p=1.0)), model=model)
    assert ("temperature" in neutral) is takes
    for name, value in (("temperature", 0.0), ("top_p", 0.5), ("top_k", 3)):
        tried = attempt(ask(sampling=Sampling(**{name: value})), model=model, lenient=True)
        body = msgspec.json.decode(Bench().dialect.request(tried).body)
        assert body.get(name) == (value if takes else None)
        assert [warned.field for warned in tried.warnings] == [f"sampling.{name}"] * (not takes)


def test_longest_answer() -> None:
    asked = ask(sampling=Sampling(max_output_tokens=7))
    configured = {"max_output_tokens": 99, "longest_output_tokens": 64_000}
    assert body_of(asked, **configured)["max_tokens"] == 7
    assert body_of(ask(), **configured)["max_tokens"] == 99
    assert body_of(ask(), longest_output_tokens=64_000)["max_tokens"] == 64_000
    assert body_of(ask())["max_tokens"] == 4096
    thinking = ask(**think(budget_tokens=10_000))
    assert body_of(thinking, model=OLD)["max_tokens"] == 14_096


def test_instructions_stand_apart() -> None:
    messages = (
        Message(role=Role.SYSTEM, parts=(Text(text="s1"), Text(text=""), Text(text="s2"))),
        Message(role=Role.DEVELOPER, parts=(Text(text="d"),)),
        user("u"),
    )
    body = body_of(ask(messages=messages))
    assert body["system"] == [{"type": "text", "text": text} for text in ("s1", "s2", "d")]
    assert [turn["role"] for turn in body["messages"]] == ["user"]


def test_later_instructions_are_moved_and_the_caller_is_told() -> None:
    late = Message(role=Role.SYSTEM, parts=(Text(text="late"),))
    tried = attempt(ask(messages=(user("a"), late, user("b"))))
    body = msgspec.json.decode(Bench().dialect.request(tried).body)
    assert body["system"] == [{"type": "text", "text": "late"}]
    assert [warned.field for warned in tried.warnings] == ["messages[1]"]


def test_media() -> None:
    link = Media(kind=MediaKind.IMAGE, mime_type="", uri="https://x/y.png")
    inline = Media(kind=MediaKind.IMAGE, mime_type="", uri="data:image/gif;base64,R0k=")
    jpg = Media(kind=MediaKind.IMAGE, mime_type="image/JPG; q=1", data=b"j", detail="auto")
    note = Media(kind=MediaKind.FILE, mime_type="text/markdown", data="# Grüße".encode())
    linked = Media(kind=MediaKind.FILE, mime_type="application/pdf", uri="https://x/a.pdf")
    assert content_of(Text(text="look"), IMAGE, link, inline, jpg, PDF, note, linked) == [
        {"type": "text", "text": "look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVA="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0k="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "ag=="}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF_64},
            "title": "a.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "# Grüße"},
        },
        {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
    ]


def test_conversation_with_tools_and_thoughts() -> None:
    body = body_of(
        ask(
            messages=(
                user("weather?"),
                Message(
                    role=Role.ASSISTANT,
                    parts=(
                        Reasoning(text="hm", signature=b"SIG=="),
                        Reasoning(signature=b"HIDDEN", redacted=True),
                        Reasoning(signature=b"KEPT"),
                        Text(text=""),
                        ToolCall(id="t1", name="f", arguments_json='{"b":1,"a":2.0}'),
                        ToolCall(id="t2", name="g", arguments_json=""),
                    ),
                ),
                Message(
                    role=Role.TOOL,
                    parts=(
                        ToolResult(tool_call_id="t1", content=(Text(text="sun"), IMAGE, PDF)),
                        ToolResult(tool_call_id="t2", content=(), is_error=True),
                    ),
                ),
                Message(role=Role.USER, parts=(Text(text="and?"),)),
            )
        )
    )
    asked, answered, given = body["messages"]
    assert asked["role"] == given["role"] == "user"
    assert answered == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "SIG=="},
            {"type": "redacted_thinking", "data": "HIDDEN"},
            {"type": "thinking", "thinking": "", "signature": "KEPT"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2.0}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        ],
    }
    first, second, rest = given["content"]
    assert (first["type"], first["tool_use_id"]) == ("tool_result", "t1")
    assert [part["type"] for part in first["content"]] == ["text", "image", "document"]
    assert second == {"type": "tool_result", "tool_use_id": "t2", "is_error": True}
    assert rest == {"type": "text", "text": "and?"}


def test_results_of_tools_stand_first() -> None:
    result = ToolResult(tool_call_id="t1", content=(Text(text="sun"),))
    found = content_of(Text(text="see"), result)
    assert [part["type"] for part in found] == ["tool_result", "text"]


def test_messages_of_one_side_are_one_turn_and_empty_ones_none() -> None:
    empty = Message(role=Role.ASSISTANT, parts=(Text(text=""),))
    yes = Message(role=Role.ASSISTANT, parts=(Text(text="yes"),))
    body = body_of(ask(messages=(user("a"), empty, user("b"), yes, yes)))
    assert [(turn["role"], len(turn["content"])) for turn in body["messages"]] == [
        ("user", 2),
        ("assistant", 2),
    ]


@pytest.mark.parametrize(
    "thought",
    [Reasoning(text="hm"), Reasoning(text="hm", signature=b"\xff\x00"), Reasoning(redacted=True)],
)
def test_reasoning_that_another_provider_signed_is_left_out(thought: Reasoning) -> None:
    tried = attempt(ask(**said(thought, Text(text="yes"), role=Role.ASSISTANT)))
    (turn,) = msgspec.json.decode(Bench().dialect.request(tried).body)["messages"]
    assert turn["content"] == [{"type": "text", "text": "yes"}]
    assert [warned.field for warned in tried.warnings] == ["messages[0].parts[0].reasoning"]


def test_tools() -> None:
    schema = '{"type":"object","properties":{"z":{"const":12345678901234567890},"a":{}}}'
    tools = (
        Tool(name="f", description="does f", parameters_json_schema=schema, strict=True),
        Tool(name="g"),
    )
    body = body_of(ask(tools=tools))
    assert body["tools"] == [
        {
            "name": "f",
            "description": "does f",
            "input_schema": msgspec.json.decode(schema),
            "strict": True,
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert "tool_choice" not in body
    assert schema.encode() in Bench().dialect.request(attempt(ask(tools=tools))).body


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (ToolChoice(mode=ToolMode.AUTO), None, {"type": "auto"}),
        (ToolChoice(mode=ToolMode.NONE), False, {"type": "none"}),
        (ToolChoice(mode=ToolMode.REQUIRED), None, {"type": "any"}),
        (
            ToolChoice(mode=ToolMode.NAMED, name="f"),
            False,
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        ),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, sent: object) -> None:
    request = ask(tools=(Tool(name="f"),), tool_choice=choice, parallel_tool_calls=parallel)
    assert body_of(request)["tool_choice"] == sent


SUMMARY = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "how", "thinking", "effort"),
    [
        ("claude-sonnet-5", {"effort": Effort.MINIMAL}, SUMMARY, "low"),
        ("claude-opus-4-8", {"effort": Effort.MEDIUM}, SUMMARY, "medium"),
        ("claude-opus-4-6-20260205", {"effort": Effort.HIGH}, SUMMARY, "high"),
        ("claude-next", {"effort": Effort.MAX}, SUMMARY, "max"),
        ("claude-next", {"effort": Effort.NONE}, {"type": "disabled"}, None),
        ("claude-next", {"budget_tokens": 0}, {"type": "disabled"}, None),
        ("claude-next", {}, None, None),
        (OLD, {"effort": Effort.LOW}, {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, {"effort": Effort.MAX}, {"type": "enabled", "budget_tokens": 16_384}, None),
        (OLD, {"effort": Effort.NONE}, {"type": "disabled"}, None),
        (OLD, {"budget_tokens": 5000}, {"type": "enabled", "budget_tokens": 5000}, None),
        (
            "claude-sonnet-4-6",
            {"budget_tokens": 5000},
            {"type": "enabled", "budget_tokens": 5000},
            None,
        ),
        ("other-1", {"budget_tokens": 5000}, {"type": "enabled", "budget_tokens": 5000}, None),
    ],
)
def test_reasoning(model: str, how: dict[str, Any], thinking: object, effort: str | None) -> None:
    body = body_of(ask(**think(**how)), model=model)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == (None if effort is None else {"effort": effort})


@pytest.mark.parametrize(
    "model",
    ["claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-opus-4-0", "claude-opus-4-1",
     "claude-opus-4-5-20251101", "claude-haiku-4-5", "claude-haiku-4-5-20251001"],
)  # fmt: skip
def test_older_models_think_by_a_budget(model: str) -> None:
    body = body_of(ask(**think(effort=Effort.MEDIUM)), model=model)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}


def test_a_budget_for_an_effort_leaves_room_for_the_answer() -> None:
    request = ask(sampling=Sampling(max_output_tokens=2000), **think(effort=Effort.MAX))
    body = body_of(request, model=OLD)
    assert (body["thinking"]["budget_tokens"], body["max_tokens"]) == (1999, 2000)


PERSON = """{"type":"object","title":"Person","properties":{
    "age":{"type":"integer","minimum":0,"maximum":150,"description":"In years"},
    "minimum":{"type":"string"},
    "pets":{"type":"array","minItems":1,"uniqueItems":false,"items":{"$ref":"#/$defs/pet"}},
    "tags":{"type":["object","null"],"additionalProperties":{"type":"string"}},
    "home":{"oneOf":[{"type":"string","maxLength":9},{"type":"null"}]}},
  "required":["age"],
  "$defs":{"pet":{"type":"object","properties":{"name":{"type":"string"}}}}}"""
FITTED = {
    "type": "object",
    "title": "Person",
    "properties": {
        "age": {"type": "integer", "description": 'In years\n{"minimum":0,"maximum":150}'},
        "minimum": {"type": "string"},
        "pets": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/pet"}},
        "tags": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "description": '{"additionalProperties":{"type":"string"}}',
        },
        "home": {"anyOf": [{"type": "string", "description": '{"maxLength":9}'}, {"type": "null"}]},
    },
    "required": ["age"],
    "$defs": {
        "pet": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
SCHEMA_PATH = "response_format.json_schema.schema_json"


def test_schema_that_can_be_held() -> None:
    text = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'
    for strict in (None, True, False):
        sent = body_of(ask(**schema_of(text, strict=strict)))["output_config"]
        closed = {**msgspec.json.decode(text), "additionalProperties": False}
        assert sent == {"format": {"type": "json_schema", "schema": closed}}
    sent = body_of(ask(**schema_of("true")))["output_config"]["format"]["schema"]
    assert sent is True


def test_schema_that_says_more_than_can_be_held() -> None:
    tried = attempt(ask(**schema_of(PERSON)))
    body = msgspec.json.decode(Bench().dialect.request(tried).body)
    assert body["output_config"]["format"]["schema"] == FITTED
    (warned,) = tried.warnings
    assert warned.field == SCHEMA_PATH
    assert "additionalProperties, maxLength, maximum, minimum" in warned.description


def test_schema_that_is_to_be_held_exactly() -> None:
    request = ask(**schema_of(PERSON, strict=True))
    with pytest.raises(CallerError) as raised:
        Bench().dialect.request(attempt(request))
    assert raised.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert raised.value.violations[0].subject == SCHEMA_PATH
    lenient = attempt(request, lenient=True)
    body = msgspec.json.decode(Bench().dialect.request(lenient).body)
    assert body["output_config"]["format"]["schema"] == FITTED


def test_plain_text_is_no_format() -> None:
    assert "output_config" not in body_of(ask(response_format=ResponseFormat(kind=FormatKind.TEXT)))


def test_provider_options_are_merged() -> None:
    options = '{"service_tier":"standard_only","cache_control":{"type":"ephemeral"}}'
    body = body_of(ask(provider_options_json=options))
    assert body["service_tier"] == "standard_only"
    assert body["cache_control"] == {"type": "ephemeral"}


def test_options_of_the_output_join_those_that_are_there() -> None:
    schema = {"type": "json_schema", "schema": {"type": "string"}}
    request = ask(
        **think(effort=Effort.LOW),
        **schema_of('{"type":"string"}'),
        provider_options_json='{"output_config":{"effort":"xhigh","task_budget":{"total":9}}}',
    )
    assert body_of(request)["output_config"] == {
        "effort": "xhigh",
        "format": schema,
        "task_budget": {"total": 9},
    }


def test_options_can_take_those_of_the_output_away() -> None:
    request = ask(**think(effort=Effort.LOW), provider_options_json='{"output_config":null}')
    assert body_of(request)["output_config"] is None


def test_betas_travel_in_a_header() -> None:
    request = ask(provider_options_json='{"betas":["a-2026-01-01","b-2026-01-01"],"speed":"fast"}')
    made = Bench(headers={"Anthropic-Beta": "own-2025"}).dialect.request(attempt(request))
    found = [value for name, value in made.headers if name == "anthropic-beta"]
    assert found == ["own-2025,a-2026-01-01,b-2026-01-01"]
    body = msgspec.json.decode(made.body)
    assert body["speed"] == "fast"
    assert "betas" not in body


@pytest.mark.parametrize(
    "options",
    ["{", "[]", '{"model":"other"}', '{"stream":true}', '{"messages":[]}', '{"betas":"a"}',
     '{"max_tokens":5}',
     '{"betas":["a\\r\\nx: y"]}', '{"betas":[1]}', '{"betas":null}'],
)  # fmt: skip
def test_provider_options_that_are_refused(options: str) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(ask(provider_options_json=options))
    assert raised.value.reason is Reason.INVALID_REQUEST
    assert raised.value.violations[0].subject == "provider_options_json"


def media(kind: MediaKind, mime_type: str = "", **more: Any) -> Media:
    return Media(kind=kind, mime_type=mime_type, **more)


SOUND = media(MediaKind.AUDIO, "audio/wav", data=b"R")
AT = "messages[0].parts[0]"
UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"sampling": Sampling(n=2)}, "sampling.candidate_count"),
    ({"sampling": Sampling(temperature=0.2)}, "sampling.temperature"),
    ({"sampling": Sampling(top_p=0.2)}, "sampling.top_p"),
    ({"sampling": Sampling(top_k=2)}, "sampling.top_k"),
    ({"sampling": Sampling(min_p=0.1)}, "sampling.min_p"),
    ({"sampling": Sampling(seed=0)}, "sampling.seed"),
    ({"sampling": Sampling(presence_penalty=0.1)}, "sampling.presence_penalty"),
    ({"sampling": Sampling(frequency_penalty=0.1)}, "sampling.frequency_penalty"),
    ({"sampling": Sampling(logit_bias={1: 2.0})}, "sampling.logit_bias"),
    ({"sampling": Sampling(logprobs=True)}, "sampling.logprobs"),
    ({"sampling": Sampling(top_logprobs=2)}, "sampling.top_logprobs"),
    (
        {"response_format": ResponseFormat(kind=FormatKind.JSON_OBJECT)},
        "response_format.json_object",
    ),
    (think(budget_tokens=2048), "reasoning.budget_tokens"),
    (
        {"safety": (SafetySetting(category="harassment", threshold="block_none"),)},
        "safety_settings",
    ),
    ({"modalities": (Modality.TEXT, Modality.AUDIO)}, "modalities"),
    (said(SOUND), f"{AT}.audio"),
    (said(media(MediaKind.VIDEO, data=b"v")), f"{AT}.video"),
    (said(media(MediaKind.IMAGE, "image/tiff", data=b"I")), f"{AT}.image.mime_type"),
    (said(media(MediaKind.IMAGE, uri="https://x/y", detail="low")), f"{AT}.image.detail"),
    (said(media(MediaKind.FILE, "text/csv", uri="https://x/a.csv")), f"{AT}.file.uri"),
    (said(media(MediaKind.FILE, "text/csv", data=b"\xff")), f"{AT}.file.data"),
    (said(media(MediaKind.FILE, "application/zip", data=b"P")), f"{AT}.file.mime_type"),
    (said(ToolResult(tool_call_id="c", content=(SOUND,))), f"{AT}.tool_result.parts[0].audio"),
    (said(IMAGE, role=Role.ASSISTANT), f"{AT}.image"),
    (said(IMAGE, role=Role.SYSTEM), AT),
    (said(Reasoning(text="x")), AT),
    (
        {"messages": (Message(role=Role.USER, parts=(Text(text="x"),), name="ann"),)},
        "messages[0].name",
    ),
]


@pytest.mark.parametrize(("fields", "path"), UNSUPPORTED, ids=[path for _, path in UNSUPPORTED])
def test_what_cannot_be_honoured(fields: dict[str, Any], path: str) -> None:
    request = ask(**fields)
    with pytest.raises(CallerError) as raised:
        Bench().dialect.request(attempt(request))
    assert raised.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert raised.value.violations[0].subject == path

    lenient = attempt(request, lenient=True)
    body = msgspec.json.decode(Bench().dialect.request(lenient).body)
    assert [warned.field for warned in lenient.warnings] == [path]
    assert body.keys() <= {"model", "messages", "max_tokens", "system", "thinking"}


def test_a_budget_and_an_effort_exclude_each_other() -> None:
    request = ask(**think(effort=Effort.LOW, budget_tokens=2048))
    with pytest.raises(CallerError) as raised:
        body_of(request, model=OLD)
    assert raised.value.violations[0].subject == "reasoning.effort"


def test_an_answer_too_short_to_think() -> None:
    request = ask(sampling=Sampling(max_output_tokens=1024), **think(effort=Effort.LOW))
    with pytest.raises(CallerError) as raised:
        body_of(request, model=OLD)
    assert raised.value.violations[0].subject == "reasoning.effort"
    lenient = attempt(request, lenient=True, model=OLD)
    assert b"thinking" not in Bench().dialect.request(lenient).body


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (
            {"tools": (Tool(name="f", parameters_json_schema="{"),)},
            "tools[0].parameters_json_schema",
        ),
        (schema_of("no"), SCHEMA_PATH),
        (
            said(ToolCall(id="t", name="f", arguments_json='{"a":'), role=Role.ASSISTANT),
            f"{AT}.tool_call.arguments_json",
        ),
        (
            said(ToolCall(id="t", name="f", arguments_json="[1]"), role=Role.ASSISTANT),
            f"{AT}.tool_call.arguments_json",
        ),
    ],
)
def test_json_that_is_none(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(ask(**fields))
    assert raised.value.reason is Reason.INVALID_REQUEST
    assert raised.value.violations[0].subject == path


def test_no_embeddings() -> None:
    request = EmbedRequest(model="alias", inputs=(EmbedInput(text="x"),))
    with pytest.raises(CallerError) as raised:
        Bench().dialect.request(attempt(request))
    assert raised.value.reason is Reason.UNSUPPORTED_PARAMETER


async def test_count() -> None:
    request = ask(
        messages=(Message(role=Role.SYSTEM, parts=(Text(text="s"),)), user()),
        sampling=Sampling(temperature=1.0, stop=("x",)),
        tools=(Tool(name="f"),),
        user="u",
        provider_options_json='{"service_tier":"auto","betas":["b"]}',
        **think(effort=Effort.LOW),
    )
    bench = Bench(whole({"input_tokens": 42}))
    reply = await bench.provider.open(attempt(CountRequest(request=request)))
    assert (await reply.collect()).token_count == TokenCount(42, estimated=False)
    (sent,) = bench.transport.requests
    assert (sent.method, sent.path) == ("POST", "/v1/messages/count_tokens")
    assert dict(sent.headers)["anthropic-beta"] == "b"
    assert msgspec.json.decode(sent.body).keys() == {
        "model", "messages", "system", "tools", "thinking", "output_config",
    }  # fmt: skip


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no", b'{"input_tokens":"x"}'])
async def test_count_of_another_shape(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        await Bench(whole(body)).provider.open(attempt(CountRequest(request=ask())))
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


async def test_models() -> None:
    listed = {"data": [{"type": "model", "id": "a"}, {"id": "b"}], "has_more": False}
    bench = Bench(whole(listed))
    assert await bench.provider.models() == ["a", "b"]
    (sent,) = bench.transport.requests
    assert dict(sent.headers) == {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    with pytest.raises(UpstreamError):
        await Bench(whole({"data": [1]})).provider.models()


def test_requests_are_of_the_form_that_anthropics_own_library_has() -> None:
    """Its types say which fields there are and what they hold."""
    form = TypeAdapter(MessageCreateParamsNonStreaming)
    result = ToolResult(tool_call_id="t1", content=(Text(text="sun"), IMAGE, PDF), is_error=True)
    call = ToolCall(id="t1", name="f", arguments_json="{}")
    thought = Reasoning(text="hm", signature=b"S")
    request = ask(
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="s"),)),
            Message(role=Role.USER, parts=(Text(text="x"), IMAGE, PDF)),
            Message(role=Role.ASSISTANT, parts=(thought, call)),
            Message(role=Role.TOOL, parts=(result,)),
        ),
        sampling=Sampling(max_output_tokens=9, stop=("x",)),
        tools=(Tool(name="f", description="d", strict=True),),
        tool_choice=ToolChoice(mode=ToolMode.REQUIRED),
        parallel_tool_calls=False,
        user="u",
        **think(effort=Effort.HIGH),
        **schema_of('{"type":"string"}'),
    )
    body = body_of(request)
    form.validate_python(body, strict=True)
    known = MessageCreateParamsNonStreaming
    assert body.keys() <= known.__required_keys__ | known.__optional_keys__
