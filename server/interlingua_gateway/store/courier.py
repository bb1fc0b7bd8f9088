"""Sees to it that what is in the journal gets into the database, however often that fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.core.ledger import JournalWatch
from interlingua_gateway.store.spool import Spool
from interlingua_gateway.store.sql.failures import DatabaseDown

FIRST_BACKOFF_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 15.0
INHERIT_EVERY_S: Final = 60.0

log = logging.getLogger("interlingua.ledger")


class Flush(Protocol):
    """The way into the database; any exception means that it took nothing."""

    async def own(self) -> None:
        """Carry over all that this process has appended up to now."""
        ...

    async def inherited(self) -> None:
        """Carry over what processes left behind that have ended."""
        ...


class Courier:
    """`opened` gives the way into the database. Nothing runs while nothing was appended.

    The first failure and the first success after it are logged, each attempt is counted.
    """

    def __init__(
        self,
        spool: Spool,
        opened: Callable[[], Awaitable[Flush]],
        watch: JournalWatch,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._spool = spool
        self._opened = opened
        self._watch = watch
        self._clock = clock
        self._interval_s = interval_s
        self._due = asyncio.Event()
        self._inherited = asyncio.Event()
        self._inherit_at = clock.monotonic()
        self._failing = False
        spool.on_append(self._due.set)

    async def run(self) -> None:
        """Until cancelled: at once what others left behind, and then what is appended,
        `interval_s` after the first record that waits."""
        if self._spool.neighbours():
            await self._until_delivered()
        self._inherited.set()
        while True:
            await self._due.wait()
            await self._clock.sleep(self._interval_s)
            self._due.clear()
            await self._until_delivered()

    async def inherited(self) -> None:
        """Wait until the database has what processes left behind that had ended before `run`."""
        await self._inherited.wait()

    async def finish(self, timeout_s: float) -> None:
        """Flush once more, for `timeout_s` at most; what is left waits for the next process."""
        if not self._spool.waiting_records:
            return
        try:
            with Timeout(self._clock, self._clock.monotonic() + timeout_s):
                await self.delivered()
        except TimeoutError:
            self._failed("timeout")

    async def delivered(self) -> bool:
        """Flush what waits now; whether the database took it. Not to be cancelled halfway."""
        try:
            flush = await self._opened()
            await flush.own()
            if self._clock.monotonic() >= self._inherit_at:
                await flush.inherited()
                self._inherit_at = self._clock.monotonic() + INHERIT_EVERY_S
        except Exception as error:  # noqa: BLE001 - a task's root: what it carries must not be lost
            why = error.why if isinstance(error, DatabaseDown) else ""
            self._failed(type(error).__name__, why)
            # It may take long: a power failure in the meantime must not lose it either.
            await asyncio.to_thread(self._spool.sync)
            return False
        if self._failing:
            log.warning("the database takes records again")
            self._failing = False
        return True

    async def _until_delivered(self) -> None:
        delay_s = FIRST_BACKOFF_S
        while not await self.delivered():
            await self._clock.sleep(delay_s * (0.5 + self._clock.random() / 2))
            delay_s = min(2 * delay_s, LONGEST_BACKOFF_S)

    def _failed(self, error: str, why: str = "") -> None:
        self._watch.failed()
        if not self._failing:
            fields = {"error": error, "why": why, "records": self._spool.waiting_records}
            log.warning("the database takes no records", extra={"fields": fields})
            self._failing = True
