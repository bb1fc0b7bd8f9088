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


class Strategy(StrEnum):
    """How to choose among the deployments of an alias."""

    PRIORITY = "priority"
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_IN_FLIGHT = "least_in_flight"
    LOWEST_LATENCY = "lowest_latency"
    LOWEST_COST = "lowest_cost"


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
    `max_output_tokens` is the configuration's limit. Where `capabilities` is empty or a size None,
    they are not known. Targets of one provider with the same `quota` share its rate limit.
    `service_tier` is the level of service that is billed, empty for what the provider says.
    """

    deployment: str
    provider: str
    model: str
    label: str
    price: Price | None = None
    timeouts: Timeouts = Timeouts()
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    context_window_tokens: int | None = None
    longest_output_tokens: int | None = None
    weight: int = 1
    max_concurrency: int | None = None
    quota: str = ""
    service_tier: str = ""


class Chains(msgspec.Struct, frozen=True, kw_only=True):
    """Aliases to go on with, in order: when no deployment of an alias answers, when the request is
    too long for it, and when it refuses the content."""

    general: tuple[str, ...] = ()
    context_window: tuple[str, ...] = ()
    content_policy: tuple[str, ...] = ()


class Hedge(msgspec.Struct, frozen=True, kw_only=True):
    """When a second deployment starts: `after_s` seconds without a first event, or None for the
    95th percentile of the alias; never when both together are expected to cost more than
    `max_cost_nano_usd`."""

    after_s: float | None = None
    max_cost_nano_usd: int | None = None


class Route(msgspec.Struct, frozen=True):
    """A way that a classifier may choose: calls that `description` fits go to the alias `use`."""

    name: str
    description: str
    use: str


class Classifier(msgspec.Struct, frozen=True, kw_only=True):
    """Chooses a route for each call: the alias `model` reads the last `max_characters` of the
    conversation, for at most `timeout_s`; a choice is kept for `cache_ttl_s`.

    `default` is one of `routes`; `configuration` is a digest of all that decides a choice.
    """

    model: str
    routes: tuple[Route, ...]
    default: Route
    timeout_s: float
    cache_ttl_s: float
    max_characters: int
    configuration: str


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model alias that callers may name.

    One with a classifier has no targets of its own: `targets` are then those of all its routes.
    """

    name: str
    targets: tuple[Target, ...]
    description: str = ""
    capabilities: frozenset[Capability] = frozenset()
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    embedding_dimensions: int | None = None
    strategy: Strategy = Strategy.PRIORITY
    fallbacks: Chains = Chains()
    hedge: Hedge | None = None
    classifier: Classifier | None = None
    aliases_pattern: bool = False
    """True for a wildcard such as `openai/*`: `name` is then the pattern."""
