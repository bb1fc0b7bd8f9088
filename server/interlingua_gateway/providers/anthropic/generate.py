"""The body of a message's request."""

from __future__ import annotations

from typing import Final

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.types import (
    FormatKind,
    GenerateRequest,
    Modality,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.providers.anthropic.generations import Generation, generation_of
from interlingua_gateway.providers.anthropic.media import Fields
from interlingua_gateway.providers.anthropic.messages import encode_messages
from interlingua_gateway.providers.anthropic.output_schema import output_schema
from interlingua_gateway.providers.anthropic.thinking import put_thinking
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.options import json_of

DEFAULT_MAX_TOKENS: Final = 4096
"""Longest answer, in tokens beside its thoughts, where nobody says one: the API wants a number.
Every model since Claude 3 takes this one."""
_TAKES: Final = ("temperature", "top_p", "top_k")
_REFUSES: Final = ("min_p", "seed", "presence_penalty", "frequency_penalty", "top_logprobs")
_NEUTRAL: Final = {"temperature": 1, "top_p": 1}
"""What changes nothing, and can so be left out."""


def message_form(attempt: Attempt, request: GenerateRequest) -> Form:
    """The body for `request`, with its provider options.

    Raises:
        CallerError: something in it cannot be honoured, and the caller is not lenient.
    """
    form = Form(attempt, frozenset())
    conversation = encode_messages(request.messages, form)
    if conversation.system:
        form.body["system"] = conversation.system
    form.body["messages"] = conversation.turns
    generation = generation_of(attempt.target.model)
    _sampling(form, request.sampling, generation)
    _length(form, attempt, request, generation)
    if request.tools:
        _tools(form, request)
    if request.response_format is not None:
        _response_format(form, request.response_format)
    if request.modalities and request.modalities != (Modality.TEXT,):
        form.refuse("modalities")
    if request.safety:
        form.refuse("safety_settings")
    if request.user:
        form.body["metadata"] = {"user_id": request.user}
    if attempt.streaming:
        form.body["stream"] = True
    _merge(form, request)
    return form


def _sampling(form: Form, sampling: Sampling, generation: Generation) -> None:
    for name in _TAKES:
        value = getattr(sampling, name)
        if generation.sampling:
            form.put(f"sampling.{name}", name, value)
        elif value is not None and value != _NEUTRAL.get(name):
            form.refuse(f"sampling.{name}", "this model chooses itself how tokens are drawn")
    if sampling.stop:
        form.body["stop_sequences"] = sampling.stop
    _unknown_sampling(form, sampling)


def _unknown_sampling(form: Form, sampling: Sampling) -> None:
    for name in _REFUSES:
        if getattr(sampling, name) is not None:
            form.refuse(f"sampling.{name}")
    if sampling.logit_bias:
        form.refuse("sampling.logit_bias")
    if sampling.n is not None and sampling.n != 1:
        form.refuse("sampling.candidate_count")
    if sampling.logprobs:
        form.refuse("sampling.logprobs")


def _length(form: Form, attempt: Attempt, request: GenerateRequest, generation: Generation) -> None:
    """The longest answer, and the thoughts that are part of it."""
    target = attempt.target
    limit = request.sampling.max_output_tokens
    if limit is None:
        limit = target.max_output_tokens
    if limit is None:
        limit = target.longest_output_tokens
    thoughts = 0
    if request.reasoning is not None:
        thoughts = put_thinking(form, generation, request.reasoning, limit)
    form.body["max_tokens"] = DEFAULT_MAX_TOKENS + thoughts if limit is None else limit


def _tools(form: Form, request: GenerateRequest) -> None:
    form.body["tools"] = [_tool(tool, f"tools[{n}]") for n, tool in enumerate(request.tools)]
    choice = None if request.tool_choice is None else _choice(request.tool_choice)
    if request.parallel_tool_calls is not None and choice != {"type": "none"}:
        choice = choice or {"type": "auto"}
        choice["disable_parallel_tool_use"] = not request.parallel_tool_calls
    if choice is not None:
        form.body["tool_choice"] = choice


def _tool(tool: Tool, path: str) -> Fields:
    schema: object = {"type": "object", "properties": {}}
    if tool.parameters_json_schema:
        schema = json_of(tool.parameters_json_schema, f"{path}.parameters_json_schema")
    made: Fields = {"name": tool.name, "input_schema": schema}
    if tool.description:
        made["description"] = tool.description
    if tool.strict is not None:
        made["strict"] = tool.strict
    return made


def _choice(choice: ToolChoice) -> Fields:
    if choice.mode is ToolMode.NAMED:
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.mode is ToolMode.REQUIRED else str(choice.mode)}


def _response_format(form: Form, wanted: ResponseFormat) -> None:
    if wanted.kind is FormatKind.JSON_OBJECT:
        form.refuse(
            "response_format.json_object",
            "this API wants a schema; send response_format.json_schema",
        )
    elif wanted.kind is FormatKind.JSON_SCHEMA:
        schema = {"type": "json_schema", "schema": output_schema(form, wanted)}
        form.body["output_config"] = {**_output_config(form), "format": schema}


def _merge(form: Form, request: GenerateRequest) -> None:
    """Put the caller's options over the body; those of the output join the ones that are there."""
    ours = _output_config(form)
    form.merge(request)
    theirs = form.body.get("output_config")
    if isinstance(theirs, dict):
        form.body["output_config"] = {**ours, **theirs}


def _output_config(form: Form) -> Fields:
    found = form.body.get("output_config")
    return found if isinstance(found, dict) else {}
