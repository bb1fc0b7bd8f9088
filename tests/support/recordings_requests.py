"""Recorded requests, in each provider's own words, as requests of the contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from interlingua.v1 import content_pb2, embed_pb2, generate_pb2

Json = Mapping[str, Any]
Asked = generate_pb2.GenerateRequest | embed_pb2.EmbedRequest
Part = content_pb2.Part

_NUMBERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "topP": "top_p",
    "p": "top_p",
    "top_k": "top_k",
    "topK": "top_k",
    "seed": "seed",
    "n": "candidate_count",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "maxTokens": "max_output_tokens",
    "max_gen_len": "max_output_tokens",
    "max_tokens_to_sample": "max_output_tokens",
    "maxTokenCount": "max_output_tokens",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""Numbers of the providers' dialects and their fields in SamplingOptions."""


def chat(asked: Json) -> generate_pb2.GenerateRequest:
    """A chat completion of OpenAI's, and of those who took over its form."""
    request = _started(asked)
    for message in asked["messages"]:
        request.messages.append(_chat_message(message))
    for tool in asked.get("tools") or ():
        function = tool["function"]
        _tool(request, function, function.get("parameters"), function.get("strict"))
    _tool_choice(request, asked.get("tool_choice"))
    _response_format(request, asked.get("response_format"))
    if asked.get("reasoning_effort"):
        name = f"REASONING_EFFORT_{asked['reasoning_effort'].upper()}"
        request.reasoning.effort = generate_pb2.ReasoningEffort.Value(name)
    if asked.get("service_tier"):
        request.provider_options_json = json.dumps({"service_tier": asked["service_tier"]})
    return request


def anthropic(asked: Json) -> generate_pb2.GenerateRequest:
    """A message of Anthropic's."""
    request = _started(asked)
    _system(request, asked.get("system"))
    for message in asked["messages"]:
        request.messages.extend(_anthropic_messages(message))
    for tool in asked.get("tools") or ():
        _tool(request, tool, tool["input_schema"], None)
    if "thinking" in asked:
        request.reasoning.budget_tokens = asked["thinking"]["budget_tokens"]
    if "output_format" in asked:
        schema = request.response_format.json_schema
        schema.name, schema.schema_json = "answer", json.dumps(asked["output_format"]["schema"])
    return request


def converse(asked: Json) -> generate_pb2.GenerateRequest:
    """A conversation of Bedrock's, and of Amazon's own models. Guardrails are the account's."""
    request = _started(asked.get("inferenceConfig", {}))
    _system(request, asked.get("system"))
    for message in asked["messages"]:
        made = request.messages.add(role=_role(message["role"]))
        for block in message["content"]:
            text = block.get("text") or block["guardContent"]["text"]["text"]
            made.parts.append(Part(text=text))
    for tool in asked.get("toolConfig", {}).get("tools", ()):
        _tool(request, tool["toolSpec"], tool["toolSpec"]["inputSchema"]["json"], None)
    return request


def prompt(asked: Json) -> generate_pb2.GenerateRequest:
    """One text without roles, as Titan, Llama, Jurassic, Cohere's first API and Ollama take it."""
    request = _started({**asked, **asked.get("textGenerationConfig", {})})
    text = asked.get("prompt") or asked.get("inputText") or asked["message"]
    made = request.messages.add(role=content_pb2.ROLE_USER, parts=[Part(text=text)])
    for image in asked.get("images") or ():
        made.parts.append(_image("image/png", image))
    return request


def gemini(asked: Json) -> generate_pb2.GenerateRequest:
    """Contents of Gemini's."""
    request = generate_pb2.GenerateRequest()
    for content in asked["contents"]:
        made = request.messages.add(role=_role(content["role"]))
        made.parts.extend(Part(text=part["text"]) for part in content["parts"])
    return request


def embeddings(asked: Json) -> embed_pb2.EmbedRequest:
    """Texts to embed, in the form of OpenAI, Cohere and Ollama."""
    given = asked.get("input") or asked.get("texts") or asked["prompt"]
    texts = [given] if isinstance(given, str) else given
    request = embed_pb2.EmbedRequest(inputs=[embed_pb2.EmbedInput(text=text) for text in texts])
    if "dimensions" in asked:
        request.dimensions = asked["dimensions"]
    if "input_type" in asked:
        request.task = embed_pb2.EmbedTask.Value(f"EMBED_TASK_{asked['input_type'].upper()}")
    return request


