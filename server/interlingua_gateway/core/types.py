"""What is asked: messages, parameters and the requests that every room of the gateway shares."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The common form of request data: frozen, by keyword, defaults left out when encoded."""


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class MediaKind(StrEnum):
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"


class Text(Data, frozen=True, tag="text"):
    text: str


class Media(Data, frozen=True, tag="media"):
    """Bytes or a URI, exactly one of them; `mime_type` such as `image/png`."""

    kind: MediaKind
    mime_type: str
    data: bytes | None = None
    uri: str | None = None
    detail: str | None = None
    """Image resolution wanted by the caller: `low`, `high` or `auto`."""
    name: str | None = None
    """File name shown to the model."""


class ToolCall(Data, frozen=True, tag="tool_call"):
    """A function call that the model asked for; `arguments_json` is JSON text."""

    id: str
    name: str
    arguments_json: str


class ToolResult(Data, frozen=True, tag="tool_result"):
    """What a tool answered; `content` is text and media in order."""

    tool_call_id: str
    content: tuple[Text | Media, ...]
    name: str | None = None
    is_error: bool = False


class Reasoning(Data, frozen=True, tag="reasoning"):
    """A model's reasoning; `signature` is the provider's opaque proof, sent back unchanged.
    `redacted` marks reasoning that the provider encrypted: then `text` is empty."""

    text: str = ""
    signature: bytes = b""
    redacted: bool = False


Part: TypeAlias = Text | Media | ToolCall | ToolResult | Reasoning


class Message(Data, frozen=True):
    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(Data, frozen=True):
    """A function that the model may call; `parameters_json_schema` is JSON text."""

    name: str
    description: str = ""
    parameters_json_schema: str = ""
    strict: bool | None = None


class ToolMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(Data, frozen=True):
    """`name` is set if and only if the mode is NAMED."""

    mode: ToolMode
    name: str | None = None


class FormatKind(StrEnum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class ResponseFormat(Data, frozen=True):
    """`json_schema` is JSON text, set if and only if the kind is JSON_SCHEMA."""

    kind: FormatKind
    name: str = ""
    json_schema: str = ""
    strict: bool | None = None


class Sampling(Data, frozen=True):
    """How tokens are drawn; None leaves a choice to the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[int, float] = {}
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class Effort(StrEnum):
    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MAX = "max"


class ReasoningOptions(Data, frozen=True):
    effort: Effort | None = None
    budget_tokens: int | None = None


class Modality(StrEnum):
    TEXT = "text"
    AUDIO = "audio"
    IMAGE = "image"


class AudioOutput(Data, frozen=True):
    voice: str = ""
    format: str = ""
    """Encoding such as `wav`, `mp3`, `pcm16`."""


class SafetySetting(Data, frozen=True):
    """`category` and `threshold` in lower-case words of the contract's enums."""

    category: str
    threshold: str


class GenerateRequest(Data, frozen=True, tag="generate"):
    """One conversation to be continued, by one model alias."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningOptions | None = None
    modalities: tuple[Modality, ...] = ()
    audio: AudioOutput | None = None
    safety: tuple[SafetySetting, ...] = ()
    user: str | None = None
    provider_options_json: str = ""
    """A JSON object merged into the upstream body as it stands, or empty."""


class EmbedInput(Data, frozen=True):
    """One thing to embed: a text, or token ids of the model's own tokenizer."""

    text: str | None = None
    tokens: tuple[int, ...] = ()


class EmbedRequest(Data, frozen=True, tag="embed"):
    model: str
    inputs: tuple[EmbedInput, ...]
    dimensions: int | None = None
    task: str | None = None
    """Purpose for models that distinguish it: `search_query`, `search_document`, ..."""
    normalize: bool = False
    user: str | None = None
    provider_options_json: str = ""


class CountRequest(Data, frozen=True, tag="count"):
    """How many input tokens would `request` have?"""

    request: GenerateRequest

    @property
    def model(self) -> str:
        return self.request.model


Request: TypeAlias = GenerateRequest | EmbedRequest | CountRequest
