"""The options of calls, typed, and the requests of the contract that are made from them."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

from interlingua.messages import JsonObject, Prompt, conversation, enum_value, json_text
from interlingua.v1.content_pb2 import (
    AudioOutputOptions,
    JsonObjectFormat,
    Modality,
    ResponseFormat,
    TextFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from interlingua.v1.embed_pb2 import (
    EmbeddingEncoding,
    EmbedInput,
    EmbedRequest,
    EmbedTask,
    TokenIds,
)
from interlingua.v1.generate_pb2 import (
    CacheMode,
    CacheOptions,
    GenerateRequest,
    Priority,
    ReasoningEffort,
    ReasoningOptions,
    RoutingOptions,
    SafetySetting,
    SamplingOptions,
    UnsupportedParameterPolicy,
)

Texts: TypeAlias = str | Sequence[str | Sequence[int]] | EmbedRequest
"""What to embed: a text, texts or sequences of token ids, or a whole request of the contract."""


class CallOptions(TypedDict, total=False):
    """Options of every call. None is the same as leaving an option out.

    `timeout_s` bounds the call in seconds, with all that the gateway does for it; `traceparent`
    is a W3C trace context to be continued; `rpc_metadata` is further gRPC metadata.
    """

    timeout_s: float | None
    traceparent: str | None
    rpc_metadata: Sequence[tuple[str, str | bytes]] | None


class DeliveryOptions(CallOptions, total=False):
    """Options on the way to a model. Fields of the contract under their own names.

    `cache_mode` and `cache_ttl_s` (seconds) are its CacheOptions; `metadata` are labels kept with
    the operation, not gRPC metadata; `provider_options` is merged into the provider's request.
    """

    routing: RoutingOptions | None
    cache_mode: Literal["default", "bypass", "refresh", "only_if_cached"] | None
    cache_ttl_s: float | None
    priority: Literal["low", "normal", "high"] | None
    idempotency_key: str | None
    user: str | None
    metadata: Mapping[str, str] | None
    tags: Sequence[str] | None
    provider_options: JsonObject | str | None
    unsupported_parameters: Literal["reject", "warn"] | None


class GenerateOptions(DeliveryOptions, total=False):
    """Options of generating. Fields of the contract's GenerateRequest under their own names.

    `tool_choice` is a rule, or a ToolChoice that names a tool; `response_format` is a name, or what
    `json_schema` made; `reasoning_effort` and `reasoning_budget_tokens` are its ReasoningOptions.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    max_output_tokens: int | None
    stop_sequences: str | Sequence[str] | None
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: Mapping[int, float] | None
    candidate_count: int | None
    logprobs: bool | None
    top_logprobs: int | None
    tools: Sequence[Tool] | None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None
    parallel_tool_calls: bool | None
    response_format: Literal["text", "json_object"] | ResponseFormat | None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "max"] | None
    reasoning_budget_tokens: int | None
    modalities: Sequence[Literal["text", "audio", "image"]] | None
    audio_output: AudioOutputOptions | None
    safety_settings: Sequence[SafetySetting] | None


class EmbedOptions(DeliveryOptions, total=False):
    """Options of embedding: fields of the contract's EmbedRequest under their own names."""

    dimensions: int | None
    task: (
        Literal["search_query", "search_document", "classification", "clustering", "similarity"]
        | None
    )
    normalize: bool | None


def generate_request(
    prompt: Prompt, model: str | None, options: GenerateOptions
) -> GenerateRequest:
    """The request for `prompt`. A prompt that is a request is sent as it stands.

    Raises TypeError for unknown options and for any option beside a whole request, TypeError or
    ValueError for values that the contract cannot hold.
    """
    _refuse_unknown(options, GenerateOptions.__optional_keys__)
    if isinstance(prompt, GenerateRequest):
        _refuse_beside_request(model, options)
        return prompt
    request = GenerateRequest(
        model=model or "",
        messages=conversation(prompt),
        sampling=_sampling(options),
        tools=options.get("tools"),
        tool_choice=_tool_choice(options),
        parallel_tool_calls=options.get("parallel_tool_calls"),
        response_format=_response_format(options),
        reasoning=_reasoning(options),
        modalities=[
            enum_value(Modality, "MODALITY_", "modalities", name)
            for name in options.get("modalities") or ()
        ],
        audio_output=options.get("audio_output"),
        safety_settings=options.get("safety_settings"),
    )
    _set_delivery(request, options)
    return request


