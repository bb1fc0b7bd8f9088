"""What stands between a stream on the gateway's loop and its reader in the program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from interlingua_gateway.core.collect import Collector
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import Answer, AnswerEvent, Batch
from interlingua_gateway.library.results import GenerateResult

MOST_BATCHES: Final = 16
"""So many wait for the reader; then the upstream is read no further."""

Completed: TypeAlias = Callable[[Answer], GenerateResult]


class Pipe:
    """Holds what has come and was not read yet; to be used on one loop."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._collector = Collector()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: GatewayError | None = None
        self._ended = False
        self.result: GenerateResult | None = None

    async def put(self, batch: Batch) -> None:
        """Hand over the next batch, when there is room for it."""
        while len(self._batches) >= MOST_BATCHES:
            self._room.clear()
            await self._room.wait()
        self._collector.add(batch)
        self._batches.append(batch)
        self._changed.set()

    def end(self, completed: Completed) -> None:
        """The answer is whole; `completed` makes the result of it."""
        self.result = completed(self._collector.answer())
        self._ended = True
        self._changed.set()

    def fail(self, failure: GatewayError) -> None:
        """Nothing more comes."""
        self._failure = failure
        self._ended = True
        self._changed.set()

    async def take(self) -> Sequence[AnswerEvent]:
        """All events that have come and were not taken yet; none at the true end.

        Raises:
            GatewayError: the answer broke off, after all that had come before.
        """
        while not self._batches and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        events = [event for batch in self._batches for event in batch]
        self._batches.clear()
        self._room.set()
        if not events and self._failure is not None:
            raise self._failure
        return events
