"""What is counted is told as Prometheus's own client library tells it."""

from __future__ import annotations

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from interlingua_gateway.telemetry.series import Counters, Histograms

BOUNDS = (0.005, 0.5, 1, 1048576)


def told(registry: CollectorRegistry) -> list[str]:
    """What is exposed, without the moments of creation, which the gateway does not tell."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_counters_are_told_as_by_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counters = Counters("calls", "Calls.", ("method", "code"))
    ours.register(counters)
    oracle = prometheus_client.Counter("calls", "Calls.", ("method", "code"), registry=theirs)
    for found in (counters, oracle):
        found.labels("a", "OK").inc()
        found.labels("a", "OK").inc(2.5)
        found.labels('quoted "b"\n', "")
    assert told(ours) == told(theirs)
    assert 'calls_total{code="OK",method="a"} 3.5' in told(ours)


def test_histograms_are_told_as_by_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histograms = Histograms("wait", "Waits.", ("method",), BOUNDS)
    ours.register(histograms)
    oracle = prometheus_client.Histogram(
        "wait", "Waits.", ("method",), registry=theirs, buckets=BOUNDS
    )
    for found in (histograms, oracle):
        for amount in (0, 0.005, 0.0051, 1, 1.5, 7e6, 1048576):
            found.labels("a").observe(amount)
        found.labels("b")
    assert told(ours) == told(theirs)
    assert 'wait_bucket{le="0.005",method="a"} 2.0' in told(ours)


def test_a_counter_without_labels_exists_from_the_start() -> None:
    registry = CollectorRegistry()
    counters = Counters("lost", "Lost.", ())
    registry.register(counters)
    counters.labels()
    assert registry.get_sample_value("lost_total") == 0


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    registry.register(Counters("calls", "Calls.", ()))
    with pytest.raises(ValueError, match="calls"):
        registry.register(Counters("calls", "Calls.", ()))
