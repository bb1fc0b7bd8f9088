"""How fast a deployment has been to its first event lately."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

WINDOW: Final = 128
DECAY_S: Final = 30.0
"""Seconds after which a sample weighs 1/e."""
ENOUGH: Final = 20
"""Samples from which on a percentile says something."""


class Pace:
    """A peak-sensitive moving average: a slow answer counts at once and in full, a fast one little
    by little, and without any answers the estimate fades, so that a deployment that was slow is
    tried again.

    Source: https://linkerd.io/2016/03/16/beyond-round-robin-load-balancing-for-latency/
    """

    __slots__ = ("_at", "_seconds", "samples")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._at = 0.0
        self.samples: deque[float] = deque(maxlen=WINDOW)

    def saw(self, seconds: float, now: float) -> None:
        """The first event of an attempt took `seconds`."""
        self.samples.append(seconds)
        faded = self.estimate_s(now)
        if seconds >= faded:
            self._seconds = seconds
        else:
            weight = math.exp(-(now - self._at) / DECAY_S)
            self._seconds = self._seconds * weight + seconds * (1.0 - weight)
        self._at = now

    def waited(self, seconds: float, now: float) -> None:
        """An attempt was given up after `seconds` without an event: it would have taken longer."""
        if seconds > self.estimate_s(now):
            self._seconds = seconds
            self._at = now

    def estimate_s(self, now: float) -> float:
        """Expected seconds to the first event; 0 for a deployment that was never tried."""
        return self._seconds * math.exp(-(now - self._at) / DECAY_S)


def percentile_95(samples: list[float]) -> float | None:
    """The 95th percentile by nearest rank, or None where the samples are too few."""
    if len(samples) < ENOUGH:
        return None
    samples.sort()
    return samples[math.ceil(len(samples) * 0.95) - 1]