def embed_request(texts: Texts, model: str | None, options: EmbedOptions) -> EmbedRequest:
    """The request for the vectors of `texts`; a whole request is sent as it stands.

    Vectors are asked for as bytes, which no side has to take apart. Raises TypeError for unknown
    options and for any option beside a whole request, TypeError or ValueError for what the
    contract cannot hold.
    """
    _refuse_unknown(options, EmbedOptions.__optional_keys__)
    if isinstance(texts, EmbedRequest):
        _refuse_beside_request(model, options)
        return texts
    items = [texts] if isinstance(texts, str) else texts
    request = EmbedRequest(
        model=model or "",
        inputs=[_embed_input(item) for item in items],
        dimensions=options.get("dimensions"),
        normalize=bool(options.get("normalize")),
        encoding=EmbeddingEncoding.EMBEDDING_ENCODING_FLOAT32_LE,
    )
    if (task := options.get("task")) is not None:
        request.task = enum_value(EmbedTask, "EMBED_TASK_", "task", task)
    _set_delivery(request, options)
    return request


def _refuse_unknown(options: Mapping[str, object], known: frozenset[str]) -> None:
    if unknown := options.keys() - known:
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}")


def _refuse_beside_request(model: str | None, options: Mapping[str, object]) -> None:
    if model is not None or options.keys() - CallOptions.__optional_keys__:
        raise TypeError("a whole request takes no model and no options: set its fields")


def _embed_input(item: str | Sequence[int]) -> EmbedInput:
    if isinstance(item, str):
        return EmbedInput(text=item)
    return EmbedInput(token_ids=TokenIds(ids=item))


def _sampling(options: GenerateOptions) -> SamplingOptions | None:
    stop = options.get("stop_sequences")
    sampling = SamplingOptions(
        temperature=options.get("temperature"),
        top_p=options.get("top_p"),
        top_k=options.get("top_k"),
        min_p=options.get("min_p"),
        max_output_tokens=options.get("max_output_tokens"),
        stop_sequences=[stop] if isinstance(stop, str) else stop,
        seed=options.get("seed"),
        presence_penalty=options.get("presence_penalty"),
        frequency_penalty=options.get("frequency_penalty"),
        logit_bias=options.get("logit_bias"),
        candidate_count=options.get("candidate_count"),
        logprobs=options.get("logprobs"),
        top_logprobs=options.get("top_logprobs"),
    )
    return sampling if sampling.ListFields() else None


def _tool_choice(options: GenerateOptions) -> ToolChoice | None:
    choice = options.get("tool_choice")
    if isinstance(choice, str):
        return ToolChoice(mode=enum_value(ToolMode, "TOOL_MODE_", "tool_choice", choice))
    return choice


def _response_format(options: GenerateOptions) -> ResponseFormat | None:
    wanted = options.get("response_format")
    if not isinstance(wanted, str):
        return wanted
    if wanted == "text":
        return ResponseFormat(text=TextFormat())
    if wanted == "json_object":
        return ResponseFormat(json_object=JsonObjectFormat())
    raise ValueError(f"response_format must be text, json_object or json_schema(...), not {wanted}")


def _reasoning(options: GenerateOptions) -> ReasoningOptions | None:
    effort, budget = options.get("reasoning_effort"), options.get("reasoning_budget_tokens")
    if effort is None and budget is None:
        return None
    reasoning = ReasoningOptions(budget_tokens=budget)
    if effort is not None:
        reasoning.effort = enum_value(
            ReasoningEffort, "REASONING_EFFORT_", "reasoning_effort", effort
        )
    return reasoning


def _set_delivery(request: GenerateRequest | EmbedRequest, options: DeliveryOptions) -> None:
    if (routing := options.get("routing")) is not None:
        request.routing.CopyFrom(routing)
    if (priority := options.get("priority")) is not None:
        request.priority = enum_value(Priority, "PRIORITY_", "priority", priority)
    if (policy := options.get("unsupported_parameters")) is not None:
        request.unsupported_parameters = enum_value(
            UnsupportedParameterPolicy,
            "UNSUPPORTED_PARAMETER_POLICY_",
            "unsupported_parameters",
            policy,
        )
    request.idempotency_key = options.get("idempotency_key") or ""
    request.user = options.get("user") or ""
    request.metadata.update(options.get("metadata") or {})
    request.tags.extend(options.get("tags") or ())
    request.provider_options_json = json_text(options.get("provider_options") or "")
    _set_cache(request, options)


def _set_cache(request: GenerateRequest | EmbedRequest, options: DeliveryOptions) -> None:
    mode, ttl_s = options.get("cache_mode"), options.get("cache_ttl_s")
    if mode is None and ttl_s is None:
        return
    cache = CacheOptions()
    if mode is not None:
        cache.mode = enum_value(CacheMode, "CACHE_MODE_", "cache_mode", mode)
    if ttl_s is not None:
        cache.ttl.FromNanoseconds(round(ttl_s * 1e9))
    request.cache.CopyFrom(cache)
