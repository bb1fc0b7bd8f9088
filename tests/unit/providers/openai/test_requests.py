"""What a request becomes on OpenAI's wire."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    AudioOutput,
    Effort,
    FormatKind,
    GenerateRequest,
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
from tests.support.openai import KEY, Bench, ask, attempt, body_of, user


def messages_of(*messages: Message, name: str = "openai") -> Any:
    return body_of(ask(messages=messages), name=name)["messages"]


def test_smallest_request() -> None:
    made = Bench().dialect.request(attempt(ask()))
    assert (made.method, made.path) == ("POST", "/v1/chat/completions")
    assert made.origin.authority == "api.openai.com"
    assert dict(made.headers) == {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
    }
    assert msgspec.json.decode(made.body) == {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_headers_of_the_attempt_are_sent() -> None:
    tried = attempt(ask())
    tried = Attempt(tried.request, tried.target, headers={"traceparent": "00-1-2-01"})
    assert dict(Bench().dialect.request(tried).headers)["traceparent"] == "00-1-2-01"


def test_stream_asks_for_usage() -> None:
    body = body_of(ask(), streaming=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert "stream_options" not in body_of(ask(), name="mistral", streaming=True)


def test_sampling() -> None:
    sampling = Sampling(
        temperature=0.0,
        top_p=0.9,
        max_output_tokens=10,
        stop=("a", "b"),
        seed=-1,
        presence_penalty=0.1,
        frequency_penalty=-0.2,
        logit_bias={50256: -100.0},
        n=2,
        logprobs=True,
        top_logprobs=3,
    )
    body = body_of(ask(sampling=sampling, user="u1", parallel_tool_calls=True))
    del body["messages"]
    assert body == {
        "model": "gpt-x",
        "temperature": 0.0,
        "top_p": 0.9,
        "max_completion_tokens": 10,
        "stop": ["a", "b"],
        "seed": -1,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.2,
        "logit_bias": {"50256": -100.0},
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "user": "u1",
    }


def test_names_of_other_providers() -> None:
    sampling = Sampling(max_output_tokens=10, seed=3, top_k=5, min_p=0.1)
    vllm = body_of(ask(sampling=sampling), name="vllm")
    assert (vllm["max_tokens"], vllm["top_k"], vllm["min_p"]) == (10, 5, 0.1)
    assert body_of(ask(sampling=Sampling(seed=3)), name="mistral")["random_seed"] == 3


def test_limit_of_the_target_is_the_default() -> None:
    target = Target(
        deployment="d", provider="openai", model="gpt-x", label="d", max_output_tokens=99
    )
    dialect = Bench().dialect
    made = dialect.request(Attempt(ask(), target))
    assert msgspec.json.decode(made.body)["max_completion_tokens"] == 99
    made = dialect.request(Attempt(ask(sampling=Sampling(max_output_tokens=7)), target))
    assert msgspec.json.decode(made.body)["max_completion_tokens"] == 7


def test_tools() -> None:
    schema = '{"type":"object","properties":{"z":{"const":12345678901234567890},"a":{}}}'
    tools = (
        Tool(name="f", description="does f", parameters_json_schema=schema, strict=True),
        Tool(name="g"),
    )
    body = body_of(ask(tools=tools, parallel_tool_calls=False))
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "does f",
                "parameters": msgspec.json.decode(schema),
                "strict": True,
            },
        },
        {"type": "function", "function": {"name": "g"}},
    ]
    assert body["parallel_tool_calls"] is False
    made = Bench().dialect.request(attempt(ask(tools=tools)))
    assert schema.encode() in made.body


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(mode=ToolMode.AUTO), "auto"),
        (ToolChoice(mode=ToolMode.NONE), "none"),
        (ToolChoice(mode=ToolMode.REQUIRED), "required"),
        (
            ToolChoice(mode=ToolMode.NAMED, name="f"),
            {"type": "function", "function": {"name": "f"}},
        ),
    ],
)
def test_tool_choice(choice: ToolChoice, sent: object) -> None:
    assert body_of(ask(tools=(Tool(name="f"),), tool_choice=choice))["tool_choice"] == sent


def test_response_format() -> None:
    def sent(wanted: ResponseFormat) -> object:
        return body_of(ask(response_format=wanted)).get("response_format")

    assert sent(ResponseFormat(kind=FormatKind.TEXT)) is None
    assert sent(ResponseFormat(kind=FormatKind.JSON_OBJECT)) == {"type": "json_object"}
    wanted = ResponseFormat(
        kind=FormatKind.JSON_SCHEMA, name="city", json_schema='{"type":"string"}', strict=False
    )
    assert sent(wanted) == {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": {"type": "string"}, "strict": False},
    }


@pytest.mark.parametrize(("effort", "sent"), [(Effort.NONE, "none"), (Effort.MAX, "xhigh")])
def test_reasoning_effort(effort: Effort, sent: str) -> None:
    assert body_of(ask(reasoning=ReasoningOptions(effort=effort)))["reasoning_effort"] == sent


def test_audio_output() -> None:
    request = ask(
        modalities=(Modality.TEXT, Modality.AUDIO), audio=AudioOutput(voice="ash", format="mp3")
    )
    body = body_of(request)
    assert body["modalities"] == ["text", "audio"]
    assert body["audio"] == {"voice": "ash", "format": "mp3"}
    with pytest.raises(CallerError) as raised:
        body_of(request, streaming=True)
    assert raised.value.violations[0].subject == "audio_output.format"
    streamed = ask(modalities=(Modality.TEXT, Modality.AUDIO))
    assert body_of(streamed, streaming=True)["audio"] == {"voice": "alloy", "format": "pcm16"}


def test_media() -> None:
    parts = (
        Text(text="look"),
        Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89P", detail="low"),
        Media(kind=MediaKind.IMAGE, mime_type="", uri="https://x/y.png"),
        Media(kind=MediaKind.AUDIO, mime_type="audio/mpeg", data=b"ID3"),
        Media(kind=MediaKind.FILE, mime_type="application/pdf", data=b"%PDF", name="a.pdf"),
    )
    (message,) = messages_of(Message(role=Role.USER, parts=parts, name="ann"))
    pdf = base64.b64encode(b"%PDF").decode()
    assert message == {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "look"},
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,iVA=", "detail": "low"},
            },
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
            },
        ],
    }


def test_roles() -> None:
    messages = (
        Message(role=Role.SYSTEM, parts=(Text(text="s1"),)),
        Message(role=Role.SYSTEM, parts=(Text(text="s2a"), Text(text="s2b"))),
        Message(role=Role.DEVELOPER, parts=(Text(text="d"),)),
        user("u"),
    )
    sent = messages_of(*messages)
    assert [message["role"] for message in sent] == ["system", "system", "developer", "user"]
    assert sent[1]["content"] == [{"type": "text", "text": "s2a"}, {"type": "text", "text": "s2b"}]
    assert messages_of(*messages, name="groq")[2]["role"] == "system"


def test_conversation_with_tools() -> None:
    sent = messages_of(
        user("weather?"),
        Message(
            role=Role.ASSISTANT,
            parts=(
                Text(text="Let me "),
                Text(text="see."),
                ToolCall(id="c1", name="f", arguments_json='{"a":1}'),
                ToolCall(id="c2", name="g", arguments_json=""),
            ),
        ),
        Message(
            role=Role.TOOL,
            parts=(
                ToolResult(tool_call_id="c1", content=(Text(text="sun"), Text(text="ny"))),
                ToolResult(tool_call_id="c2", content=(Text(text="no such g"),), is_error=True),
            ),
        ),
    )
    assert sent[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: no such g"},
    ]


def test_assistant_that_only_calls_has_no_content() -> None:
    call = ToolCall(id="c1", name="f", arguments_json="{}")
    (sent,) = messages_of(Message(role=Role.ASSISTANT, parts=(call,)))
    assert sent["content"] is None


def test_reasoning_goes_back_where_it_is_taken() -> None:
    thought = Message(role=Role.ASSISTANT, parts=(Reasoning(text="hm"), Text(text="yes")))
    (sent,) = messages_of(thought, name="moonshot")
    assert sent == {"role": "assistant", "content": "yes", "reasoning_content": "hm"}
    tried = attempt(ask(messages=(thought,)))
    made = Bench().dialect.request(tried)
    assert msgspec.json.decode(made.body)["messages"] == [{"role": "assistant", "content": "yes"}]
    assert [warned.field for warned in tried.warnings] == ["messages[0].parts[0].reasoning"]


def test_provider_options_are_merged() -> None:
    body = body_of(ask(provider_options_json='{"temperature":2,"service_tier":"flex"}'))
    assert (body["temperature"], body["service_tier"]) == (2, "flex")


@pytest.mark.parametrize(
    "options",
    ["{", "[]", '"x"', '{"model":"other"}', '{"models":["x"]}', '{"stream":true}', '{"n":2}'],
)
def test_provider_options_that_are_refused(options: str) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(ask(provider_options_json=options))
    assert raised.value.reason is Reason.INVALID_REQUEST
    assert raised.value.violations[0].subject == "provider_options_json"


VIDEO = Media(kind=MediaKind.VIDEO, mime_type="video/mp4", data=b"v")
PICTURE = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"p")


def said(*parts: object, role: Role = Role.USER) -> dict[str, object]:
    return {"messages": (Message(role=role, parts=(Text(text="x"), *parts)),)}  # type: ignore[arg-type]


UNSUPPORTED: list[tuple[dict[str, object], str]] = [
    ({"sampling": Sampling(top_k=3)}, "sampling.top_k"),
    ({"sampling": Sampling(min_p=0.1)}, "sampling.min_p"),
    ({"reasoning": ReasoningOptions(budget_tokens=9)}, "reasoning.budget_tokens"),
    (
        {"safety": (SafetySetting(category="harassment", threshold="block_none"),)},
        "safety_settings",
    ),
    ({"modalities": (Modality.IMAGE,)}, "modalities"),
    (said(VIDEO), "messages[0].parts[1].video"),
    (
        said(Media(kind=MediaKind.FILE, mime_type="application/pdf", uri="https://x/a.pdf")),
        "messages[0].parts[1].file.uri",
    ),
    (
        said(Media(kind=MediaKind.AUDIO, mime_type="audio/wav", uri="https://x/a.wav")),
        "messages[0].parts[1].audio.uri",
    ),
    (
        said(Media(kind=MediaKind.AUDIO, mime_type="audio/midi", data=b"M")),
        "messages[0].parts[1].audio.mime_type",
    ),
    (said(PICTURE, role=Role.ASSISTANT), "messages[0].parts[1].image"),
    (
        said(ToolResult(tool_call_id="c", content=(PICTURE,))),
        "messages[0].parts[1].tool_result.parts[0].image",
    ),
]


@pytest.mark.parametrize(("fields", "path"), UNSUPPORTED, ids=[path for _, path in UNSUPPORTED])
def test_what_openai_cannot_honour(fields: dict[str, object], path: str) -> None:
    request: GenerateRequest = ask(**fields)
    with pytest.raises(CallerError) as raised:
        Bench().dialect.request(attempt(request))
    assert raised.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert raised.value.violations[0].subject == path

    lenient = attempt(request, lenient=True)
    body = Bench().dialect.request(lenient).body
    assert [warned.field for warned in lenient.warnings] == [path]
    assert b"top_k" not in body
    assert b"video" not in body


@pytest.mark.parametrize(
    ("name", "fields", "path"),
    [
        ("groq", {"sampling": Sampling(n=2)}, "sampling.candidate_count"),
        ("ollama", {"tools": (Tool(name="f"),), "tool_choice": ToolChoice(mode=ToolMode.REQUIRED)},
         "tool_choice.mode"),
        ("deepseek",
         {"response_format": ResponseFormat(kind=FormatKind.JSON_SCHEMA, json_schema="{}")},
         "response_format.json_schema"),
        ("perplexity", {"tools": (Tool(name="f"),)}, "tools"),
        ("deepseek", said(PICTURE), "messages[0].parts[1].image"),
    ],
)  # fmt: skip
def test_what_other_providers_cannot_honour(
    name: str, fields: dict[str, object], path: str
) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(ask(**fields), name=name)
    assert raised.value.violations[0].subject == path


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (
            {"tools": (Tool(name="f", parameters_json_schema="{"),)},
            "tools[0].parameters_json_schema",
        ),
        (
            {"response_format": ResponseFormat(kind=FormatKind.JSON_SCHEMA, json_schema="no")},
            "response_format.json_schema.schema_json",
        ),
    ],
)
def test_json_that_is_none(fields: dict[str, object], path: str) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(ask(**fields))
    assert raised.value.violations[0].subject == path


def test_azure_urls() -> None:
    bench = Bench(name="azure", base_url="https://me.openai.azure.com/", api_version="2024-10-21")
    made = bench.dialect.request(attempt(ask(), provider="azure"))
    assert made.path == "/openai/deployments/gpt-x/chat/completions?api-version=2024-10-21"
    assert dict(made.headers)["api-key"] == KEY
    plain = Bench(name="azure", base_url="https://me.openai.azure.com/openai/v1")
    assert plain.dialect.request(attempt(ask())).path == "/openai/v1/chat/completions"
