"""One open answer that several calls read, each at its own pace and under its own deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import TypeAlias

from interlingua_gateway.core.call import Call, DedupeStatus, Handler, ending_of
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.errors import GatewayError, InternalError, Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent, Batch
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.types import Request

Landed: TypeAlias = Callable[[], None]


class Flight:
    """An answer on its way to a fork of the call that asked first.

    Each reader gets every event: those that have come at once, the rest as they come. A slow one
    holds up nobody; what is kept for it is the answer itself, once for all. The last one to leave
    ends the upstream. The first one pays: it alone is not `free`; where it leaves before the end,
    the next one pays in its place.
    """

    __slots__ = (
        "_changed", "_clock", "_error", "_events", "_landed", "_over", "_paid", "_readers",
        "_start", "_task", "fork",
    )  # fmt: skip

    def __init__(
        self, fork: Call, inner: Handler, tasks: Tasks, clock: Clock, landed: Landed
    ) -> None:
        self.fork = fork
        self._clock = clock
        self._landed = landed
        self._events: list[AnswerEvent] = []
        self._start: Start | None = None
        self._error: BaseException | None = None
        self._over = self._paid = False
        self._readers: dict[_Reader, None] = {}
        self._changed = asyncio.Event()
        self._task = tasks.start(self._fly(inner), f"flight-{fork.id}")
        self._task.add_done_callback(self._ended)

    async def join(self, call: Call) -> Reply:
        """The answer from its first event on, as the reply to `call`.

        Raises:
            GatewayError: it failed before its first event.
        """
        reader = _Reader(self, call)
        reader.enter()
        try:
            first = await reader.next()
        except BaseException:
            reader.leave()
            raise
        if first is None or self._start is None:
            raise UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, "The answer is empty.")
        return Reply(self._start, first, reader)

    def entered(self, reader: _Reader, call: Call) -> None:
        """`reader` is to be served until it leaves."""
        mine, others = call.deadline, self.fork.deadline
        self.fork.deadline = None if mine is None or others is None else max(mine, others)
        call.free = bool(self._readers) or self._paid
        self._readers[reader] = None

    def left(self, reader: _Reader, call: Call, *, whole: bool) -> None:
        """`reader` has left, at the end of the answer if it is `whole`."""
        del self._readers[reader]
        if not self._readers and not self._over:
            self._landed()
            self._task.cancel()
        if call.free or self._paid:
            return
        heir = next(iter(self._readers), None)
        if whole or heir is None:
            self._paid = True
        else:
            call.free = True
            heir.pay()

    async def more(self, position: int) -> Batch | None:
        """The events from `position` on, at least one; None at the true end.

        Raises:
            GatewayError: the answer failed, before its first event or after it.
        """
        while position == len(self._events):
            if self._over:
                if self._error is not None:
                    raise _own(self._error)
                return None
            await self._changed.wait()
        return tuple(self._events[position:])

    async def _fly(self, inner: Handler) -> None:
        reply = await inner(self.fork)
        try:
            self._start = reply.start
            while (batch := await reply.next()) is not None:
                self._events.extend(batch)
                self._tell()
        finally:
            await reply.aclose()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._over = True
        self._error = asyncio.CancelledError() if task.cancelled() else task.exception()
        duration_s = self._clock.monotonic() - self.fork.started
        self.fork.end(ending_of(self._error, duration_s))
        self._landed()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed.clear()


class _Reader:
    """Implements core.reply.Source for one call; reports to it what becomes of the fork."""

    __slots__ = ("_call", "_flight", "_inside", "_position", "_whole")

    def __init__(self, flight: Flight, call: Call) -> None:
        self._flight = flight
        self._call = call
        self._position = 0
        self._inside = self._whole = False

    def enter(self) -> None:
        """Begin to read."""
        self._inside = True
        self._flight.entered(self, self._call)
        self._call.defer(lambda call, ending: self.leave())
        self._call.attempts = self._flight.fork.attempts

    async def next(self) -> Batch | None:
        """See core.reply.Source."""
        try:
            batch = await self._flight.more(self._position)
        except GatewayError:
            self._whole = True
            raise
        finally:
            self._report()
        if batch is None:
            self._whole = True
            return None
        if self._position == 0:
            self._call.warnings.extend(self._flight.fork.warnings)
        self._position += len(batch)
        return batch

    async def aclose(self) -> None:
        """Leave."""
        self.leave()

    def leave(self) -> None:
        """Read no more; the last reader to leave ends the upstream."""
        if self._inside:
            self._inside = False
            self._flight.left(self, self._call, whole=self._whole)

    def pay(self) -> None:
        """From now on this call pays for the answer."""
        self._call.free = self._flight.fork.free

    def _report(self) -> None:
        call, fork = self._call, self._flight.fork
        call.target = fork.target
        call.phase = fork.phase
        call.free = call.free or fork.free
        if fork.cache_status is not None:
            call.cache_status = fork.cache_status
        if fork.dedupe_status is DedupeStatus.FOLLOWER:
            call.dedupe_status = DedupeStatus.FOLLOWER


class Flights:
    """The open answers by what they answer."""

    def __init__(self, tasks: Tasks, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._open: dict[Hashable, Flight] = {}

    def __len__(self) -> int:
        return len(self._open)

    def request(self, key: Hashable) -> Request | None:
        """What the flight under `key` asks, if there is one."""
        flight = self._open.get(key)
        return None if flight is None else flight.fork.request

    async def join(self, key: Hashable, call: Call, inner: Handler) -> Reply:
        """The reply to `call` from the flight under `key`, which begins here if there is none.

        Raises:
            GatewayError: the flight failed before its first event.
        """
        flight = self._open.get(key)
        call.dedupe_status = DedupeStatus.LEADER if flight is None else DedupeStatus.FOLLOWER
        if flight is None:
            flight = self._begin(key, call, inner)
        return await flight.join(call)

    def _begin(self, key: Hashable, call: Call, inner: Handler) -> Flight:
        def landed() -> None:
            if self._open.get(key) is flight:
                del self._open[key]

        flight = Flight(call.fork(), inner, self._tasks, self._clock, landed)
        self._open[key] = flight
        return flight


def _own(error: BaseException) -> GatewayError:
    """`error` as an exception of one reader's own."""
    if isinstance(error, GatewayError):
        return error.again()
    if isinstance(error, asyncio.CancelledError):
        return UpstreamError(
            Reason.UPSTREAM_UNAVAILABLE, "The call was interrupted inside the gateway."
        )
    failure = InternalError("the answer that several calls shared failed")
    failure.__cause__ = error
    return failure
