"""How calls find their way: rules, fallbacks, hedges, retries, circuit breakers, health checks."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from interlingua_gateway.config.fields import Count, NamePattern, Seconds, SecondsOrZero
from interlingua_gateway.config.problems import suggestion
from interlingua_gateway.config.section import Section, absent
from interlingua_gateway.core.target import Capability

NANO_PER_USD = 10**9

Share = Annotated[float, Field(ge=0, le=1)]
Texts = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]
Capabilities = Annotated[frozenset[Capability], PlainSerializer(sorted, return_type=list[str])]


class FallbacksConfig(Section):
    """Names of models to go on with, in order. Their own fallbacks are not followed."""

    general: tuple[str, ...] = ()
    """When no deployment of the model answers."""
    context_window: tuple[str, ...] = ()
    """When the request is too long for it."""
    content_policy: tuple[str, ...] = ()
    """When it refuses the content before its first event."""


class HedgeConfig(Section):
    """A second deployment starts when the first is slow; both are paid for."""

    after_s: Seconds | Literal["p95"] = "p95"
    """Seconds without a first event after which it starts; p95 is the time within which 95 of 100
    recent calls of the model had theirs."""
    max_cost_usd: Annotated[Decimal, Field(gt=0, le=1000, decimal_places=9)] | None = None
    """No hedge where both together are expected to cost more, or where a price is not known."""

    @property
    def max_cost_nano_usd(self) -> int | None:
        """The ceiling in 1e-9 USD."""
        return None if self.max_cost_usd is None else int(self.max_cost_usd * NANO_PER_USD)


class RouteConfig(Section):
    """What a classifier may choose."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """Names the route in reports and metrics, and to the classifier."""
    description: Annotated[str, Field(min_length=1, max_length=1000)]
    """Which calls belong here, in a sentence for the classifier: it chooses by nothing else."""
    use: str = Field(min_length=1)
    """The model that serves them. Its answer still bears the name that was asked for."""


class ClassifierConfig(Section):
    """A cheap model reads each conversation and chooses one of the routes."""

    model: str = Field(min_length=1)
    """The model that chooses; one that can give answers of a JSON schema."""
    routes: tuple[RouteConfig, ...] = Field(min_length=2, max_length=50)
    """What it chooses from. A route that cannot serve a request is not offered for it."""
    default: str
    """The route of calls for which it fails, is too slow or makes no sense."""
    timeout_s: Seconds = 2
    """Longest time in seconds that a choice may take, and at most half of what is left until the
    deadline of the call."""
    cache_ttl_s: Seconds = 3600
    """Seconds for which a choice is kept for the same text of the same tenant, in the store of
    the cache."""
    max_characters: Annotated[int, Field(ge=100, le=1_000_000)] = 4000
    """How much of the conversation it reads, the latest first."""

    @model_validator(mode="after")
    def _routes_differ(self) -> Self:
        names = [route.name for route in self.routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two routes have the name {name!r}")
        if self.default not in names:
            raise ValueError(
                f"default is no route: {self.default!r}{suggestion(self.default, names)}"
            )
        return self


class RuleConfig(Section):
    """Calls that meet every condition go to another model than they name."""

    use: str = Field(min_length=1)
    """The model that serves them. Its answer still bears the name that was asked for."""
    models: tuple[NamePattern, ...] = ()
    """Calls that name one of these, or match a pattern that ends in *."""
    tenants: tuple[str, ...] = ()
    """Calls of one of these tenants."""
    tags: Texts = frozenset()
    """Calls with all of these tags."""
    capabilities: Capabilities = frozenset()
    """Calls that demand all of these, or need them: image_input for pictures, tools, ..."""
    min_input_tokens: Count | None = None
    """Calls of at least so many input tokens, estimated."""
    max_input_tokens: Count | None = None
    """Calls of at most so many input tokens, estimated."""


class RetryConfig(Section):
    """What happens when every deployment of a model has failed."""

    rounds: Annotated[int, Field(ge=1, le=10)] = 2
    """How often all deployments are tried. To go from one to the next needs no wait."""
    initial_s: SecondsOrZero = 0.25
    """Longest wait before the second round; each further one doubles. The wait is random."""
    max_s: Seconds = 2
    """Longest wait. Where the upstream asks for more (Retry-After), the caller is told at once."""
    budget_share: Share = 0.2
    """Repeated attempts and hedges are at most this share of the calls."""
    budget_burst: Count = 10
    """So many may come at once."""


class BreakerConfig(Section):
    """When a deployment that keeps failing gets a rest."""

    failures: Count = 5
    """Failures in a row that open the circuit."""
    error_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of failed attempts that opens it."""
    min_attempts: Count = 20
    """Attempts within window_s without which error_rate says nothing."""
    window_s: Seconds = 30
    """Seconds over which error_rate is counted."""
    cooldown_s: Seconds = 5
    """Seconds of rest; each time that it fails again they double."""
    max_cooldown_s: Seconds = 60
    """Longest rest, also where the upstream asks for a longer one."""
    probes: Count = 1
    """Attempts at once that test a deployment after its rest."""
    successes: Count = 2
    """Successes that close the circuit."""
    silence_s: Seconds = 10
    """A call whose deadline ends it while it waits for its first event is a failure of the
    deployment if it has waited so long."""


class HealthChecksConfig(Section):
    """Providers are asked in the background for their list of models, which costs nothing."""

    interval_s: Seconds | None = None
    """Seconds between two checks of a provider; null checks none."""
    timeout_s: Seconds = 5
    """Seconds after which a check has failed."""
    failures: Count = 2
    """Failed checks in a row that open the circuits of the provider's deployments."""


class RoutingConfig(Section):
    """How calls find their way."""

    rules: tuple[RuleConfig, ...] = ()
    """Calls that go to another model than they name; the first rule that applies counts."""
    retry: RetryConfig = Field(default_factory=absent)
    """What happens when every deployment of a model has failed."""
    breaker: BreakerConfig = Field(default_factory=absent)
    """When a deployment that keeps failing gets a rest."""
    health_checks: HealthChecksConfig = Field(default_factory=absent)
    """Checks in the background."""

    @model_validator(mode="after")
    def _cooldowns_agree(self) -> Self:
        if self.breaker.cooldown_s > self.breaker.max_cooldown_s:
            raise ValueError("breaker.cooldown_s must not exceed breaker.max_cooldown_s")
        return self