def _started(asked: Json) -> generate_pb2.GenerateRequest:
    """A request with the sampling of `asked`."""
    request = generate_pb2.GenerateRequest()
    for name, field in _NUMBERS.items():
        if asked.get(name) is not None:
            setattr(request.sampling, field, asked[name])
    stop = asked.get("stop") or asked.get("stop_sequences") or ()
    request.sampling.stop_sequences.extend([stop] if isinstance(stop, str) else stop)
    return request


def _role(name: str) -> content_pb2.Role:
    return content_pb2.Role.Value(f"ROLE_{'ASSISTANT' if name == 'model' else name.upper()}")


def _chat_message(message: Json) -> content_pb2.Message:
    made = content_pb2.Message(role=_role(message["role"]))
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    made_parts = [_chat_part(part) for part in parts if part.get("text") != ""]
    if message["role"] == "tool":
        call = message.get("tool_call_id") or "call_0"
        made.parts.add().tool_result.CopyFrom(
            content_pb2.ToolResult(tool_call_id=call, parts=made_parts)
        )
        return made
    made.parts.extend(made_parts)
    for call in message.get("tool_calls") or ():
        arguments = call["function"]["arguments"]
        made.parts.add().tool_call.CopyFrom(
            content_pb2.ToolCall(
                id=call.get("id") or "call_0",
                name=call["function"]["name"],
                arguments_json=arguments if isinstance(arguments, str) else json.dumps(arguments),
            )
        )
    return made


def _chat_part(part: Json) -> content_pb2.Part:
    if part["type"] == "text":
        return Part(text=part["text"])
    url = part["image_url"]["url"]
    head, _, data = url.partition(";base64,")
    if data:
        return _image(head.removeprefix("data:"), data)
    return Part(image=content_pb2.Media(uri=url))


def _anthropic_messages(message: Json) -> list[content_pb2.Message]:
    """A message; the tool results in it become one of ROLE_TOOL."""
    made = content_pb2.Message(role=_role(message["role"]))
    results = content_pb2.Message(role=content_pb2.ROLE_TOOL)
    content = message["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if block["type"] == "tool_result":
            result = results.parts.add().tool_result
            result.tool_call_id = block["tool_use_id"]
            result.parts.append(Part(text=block["content"]))
        else:
            made.parts.append(_anthropic_part(block))
    return [given for given in (results, made) if given.parts]


def _anthropic_part(block: Json) -> content_pb2.Part:
    if block["type"] == "text":
        return Part(text=block["text"])
    if block["type"] == "image":
        return _image(block["source"]["media_type"], block["source"]["data"])
    assert block["type"] == "tool_use", block
    return Part(
        tool_call=content_pb2.ToolCall(
            id=block["id"], name=block["name"], arguments_json=json.dumps(block["input"])
        )
    )


def _image(mime_type: str, data: str) -> content_pb2.Part:
    return Part(image=content_pb2.Media(mime_type=mime_type, data=base64.b64decode(data)))


def _system(request: generate_pb2.GenerateRequest, system: object) -> None:
    if not system:
        return
    blocks = [{"text": system}] if isinstance(system, str) else system
    made = request.messages.add(role=content_pb2.ROLE_SYSTEM)
    made.parts.extend(Part(text=block["text"]) for block in blocks)


def _tool(
    request: generate_pb2.GenerateRequest, named: Json, schema: object, strict: bool | None
) -> None:
    made = request.tools.add(name=named["name"], description=named.get("description", ""))
    made.parameters_json_schema = json.dumps(schema) if schema else ""
    if strict is not None:
        made.strict = strict


def _tool_choice(request: generate_pb2.GenerateRequest, choice: object) -> None:
    if isinstance(choice, str):
        request.tool_choice.mode = content_pb2.ToolMode.Value(f"TOOL_MODE_{choice.upper()}")
    elif isinstance(choice, dict):
        request.tool_choice.tool_name = choice["function"]["name"]


def _response_format(request: generate_pb2.GenerateRequest, wanted: Json | None) -> None:
    kind = (wanted or {}).get("type")
    if kind == "text":
        request.response_format.text.SetInParent()
    elif kind == "json_object":
        request.response_format.json_object.SetInParent()
    elif kind == "json_schema":
        given, schema = wanted["json_schema"], request.response_format.json_schema
        schema.name, schema.schema_json = given["name"], json.dumps(given["schema"])
        if given.get("strict") is not None:
            schema.strict = given["strict"]
