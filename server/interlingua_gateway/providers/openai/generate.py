"""The body of a chat completion's request."""

from __future__ import annotations

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import (
    FormatKind,
    GenerateRequest,
    Modality,
    ReasoningOptions,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.openai.messages import Fields, encode_messages
from interlingua_gateway.providers.openai.quirks import EFFORTS, Quirks
from interlingua_gateway.providers.options import json_of

DEFAULT_VOICE = "alloy"

SAMPLING = {
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.top_k": "top_k",
    "sampling.min_p": "min_p",
    "sampling.presence_penalty": "presence_penalty",
    "sampling.frequency_penalty": "frequency_penalty",
}
"""Fields of the contract that only change their name."""


def generate_form(attempt: Attempt, request: GenerateRequest, quirks: Quirks) -> Form:
    """The body for `request`, all but its provider options.

    Raises:
        CallerError: something in it cannot be honoured, and the caller is not lenient.
    """
    form = Form(attempt, quirks.lacks)
    form.body["messages"] = encode_messages(request.messages, form, quirks)
    _sampling(form, attempt, request, quirks)
    if request.tools and form.takes("tools", "tools"):
        _tools(form, request)
    if request.response_format is not None:
        _response_format(form, request.response_format)
    if request.reasoning is not None:
        _reasoning(form, request.reasoning)
    if request.modalities and request.modalities != (Modality.TEXT,):
        _modalities(form, attempt, request)
    if request.safety:
        form.refuse("safety_settings")
    form.put("user", "user", request.user or None)
    if attempt.streaming:
        form.body["stream"] = True
        if quirks.stream_usage:
            form.body["stream_options"] = {"include_usage": True}
    form.merge(request)
    return form


def _sampling(form: Form, attempt: Attempt, request: GenerateRequest, quirks: Quirks) -> None:
    sampling = request.sampling
    for path, name in SAMPLING.items():
        value = getattr(sampling, name)
        if value is not None:
            form.put(path, name, value)
    form.put("sampling.seed", quirks.seed, sampling.seed)
    limit = sampling.max_output_tokens
    form.put(
        "sampling.max_output_tokens",
        quirks.max_tokens,
        limit if limit is not None else attempt.target.max_output_tokens,
    )
    if sampling.stop:
        form.put("sampling.stop_sequences", "stop", sampling.stop)
    if sampling.logit_bias:
        form.put("sampling.logit_bias", "logit_bias", sampling.logit_bias)
    if sampling.n is not None and sampling.n != 1:
        form.put("sampling.candidate_count", "n", sampling.n)
    if sampling.logprobs or sampling.top_logprobs:
        form.put("sampling.logprobs", "logprobs", True)
    form.put("sampling.top_logprobs", "top_logprobs", sampling.top_logprobs)


def _tools(form: Form, request: GenerateRequest) -> None:
    if not form.takes("tools", "tools"):
        return
    form.body["tools"] = [_tool(tool, f"tools[{n}]") for n, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        _tool_choice(form, request.tool_choice)
    form.put("parallel_tool_calls", "parallel_tool_calls", request.parallel_tool_calls)


def _tool(tool: Tool, path: str) -> Fields:
    function: Fields = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json_schema:
        at = f"{path}.parameters_json_schema"
        function["parameters"] = json_of(tool.parameters_json_schema, at)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(form: Form, choice: ToolChoice) -> None:
    if choice.mode is ToolMode.NAMED:
        if form.takes("forced_tool_choice", "tool_choice.tool_name"):
            named = {"type": "function", "function": {"name": choice.name}}
            form.body["tool_choice"] = named
        return
    if choice.mode is ToolMode.REQUIRED and not form.takes(
        "forced_tool_choice", "tool_choice.mode"
    ):
        return
    form.body["tool_choice"] = str(choice.mode)


def _response_format(form: Form, wanted: ResponseFormat) -> None:
    if wanted.kind is FormatKind.JSON_OBJECT:
        form.put("response_format.json_object", "response_format", {"type": "json_object"})
    elif wanted.kind is FormatKind.JSON_SCHEMA:
        path = "response_format.json_schema"
        schema: Fields = {
            "name": wanted.name or "answer",
            "schema": json_of(wanted.json_schema, f"{path}.schema_json"),
        }
        if wanted.strict is not None:
            schema["strict"] = wanted.strict
        form.put(path, "response_format", {"type": "json_schema", "json_schema": schema})


def _reasoning(form: Form, options: ReasoningOptions) -> None:
    if options.effort is not None:
        form.put("reasoning.effort", "reasoning_effort", EFFORTS[options.effort])
    if options.budget_tokens is not None:
        form.refuse("reasoning.budget_tokens")


def _modalities(form: Form, attempt: Attempt, request: GenerateRequest) -> None:
    if Modality.IMAGE in request.modalities and not form.takes("image_output", "modalities"):
        return
    if Modality.AUDIO in request.modalities:
        if not form.takes("audio_output", "modalities"):
            return
        form.body["audio"] = {
            "voice": (request.audio and request.audio.voice) or DEFAULT_VOICE,
            "format": audio_format(attempt, request),
        }
    form.body["modalities"] = [str(modality) for modality in request.modalities]


def audio_format(attempt: Attempt, request: GenerateRequest) -> str:
    """The encoding of generated sound; a stream can only be `pcm16`.

    Raises:
        CallerError: the caller asked for another one in a stream.
    """
    wanted = request.audio.format if request.audio is not None else ""
    if attempt.streaming and wanted not in ("", "pcm16"):
        raise CallerError.of_field("audio_output.format", "this API streams sound only as pcm16")
    return wanted or ("pcm16" if attempt.streaming else "wav")
