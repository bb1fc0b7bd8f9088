"""interlingua.v1.ModelService, and Health of GatewayService: what there is and how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from interlingua.v1 import gateway_service_pb2, model_service_pb2
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.identity import Scope
from interlingua_gateway.core.ports import (
    Condition,
    Directory,
    Headroom,
    HealthBoard,
    LimitBoard,
)
from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.target import Model
from interlingua_gateway.wire.grpc import enums
from interlingua_gateway.wire.grpc.encode import timestamp
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse
from interlingua_gateway.wire.grpc.status import duration, reason_name

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000
MAX_TOKEN_DIGITS: Final = 9
REQUEST_LIMIT_BYTES: Final = 64 * 1024

# A pico-USD a token is 1000 nano-USD a million tokens.
PER_MILLION: Final = 1_000

_BEST_FIRST: Final = ("healthy", "degraded", "unknown", "unhealthy")


class Installation(msgspec.Struct, frozen=True):
    """Which gateway this is; `started_at_s` is seconds since the epoch."""

    version: str
    configuration_digest: str
    started_at_s: float
    providers: tuple[str, ...]


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration makes; `names` gives for aliases the name of their model."""

    directory: Directory
    board: HealthBoard
    limits: LimitBoard
    installation: Installation
    names: Mapping[str, str]


class ModelMethods:
    """Answers from what is known; no upstream is asked. What the caller may not name is not shown.

    `served` is what the configuration in force makes; it may be replaced at any time.
    """

    def __init__(self, served: Served, clock: Clock) -> None:
        self.served = served
        self._clock = clock

    async def list_models(self, data: bytes, exchange: Exchange) -> bytes:
        """A page of the models, in the configuration's order."""
        pb = parse(model_service_pb2.ListModelsRequest, data, REQUEST_LIMIT_BYTES)
        needed = {
            enums.known(enums.CAPABILITIES, value, f"required_capabilities[{i}]")
            for i, value in enumerate(pb.required_capabilities)
        }
        models = [m for m in self._shown(exchange) if needed <= m.capabilities]
        first = _page_start(pb.page_token, len(models))
        last = first + min(pb.page_size or DEFAULT_PAGE, MAX_PAGE)
        statuses = self._statuses()
        return model_service_pb2.ListModelsResponse(
            models=[_model(model, statuses) for model in models[first:last]],
            next_page_token=str(last) if last < len(models) else "",
        ).SerializeToString()

    async def get_model(self, data: bytes, exchange: Exchange) -> bytes:
        """One model."""
        pb = parse(model_service_pb2.GetModelRequest, data, REQUEST_LIMIT_BYTES)
        if not pb.name:
            raise CallerError.of_field("name", "must be set")
        directory = self.served.directory
        exact = [model for model in directory.models() if model.name == pb.name]
        model = exact[0] if exact else directory.find(pb.name)
        if model is None or not self._is_shown(pb.name, exchange):
            raise CallerError(
                Reason.MODEL_NOT_FOUND,
                f"There is no model `{pb.name[:80]}`. ListModels shows what there is.",
                resource=Resource("model", pb.name[:80]),
            )
        response = model_service_pb2.GetModelResponse(model=_model(model, self._statuses()))
        return response.SerializeToString()

    async def health(self, data: bytes, exchange: Exchange) -> bytes:
        """The gateway and its providers; without the scope INFERENCE only whether it serves."""
        pb = parse(gateway_service_pb2.HealthRequest, data, REQUEST_LIMIT_BYTES)
        served = self.served
        conditions = served.board.conditions()
        status = enums.HEALTH[_best([c.status for c in conditions])]
        if not exchange.identity.may(Scope.INFERENCE):
            return gateway_service_pb2.HealthResponse(status=status).SerializeToString()
        here = served.installation
        if pb.provider and pb.provider not in here.providers:
            raise CallerError(
                Reason.RESOURCE_NOT_FOUND,
                f"There is no provider `{pb.provider[:80]}`.",
                resource=Resource("provider", pb.provider[:80]),
            )
        names = (pb.provider,) if pb.provider else here.providers
        headroom = await served.limits.headroom()
        providers = [
            _provider(name, [c for c in conditions if c.provider == name], headroom)
            for name in names
        ]
        return gateway_service_pb2.HealthResponse(
            status=status,
            version=here.version,
            started_at=timestamp(here.started_at_s),
            uptime=duration(max(0.0, self._clock.time() - here.started_at_s)),
            configuration_digest=here.configuration_digest,
            providers=providers,
        ).SerializeToString()

    def _shown(self, exchange: Exchange) -> Sequence[Model]:
        models = self.served.directory.models()
        if not exchange.identity.caller.models:
            return models
        return [model for model in models if self._is_shown(model.name, exchange)]

    def _is_shown(self, name: str, exchange: Exchange) -> bool:
        return exchange.identity.caller.models.covers(name, self.served.names.get(name, name))

    def _statuses(self) -> dict[str, str]:
        return {c.deployment: c.status for c in self.served.board.conditions()}


