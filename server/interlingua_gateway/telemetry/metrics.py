"""Every metric of the gateway, with label values that come from the configuration alone.

Names: `grpc_server_*` as in go-grpc-middleware; `gen_ai_*` are OpenTelemetry's GenAI semantic
conventions (in development, as of 2026) under Prometheus names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from interlingua_gateway.telemetry.series import Counters, Histograms

DURATION_BUCKETS: Final = (
    0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
FIRST_TOKEN_BUCKETS: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)  # fmt: skip
PER_TOKEN_BUCKETS: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
)  # fmt: skip
TOKEN_BUCKETS: Final = (
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
)  # fmt: skip

_RPC: Final = ("grpc_type", "grpc_service", "grpc_method")
_UPSTREAM: Final = ("provider", "deployment")
_GEN_AI: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class RpcMetrics:
    """The children of one gRPC method, looked up once."""

    __slots__ = ("_handled", "_handling", "_received", "_started", "sent")

    def __init__(self, metrics: Metrics, kind: str, service: str, method: str) -> None:
        labels = (kind, service, method)
        self._started = metrics.started.labels(*labels)
        self._received = metrics.received.labels(*labels)
        self._handled = {code: metrics.handled.labels(*labels, code) for code in metrics.codes}
        self._handling = metrics.handling.labels(*labels)
        self.sent = metrics.sent.labels(*labels)

    def begun(self) -> None:
        """A call has begun, with its one request."""
        self._started.inc()
        self._received.inc()

    def handled(self, code: str, duration_s: float) -> None:
        """One call ended with `code`, such as `OK` or `InvalidArgument`."""
        self._handled[code].inc()
        self._handling.observe(duration_s)


class Metrics:
    """All collectors, in a registry of their own."""

    def __init__(self, codes: Iterable[str] = ()) -> None:
        self.codes = tuple(codes)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._server_metrics()
        self._model_metrics()
        self._cost_metrics()
        self._upstream_metrics()
        self._limit_metrics()
        self._ledger_metrics()

    def _server_metrics(self) -> None:
        count, time = self._counter, self._histogram
        self.started = count("grpc_server_started", "RPCs started.", _RPC)
        self.handled = count("grpc_server_handled", "RPCs ended, by code.", (*_RPC, "grpc_code"))
        self.received = count("grpc_server_msg_received", "Messages received.", _RPC)
        self.sent = count("grpc_server_msg_sent", "Messages sent.", _RPC)
        self.handling = time(
            "grpc_server_handling_seconds", "From start to end of RPCs.", _RPC, DURATION_BUCKETS
        )
        self.in_flight = self._gauge("interlingua_calls_in_flight", "RPCs being served.", ())
        self.config_reloads = count(
            "interlingua_config_reloads",
            "Times that the configuration was read again.",
            ("outcome",),
        )
        self.config_loaded = self._gauge(
            "interlingua_config_loaded_timestamp_seconds", "When that in force was read.", ()
        )
        self.build = self._gauge("interlingua_build_info", "Always 1.", ("version",))

    def _model_metrics(self) -> None:
        count, time = self._counter, self._histogram
        self.request_duration = time(
            "gen_ai_server_request_duration_seconds",
            "From acceptance of a call to its end.",
            (*_GEN_AI, "error_type"),
            DURATION_BUCKETS,
        )
        self.time_to_first_token = time(
            "gen_ai_server_time_to_first_token_seconds",
            "From acceptance of a streaming call to its first event.",
            _GEN_AI,
            FIRST_TOKEN_BUCKETS,
        )
        self.time_per_output_token = time(
            "gen_ai_server_time_per_output_token_seconds",
            "Mean time between the output tokens of a streaming call after the first.",
            _GEN_AI,
            PER_TOKEN_BUCKETS,
        )
        self.token_usage = time(
            "gen_ai_client_token_usage",
            "Tokens of a call.",
            (*_GEN_AI, "gen_ai_token_type"),
            TOKEN_BUCKETS,
        )
        self.cached = count(
            "interlingua_cache_calls", "Calls to models with a cache, by status.", ("status",)
        )
        self.shared = count(
            "interlingua_dedupe_calls", "Calls that may share an answer, by role.", ("role",)
        )

    def _cost_metrics(self) -> None:
        count = self._counter
        self.cost = count("interlingua_cost_usd", "Cost of calls of known price.", _GEN_AI)
        self.unpriced = count(
            "interlingua_unpriced_calls",
            "Calls that used tokens of unknown price; their cost is not known, which is not 0.",
            _GEN_AI,
        )
        self.estimated_usage = count(
            "interlingua_estimated_usage_calls",
            "Calls whose token counts the gateway had to estimate.",
            _GEN_AI,
        )

    def _upstream_metrics(self) -> None:
        count = self._counter
        self.operation_duration = self._histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time of one attempt at an upstream.",
            (*_GEN_AI, "error_type"),
            DURATION_BUCKETS,
        )
        self.attempts = count(
            "interlingua_upstream_attempts", "Attempts, by outcome.", (*_UPSTREAM, "outcome")
        )
        self.errors = count(
            "interlingua_upstream_errors", "Failed attempts, by reason.", (*_UPSTREAM, "reason")
        )
        self.upstream_in_flight = self._gauge(
            "interlingua_upstream_attempts_in_flight", "Attempts being served.", _UPSTREAM
        )
        self.breaker = self._gauge(
            "interlingua_upstream_breaker_state",
            "Circuit breaker: 0 closed, 1 half open, 2 open.",
            _UPSTREAM,
        )
        self.passed_over = count(
            "interlingua_upstream_passed_over",
            "Times that a deployment was not tried, by reason.",
            (*_UPSTREAM, "reason"),
        )
        self.hedges = count(
            "interlingua_upstream_hedges", "Attempts started beside a slow one.", _UPSTREAM
        )

        self.decisions = count(
            "interlingua_classifier_decisions",
            "Routes of calls to aliases with a classifier, by who chose them.",
            ("gen_ai_request_model", "route", "source"),
        )

    def _limit_metrics(self) -> None:
        self.queue_waiting = self._gauge(
            "interlingua_queue_waiting", "Calls that wait for a limit.", ("priority",)
        )
        self.queue_wait = self._histogram(
            "interlingua_queue_wait_seconds",
            "How long calls have waited for a limit, served or not.",
            ("priority",),
            DURATION_BUCKETS,
        )
        self.limit_refused = self._counter(
            "interlingua_limit_refused",
            "Calls and attempts that a limit refused.",
            ("rule", "limit", "reason"),
        )
        self.limit_reserved = self._gauge(
            "interlingua_limit_reserved",
            "Tokens reserved, and places taken, by calls that have not ended.",
            ("rule", "limit"),
        )
        self.budget_refused = self._counter(
            "interlingua_budget_refused", "Calls that a hard budget refused.", ("budget",)
        )
        self.budget_held = self._gauge(
            "interlingua_budget_held_usd", "Held by calls that have not ended.", ("budget",)
        )
        self.budget_alerts = self._counter(
            "interlingua_budget_alerts", "Thresholds of budgets that were reached.", ("budget",)
        )
        self.redis_up = self._gauge("interlingua_redis_up", "1 while Redis is in use.", ())

    def _ledger_metrics(self) -> None:
        count, gauge = self._counter, self._gauge
        self.ledger_waiting_records = gauge(
            "interlingua_ledger_waiting_records", "Records that wait for the database.", ()
        )
        self.ledger_waiting_bytes = gauge(
            "interlingua_ledger_waiting_bytes", "Their size in the spool.", ()
        )
        self.ledger_written = count(
            "interlingua_ledger_written_records", "Records that the database has taken.", ()
        ).labels()
        self.ledger_last_flush = gauge(
            "interlingua_ledger_last_flush_timestamp_seconds", "When it took some last.", ()
        )
        self.ledger_failures = count(
            "interlingua_ledger_flush_failures", "Times that it took none.", ()
        ).labels()
        self.ledger_lost = count(
            "interlingua_ledger_lost_records", "Records that found no room in the spool.", ()
        ).labels()

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Counters:
        made = Counters(name, text, labels)
        self.registry.register(made)
        return made

    def _gauge(self, name: str, text: str, labels: Sequence[str]) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> Histograms:
        made = Histograms(name, text, labels, buckets)
        self.registry.register(made)
        return made

    def rpc(self, kind: str, service: str, method: str) -> RpcMetrics:
        """The metrics of one method; all its series exist from now on, at zero."""
        return RpcMetrics(self, kind, service, method)
