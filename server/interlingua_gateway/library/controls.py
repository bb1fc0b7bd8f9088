"""What a program asks of its gateway beside calls, and what it changes while that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from interlingua_gateway.app.embedded import BreakerChange
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.prices import Price, cost_of
from interlingua_gateway.core.target import Model
from interlingua_gateway.library.feedback import FeedbackLoop, FeedbackType, feedback_of
from interlingua_gateway.library.host import Host
from interlingua_gateway.library.options import CallOptions
from interlingua_gateway.library.reports import CostSummary, Health, LlmopsMetrics, Views
from interlingua_gateway.library.requests import refuse_unknown
from interlingua_gateway.library.settings import (
    CircuitBreakerConfig,
    RateLimitConfig,
    Whom,
    limits_of,
)


class Controls:
    """Models, prices, limits, health, reports and feedback of a gateway."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """Start the gateway.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        self._host = Host(config, clock)
        self._views = Views(self._host.engine, self._host.clock)
        self._limits: dict[Whom, RateLimitConfig] = {}

    def models(self, **options: Unpack[CallOptions]) -> list[Model]:
        """Every model that may be named, by name or pattern, with what is known of it."""
        refuse_unknown(options)
        return self._host.call(lambda: list(self._host.engine.listing.models()))

    def list_models(self) -> list[str]:
        """The names of the models, in the configuration's order."""
        return [model.name for model in self.models()]

    def get_cost(self, model: str) -> Price | None:
        """What a model's first deployment costs; None where that is not known. No network.

        Raises:
            CallerError: MODEL_NOT_FOUND.
        """
        found = self._host.engine.routing.directory.find(model)
        if found is None:
            raise CallerError(
                Reason.MODEL_NOT_FOUND,
                f"There is no model `{model[:80]}`. `list_models` shows what there is.",
                resource=Resource("model", model[:80]),
            )
        return found.targets[0].price

    def calculate_cost(
        self, model: str, prompt_tokens: int, completion_tokens: int
    ) -> float | None:
        """What so many tokens cost at the model's first deployment, in USD; None where its price is
        not known. No network.

        Raises:
            CallerError: MODEL_NOT_FOUND.
        """
        price = self.get_cost(model)
        if price is None:
            return None
        usage = Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
        return cost_of(usage, price).nano_usd / 1e9

    def configure_rate_limiting(
        self,
        config: RateLimitConfig,
        *,
        tenant_id: str | None = None,
        provider: str | None = None,
    ) -> None:
        """From now on limits hold for each tenant, for one, or for attempts at one provider.

        They stand beside those of the configuration and replace earlier ones for the same; all that
        match a call hold. Calls that run or wait already keep the limits that they began with.

        Raises:
            CallerError: INVALID_REQUEST, these limits cannot be.
        """
        if tenant_id is not None and provider is not None:
            raise CallerError.of_field("provider", "a limit is for a tenant or for a provider")
        self._known(provider)

        def change() -> None:
            given = {**self._limits, Whom(tenant_id, provider): config}
            self._host.engine.limit(limits_of(self._host.config.limits, given))
            self._limits = given

        # On the loop, where one change comes after the other.
        self._host.call(change)

    def configure_circuit_breaker(
        self, config: CircuitBreakerConfig, *, provider: str | None = None
    ) -> None:
        """From now on the circuits of all deployments, or of one provider's, open and close so.

        Raises:
            CallerError: INVALID_REQUEST, there is no such provider, or a number is not positive.
        """
        self._known(provider)
        if not (config.failure_threshold > 0 and config.success_threshold > 0):
            raise CallerError.of_field("failure_threshold", "thresholds must be at least 1")
        if not config.timeout > 0:
            raise CallerError.of_field("timeout", "must be positive")
        change = BreakerChange(
            failures=config.failure_threshold,
            successes=config.success_threshold,
            cooldown_s=config.timeout,
        )
        self._host.call(lambda: self._host.engine.break_circuits(change, provider))

    async def get_health(self) -> Health:
        """How the providers are, by their recent attempts; no provider is asked."""
        return await self._host.finish(self._views.health(""))

    def health(self, provider: str = "", **options: Unpack[CallOptions]) -> Health:
        """The same without an event loop; of all providers or of one."""
        refuse_unknown(options)
        return self._host.wait(self._views.health(provider))

    def get_llmops_metrics(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> LlmopsMetrics:
        """Totals from the ledger, of one tenant or of all.

        Raises:
            PolicyError: STORE_UNAVAILABLE, the database does not answer.
        """
        return self._host.wait(self._views.metrics(tenant_id, time_range_hours))

    def get_cost_summary(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> CostSummary:
        """Money from the ledger, of one tenant or of all.

        Raises:
            PolicyError: STORE_UNAVAILABLE, the database does not answer.
        """
        return self._host.wait(self._views.costs(tenant_id, time_range_hours))

    def record_feedback(
        self,
        query: str = "",
        response: str = "",
        feedback_type: FeedbackType = FeedbackType.RATING,
        content: object = None,
        tenant_id: str = "",
        *,
        operation_id: str = "",
        user: str = "",
        scale: float = 5.0,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Keeps what somebody thought of an answer; returns its id.

        `content` is a grade from 0 to `scale` for RATING, True or False for USEFUL, else a text.
        `operation_id` links it to the answer; `query` and `response` are kept only where the
        configuration keeps texts.

        Raises:
            CallerError: INVALID_REQUEST, or NOT_IMPLEMENTED where no ledger is kept.
        """
        feedback = feedback_of(
            self._host,
            query,
            response,
            feedback_type,
            content,
            tenant_id=tenant_id,
            operation_id=operation_id,
            user=user,
            scale=scale,
            metadata=metadata or {},
        )
        self._host.call(lambda: self._host.engine.feedback.put(feedback))
        return feedback.id

    @property
    def feedback_loop(self) -> FeedbackLoop:
        """What feedback adds up to."""
        return FeedbackLoop(self._host)

    def _known(self, provider: str | None) -> None:
        names = self._host.config.providers
        if provider is not None and provider not in names:
            raise CallerError.of_field("provider", f"must be one of {', '.join(names)}")
