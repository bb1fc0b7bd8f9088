"""The caller's wishes for the way, from messages of the contract into those of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core import checks
from interlingua_gateway.core.checks import IDEMPOTENCY_KEY_LIMIT
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.target import Strategy
from interlingua_gateway.core.wishes import (
    CacheMode,
    Caching,
    Leniency,
    Priority,
    Routing,
)
from interlingua_gateway.wire.grpc import enums

Wishing: TypeAlias = generate_pb2.GenerateRequest | embed_pb2.EmbedRequest

STICKY_KEY_LIMIT: Final = 256

_ANY_WAY: Final = Routing()
_ANY_CACHING: Final = Caching()

_LENIENCY: Final[Mapping[int, Leniency]] = {
    generate_pb2.UNSUPPORTED_PARAMETER_POLICY_UNSPECIFIED: Leniency.REJECT,
    generate_pb2.UNSUPPORTED_PARAMETER_POLICY_REJECT: Leniency.REJECT,
    generate_pb2.UNSUPPORTED_PARAMETER_POLICY_WARN: Leniency.WARN,
}
_STRATEGIES: Final[Mapping[int, Strategy | None]] = {
    generate_pb2.ROUTING_STRATEGY_UNSPECIFIED: None,
} | {getattr(generate_pb2, f"ROUTING_STRATEGY_{strategy.name}"): strategy for strategy in Strategy}
_CACHE_MODES: Final[Mapping[int, CacheMode | None]] = {
    generate_pb2.CACHE_MODE_UNSPECIFIED: None,
} | {getattr(generate_pb2, f"CACHE_MODE_{mode.name}"): mode for mode in CacheMode}
_PRIORITIES: Final[Mapping[int, Priority]] = {
    generate_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
} | {getattr(generate_pb2, f"PRIORITY_{priority.name}"): priority for priority in Priority}

_bad = CallerError.of_field


def decode_routing(pb: Wishing) -> Routing:
    """Wishes for the way.

    Raises:
        CallerError: INVALID_REQUEST for a value that the contract does not have.
    """
    if not pb.HasField("routing") and not pb.unsupported_parameters:
        return _ANY_WAY
    routing = pb.routing
    for i, name in enumerate(routing.fallback_models):
        if not name:
            raise _bad(f"routing.fallback_models[{i}]", "must not be empty")
    if len(routing.sticky_key) > STICKY_KEY_LIMIT:
        raise _bad("routing.sticky_key", f"must be at most {STICKY_KEY_LIMIT} characters")
    if routing.HasField("max_cost_nano_usd") and routing.max_cost_nano_usd < 0:
        raise _bad("routing.max_cost_nano_usd", "must not be negative")
    hedged = routing.HasField("hedge_after")
    return Routing(
        strategy=enums.known(_STRATEGIES, routing.strategy, "routing.strategy"),
        fallbacks=tuple(routing.fallback_models),
        hedge_after_s=_seconds(routing.hedge_after, "routing.hedge_after") if hedged else None,
        required=frozenset(
            enums.known(enums.CAPABILITIES, value, f"routing.required_capabilities[{i}]")
            for i, value in enumerate(routing.required_capabilities)
        ),
        max_cost_nano_usd=(
            routing.max_cost_nano_usd if routing.HasField("max_cost_nano_usd") else None
        ),
        sticky_key=routing.sticky_key,
        continue_broken_stream=routing.continue_broken_stream,
        leniency=enums.known(_LENIENCY, pb.unsupported_parameters, "unsupported_parameters"),
    )


def decode_caching(pb: Wishing) -> Caching:
    """Wishes for the cache.

    Raises:
        CallerError: INVALID_REQUEST for a value that the contract does not have.
    """
    if not pb.HasField("cache"):
        return _ANY_CACHING
    cache = pb.cache
    return Caching(
        mode=enums.known(_CACHE_MODES, cache.mode, "cache.mode"),
        ttl_s=_seconds(cache.ttl, "cache.ttl") if cache.HasField("ttl") else None,
    )


def decode_priority(pb: Wishing) -> Priority:
    """Place in the queue.

    Raises:
        CallerError: INVALID_REQUEST for a value that the contract does not have.
    """
    return enums.known(_PRIORITIES, pb.priority, "priority")


def decode_idempotency_key(pb: Wishing) -> str:
    """The caller's name for the operation, or empty.

    Raises:
        CallerError: it is too long.
    """
    if len(pb.idempotency_key) > IDEMPOTENCY_KEY_LIMIT:
        raise _bad("idempotency_key", f"must be at most {IDEMPOTENCY_KEY_LIMIT} characters")
    return pb.idempotency_key


def decode_tags(pb: Wishing) -> tuple[str, ...]:
    """Tags for reports.

    Raises:
        CallerError: they are too many or too long.
    """
    if not pb.tags:
        return ()
    checks.tags(pb.tags)
    return tuple(pb.tags)


def decode_metadata(pb: Wishing) -> dict[str, str]:
    """Labels for the caller's own reports.

    Raises:
        CallerError: they are too many or too long.
    """
    if not pb.metadata:
        return {}
    checks.metadata(pb.metadata)
    return dict(pb.metadata)


def _seconds(pb: Duration, field: str) -> float:
    seconds = pb.seconds + pb.nanos / 1e9
    if seconds <= 0:
        raise _bad(field, "must be positive")
    return seconds