def _page_start(token: str, total: int) -> int:
    if not token:
        return 0
    digits = token.isascii() and token.isdigit() and len(token) <= MAX_TOKEN_DIGITS
    if not digits or int(token) > total:
        raise CallerError.of_field("page_token", "is not one that this gateway gave")
    return int(token)


def _model(model: Model, statuses: dict[str, str]) -> model_service_pb2.Model:
    return model_service_pb2.Model(
        name=model.name,
        description=model.description,
        is_pattern=model.aliases_pattern,
        capabilities=sorted(enums.CAPABILITY_NUMBERS[c] for c in model.capabilities),
        context_window_tokens=model.context_window_tokens,
        max_output_tokens=model.max_output_tokens,
        embedding_dimensions=model.embedding_dimensions,
        deployments=[
            model_service_pb2.Deployment(
                name=target.deployment,
                provider=target.provider,
                model=target.model,
                price=_price(target.price),
                status=enums.HEALTH[statuses.get(target.deployment, "unknown")],
            )
            for target in model.targets
        ],
    )


def _price(price: Price | None) -> model_service_pb2.Price | None:
    return None if price is None else _known_price(price)


def _known_price(price: Price) -> model_service_pb2.Price:
    return model_service_pb2.Price(
        input_nano_usd_per_million_tokens=price.input * PER_MILLION,
        output_nano_usd_per_million_tokens=price.output * PER_MILLION,
        cached_input_nano_usd_per_million_tokens=_scaled(price.cached_input),
        cache_write_input_nano_usd_per_million_tokens=_scaled(price.cache_write_input),
        reasoning_nano_usd_per_million_tokens=_scaled(price.reasoning),
        audio_input_nano_usd_per_million_tokens=_scaled(price.audio_input),
        audio_output_nano_usd_per_million_tokens=_scaled(price.audio_output),
        cache_write_1h_input_nano_usd_per_million_tokens=_scaled(price.cache_write_1h_input),
        image_input_nano_usd_per_million_tokens=_scaled(price.image_input),
        image_output_nano_usd_per_million_tokens=_scaled(price.image_output),
        long_context=[
            model_service_pb2.LongContextPrice(
                above_input_tokens=step.above_input_tokens, price=_known_price(step.price)
            )
            for step in price.long_context
        ],
        service_tiers={name: _known_price(special) for name, special in price.service_tiers},
    )


def _scaled(price: int | None) -> int | None:
    return None if price is None else price * PER_MILLION


def _provider(
    name: str,
    conditions: Sequence[Condition],
    headroom: Mapping[str, Sequence[Headroom]],
) -> gateway_service_pb2.ProviderHealth:
    return gateway_service_pb2.ProviderHealth(
        name=name,
        status=enums.HEALTH[_best([c.status for c in conditions])],
        deployments=[_deployment(c, headroom.get(c.deployment, ())) for c in conditions],
        note=next((c.note for c in conditions if c.note), ""),
    )


def _best(statuses: Sequence[str]) -> str:
    return min(statuses, key=_BEST_FIRST.index, default="unknown")


def _deployment(
    condition: Condition, headroom: Sequence[Headroom]
) -> gateway_service_pb2.DeploymentHealth:
    at = condition.last_error_at_s
    return gateway_service_pb2.DeploymentHealth(
        name=condition.deployment,
        status=enums.HEALTH[condition.status],
        recent_attempts=condition.attempts,
        success_rate=condition.success_rate,
        last_error_reason=reason_name(condition.last_error),
        last_error_at=None if at is None else timestamp(at),
        latency=_percentiles(condition.latency),
        time_to_first_event=_percentiles(condition.first_event),
        in_flight=condition.in_flight,
        breaker_state=enums.BREAKERS[condition.breaker],
        headroom=[
            gateway_service_pb2.LimitHeadroom(
                limit=room.limit, capacity=room.capacity, remaining=room.remaining
            )
            for room in headroom
        ],
    )


def _percentiles(
    values: tuple[float, float, float] | None,
) -> gateway_service_pb2.LatencyPercentiles | None:
    if values is None:
        return None
    p50, p95, p99 = (duration(value) for value in values)
    return gateway_service_pb2.LatencyPercentiles(p50=p50, p95=p95, p99=p99)
