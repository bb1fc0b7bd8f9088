"""Turns the gateway's requests into litellm's arguments; refuses what a model cannot honour."""

from __future__ import annotations

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.types import (
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.providers.litellm.facts import AWS_SIGNED, GOOGLE, MIN_P, TOP_K, Facts
from interlingua_gateway.providers.litellm.messages import Json, messages_of
from interlingua_gateway.providers.litellm.refusals import leave_out
from interlingua_gateway.providers.openai.quirks import EFFORTS
from interlingua_gateway.providers.options import json_of, options_of


def chat_arguments(request: GenerateRequest, facts: Facts, attempt: Attempt) -> Json:
    """litellm's arguments for a conversation.

    Raises:
        CallerError: a parameter cannot be honoured, or holds invalid JSON.
    """
    made = _Arguments(facts, attempt)
    made.values["messages"] = messages_of(request.messages, facts, attempt)
    _sampling(made, request.sampling, attempt.target.max_output_tokens)
    _tools(made, request)
    _shape(made, request)
    _reasoning(made, request)
    made.put("user", request.user, "user")
    if attempt.streaming:
        made.values["stream"] = True
        if facts.takes("stream_options"):
            made.values["stream_options"] = {"include_usage": True}
    return made.values


def embed_arguments(request: EmbedRequest, facts: Facts, attempt: Attempt) -> Json:
    """litellm's arguments for embeddings.

    Raises:
        CallerError: a parameter cannot be honoured.
    """
    inputs: list[object] = [
        list(item.tokens) if item.text is None else item.text for item in request.inputs
    ]
    made: Json = {"input": inputs}
    for name, value in (("dimensions", request.dimensions), ("user", request.user)):
        if value is None:
            continue
        if facts.embeds_with(name):
            made[name] = value
        else:
            leave_out(attempt, name, "This model does not take it.")
    if request.task is not None:
        if (task := facts.task(request.task)) is not None:
            made[task[0]] = task[1]
        else:
            leave_out(attempt, "task", "This provider does not tell tasks apart so.")
    return made


def body_options(request: GenerateRequest | EmbedRequest, facts: Facts, attempt: Attempt) -> Json:
    """The provider options, which are merged into the body as they stand.

    Raises:
        CallerError: see `options_of`; or the provider signs its bodies.
    """
    options = options_of(request)
    if options and facts.provider in AWS_SIGNED:
        leave_out(attempt, "provider_options_json", "This provider signs the request's body.")
        return {}
    return options


class _Arguments:
    """Arguments in the making."""

    __slots__ = ("attempt", "facts", "values")

    def __init__(self, facts: Facts, attempt: Attempt) -> None:
        self.facts = facts
        self.attempt = attempt
        self.values: Json = {}

    def put(self, name: str, value: object, path: str) -> None:
        """Add `value` under litellm's `name`, unless it is None; it came from field `path`."""
        if value is None:
            return
        if self.facts.takes(name):
            self.values[name] = value
        else:
            leave_out(self.attempt, path, "This model does not take it.")

    def put_own(self, name: str, value: object, path: str, providers: frozenset[str]) -> None:
        """The same for a parameter that is not OpenAI's and that only `providers` take."""
        if value is None:
            return
        if self.facts.provider in providers:
            self.values[name] = value
        else:
            leave_out(self.attempt, path, "This provider does not take it.")


def _sampling(made: _Arguments, sampling: Sampling, limit: int | None) -> None:
    tokens = sampling.max_output_tokens
    if tokens is None:
        tokens = limit
    name = "max_tokens" if made.facts.takes("max_tokens") else "max_completion_tokens"
    made.put(name, tokens, "sampling.max_output_tokens")
    for name in (
        "temperature",
        "top_p",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
    ):
        made.put(name, getattr(sampling, name), f"sampling.{name}")
    made.put("n", None if sampling.n == 1 else sampling.n, "sampling.candidate_count")
    made.put("stop", list(sampling.stop) or None, "sampling.stop_sequences")
    bias = {str(token): weight for token, weight in sampling.logit_bias.items()}
    made.put("logit_bias", bias or None, "sampling.logit_bias")
    made.put_own("top_k", sampling.top_k, "sampling.top_k", TOP_K)
    made.put_own("min_p", sampling.min_p, "sampling.min_p", MIN_P)


def _tools(made: _Arguments, request: GenerateRequest) -> None:
    tools = [_tool(tool, number) for number, tool in enumerate(request.tools)]
    made.put("tools", tools or None, "tools")
    if request.tool_choice is not None:
        made.put("tool_choice", _choice(request.tool_choice), "tool_choice")
    made.put("parallel_tool_calls", request.parallel_tool_calls, "parallel_tool_calls")


def _tool(tool: Tool, number: int) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json_schema:
        path = f"tools[{number}].parameters_json_schema"
        function["parameters"] = json_of(tool.parameters_json_schema, path)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> object:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode.value


def _shape(made: _Arguments, request: GenerateRequest) -> None:
    """What the answer is to look like."""
    if request.response_format is not None:
        made.put("response_format", _format(request.response_format), "response_format")
    modalities = [modality.value for modality in request.modalities]
    made.put("modalities", modalities or None, "modalities")
    if request.audio is not None:
        audio = {"voice": request.audio.voice, "format": request.audio.format}
        made.put("audio", {key: value for key, value in audio.items() if value}, "audio_output")
    safety = [
        {
            "category": f"HARM_CATEGORY_{setting.category.upper()}",
            "threshold": setting.threshold.upper(),
        }
        for setting in request.safety
    ]
    made.put_own("safety_settings", safety or None, "safety_settings", GOOGLE)


def _format(wanted: ResponseFormat) -> Json | None:
    if wanted.kind is FormatKind.TEXT:
        return None
    if wanted.kind is FormatKind.JSON_OBJECT:
        return {"type": "json_object"}
    schema: Json = {
        "name": wanted.name or "answer",
        "schema": json_of(wanted.json_schema, "response_format.json_schema.schema_json"),
    }
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _reasoning(made: _Arguments, request: GenerateRequest) -> None:
    wanted = request.reasoning
    if wanted is None:
        return
    if wanted.budget_tokens is None:
        effort = None if wanted.effort is None else EFFORTS[wanted.effort]
        made.put("reasoning_effort", effort, "reasoning.effort")
        return
    if wanted.effort is not None:
        leave_out(made.attempt, "reasoning.effort", "A budget and an effort exclude each other.")
    thinking = {"type": "enabled", "budget_tokens": wanted.budget_tokens}
    made.put("thinking", thinking, "reasoning.budget_tokens")
