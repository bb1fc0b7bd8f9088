"""What the ledger and the deployments say, in the form that programs know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from interlingua_gateway.app.embedded import Embedded
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.feedback import Insights, InsightsQuery
from interlingua_gateway.core.ports import Condition
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reports import Dimension, Matching, Span, Totals, UsageQuery

HOUR_MS = 3_600_000
BEST_FIRST = ("healthy", "degraded", "unknown", "unhealthy")


class LlmopsMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of a time. `total_cost_usd` is None where no price is known; `success_rate` is in
    [0, 1], or None without any operation; `errors` counts by Reason."""

    total_operations: int
    total_tokens: int
    total_cost_usd: float | None
    average_latency_ms: float
    success_rate: float | None
    errors: Mapping[str, int]
    unpriced_operations: int


class CostSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Money by model and provider in USD; only what has a known price. `cost_per_1k_tokens` is in
    USD, None without any."""

    total_cost_usd: float | None
    by_model: Mapping[str, float]
    by_provider: Mapping[str, float]
    cost_per_1k_tokens: float | None
    unpriced_operations: int


class LearningInsights(msgspec.Struct, frozen=True, kw_only=True):
    """What feedback adds up to; rates are in [0, 1], None without any. `common_corrections` are the
    most frequent ones with how often each was said."""

    feedback_count: int
    average_rating: float | None
    useful_rate: float | None
    common_corrections: Sequence[tuple[str, int]]
    errors: int
    improvements: int


class ProviderHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider is over its recent attempts: `healthy`, `degraded`, `unhealthy`, or
    `unknown` before the first. `success_rate` is in [0, 1]; `response_time_ms` is the median."""

    status: str
    success_rate: float | None = None
    last_error: str = ""
    response_time_ms: float | None = None
    note: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The best status of any provider, and each one's own."""

    status: str
    provider_health: Mapping[str, ProviderHealth]


class Views:
    """Asks the engine; everything runs on its loop."""

    def __init__(self, engine: Embedded, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def metrics(self, tenant: str | None, hours: float) -> LlmopsMetrics:
        """Totals of the last `hours`, of one tenant or of all."""
        totals = await self._totals(tenant, hours)
        usage, counted = totals.usage, totals.operations
        done = counted - totals.failed - totals.cancelled
        return LlmopsMetrics(
            total_operations=counted,
            total_tokens=usage.input_tokens + usage.output_tokens,
            total_cost_usd=_usd(totals.cost),
            average_latency_ms=totals.latencies.mean_s * 1000,
            success_rate=done / counted if counted else None,
            errors=dict(totals.failures),
            unpriced_operations=totals.unpriced_operations,
        )

    async def costs(self, tenant: str | None, hours: float) -> CostSummary:
        """Money of the last `hours`, of one tenant or of all."""
        totals = await self._totals(tenant, hours)
        each = totals.nano_usd_per_thousand_tokens
        return CostSummary(
            total_cost_usd=_usd(totals.cost),
            by_model=await self._costs(tenant, hours, Dimension.MODEL),
            by_provider=await self._costs(tenant, hours, Dimension.PROVIDER),
            cost_per_1k_tokens=None if each is None else each / 1e9,
            unpriced_operations=totals.unpriced_operations,
        )

    async def insights(self, tenant: str | None, hours: float) -> LearningInsights:
        """What the feedback of the last `hours` adds up to, of one tenant or of all."""
        query = InsightsQuery(span=self._span(hours), matching=Matching(tenant=tenant))
        found: Insights = (await self._engine.insights.insights(query)).total
        return LearningInsights(
            feedback_count=found.feedback,
            average_rating=found.average_rating,
            useful_rate=found.useful_rate,
            common_corrections=[(one.text, one.count) for one in found.corrections],
            errors=found.errors,
            improvements=found.improvements,
        )

    async def health(self, provider: str) -> Health:
        """How the providers are, or only one."""
        names = tuple(self._engine.config.providers)
        if provider and provider not in names:
            raise CallerError(
                Reason.RESOURCE_NOT_FOUND,
                f"There is no provider `{provider[:80]}`.",
                resource=Resource("provider", provider[:80]),
            )
        conditions = self._engine.routing.vitals.conditions()
        found = {
            name: _provider([one for one in conditions if one.provider == name])
            for name in ((provider,) if provider else names)
        }
        return Health(status=_best([one.status for one in found.values()]), provider_health=found)

    async def _totals(self, tenant: str | None, hours: float) -> Totals:
        query = UsageQuery(span=self._span(hours), matching=Matching(tenant=tenant))
        return (await self._engine.reports.usage(query)).total

    async def _costs(self, tenant: str | None, hours: float, by: Dimension) -> dict[str, float]:
        query = UsageQuery(span=self._span(hours), matching=Matching(tenant=tenant), group_by=(by,))
        groups = (await self._engine.reports.usage(query)).groups
        costs = {group.keys[0]: _usd(group.totals.cost) for group in groups}
        return {key: cost for key, cost in costs.items() if cost is not None}

    def _span(self, hours: float) -> Span:
        if not hours > 0:
            raise CallerError.of_field("time_range_hours", "must be positive")
        end_ms = int(self._clock.time() * 1000) + 1
        return Span(max(0, end_ms - int(hours * HOUR_MS)), end_ms)


def _provider(conditions: Sequence[Condition]) -> ProviderHealth:
    """The best of its deployments serves; the error is the latest one."""
    attempts = sum(one.attempts for one in conditions)
    good = sum((one.success_rate or 0.0) * one.attempts for one in conditions)
    latest = max(conditions, key=lambda one: one.last_error_at_s or 0.0, default=None)
    medians = [one.latency[0] for one in conditions if one.latency is not None]
    return ProviderHealth(
        status=_best([one.status for one in conditions]),
        success_rate=good / attempts if attempts else None,
        last_error=latest.last_error if latest is not None else "",
        response_time_ms=min(medians) * 1000 if medians else None,
        note=next((one.note for one in conditions if one.note), ""),
    )


def _best(statuses: Sequence[str]) -> str:
    return min(statuses, key=BEST_FIRST.index, default="unknown")


def _usd(cost: Cost | None) -> float | None:
    return None if cost is None else cost.nano_usd / 1e9
