"""Prompts and options into requests of the core, refusing what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from interlingua_gateway.core import checks
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    ReasoningOptions,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.library.messages import check_messages, conversation
from interlingua_gateway.library.options import (
    CallOptions,
    DeliveryOptions,
    EmbedOptions,
    GenerateOptions,
    Prompt,
    Texts,
)

DEFAULT_MODEL: Final = "default"

_SAMPLING: Final[Mapping[str, str]] = {
    **{name: name for name in checks.SAMPLING_RANGES},
    "stop_sequences": "stop",
    "seed": "seed",
    "logit_bias": "logit_bias",
    "candidate_count": "n",
    "logprobs": "logprobs",
}
"""The field of Sampling for each option."""

T = TypeVar("T")
_bad = CallerError.of_field


def generate_request(
    prompt: Prompt, model: str | None, options: GenerateOptions
) -> GenerateRequest:
    """The core's request; a prompt that is one is taken as it stands.

    Raises:
        CallerError: INVALID_REQUEST naming the first thing that is wrong.
    """
    given = _given(options, GenerateOptions.__optional_keys__)
    if isinstance(prompt, GenerateRequest):
        if model is not None or given.keys() - DeliveryOptions.__optional_keys__:
            raise _bad("prompt", "a whole request takes no model and no options: set its fields")
        request = prompt
    else:
        fields = _fields(conversation(prompt), model, given, options)
        request = _converted(fields, GenerateRequest, "")
    check_messages(request.messages)
    _check_tools(request)
    return request


def embed_request(texts: Texts, model: str | None, options: EmbedOptions) -> EmbedRequest:
    """The core's request.

    Raises:
        CallerError: INVALID_REQUEST naming the first thing that is wrong.
    """
    given = _given(options, EmbedOptions.__optional_keys__)
    items = [texts] if isinstance(texts, str) else list(texts)
    if not items:
        raise _bad("inputs", "must not be empty")
    fields: dict[str, object] = {
        "model": model or DEFAULT_MODEL,
        "inputs": tuple(_embed_input(item, f"inputs[{i}]") for i, item in enumerate(items)),
        "provider_options_json": _json(given),
        **{key: given[key] for key in ("dimensions", "task", "normalize", "user") if key in given},
    }
    request = _converted(fields, EmbedRequest, "")
    if request.dimensions is not None and not 1 <= request.dimensions <= checks.MAX_DIMENSIONS:
        raise _bad("dimensions", f"must be from 1 to {checks.MAX_DIMENSIONS}")
    return request


def refuse_unknown(
    options: CallOptions, known: frozenset[str] = CallOptions.__optional_keys__
) -> None:
    """Raises TypeError for an option that there is not."""
    if unknown := options.keys() - known:
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}")


def _given(options: CallOptions, known: frozenset[str]) -> dict[str, object]:
    """What is not None."""
    refuse_unknown(options, known)
    return {key: value for key, value in options.items() if value is not None}


def _fields(
    messages: Sequence[object],
    model: str | None,
    given: Mapping[str, object],
    options: GenerateOptions,
) -> dict[str, object]:
    return {
        "model": model or DEFAULT_MODEL,
        "messages": messages,
        "sampling": _sampling(given),
        "tools": tuple(options.get("tools") or ()),
        "tool_choice": _tool_choice(options),
        "parallel_tool_calls": options.get("parallel_tool_calls"),
        "response_format": _response_format(options),
        "reasoning": _reasoning(given),
        "modalities": tuple(options.get("modalities") or ()),
        "audio": options.get("audio_output"),
        "safety": tuple(options.get("safety_settings") or ()),
        "user": options.get("user"),
        "provider_options_json": _json(given),
    }


def _sampling(given: Mapping[str, object]) -> Sampling:
    fields = {field: given[option] for option, field in _SAMPLING.items() if option in given}
    if isinstance(fields.get("stop"), str):
        fields["stop"] = (fields["stop"],)
    sampling = _converted(fields, Sampling, "sampling.")
    numbers = {key: getattr(sampling, key) for key in checks.SAMPLING_RANGES if key in fields}
    checks.within(numbers, checks.SAMPLING_RANGES, "sampling")
    if sampling.top_logprobs is not None and not sampling.logprobs:
        raise _bad("sampling.top_logprobs", "needs sampling.logprobs")
    if "" in sampling.stop:
        raise _bad("sampling.stop_sequences", "must not hold an empty text")
    if any(not -100 <= bias <= 100 for bias in sampling.logit_bias.values()):
        raise _bad("sampling.logit_bias", "must be from -100 to 100")
    if sampling.n is not None and not 1 <= sampling.n <= checks.MAX_CANDIDATES:
        raise _bad("sampling.candidate_count", f"must be from 1 to {checks.MAX_CANDIDATES}")
    return sampling


def _reasoning(given: Mapping[str, object]) -> ReasoningOptions | None:
    names = {"effort": "reasoning_effort", "budget_tokens": "reasoning_budget_tokens"}
    fields = {field: given[option] for field, option in names.items() if option in given}
    if not fields:
        return None
    reasoning = _converted(fields, ReasoningOptions, "reasoning.")
    if reasoning.budget_tokens is not None and reasoning.budget_tokens < 1:
        raise _bad("reasoning.budget_tokens", "must be at least 1")
    return reasoning


def _tool_choice(options: GenerateOptions) -> ToolChoice | None:
    choice = options.get("tool_choice")
    if not isinstance(choice, str):
        return choice
    return _converted({"mode": choice}, ToolChoice, "tool_choice.")


def _response_format(options: GenerateOptions) -> ResponseFormat | None:
    wanted = options.get("response_format")
    if not isinstance(wanted, str):
        return wanted
    if wanted not in (FormatKind.TEXT, FormatKind.JSON_OBJECT):
        raise _bad("response_format", "must be text, json_object or a ResponseFormat")
    return ResponseFormat(kind=FormatKind(wanted))


def _check_tools(request: GenerateRequest) -> None:
    names = [tool.name for tool in request.tools]
    for i, tool in enumerate(request.tools):
        _check_tool(tool, f"tools[{i}]")
    checks.unique(names, "tools", "name")
    choice, wanted = request.tool_choice, request.response_format
    if choice is not None and not names:
        raise _bad("tool_choice", "needs tools")
    if choice is not None and choice.mode is ToolMode.NAMED and choice.name not in names:
        raise _bad("tool_choice.tool_name", "is not the name of one of the tools")
    if wanted is not None and wanted.kind is FormatKind.JSON_SCHEMA:
        checks.name(wanted.name, "response_format.json_schema.name")
        checks.schema(wanted.json_schema, "response_format.json_schema.schema_json")
    if request.audio is not None and "audio" not in request.modalities:
        raise _bad("audio_output", "needs `audio` among the modalities")


def _check_tool(tool: Tool, field: str) -> None:
    checks.name(tool.name, f"{field}.name")
    if tool.parameters_json_schema:
        checks.schema(tool.parameters_json_schema, f"{field}.parameters_json_schema")


def _embed_input(item: str | Sequence[int] | EmbedInput, field: str) -> EmbedInput:
    if isinstance(item, str):
        found = EmbedInput(text=item)
    elif isinstance(item, EmbedInput):
        found = item
    else:
        found = _converted({"tokens": tuple(item)}, EmbedInput, f"{field}.")
    if not found.text and not found.tokens:
        raise _bad(field, "must not be empty")
    return found


def _json(given: Mapping[str, object]) -> str:
    value = given.get("provider_options", "")
    text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
    if text:
        checks.json_object(text, "provider_options_json")
    return text


def _converted(fields: Mapping[str, object], kind: type[T], prefix: str) -> T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise _bad((prefix + path.rstrip("`")).strip(".") or "request", message) from None
