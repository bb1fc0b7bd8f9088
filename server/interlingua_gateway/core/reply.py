"""What comes back from a handler: batches of events, with the first one already there.

A Reply is returned only once its first event exists: that is the commit point. Before it a failure
is an exception of the handler; after it, iteration raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from interlingua_gateway.core.collect import Collector
from interlingua_gateway.core.events import Answer, Batch


class Source(Protocol):
    """The rest of a reply after its first batch."""

    async def next(self) -> Batch | None:
        """The next batch (never empty), or None at the true end of the answer.

        Raises:
            UpstreamError: the answer broke off; nothing more comes.
        """
        ...

    async def aclose(self) -> None:
        """End the upstream at once; safe to call twice and after the end."""
        ...


class Start(msgspec.Struct, frozen=True):
    """Who answers: the target's names, and what the upstream called itself and its answer."""

    deployment: str
    provider: str
    model: str
    upstream_model: str = ""
    upstream_id: str = ""


Tap = Callable[[Batch], None]
Filter = Callable[[Batch], Batch]


class Reply:
    """An answer on its way; iterate once. Whole answers have a first batch and no source."""

    __slots__ = ("_filters", "_first", "source", "start")

    def __init__(self, start: Start, first: Batch, source: Source | None = None) -> None:
        self.start = start
        self.source = source
        self._first: Batch | None = first
        self._filters: tuple[Filter, ...] = ()

    def tap(self, tap: Tap) -> None:
        """See each batch as it passes, after the filters that stand inside this tap's policy."""
        self._filters = (*self._filters, _observer(tap))

    def filter(self, fn: Filter) -> None:
        """Change or refuse (by raising) each batch as it passes."""
        self._filters = (*self._filters, fn)

    async def next(self) -> Batch | None:
        """The next batch after all taps and filters, or None at the true end."""
        if self._first is not None:
            batch, self._first = self._first, None
        elif self.source is None:
            return None
        else:
            following = await self.source.next()
            if following is None:
                return None
            batch = following
        for fn in self._filters:
            batch = fn(batch)
        return batch

    def __aiter__(self) -> Reply:
        return self

    async def __anext__(self) -> Batch:
        batch = await self.next()
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def collect(self) -> Answer:
        """Read to the end and add up: the unary answer.

        Raises:
            UpstreamError: the answer broke off before its end.
        """
        collector = Collector()
        while (batch := await self.next()) is not None:
            collector.add(batch)
        return collector.answer()

    async def aclose(self) -> None:
        """End the upstream if it has not ended; what was read stays read."""
        if self.source is not None:
            await self.source.aclose()


def _observer(tap: Tap) -> Filter:
    def observe(batch: Batch) -> Batch:
        tap(batch)
        return batch

    return observe
