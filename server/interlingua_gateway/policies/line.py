"""The order of those who wait: by priority, and within one by fair shares of the tenants."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from interlingua_gateway.core.quota import Charge, Grant
from interlingua_gateway.core.wishes import Priority

MAX_TENANTS: Final = 4096
"""Above it, tenants that have had no more than their share are forgotten."""


class Waiting:
    """One call that waits until `until` (monotonic seconds) for all of `charges`."""

    __slots__ = ("charges", "priority", "rank", "result", "size", "tenant", "until")

    def __init__(
        self,
        charges: Sequence[Charge],
        *,
        size: int,
        priority: Priority,
        tenant: str,
        until: float,
        result: asyncio.Future[Grant],
    ) -> None:
        self.charges = charges
        self.size = size
        self.priority = priority
        self.tenant = tenant
        self.until = until
        self.result = result
        self.rank: tuple[int, float, int] = (0, 0.0, 0)


_RANK = attrgetter("rank")


class Line:
    """Higher priorities go first, always. Within one, start-time fair queueing (P. Goyal, H. Vin,
    H. Cheng, 1996): each call starts where its tenant's last one ends on a virtual clock that runs
    with the calls that are served, a call's length is its size over the tenant's weight.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._waiting: list[Waiting] = []
        self._ends: dict[tuple[Priority, str], float] = {}
        self._now: dict[Priority, float] = dict.fromkeys(Priority, 0.0)
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def in_order(self) -> Sequence[Waiting]:
        """All, first come who is served first."""
        return tuple(self._waiting)

    def last(self) -> Waiting:
        """Who is served last; there must be somebody."""
        return self._waiting[-1]

    def add(self, waiting: Waiting) -> None:
        """Put `waiting` into its place."""
        share = (waiting.priority, waiting.tenant)
        start = max(self._now[waiting.priority], self._ends.get(share, 0.0))
        self._ends[share] = start + self._length(waiting)
        self._count += 1
        waiting.rank = (-waiting.priority, start, self._count)
        insort(self._waiting, waiting, key=_RANK)
        if len(self._ends) > MAX_TENANTS:
            self._ends = {k: end for k, end in self._ends.items() if end > self._now[k[0]]}

    def serve(self, waiting: Waiting) -> None:
        """Take out `waiting`, who is served."""
        start = waiting.rank[1]
        if self._take_out(waiting):
            self._now[waiting.priority] = max(self._now[waiting.priority], start)

    def leave(self, waiting: Waiting) -> None:
        """Take out `waiting`, who is not; its tenant's share is not spent if it was the newest.

        Nothing happens if it has gone already.
        """
        share, start = (waiting.priority, waiting.tenant), waiting.rank[1]
        if self._take_out(waiting) and self._ends.get(share) == start + self._length(waiting):
            self._ends[share] = start

    def _length(self, waiting: Waiting) -> float:
        return waiting.size / self._weights.get(waiting.tenant, 1.0)

    def _take_out(self, waiting: Waiting) -> bool:
        index = bisect_left(self._waiting, waiting.rank, key=_RANK)
        if index == len(self._waiting) or self._waiting[index] is not waiting:
            return False
        del self._waiting[index]
        if not self._waiting:
            self._ends.clear()
            self._now = dict.fromkeys(Priority, 0.0)
        return True
