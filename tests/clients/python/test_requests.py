"""Prompts and options become the requests of the contract."""

import json

import pytest
from google.protobuf.json_format import MessageToDict

from interlingua import (
    AudioOutputOptions,
    EmbedRequest,
    GenerateOptions,
    GenerateRequest,
    Message,
    Part,
    RoutingOptions,
    SafetySetting,
    ToolCall,
    ToolChoice,
    assistant,
    audio,
    developer,
    file,
    function_tool,
    image,
    json_schema,
    system,
    tool_result,
    user,
    video,
)
from interlingua.requests import EmbedOptions, embed_request, generate_request
from interlingua.v1 import content_pb2
from interlingua.v1.embed_pb2 import EmbedInput

EVERY_OPTION: GenerateOptions = {
    "timeout_s": 1.0,
    "traceparent": "t",
    "rpc_metadata": [("a", "b")],
    "routing": RoutingOptions(fallback_models=["b"]),
    "cache_mode": "refresh",
    "cache_ttl_s": 1.25,
    "priority": "high",
    "idempotency_key": "key",
    "user": "u",
    "metadata": {"k": "v"},
    "tags": ["t"],
    "provider_options": {"x": 1},
    "unsupported_parameters": "warn",
    "temperature": 0.0,
    "top_p": 0.5,
    "top_k": 0,
    "min_p": 0.25,
    "max_output_tokens": 5,
    "stop_sequences": "END",
    "seed": -1,
    "presence_penalty": 0.0,
    "frequency_penalty": -1.0,
    "logit_bias": {7: -100.0},
    "candidate_count": 2,
    "logprobs": True,
    "top_logprobs": 3,
    "tools": [function_tool("f", "does f", {"type": "object"}, strict=False)],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": "json_object",
    "reasoning_effort": "none",
    "reasoning_budget_tokens": 0,
    "modalities": ["text", "audio"],
    "audio_output": AudioOutputOptions(voice="v", format="wav"),
    "safety_settings": [SafetySetting(category=1, threshold=2)],
}

EVERY_FIELD = {
    "model": "gpt",
    "messages": [{"role": "ROLE_USER", "parts": [{"text": "hi"}]}],
    "sampling": {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 0,
        "min_p": 0.25,
        "max_output_tokens": 5,
        "stop_sequences": ["END"],
        "seed": "-1",
        "presence_penalty": 0.0,
        "frequency_penalty": -1.0,
        "logit_bias": {"7": -100.0},
        "candidate_count": 2,
        "logprobs": True,
        "top_logprobs": 3,
    },
    "tools": [
        {
            "name": "f",
            "description": "does f",
            "parameters_json_schema": '{"type": "object"}',
            "strict": False,
        }
    ],
    "tool_choice": {"mode": "TOOL_MODE_REQUIRED"},
    "parallel_tool_calls": False,
    "response_format": {"json_object": {}},
    "reasoning": {"effort": "REASONING_EFFORT_NONE", "budget_tokens": 0},
    "modalities": ["MODALITY_TEXT", "MODALITY_AUDIO"],
    "audio_output": {"voice": "v", "format": "wav"},
    "safety_settings": [
        {
            "category": "SAFETY_CATEGORY_HARASSMENT",
            "threshold": "SAFETY_THRESHOLD_BLOCK_MEDIUM_AND_ABOVE",
        }
    ],
    "routing": {"fallback_models": ["b"]},
    "cache": {"mode": "CACHE_MODE_REFRESH", "ttl": "1.250s"},
    "priority": "PRIORITY_HIGH",
    "idempotency_key": "key",
    "user": "u",
    "metadata": {"k": "v"},
    "tags": ["t"],
    "provider_options_json": '{"x": 1}',
    "unsupported_parameters": "UNSUPPORTED_PARAMETER_POLICY_WARN",
}


def as_dict(message) -> dict:
    return MessageToDict(message, preserving_proto_field_name=True)


def test_every_option_is_tested_and_fills_its_field():
    assert set(EVERY_OPTION) == GenerateOptions.__optional_keys__
    assert set(EVERY_FIELD) == set(GenerateRequest.DESCRIPTOR.fields_by_name)
    assert as_dict(generate_request("hi", "gpt", EVERY_OPTION)) == EVERY_FIELD


def test_no_option_fills_no_field():
    fields = {"messages": [{"role": "ROLE_USER", "parts": [{"text": "hi"}]}]}
    assert as_dict(generate_request("hi", None, {})) == fields
    nothing: GenerateOptions = dict.fromkeys(EVERY_OPTION)  # type: ignore[assignment]
    assert as_dict(generate_request("hi", None, nothing)) == fields


def test_embed_options():
    options: EmbedOptions = {"dimensions": 0, "task": "search_query", "priority": "low"}
    assert as_dict(embed_request(["a"], "e", options)) == {
        "model": "e",
        "inputs": [{"text": "a"}],
        "dimensions": 0,
        "task": "EMBED_TASK_SEARCH_QUERY",
        "encoding": "EMBEDDING_ENCODING_FLOAT32_LE",
        "priority": "PRIORITY_LOW",
    }


def test_a_whole_embed_request_is_sent_as_it_stands():
    request = EmbedRequest(model="e", inputs=[EmbedInput(text="a")])
    assert embed_request(request, None, {"timeout_s": 1}) is request
    with pytest.raises(TypeError, match="whole request"):
        embed_request(request, None, {"dimensions": 3})
    with pytest.raises(TypeError, match="whole request"):
        embed_request(request, "f", {})


