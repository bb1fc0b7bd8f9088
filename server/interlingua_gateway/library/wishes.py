"""The options of a call that stay in the gateway, as the core knows them."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from interlingua_gateway.core import checks
from interlingua_gateway.core.checks import IDEMPOTENCY_KEY_LIMIT
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.wishes import CacheMode, Caching, Leniency, Priority, Routing
from interlingua_gateway.library.options import DeliveryOptions

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_PRIORITIES: Final = {priority.name.lower(): priority for priority in Priority}

_bad = CallerError.of_field


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of the way; `timeout_s` None leaves the bound to the gateway."""

    tenant: str = ""
    user: str = ""
    timeout_s: float | None = None
    routing: Routing = Routing()
    caching: Caching = Caching()
    priority: Priority = Priority.NORMAL
    idempotency_key: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    trace: dict[str, str] = {}


def wishes_of(options: DeliveryOptions) -> Wishes:
    """The wishes among `options`.

    Raises:
        CallerError: INVALID_REQUEST naming the first thing that is wrong.
    """
    key = options.get("idempotency_key") or ""
    if len(key) > IDEMPOTENCY_KEY_LIMIT:
        raise _bad("idempotency_key", f"must be at most {IDEMPOTENCY_KEY_LIMIT} characters")
    tags, metadata = tuple(options.get("tags") or ()), dict(options.get("metadata") or {})
    checks.tags(tags)
    checks.metadata(metadata)
    trace = options.get("traceparent") or ""
    return Wishes(
        tenant=options.get("tenant_id") or "",
        user=options.get("user") or "",
        timeout_s=_positive("timeout_s", options.get("timeout_s")),
        routing=_routing(options),
        caching=Caching(
            mode=_named("cache_mode", options.get("cache_mode")),
            ttl_s=_positive("cache.ttl", options.get("cache_ttl_s")),
        ),
        priority=_priority(options.get("priority")),
        idempotency_key=key,
        tags=tags,
        metadata=metadata,
        trace={"traceparent": trace} if _TRACEPARENT.fullmatch(trace) else {},
    )


def _routing(options: DeliveryOptions) -> Routing:
    routing = options.get("routing") or Routing()
    policy = options.get("unsupported_parameters")
    if policy is None:
        return routing
    if policy not in tuple(Leniency):
        raise _bad("unsupported_parameters", f"must be one of {', '.join(Leniency)}")
    return msgspec.structs.replace(routing, leniency=Leniency(policy))


def _named(field: str, name: str | None) -> CacheMode | None:
    if name is None:
        return None
    if name not in tuple(CacheMode):
        raise _bad(field, f"must be one of {', '.join(CacheMode)}")
    return CacheMode(name)


def _priority(name: str | None) -> Priority:
    if name is None:
        return Priority.NORMAL
    if name not in _PRIORITIES:
        raise _bad("priority", f"must be one of {', '.join(_PRIORITIES)}")
    return _PRIORITIES[name]


def _positive(field: str, seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise _bad(field, "must be positive")
    return seconds
