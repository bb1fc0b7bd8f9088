"""Measures every call from outside: durations, tokens, cost, and one log line at its end."""

from __future__ import annotations

import logging
from typing import Final

from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.events import Outcome
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.upstream import operation_name

_UNROUTED: Final = "none"

_LEVELS: Final = {
    Outcome.OK: logging.DEBUG,
    Outcome.CANCELLED: logging.INFO,
    Outcome.FAILED: logging.WARNING,
}

log = logging.getLogger("interlingua.call")


class Observe:
    """The outermost policy: what it measures is what the caller waits for."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        reply: Reply | None = None

        # Deferred first and so run last: by then the policies inside have settled the usage.
        def ended(call: Call, ending: Ending) -> None:
            self._ended(call, ending)
            if reply is not None and reply.source is not None:
                self._paced(call, ending)

        call.defer(ended)
        reply = await inner(call)
        call.first_event_s = self._clock.monotonic() - call.started
        return reply

    def _ended(self, call: Call, ending: Ending) -> None:
        labels = _labels(call)
        error = str(ending.reason) if ending.reason else ""
        self._metrics.request_duration.labels(*labels, error).observe(ending.duration_s)
        if call.usage is not None and not call.free:
            self._tokens(call, labels)
        if call.cache_status is not None:
            self._metrics.cached.labels(str(call.cache_status)).inc()
        if call.dedupe_status is not None:
            self._metrics.shared.labels(str(call.dedupe_status)).inc()
        if call.cost is not None:
            self._metrics.cost.labels(*labels).inc(call.cost.nano_usd / 1e9)
        elif call.usage is not None:
            self._metrics.unpriced.labels(*labels).inc()
        _write(call, ending, error)

    def _paced(self, call: Call, ending: Ending) -> None:
        labels = _labels(call)
        first = call.first_event_s or 0.0
        self._metrics.time_to_first_token.labels(*labels).observe(first)
        tokens = call.usage.output_tokens if call.usage else 0
        if tokens > 1:
            pace = (ending.duration_s - first) / (tokens - 1)
            self._metrics.time_per_output_token.labels(*labels).observe(pace)

    def _tokens(self, call: Call, labels: tuple[str, str, str]) -> None:
        usage = call.usage
        if usage is None:
            return
        self._metrics.token_usage.labels(*labels, "input").observe(usage.input_tokens)
        self._metrics.token_usage.labels(*labels, "output").observe(usage.output_tokens)
        if usage.estimated:
            self._metrics.estimated_usage.labels(*labels).inc()


def _labels(call: Call) -> tuple[str, str, str]:
    target = call.target
    if target is None:
        return operation_name(call), _UNROUTED, _UNROUTED
    return operation_name(call), target.provider, target.label


def _write(call: Call, ending: Ending, error: str) -> None:
    usage, target = call.usage, call.target
    level = _LEVELS[ending.outcome]
    if not log.isEnabledFor(level):
        return
    log.log(
        level,
        "call",
        extra={
            "fields": {
                "operation_id": call.id,
                "method": call.method,
                "outcome": str(ending.outcome),
                "reason": error,
                "deployment": target.deployment if target else "",
                "duration_s": round(ending.duration_s, 6),
                "time_to_first_event_s": call.first_event_s,
                "input_tokens": usage.input_tokens if usage else 0,
                "output_tokens": usage.output_tokens if usage else 0,
                "usage_estimated": usage.estimated if usage else False,
                "cost_nano_usd": call.cost.nano_usd if call.cost else None,
                "attempts": len(call.attempts),
                "cache": str(call.cache_status or ""),
                "dedupe": str(call.dedupe_status or ""),
                "tags": list(call.tags),
                "metadata": dict(call.metadata),
                **call.trace,
            }
        },
    )