def test_other_forms_of_options():
    schema = json_schema({"type": "object"}, strict=True)
    options: GenerateOptions = {
        "stop_sequences": ["a", "b"],
        "tool_choice": ToolChoice(tool_name="f"),
        "response_format": schema,
        "reasoning_budget_tokens": 9,
        "cache_ttl_s": 0.5,
        "provider_options": '{"y": 2}',
    }
    request = as_dict(generate_request("hi", None, options))
    assert request["sampling"] == {"stop_sequences": ["a", "b"]}
    assert request["tool_choice"] == {"tool_name": "f"}
    assert request["response_format"] == {
        "json_schema": {"name": "answer", "schema_json": '{"type": "object"}', "strict": True}
    }
    assert request["reasoning"] == {"budget_tokens": 9}
    assert request["cache"] == {"ttl": "0.500s"}
    assert request["provider_options_json"] == '{"y": 2}'
    text = generate_request("hi", None, {"response_format": "text"})
    assert text.response_format.WhichOneof("format") == "text"


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"temprature": 1}, TypeError, "temprature"),
        ({"priority": "urgent"}, ValueError, "low, normal, high"),
        ({"reasoning_effort": "unspecified!"}, ValueError, "reasoning_effort"),
        ({"tool_choice": "f"}, ValueError, "auto, none, required"),
        ({"response_format": "xml"}, ValueError, "json_schema"),
        ({"modalities": ["smell"]}, ValueError, "text, audio, image"),
        ({"cache_mode": "never"}, ValueError, "bypass"),
        ({"max_output_tokens": -1}, ValueError, "-1"),
        ({"temperature": "hot"}, TypeError, "number"),
        ({"provider_options": {"x": float("nan")}}, ValueError, "JSON"),
    ],
)
def test_wrong_options(options, error, named):
    with pytest.raises(error, match=named):
        generate_request("hi", None, options)


def test_a_whole_request_is_sent_as_it_stands():
    request = GenerateRequest(model="gpt")
    assert generate_request(request, None, {"timeout_s": 1.0}) is request
    with pytest.raises(TypeError):
        generate_request(request, "other", {})
    with pytest.raises(TypeError):
        generate_request(request, None, {"seed": 1})


def test_messages():
    call = ToolCall(id="1", name="f", arguments_json="{}")
    prompt = [
        system("be brief"),
        developer("be kind"),
        user("what is this?", image(b"png", "image/png", detail="high"), audio("https://a")),
        user(video(b"v", "video/mp4"), file("https://f", name="a.pdf")),
        assistant("wait", Part(tool_call=call)),
        tool_result(call, "sunny"),
        tool_result("2", ["see", image(b"i", "image/png")], name="g", is_error=True),
        {"role": "user", "content": "and now?", "name": "Ann"},
        {"role": "assistant", "content": ["a", image("https://i")]},
    ]
    made = [as_dict(message) for message in generate_request(prompt, None, {}).messages]
    assert made[0] == {"role": "ROLE_SYSTEM", "parts": [{"text": "be brief"}]}
    assert made[1] == {"role": "ROLE_DEVELOPER", "parts": [{"text": "be kind"}]}
    assert made[2]["parts"][1:] == [
        {"image": {"data": "cG5n", "mime_type": "image/png", "detail": "MEDIA_DETAIL_HIGH"}},
        {"audio": {"uri": "https://a"}},
    ]
    assert made[3]["parts"] == [
        {"video": {"data": "dg==", "mime_type": "video/mp4"}},
        {"file": {"uri": "https://f", "name": "a.pdf"}},
    ]
    assert made[4]["parts"][1] == {"tool_call": {"id": "1", "name": "f", "arguments_json": "{}"}}
    assert made[5] == {
        "role": "ROLE_TOOL",
        "parts": [
            {"tool_result": {"tool_call_id": "1", "name": "f", "parts": [{"text": "sunny"}]}}
        ],
    }
    failed = made[6]["parts"][0]["tool_result"]
    assert (failed["tool_call_id"], failed["name"], failed["is_error"]) == ("2", "g", True)
    assert made[7] == {"role": "ROLE_USER", "parts": [{"text": "and now?"}], "name": "Ann"}
    assert made[8]["parts"][1] == {"image": {"uri": "https://i"}}


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (["hi"], TypeError),
        (b"hi", TypeError),
        (None, TypeError),
        ({"role": "user", "content": "hi"}, TypeError),
        ([{"role": "user"}], TypeError),
        ([{"role": "user", "content": "hi", "tool_calls": []}], TypeError),
        ([{"role": "boss", "content": "hi"}], ValueError),
        ([{"role": "user", "content": [{"type": "text", "text": "hi"}]}], ValueError),
        (Message(), TypeError),
    ],
)
def test_what_is_no_prompt(prompt, error):
    with pytest.raises(error):
        generate_request(prompt, None, {})


def test_bytes_without_a_type():
    with pytest.raises(ValueError, match="MIME"):
        image(b"png")


def test_tool_parameters():
    assert function_tool("f").parameters_json_schema == ""
    assert not function_tool("f").HasField("strict")
    schema = {"type": "object", "properties": {"x": {"type": "string", "title": "ü"}}}
    assert json.loads(function_tool("f", "", schema).parameters_json_schema) == schema


def test_every_role_has_a_constructor():
    made = [system(""), developer(""), user(""), assistant(""), tool_result("1", "")]
    roles = {content_pb2.Role.Name(message.role) for message in made}
    assert roles == set(content_pb2.Role.keys()) - {"ROLE_UNSPECIFIED"}
