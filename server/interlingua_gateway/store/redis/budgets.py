"""What is spent of budgets, in Redis, shared by all gateways that use it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.budget import (
    Alert,
    Floor,
    FloorOf,
    Hold,
    Level,
    OnAlert,
    Pot,
    Shortage,
    crossed,
)
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.store.memory_budgets import MemorySpending
from interlingua_gateway.store.redis.budget_orders import (
    LEASE_S,
    Batch,
    Known,
    Look,
    Order,
    Outcome,
    Renew,
    Reply,
    Reserve,
    Settle,
    verdict,
)
from interlingua_gateway.store.redis.budget_script import BUDGETS
from interlingua_gateway.store.redis.connection import RedisLink, StoreDown
from interlingua_gateway.store.redis.conversation import Conversation

MAX_KNOWN: Final = 100_000
MAX_PENDING: Final = 10_000
"""Settlements kept while Redis is away; the calls of older ones then count with what they held."""
RENEW_EVERY_S: Final = LEASE_S / 3
STEADY_AFTER_S: Final = 30.0
"""Probes of Redis are at most 5 s apart, so that every gateway finds it again within this time."""

UNKNOWN: Final = Known()


class RedisSpending:
    """Implements Spending.

    Each gateway remembers what Redis said last of every pot. When Redis has lost its memory, the
    highest that any gateway knows is put back, and what open calls hold. While it is away, a
    gateway may spend `share` of what was left of a hard pot when it knew last, and tells of it
    afterwards.
    """

    def __init__(
        self, link: RedisLink, share: float, floor_of: FloorOf, on_alert: OnAlert, clock: Clock
    ) -> None:
        self._link = link
        self._share = share
        self._floor_of = floor_of
        self._on_alert = on_alert
        self._clock = clock
        self._talk: Conversation[Order] = Conversation(link, BUDGETS, self)
        self._tasks = Tasks()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._open: dict[str, Hold] = {}
        self._pending: deque[Settle] = deque()
        self._alone = self._memory()
        self._parts: dict[str, int] = {}
        self._name = operation_id(clock)
        self._count = 0
        self._renewing = False
        self._steady_at = 0.0
        link.watch(self._changed)

    async def reserve(self, pots: Sequence[Pot], amount_nano_usd: int) -> Hold | Shortage:
        """Hold of all or of none."""
        if not self._link.up:
            return await self._reserve_alone(pots, amount_nano_usd)
        result: asyncio.Future[Hold | Shortage] = asyncio.get_running_loop().create_future()
        self._talk.say(Reserve(pots, amount_nano_usd, self._lease(), result))
        try:
            return await result
        except StoreDown:
            return await self._reserve_alone(pots, amount_nano_usd)

    def settle(self, hold: Hold, cost_nano_usd: int) -> None:
        """Give back what was held, and count the cost."""
        if not hold.origin:
            self._alone.settle(hold, cost_nano_usd)
            # To Redis it is a call that nobody has held anything for.
            hold = msgspec.structs.replace(hold, amount_nano_usd=0)
        self._open.pop(hold.lease, None)
        self._settle(Settle(hold, cost_nano_usd))

    async def levels(self, pots: Sequence[Pot]) -> Sequence[Level]:
        """What has become of each."""
        if self._link.up and pots:
            result: asyncio.Future[Sequence[Level]] = asyncio.get_running_loop().create_future()
            self._talk.say(Look(pots, result))
            try:
                return await result
            except StoreDown:
                pass
        return [Level(self._spent(pot)) for pot in pots]

    @property
    def steady(self) -> bool:
        """Whether Redis has been there for so long that all gateways have told it everything."""
        return self._link.up and self._clock.monotonic() >= self._steady_at

    async def aclose(self) -> None:
        """Send what is left to settle, if Redis is there, and stop."""
        await self._talk.aclose()
        await self._tasks.aclose()

    def wanted(self, order: Order) -> bool:
        """Whether anybody still waits for it."""
        return not (isinstance(order, Reserve | Look) and order.result.cancelled())

    def written(self, orders: Sequence[Order]) -> tuple[Sequence[str], bytes]:
        """Keys and argument of the script."""
        batch = Batch(orders, self._known_of, self._floor_of)
        return batch.keys, batch.text

    def answered(self, orders: Sequence[Order], answer: bytes) -> None:
        """Redis has carried them out."""
        reply = msgspec.msgpack.decode(answer, type=Reply)
        for order, (flag, found) in zip(orders, reply.results, strict=True):
            if isinstance(order, Renew):
                continue
            pots = order.hold.pots if isinstance(order, Settle) else order.pots
            for pot, outcome in zip(pots, found, strict=True):
                self._learn(pot, reply.epoch, outcome)
            if isinstance(order, Reserve):
                self._granted(order, verdict(order, reply.epoch, flag, found))
            elif isinstance(order, Look) and not order.result.cancelled():
                order.result.set_result([Level(one.spent, one.held) for one in found])

    def failed(self, orders: Sequence[Order], *, sent: bool) -> None:
        """Whoever waits decides alone; what must not be lost is kept for later."""
        for order in orders:
            if isinstance(order, Settle):
                self._keep(order)
            elif isinstance(order, Reserve | Look):
                if not order.result.done():
                    order.result.set_exception(StoreDown())
                if sent and isinstance(order, Reserve):
                    self._keep(Settle(_nothing_of(order), 0))

    def _lease(self) -> str:
        self._count += 1
        return f"{self._name}:{self._count}"

    def _granted(self, order: Reserve, given: Hold | Shortage) -> None:
        if order.result.cancelled():
            if isinstance(given, Hold):
                self._settle(Settle(given, 0))
            return
        if isinstance(given, Hold):
            self._open[given.lease] = given
            if not self._renewing:
                self._renewing = True
                self._tasks.start(self._renew(), "renew-budgets")
        order.result.set_result(given)

    def _learn(self, pot: Pot, epoch: str, outcome: Outcome) -> None:
        if pot.key not in self._known and len(self._known) >= MAX_KNOWN:
            self._known.popitem(last=False)
        self._known[pot.key] = Known(epoch, outcome.spent, outcome.held, outcome.alerted)
        self._known.move_to_end(pot.key)
        if outcome.alerted > outcome.alerted_before:
            for threshold in crossed(pot, outcome.alerted_before, outcome.alerted):
                self._on_alert(Alert(pot, threshold, outcome.spent))

    def _settle(self, order: Settle) -> None:
        if self._link.up:
            self._talk.say(order)
        else:
            self._keep(order)

    def _keep(self, order: Settle) -> None:
        self._pending.append(order)
        if len(self._pending) > MAX_PENDING:
            self._pending.popleft()

    async def _renew(self) -> None:
        while self._open:
            await self._clock.sleep(RENEW_EVERY_S)
            if self._link.up and self._open:
                self._talk.say(Renew(tuple(self._open.values())))
        self._renewing = False

    def _changed(self, up: bool) -> None:
        self._steady_at = self._clock.monotonic() + STEADY_AFTER_S
        if not up:
            self._alone = self._memory()
            self._parts.clear()
            return
        # At once, so that a Redis without a memory learns what this gateway knows of.
        if self._open:
            self._talk.say(Renew(tuple(self._open.values())))
        while self._pending:
            self._talk.say(self._pending.popleft())

    def _known_of(self, key: str) -> Known:
        return self._known.get(key, UNKNOWN)

    def _spent(self, pot: Pot) -> int:
        known = self._known_of(pot.key).spent_nano_usd
        return max(known, self._floor_of(pot.key).spent_nano_usd)

    def _memory(self) -> MemorySpending:
        """For the time without Redis: it begins with what is known, and tells of no alerts, for
        those come when Redis is told."""
        return MemorySpending(self._floor_alone, lambda alert: None, self._clock)

    def _floor_alone(self, key: str) -> Floor:
        floor, known = self._floor_of(key), self._known_of(key)
        return Floor(max(floor.spent_nano_usd, known.spent_nano_usd))

    async def _reserve_alone(self, pots: Sequence[Pot], amount_nano_usd: int) -> Hold | Shortage:
        """Out of the share that this gateway has of what is left.

        Raises:
            StoreDown: there is enough, but the share is spent.
        """
        parts = [self._part(pot) for pot in pots]
        given = await self._alone.reserve(parts, amount_nano_usd)
        if isinstance(given, Hold):
            return msgspec.structs.replace(given, pots=tuple(pots), lease=self._lease())
        rest = [(pot, pot.limit_nano_usd - self._spent(pot)) for pot in pots if pot.hard]
        short = tuple((pot, room) for pot, room in rest if amount_nano_usd > max(0, room))
        if not short:
            raise StoreDown
        return Shortage(short)

    def _part(self, pot: Pot) -> Pot:
        """`pot` with a limit of what is spent and this gateway's share of the rest, as they were
        known when it was first asked for in this time without Redis."""
        limit = self._parts.get(pot.key)
        if limit is None:
            spent, held = self._spent(pot), self._known_of(pot.key).held_nano_usd
            rest = max(0, pot.limit_nano_usd - spent - held)
            limit = self._parts[pot.key] = spent + int(rest * self._share)
        return msgspec.structs.replace(pot, limit_nano_usd=limit)


def _nothing_of(order: Reserve) -> Hold:
    """What a reservation left behind that nobody knows to have been made."""
    return Hold(
        pots=tuple(order.pots),
        amount_nano_usd=order.amount_nano_usd,
        levels=(),
        lease=order.lease,
        origin="",
    )
