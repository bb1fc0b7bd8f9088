"""Counters and histograms in plain numbers, of which Prometheus is told when somebody looks.

The client library's own ones take a lock for each number, since any thread may count; here
everybody who counts runs on the event loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import Generic, TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Counter:
    """One series that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count `amount` more."""
        self.value += amount


class Histogram:
    """One series of observations, counted by the first of its bounds that is not below them."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, amount: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Tell `family` what was observed; buckets are cumulative there."""
        bounds = (*self._bounds, inf)
        names = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        family.add_metric(labels, buckets, self._sum)


S = TypeVar("S", Counter, Histogram)


class _Family(Collector, ABC, Generic[S]):
    """Series of one name by the values of their labels; each exists from its first use on."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name = name
        self._text = text
        self._names = tuple(labels)
        self._series: dict[tuple[str, ...], S] = {}

    def labels(self, *values: str) -> S:
        """The series with these values, in the order of the labels."""
        found = self._series.get(values)
        if found is None:
            assert len(values) == len(self._names)
            found = self._series[values] = self._made()
        return found

    @abstractmethod
    def _made(self) -> S:
        """A new series."""

    @abstractmethod
    def collect(self) -> Iterator[Metric]:
        """All series as they stand; see prometheus_client's Collector."""

    def describe(self) -> Iterator[Metric]:
        """The names that are taken; see prometheus_client's CollectorRegistry."""
        return self.collect()


class Counters(_Family[Counter]):
    """Counters of one name."""

    def _made(self) -> Counter:
        return Counter()

    def collect(self) -> Iterator[Metric]:
        """See _Family."""
        family = CounterMetricFamily(self._name, self._text, labels=self._names)
        for labels, series in self._series.items():
            family.add_metric(labels, series.value)
        yield family


class Histograms(_Family[Histogram]):
    """Histograms of one name, over the same bounds."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        super().__init__(name, text, labels)
        self._bounds = tuple(bounds)

    def _made(self) -> Histogram:
        return Histogram(self._bounds)

    def collect(self) -> Iterator[Metric]:
        """See _Family."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._names)
        for labels, series in self._series.items():
            series.add_to(family, labels)
        yield family
