"""Counts RPCs in plain numbers, which Prometheus is told when somebody looks.

Names and labels are those of go-grpc-middleware.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, TypeAlias

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

DURATION_BUCKETS: Final = (
    0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip

_RPC: Final = ("grpc_type", "grpc_service", "grpc_method")
_Labels: TypeAlias = tuple[str, str, str]


class RpcMetrics:
    """The counts of one method; `started` calls have one request each, so it counts those too.

    `codes` has how many calls have ended by each code, `buckets` by how long they have taken, and
    `handling_s` is the time of all.
    """

    __slots__ = ("buckets", "codes", "handling_s", "labels", "sent", "started")

    def __init__(self, labels: _Labels, codes: Iterable[str]) -> None:
        self.labels = labels
        self.started = 0
        self.sent = 0
        self.codes = dict.fromkeys(codes, 0)
        self.buckets = [0] * (len(DURATION_BUCKETS) + 1)
        self.handling_s = 0.0

    def handled(self, code: str, duration_s: float) -> None:
        """One call ended with `code`, such as `OK` or `InvalidArgument`."""
        self.codes[code] += 1
        self.buckets[bisect_left(DURATION_BUCKETS, duration_s)] += 1
        self.handling_s += duration_s


class Rpcs(Collector):
    """The counts of all methods; all their series exist from the first on, at zero."""

    def __init__(self, codes: Iterable[str]) -> None:
        self._codes = tuple(codes)
        self._methods: dict[_Labels, RpcMetrics] = {}

    def method(self, kind: str, service: str, name: str) -> RpcMetrics:
        """The counts of one method."""
        labels = (kind, service, name)
        return self._methods.setdefault(labels, RpcMetrics(labels, self._codes))

    def collect(self) -> Iterator[Metric]:
        """What there is to tell now; see prometheus_client's Collector."""
        started = CounterMetricFamily("grpc_server_started", "RPCs started.", labels=_RPC)
        received = CounterMetricFamily(
            "grpc_server_msg_received", "Messages received.", labels=_RPC
        )
        sent = CounterMetricFamily("grpc_server_msg_sent", "Messages sent.", labels=_RPC)
        handled = CounterMetricFamily(
            "grpc_server_handled", "RPCs ended, by code.", labels=(*_RPC, "grpc_code")
        )
        handling = HistogramMetricFamily(
            "grpc_server_handling_seconds", "From start to end of RPCs.", labels=_RPC
        )
        for method in self._methods.values():
            started.add_metric(method.labels, method.started)
            received.add_metric(method.labels, method.started)
            sent.add_metric(method.labels, method.sent)
            for code, count in method.codes.items():
                handled.add_metric((*method.labels, code), count)
            handling.add_metric(method.labels, _cumulative(method.buckets), method.handling_s)
        yield from (started, received, sent, handled, handling)

    def describe(self) -> Iterator[Metric]:
        """The names that are taken; see prometheus_client's CollectorRegistry."""
        return self.collect()


def _cumulative(buckets: Iterable[int]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in DURATION_BUCKETS), "+Inf"]
    return list(zip(bounds, accumulate(buckets), strict=True))
