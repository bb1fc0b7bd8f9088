"""Lets calls in as far as the limits allow; those that do not fit wait, if they may, in a line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.call import Call, Phase
from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.ports import Counters
from interlingua_gateway.core.quota import Charge, Grant, Refusal
from interlingua_gateway.policies.blocked import Blocked
from interlingua_gateway.policies.limit_errors import (
    queue_full,
    rate_limited,
    shutting_down,
    too_late,
)
from interlingua_gateway.policies.line import Line, Waiting
from interlingua_gateway.telemetry.limits import LimitMetrics

SHORTEST_PAUSE_S: Final = 0.001


class QueueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`max_waiting` 0: nobody waits. `weights` are shares by tenant, 1 for those not named."""

    max_waiting: int = 0
    max_wait_s: float = 30.0
    weights: Mapping[str, float] = {}


class Queue:
    """One line of waiting calls, served by one task while there are any.

    A call that is blocked by a limit holds back those after it that need the same limit, and
    nobody else. Who cannot be served in time, as far as that can be known, is refused at once.
    """

    def __init__(
        self, counters: Counters, options: QueueOptions, metrics: LimitMetrics, clock: Clock
    ) -> None:
        self._counters = counters
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._line = Line(options.weights)
        self._blocked = Blocked()
        self._changed = asyncio.Event()
        self._tasks = Tasks()
        self._serving = self._passing = False
        self._next_look = 0.0
        self._beside: list[Queue] = [self]

    def __len__(self) -> int:
        return len(self._line)

    async def enter(self, call: Call, charges: Sequence[Charge], size: int) -> Grant:
        """What `call` may now take.

        Raises:
            PolicyError: RATE_LIMITED, or QUEUE_FULL where calls may wait; or the counters' store
                does not answer.
        """
        if not (self._line and self._blocked.any_of(charges)):
            given = await self._counters.reserve(charges)
            if isinstance(given, Grant):
                return given
            if not self._options.max_waiting:
                raise self._refused(rate_limited(given))
        return await self._wait(call, charges, size)

    def freed(self) -> None:
        """Something was given back: whoever waits may fit now."""
        for queue in self._beside:
            queue.look()

    def look(self) -> None:
        """See soon who of those that wait fits now."""
        if self._line:
            self._changed.set()

    def follow(self, former: Queue) -> None:
        """Stand behind `former`, whose calls came earlier, before the same counters: what calls of
        the one give back is for those that wait in the other too."""
        self._beside = former._beside
        self._beside.append(self)

    def leave(self) -> None:
        """No call comes here any more, nor ends that came."""
        self._beside.remove(self)

    async def aclose(self) -> None:
        """Refuse all that wait."""
        await self._tasks.aclose()

    async def _wait(self, call: Call, charges: Sequence[Charge], size: int) -> Grant:
        began = self._clock.monotonic()
        longest = began + self._options.max_wait_s
        waiting = Waiting(
            charges,
            size=size,
            priority=call.priority,
            tenant=call.caller.tenant,
            until=longest if call.deadline is None else min(longest, call.deadline),
            result=asyncio.get_running_loop().create_future(),
        )
        call.phase = Phase.QUEUE
        self._metrics.waits(call)
        self._join(waiting)
        try:
            grant = await waiting.result
        except BaseException:
            self._line.leave(waiting)
            self._return(waiting.result)
            raise
        finally:
            call.queue_s = self._clock.monotonic() - began
            self._metrics.waited(call)
        call.phase = Phase.ADMISSION
        return grant

    def _join(self, waiting: Waiting) -> None:
        self._line.add(waiting)
        if len(self._line) > self._options.max_waiting:
            last = self._line.last()
            self._refuse(last, queue_full(last.charges, self._wait_s(last)))
        if waiting.result.done() or self._has_joined_last(waiting):
            return
        self._changed.set()
        if not self._serving:
            self._serving = True
            self._tasks.start(self._serve(), "queue")

    def _has_joined_last(self, waiting: Waiting) -> bool:
        """Whether it is clear already what becomes of a newcomer: behind all others, it waits or
        is refused as the last look at the line says, and no new look is needed."""
        known = self._serving and not self._passing and self._blocked.any_of(waiting.charges)
        if not known or waiting is not self._line.last():
            return False
        if not self._stays(waiting, self._blocked):
            return True
        return waiting.until >= self._next_look

    def _wait_s(self, waiting: Waiting) -> float | None:
        wait_s = self._blocked.wait_s(waiting.charges)
        passed_s = self._clock.monotonic() - self._blocked.at
        return None if wait_s is None else max(0.0, wait_s - passed_s)

    def _return(self, result: asyncio.Future[Grant]) -> None:
        """The caller left in the very turn in which it was served."""
        if result.done() and not result.cancelled() and result.exception() is None:
            self._counters.settle(result.result(), 0.0)
            self.freed()

    async def _serve(self) -> None:
        try:
            while self._line:
                self._changed.clear()
                pause_s = await self._pass()
                if self._line:
                    await self._pause(pause_s)
        finally:
            self._serving = False
            for waiting in self._line.in_order():
                self._refuse(waiting, shutting_down())

    async def _pause(self, seconds: float) -> None:
        try:
            with Timeout(self._clock, self._clock.monotonic() + max(SHORTEST_PAUSE_S, seconds)):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _pass(self) -> float:
        """Serve who fits, in order; returns the seconds until it is worth to look again."""
        self._passing = True
        try:
            blocked = Blocked(self._clock.monotonic())
            soonest = blocked.at + self._options.max_wait_s
            for waiting in self._line.in_order():
                if waiting.result.done():
                    continue
                if not blocked.any_of(waiting.charges):
                    refusal = await self._try(waiting)
                    if refusal is None:
                        continue
                    blocked.add(refusal)
                if self._stays(waiting, blocked):
                    soonest = min(soonest, waiting.until)
            self._blocked = blocked
        finally:
            self._passing = False
        self._next_look = min(blocked.at + blocked.soonest_s, soonest)
        return self._next_look - self._clock.monotonic()

    def _stays(self, waiting: Waiting, blocked: Blocked) -> bool:
        """Whether a call that is blocked can be served in time; it is refused if not."""
        wait_s = blocked.wait_s(waiting.charges)
        if blocked.at + (wait_s or 0.0) >= waiting.until:
            self._refuse(waiting, too_late(blocked.of(waiting.charges), wait_s))
            return False
        blocked.queue(waiting.charges)
        return True

    async def _try(self, waiting: Waiting) -> Refusal | None:
        """None if the call waits no longer."""
        try:
            given = await self._counters.reserve(waiting.charges)
        except GatewayError as error:
            self._refuse(waiting, error)
            return None
        if isinstance(given, Refusal):
            return None if waiting.result.done() else given
        if waiting.result.done():
            self._counters.settle(given, 0.0)
            return None
        self._line.serve(waiting)
        waiting.result.set_result(given)
        return None

    def _refuse(self, waiting: Waiting, error: GatewayError) -> None:
        self._line.leave(waiting)
        if not waiting.result.done():
            waiting.result.set_exception(self._refused(error))

    def _refused(self, error: GatewayError) -> GatewayError:
        self._metrics.refused(error)
        return error
