"""What limits are made of: buckets, what a call takes from them, and what it got."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

ROUNDING: Final = 1e-6
"""Part of a unit that counts as none: levels are floating-point numbers."""


class Measure(StrEnum):
    """What a bucket counts; the value is the limit's name for callers."""

    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_minute"
    CONCURRENT = "concurrent_requests"


class WhenDown(StrEnum):
    """What holds while a shared store of counters does not answer: limits of each process on its
    own, no limits, or nobody is let in."""

    LOCAL = "local"
    OPEN = "open"
    CLOSED = "closed"


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One counter. A rate is a token bucket: what is taken from its `capacity` comes back at
    `per_s` units a second, so that in any `t` seconds at most `capacity + per_s * t` can be taken.
    CONCURRENT has no rate: units come back when their calls end.

    `key` is unique for a rule, a measure and a subject; `rule` is the rule's name; `subject` says
    whose it is, such as `tenant:acme`; `limit` is the size that the configuration names (units a
    minute, or at once).
    """

    key: str
    rule: str
    measure: Measure
    subject: str
    limit: int
    capacity: float
    per_s: float = 0.0


class Charge(msgspec.Struct, frozen=True):
    """`amount` units of `bucket`, never more than its capacity."""

    bucket: Bucket
    amount: float


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a call holds until it is settled. `lease` names its places in CONCURRENT buckets;
    `origin` is for the store that gave it."""

    charges: tuple[Charge, ...]
    lease: str = ""
    origin: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Nothing was taken. `blocked` are the charges that did not fit, each with the seconds until
    it may: exact for a rate if nobody else comes, None where it depends on when a call ends."""

    blocked: tuple[tuple[Charge, float | None], ...]

    @property
    def wait_s(self) -> float | None:
        """Seconds until all of it may fit; None if that is not known."""
        return longest([wait for _, wait in self.blocked])


def longest(waits: Sequence[float | None]) -> float | None:
    """The longest of `waits`, or None if one is not known."""
    known = [wait for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None
