"""What gRPC tells of one call: its name, its time and its context."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, cast

import grpc

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ids import operation_id

MARGIN_SHARE: Final = 0.05
MARGIN_MAX_S: Final = 0.05
ROUNDING_SHARE: Final = 0.01
"""gRPC core sends a timeout with two to three digits, rounded up: 14.91 s arrives as 15 s."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_KEYS: Final = ("traceparent", "tracestate")
TRACESTATE_LIMIT: Final = 512

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]


class Exchange:
    """One call as it came in.

    `deadline` is in `Clock.monotonic()` seconds, a little before the caller's own so that the
    answer, which says what spent it, still arrives; None without one.
    """

    __slots__ = ("accepted_at_s", "deadline", "id", "method", "started", "trace")

    def __init__(
        self, method: str, context: Context, clock: Clock, default_deadline_s: float | None
    ) -> None:
        self.method = method
        self.id = operation_id(clock)
        self.started = clock.monotonic()
        self.accepted_at_s = clock.time()
        # Typed as a float, but None for a call without a deadline.
        remaining_s = cast("float | None", context.time_remaining())
        if remaining_s is None:
            remaining_s = default_deadline_s
        self.deadline = None if remaining_s is None else self.started + _usable(remaining_s)
        self.trace = trace_context(context)


def _usable(remaining_s: float) -> float:
    rounding_s = remaining_s * ROUNDING_SHARE
    return remaining_s - rounding_s - min(MARGIN_MAX_S, remaining_s * MARGIN_SHARE)


def trace_context(context: Context) -> Mapping[str, str]:
    """The W3C trace context of the metadata, or nothing if it is malformed.

    Source: https://www.w3.org/TR/trace-context/
    """
    metadata = context.invocation_metadata() or ()
    found = {str(key): str(value) for key, value in metadata if key in _TRACE_KEYS}
    if _TRACEPARENT.fullmatch(found.get("traceparent", "")) is None:
        return {}
    if len(found.get("tracestate", "")) > TRACESTATE_LIMIT:
        del found["tracestate"]
    return found


Write: TypeAlias = Callable[[bytes], Awaitable[None]]
UnaryMethod: TypeAlias = Callable[[bytes, Exchange], Awaitable[bytes]]
StreamMethod: TypeAlias = Callable[[bytes, Exchange, Write], Awaitable[None]]
