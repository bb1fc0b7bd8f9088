"""Levels of limits in Redis, shared by all gateways that use it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.quota import Bucket, Charge, Grant, Refusal, WhenDown
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.store.redis.connection import RedisLink, StoreDown
from interlingua_gateway.store.redis.conversation import Conversation
from interlingua_gateway.store.redis.orders import (
    LEASE_S,
    Batch,
    Look,
    Order,
    Renew,
    Reply,
    Reserve,
    Settle,
    places,
    verdict,
)
from interlingua_gateway.store.redis.script import ORDERS

MAX_PENDING: Final = 10_000
"""Settlements kept while Redis is away; the oldest are then left out, so that too much stays
reserved, never too little."""
RENEW_EVERY_S: Final = LEASE_S / 3


class RedisCounters:
    """Implements Counters, in one conversation with Redis."""

    def __init__(self, link: RedisLink, when_down: WhenDown, clock: Clock) -> None:
        self._link = link
        self.when_down = when_down
        self._clock = clock
        self._talk: Conversation[Order] = Conversation(link, ORDERS, self)
        self._tasks = Tasks()
        self._local = MemoryCounters(clock)
        self._pending: deque[Settle] = deque()
        self._leases: dict[str, Sequence[str]] = {}
        self._name = operation_id(clock)
        self._count = 0
        self._renewing = False
        link.watch(self._changed)

    async def reserve(self, charges: Sequence[Charge]) -> Grant | Refusal:
        """Take all or nothing.

        Raises:
            StoreDown: Redis does not answer, and the configuration says to refuse then.
        """
        if not self._link.up:
            return await self._without_redis(charges)
        self._count += 1
        result: asyncio.Future[Grant | Refusal] = asyncio.get_running_loop().create_future()
        self._talk.say(Reserve(charges, f"{self._name}:{self._count}", result))
        try:
            return await result
        except StoreDown:
            return await self._without_redis(charges)

    def settle(self, grant: Grant, tokens: float | None) -> None:
        """Give back and correct, where it was taken."""
        if not grant.origin:
            self._local.settle(grant, tokens)
            return
        self._leases.pop(grant.lease, None)
        order = Settle(grant, tokens)
        if self._link.up:
            self._talk.say(order)
        else:
            self._keep(order)

    async def remaining(self, buckets: Sequence[Bucket]) -> Sequence[float]:
        """What is left of each."""
        taken: Sequence[float] = [0.0] * len(buckets)
        if self._link.up and buckets:
            result: asyncio.Future[Sequence[float]] = asyncio.get_running_loop().create_future()
            self._talk.say(Look(buckets, result))
            try:
                taken = await result
            except StoreDown:
                return await self._local.remaining(buckets)
        pairs = zip(buckets, taken, strict=True)
        return [max(0.0, bucket.capacity - level) for bucket, level in pairs]

    async def aclose(self) -> None:
        """Send what is left to settle, if Redis is there, and stop."""
        await self._talk.aclose()
        await self._tasks.aclose()

    def wanted(self, order: Order) -> bool:
        """Whether anybody still waits for it."""
        return not (isinstance(order, Reserve | Look) and order.result.cancelled())

    def written(self, orders: Sequence[Order]) -> tuple[Sequence[str], bytes]:
        """Keys and argument of the script."""
        batch = Batch(orders)
        return batch.keys, batch.text

    def answered(self, orders: Sequence[Order], answer: bytes) -> None:
        """Redis has carried them out."""
        reply = msgspec.msgpack.decode(answer, type=Reply)
        for order, numbers in zip(orders, reply.results, strict=True):
            if isinstance(order, Look) and not order.result.cancelled():
                order.result.set_result(numbers)
            elif isinstance(order, Reserve):
                self._granted(order, verdict(order, reply.epoch, numbers))

    def failed(self, orders: Sequence[Order], *, sent: bool) -> None:
        """Whoever waits decides without Redis; settlements are kept for later."""
        for order in orders:
            if isinstance(order, Settle):
                self._keep(Settle(order.grant, order.tokens, again=order.again or sent))
            elif isinstance(order, Reserve | Look) and not order.result.done():
                order.result.set_exception(StoreDown())

    async def _without_redis(self, charges: Sequence[Charge]) -> Grant | Refusal:
        if self.when_down is WhenDown.CLOSED:
            raise StoreDown
        if self.when_down is WhenDown.OPEN:
            return Grant(charges=())
        return await self._local.reserve(charges)

    def _granted(self, order: Reserve, given: Grant | Refusal) -> None:
        if order.result.cancelled():
            if isinstance(given, Grant):
                self.settle(given, 0.0)
            return
        if isinstance(given, Grant) and (keys := places(given.charges)):
            self._leases[given.lease] = keys
            if not self._renewing:
                self._renewing = True
                self._tasks.start(self._renew(), "renew-leases")
        order.result.set_result(given)

    def _keep(self, order: Settle) -> None:
        self._pending.append(order)
        if len(self._pending) > MAX_PENDING:
            self._pending.popleft()

    async def _renew(self) -> None:
        while self._leases:
            await self._clock.sleep(RENEW_EVERY_S)
            if self._link.up and self._leases:
                self._talk.say(Renew(dict(self._leases)))
        self._renewing = False

    def _changed(self, up: bool) -> None:
        if not up:
            return
        if self._leases:
            self._talk.say(Renew(dict(self._leases)))
        while self._pending:
            self._talk.say(self._pending.popleft())
