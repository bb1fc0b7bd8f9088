"""The options of calls, typed. They have the names that the Python client gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

from interlingua_gateway.core.types import (
    AudioOutput,
    EmbedInput,
    GenerateRequest,
    Message,
    Part,
    ResponseFormat,
    SafetySetting,
    Tool,
    ToolChoice,
)
from interlingua_gateway.core.wishes import Routing

JsonObject: TypeAlias = Mapping[str, object]
"""An object that JSON can hold."""

RoleName: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class MessageDict(TypedDict):
    """A message as a plain dictionary: `{"role": "user", "content": "Hello"}`."""

    role: RoleName
    content: str | Sequence[str | Part]
    name: NotRequired[str]


Prompt: TypeAlias = str | Sequence[Message | MessageDict] | GenerateRequest
"""What to answer: a text of the user, a conversation, or a whole request of the core."""
Texts: TypeAlias = str | Sequence[str | Sequence[int] | EmbedInput]
"""What to embed: one text, or several; an item may also be token ids."""


class CallOptions(TypedDict, total=False):
    """Options of every call. None is the same as leaving an option out.

    `timeout_s` bounds the call in seconds, with all that the gateway does for it; `traceparent`
    is a W3C trace context to be continued; `tenant_id` says for whom the call is made.
    """

    timeout_s: float | None
    traceparent: str | None
    tenant_id: str | None


class DeliveryOptions(CallOptions, total=False):
    """Options on the way to a model.

    `cache_ttl_s` is in seconds; `metadata` are labels kept with the operation; `provider_options`
    is merged into the provider's request.
    """

    routing: Routing | None
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
    """Options of generating.

    `tool_choice` is a rule, or a ToolChoice that names a tool; `reasoning_effort` and
    `reasoning_budget_tokens` are its ReasoningOptions.
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
    audio_output: AudioOutput | None
    safety_settings: Sequence[SafetySetting] | None


class EmbedOptions(DeliveryOptions, total=False):
    """Options of embedding; `normalize` makes each vector's length 1."""

    dimensions: int | None
    task: (
        Literal["search_query", "search_document", "classification", "clustering", "similarity"]
        | None
    )
    normalize: bool | None
