"""Where calls can go: targets, models and what is known of them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from interlingua_gateway.core.prices import Price


class Capability(StrEnum):
    """What a model can do, as far as it is known."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    TOOLS = "tools"
    PARALLEL_TOOL_CALLS = "parallel_tool_calls"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    REASONING = "reasoning"
    LOGPROBS = "logprobs"
    IMAGE_INPUT = "image_input"
    AUDIO_INPUT = "audio_input"
    VIDEO_INPUT = "video_input"
    FILE_INPUT = "file_input"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_OUTPUT = "image_output"


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds in seconds beside the deadline of the call.

    `first_token_s` runs from the request to the first event of a stream; `stall_s` between two
    events of it; `total_s` bounds the attempt, streaming or not.
    """

    connect_s: float = 10.0
    first_token_s: float = 120.0
    stall_s: float = 60.0
    total_s: float = 1800.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve a model alias: a provider of the configuration and its name for the model.

    `deployment` is unique in the configuration and names the target in reports and labels;
    `label` is `deployment` for a configured model and the pattern for one that came by wildcard.
    """

    deployment: str
    provider: str
    model: str
    label: str
    price: Price | None = None
    timeouts: Timeouts = Timeouts()
    max_output_tokens: int | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model alias that callers may name."""

    name: str
    targets: tuple[Target, ...]
    description: str = ""
    capabilities: frozenset[Capability] = frozenset()
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    embedding_dimensions: int | None = None
    aliases_pattern: bool = False
    """True for a wildcard such as `openai/*`: `name` is then the pattern."""
