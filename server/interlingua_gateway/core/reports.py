"""What may be asked of the ledger, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ledger import Operation
from interlingua_gateway.core.prices import Cost


class Dimension(StrEnum):
    """By what totals are grouped."""

    TENANT = "tenant"
    PROJECT = "project"
    KEY = "key"
    USER = "user"
    MODEL = "model"
    PROVIDER = "provider"
    TAG = "tag"


class Interval(IntEnum):
    """Steps of a time series, in seconds; they begin at whole hours and days of UTC."""

    HOUR = 3600
    DAY = 86400


class Span(msgspec.Struct, frozen=True):
    """Milliseconds since the epoch; `start_ms` is in it, `end_ms` is not."""

    start_ms: int
    end_ms: int


class Matching(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations: those that agree with all that is set; None and () are not.

    `outcome` is a value of core.events.Outcome; `tags` are all needed.
    """

    tenant: str | None = None
    project: str | None = None
    key: str | None = None
    user: str | None = None
    model: str | None = None
    provider: str | None = None
    tags: tuple[str, ...] = ()
    outcome: str | None = None


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of what matches in `span`, in groups and steps; only of the `max_groups` dearest."""

    span: Span
    matching: Matching = Matching()
    group_by: tuple[Dimension, ...] = ()
    interval: Interval | None = None
    max_groups: int = 1000


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from acceptance to end: their mean, and what 50, 95 and 99 of 100 took at most; and
    the mean until the first event, or None where none came."""

    mean_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    first_event_mean_s: float | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over operations. `cost` is of those of known price, None if there is none; the tokens of
    the others are `unpriced_tokens`. `failures` counts by Reason."""

    operations: int = 0
    failed: int = 0
    cancelled: int = 0
    usage: Usage = Usage()
    cost: Cost | None = None
    unpriced_operations: int = 0
    unpriced_tokens: int = 0
    cache_hits: int = 0
    latencies: Latencies = Latencies()
    failures: Mapping[str, int] = {}

    @property
    def nano_usd_per_thousand_tokens(self) -> int | None:
        """Mean price of a thousand tokens, input and output together, of those whose price is
        known; None without any."""
        tokens = self.usage.input_tokens + self.usage.output_tokens - self.unpriced_tokens
        if self.cost is None or tokens <= 0:
            return None
        return (self.cost.nano_usd * 1000 + tokens // 2) // tokens


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of one group in one step: its values in the order of the query's `group_by`."""

    keys: tuple[str, ...]
    start_ms: int
    totals: Totals


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`groups` by time, then by cost, dearest first. `omitted_groups` were too many: they are in
    `total` alone."""

    total: Totals
    groups: tuple[Group, ...] = ()
    omitted_groups: int = 0


class Reports(Protocol):
    """Reads the ledger.

    Both raise PolicyError: STORE_UNAVAILABLE, the database does not answer.
    """

    async def usage(self, query: UsageQuery) -> Report:
        """Totals."""
        ...

    async def operations(
        self, span: Span, matching: Matching, limit: int, before: str = ""
    ) -> Sequence[Operation]:
        """Single operations, newest first, without texts; those before the operation id `before`
        if there is one."""
        ...
