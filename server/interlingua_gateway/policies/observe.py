"""Measures every call from outside: durations, tokens, cost, and one log line at its end."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Final

from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.events import Outcome, Usage
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.series import Counter, Histogram
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
        self._series: dict[tuple[str, str, str], _Series] = {}

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
        series = self._series_of(call)
        error = str(ending.reason) if ending.reason else ""
        series.duration(error).observe(ending.duration_s)
        if call.usage is not None and not call.free:
            series.tokens(call.usage)
        if call.cache_status is not None:
            self._metrics.cached.labels(str(call.cache_status)).inc()
        if call.dedupe_status is not None:
            self._metrics.shared.labels(str(call.dedupe_status)).inc()
        if call.cost is not None:
            series.cost.inc(call.cost.nano_usd / 1e9)
        elif call.usage is not None:
            series.unpriced.inc()
        _write(call, ending, error)

    def _paced(self, call: Call, ending: Ending) -> None:
        series = self._series_of(call)
        first = call.first_event_s or 0.0
        series.first_token.observe(first)
        tokens = call.usage.output_tokens if call.usage else 0
        if tokens > 1:
            series.pace.observe((ending.duration_s - first) / (tokens - 1))

    def _series_of(self, call: Call) -> _Series:
        """The series of the call's operation and target, looked up once."""
        target = call.target
        names = (_UNROUTED, _UNROUTED) if target is None else (target.provider, target.label)
        labels = (operation_name(call), *names)
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(self._metrics, labels)
        return series


class _Series:
    """What is counted of the calls to one target; each series exists from its first use on."""

    def __init__(self, metrics: Metrics, labels: tuple[str, str, str]) -> None:
        self._metrics = metrics
        self._labels = labels
        self._durations: dict[str, Histogram] = {}

    def duration(self, error: str) -> Histogram:
        """The durations of calls that ended with `error`; empty for a success."""
        child = self._durations.get(error)
        if child is None:
            child = self._metrics.request_duration.labels(*self._labels, error)
            self._durations[error] = child
        return child

    def tokens(self, usage: Usage) -> None:
        """Count the tokens of a call."""
        self._input.observe(usage.input_tokens)
        self._output.observe(usage.output_tokens)
        if usage.estimated:
            self._estimated.inc()

    @cached_property
    def cost(self) -> Counter:
        """In USD."""
        return self._metrics.cost.labels(*self._labels)

    @cached_property
    def unpriced(self) -> Counter:
        """Calls that used a model of unknown price."""
        return self._metrics.unpriced.labels(*self._labels)

    @cached_property
    def first_token(self) -> Histogram:
        """Seconds to the first event of streams."""
        return self._metrics.time_to_first_token.labels(*self._labels)

    @cached_property
    def pace(self) -> Histogram:
        """Seconds between the tokens of streams."""
        return self._metrics.time_per_output_token.labels(*self._labels)

    @cached_property
    def _input(self) -> Histogram:
        return self._metrics.token_usage.labels(*self._labels, "input")

    @cached_property
    def _output(self) -> Histogram:
        return self._metrics.token_usage.labels(*self._labels, "output")

    @cached_property
    def _estimated(self) -> Counter:
        return self._metrics.estimated_usage.labels(*self._labels)


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
                "model": call.request.model,
                "tenant": call.caller.tenant,
                "key": call.caller.key,
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
