"""Requests of the contract into requests of the core, field by field, refusing what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from interlingua.v1 import content_pb2 as content
from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core.checks import MAX_DIMENSIONS
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import (
    AudioOutput,
    EmbedInput,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    Modality,
    ReasoningOptions,
    ResponseFormat,
    SafetySetting,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.wire.grpc import checks, enums
from interlingua_gateway.wire.grpc.decode_messages import decode_messages
from interlingua_gateway.wire.grpc.decode_sampling import decode_sampling

DEFAULT_MODEL = "default"

_NO_SAMPLING = Sampling()

_bad = CallerError.of_field


def decode_generate(pb: generate_pb2.GenerateRequest) -> GenerateRequest:
    """The core's request.

    Raises:
        CallerError: INVALID_REQUEST naming the first field that is wrong.
    """
    tools = _tools(pb.tools) if pb.tools else ()
    return GenerateRequest(
        model=pb.model or DEFAULT_MODEL,
        messages=decode_messages(pb.messages),
        sampling=decode_sampling(pb.sampling) if pb.HasField("sampling") else _NO_SAMPLING,
        tools=tools,
        tool_choice=_tool_choice(pb, tools),
        parallel_tool_calls=(
            pb.parallel_tool_calls if pb.HasField("parallel_tool_calls") else None
        ),
        response_format=_format(pb.response_format) if pb.HasField("response_format") else None,
        reasoning=_reasoning(pb.reasoning) if pb.HasField("reasoning") else None,
        modalities=_modalities(pb.modalities) if pb.modalities else (),
        audio=_audio(pb) if pb.HasField("audio_output") else None,
        safety=_safety(pb.safety_settings) if pb.safety_settings else (),
        user=pb.user or None,
        provider_options_json=_options(pb.provider_options_json),
    )


def decode_embed(pb: embed_pb2.EmbedRequest) -> EmbedRequest:
    """The core's request.

    Raises:
        CallerError: INVALID_REQUEST naming the first field that is wrong.
    """
    if not pb.inputs:
        raise _bad("inputs", "must not be empty")
    enums.known(_ENCODINGS, pb.encoding, "encoding")
    return EmbedRequest(
        model=pb.model or DEFAULT_MODEL,
        inputs=tuple(_embed_input(item, f"inputs[{i}]") for i, item in enumerate(pb.inputs)),
        dimensions=_dimensions(pb),
        task=enums.known(enums.EMBED_TASKS, pb.task, "task"),
        normalize=pb.normalize,
        user=pb.user or None,
        provider_options_json=_options(pb.provider_options_json),
    )


_ENCODINGS: Mapping[int, str] = {
    embed_pb2.EMBEDDING_ENCODING_UNSPECIFIED: "floats",
    embed_pb2.EMBEDDING_ENCODING_FLOATS: "floats",
    embed_pb2.EMBEDDING_ENCODING_FLOAT32_LE: "float32_le",
}


def _tools(pbs: Iterable[content.Tool]) -> tuple[Tool, ...]:
    tools = tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(pbs))
    checks.unique([tool.name for tool in tools], "tools", "name")
    return tools


def _tool(pb: content.Tool, field: str) -> Tool:
    checks.name(pb.name, f"{field}.name")
    if pb.parameters_json_schema:
        checks.schema(pb.parameters_json_schema, f"{field}.parameters_json_schema")
    return Tool(
        name=pb.name,
        description=pb.description,
        parameters_json_schema=pb.parameters_json_schema,
        strict=pb.strict if pb.HasField("strict") else None,
    )


def _tool_choice(pb: generate_pb2.GenerateRequest, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if not pb.HasField("tool_choice"):
        return None
    if not tools:
        raise _bad("tool_choice", "needs tools")
    choice = pb.tool_choice
    if choice.WhichOneof("choice") == "tool_name":
        if choice.tool_name not in [tool.name for tool in tools]:
            raise _bad("tool_choice.tool_name", "is not the name of one of the tools")
        return ToolChoice(mode=ToolMode.NAMED, name=choice.tool_name)
    return ToolChoice(mode=enums.known(enums.TOOL_MODES, choice.mode, "tool_choice.mode"))


def _format(pb: content.ResponseFormat) -> ResponseFormat:
    kind = pb.WhichOneof("format")
    if kind is None:
        raise _bad("response_format", "must say which format")
    if kind != "json_schema":
        return ResponseFormat(kind=FormatKind(kind))
    checks.name(pb.json_schema.name, "response_format.json_schema.name")
    checks.schema(pb.json_schema.schema_json, "response_format.json_schema.schema_json")
    return ResponseFormat(
        kind=FormatKind.JSON_SCHEMA,
        name=pb.json_schema.name,
        json_schema=pb.json_schema.schema_json,
        strict=pb.json_schema.strict if pb.json_schema.HasField("strict") else None,
    )


def _reasoning(pb: generate_pb2.ReasoningOptions) -> ReasoningOptions:
    return ReasoningOptions(
        effort=enums.known(enums.EFFORTS, pb.effort, "reasoning.effort"),
        budget_tokens=checks.positive(pb, "budget_tokens", "reasoning.budget_tokens"),
    )


def _modalities(values: Iterable[int]) -> tuple[Modality, ...]:
    return tuple(
        enums.known(enums.MODALITIES, value, f"modalities[{i}]") for i, value in enumerate(values)
    )


def _audio(pb: generate_pb2.GenerateRequest) -> AudioOutput:
    if content.MODALITY_AUDIO not in pb.modalities:
        raise _bad("audio_output", f"needs `{Modality.AUDIO}` among the modalities")
    return AudioOutput(voice=pb.audio_output.voice, format=pb.audio_output.format)


def _safety(pbs: Iterable[generate_pb2.SafetySetting]) -> tuple[SafetySetting, ...]:
    return tuple(
        SafetySetting(
            category=enums.known(
                enums.SAFETY_CATEGORIES, pb.category, f"safety_settings[{i}].category"
            ),
            threshold=enums.known(
                enums.SAFETY_THRESHOLDS, pb.threshold, f"safety_settings[{i}].threshold"
            ),
        )
        for i, pb in enumerate(pbs)
    )


def _dimensions(pb: embed_pb2.EmbedRequest) -> int | None:
    count = checks.positive(pb, "dimensions", "dimensions")
    if count is not None and count > MAX_DIMENSIONS:
        raise _bad("dimensions", f"must be from 1 to {MAX_DIMENSIONS}")
    return count


def _embed_input(pb: embed_pb2.EmbedInput, field: str) -> EmbedInput:
    if pb.WhichOneof("input") == "token_ids":
        if not pb.token_ids.ids:
            raise _bad(f"{field}.token_ids", "must not be empty")
        return EmbedInput(tokens=tuple(pb.token_ids.ids))
    if not pb.text:
        raise _bad(f"{field}.text", "must not be empty")
    return EmbedInput(text=pb.text)


def _options(text: str) -> str:
    if text:
        checks.json_object(text, "provider_options_json")
    return text
