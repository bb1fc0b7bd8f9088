"""Levels of limits in Redis, shared by all gateways that use it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.quota import Bucket, Charge, Grant, Refusal, WhenDown
from interlingua_gateway.store.memory_counters import MemoryCounters
from interlingua_gateway.store.redis.connection import RedisLink, StoreDown
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

BATCH_ORDERS: Final = 256
MAX_PENDING: Final = 10_000
"""Settlements kept while Redis is away; the oldest are then left out, so that too much stays
reserved, never too little."""
RENEW_EVERY_S: Final = LEASE_S / 3

DIGEST: Final = hashlib.sha1(ORDERS.encode(), usedforsecurity=False).hexdigest()


class RedisCounters:
    """Implements Counters.

    One exchange at a time is under way; what is ordered meanwhile goes together in the next one.
    So each reservation is one atomic round trip, shared with others under load, and orders are
    carried out as they were given. No order waits longer than two of the link's timeouts.
    """

    def __init__(self, link: RedisLink, when_down: WhenDown, clock: Clock) -> None:
        self._link = link
        self.when_down = when_down
        self._clock = clock
        self._exchanges = Tasks()
        self._tasks = Tasks()
        self._local = MemoryCounters(clock)
        self._orders: deque[Order] = deque()
        self._leases: dict[str, Sequence[str]] = {}
        self._name = operation_id(clock)
        self._count = 0
        self._exchanging = self._renewing = False
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
        self._put(Reserve(charges, f"{self._name}:{self._count}", result))
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
            self._put(order)
        else:
            self._keep(order)

    async def remaining(self, buckets: Sequence[Bucket]) -> Sequence[float]:
        """What is left of each."""
        taken: Sequence[float] = [0.0] * len(buckets)
        if self._link.up and buckets:
            result: asyncio.Future[Sequence[float]] = asyncio.get_running_loop().create_future()
            self._put(Look(buckets, result))
            try:
                taken = await result
            except StoreDown:
                return await self._local.remaining(buckets)
        pairs = zip(buckets, taken, strict=True)
        return [max(0.0, bucket.capacity - level) for bucket, level in pairs]

    async def aclose(self) -> None:
        """Send what is left to settle, if Redis is there, and stop."""
        await self._exchanges.joined()
        await self._tasks.aclose()

    async def _without_redis(self, charges: Sequence[Charge]) -> Grant | Refusal:
        if self.when_down is WhenDown.CLOSED:
            raise StoreDown
        if self.when_down is WhenDown.OPEN:
            return Grant(charges=())
        return await self._local.reserve(charges)

    def _put(self, order: Order) -> None:
        self._orders.append(order)
        if not self._exchanging:
            self._exchanging = True
            self._exchanges.start(self._exchange_all(), "limits-redis")

    async def _exchange_all(self) -> None:
        try:
            while self._orders and self._link.up:
                count = min(BATCH_ORDERS, len(self._orders))
                await self._exchange([self._orders.popleft() for _ in range(count)])
        finally:
            self._exchanging = False
            _without_answer(self._orders)
            self._orders = deque(order for order in self._orders if isinstance(order, Settle))

    async def _exchange(self, orders: Sequence[Order]) -> None:
        orders = [order for order in orders if not _left(order)]
        if not orders:
            return
        batch = Batch(orders)

        async def send(client: Redis) -> bytes:
            return await _run(client, batch)

        try:
            data = await self._link.do(send)
            self._deliver(orders, msgspec.msgpack.decode(data, type=Reply))
        except StoreDown:
            for order in orders:
                if isinstance(order, Settle):
                    self._keep(Settle(order.grant, order.tokens, again=True))
        finally:
            _without_answer(orders)

    def _deliver(self, orders: Sequence[Order], reply: Reply) -> None:
        for order, numbers in zip(orders, reply.results, strict=True):
            if isinstance(order, Look) and not order.result.cancelled():
                order.result.set_result(numbers)
            elif isinstance(order, Reserve):
                self._granted(order, verdict(order, reply.epoch, numbers))

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
        self._orders.append(order)
        if len(self._orders) > MAX_PENDING:
            self._orders.popleft()

    async def _renew(self) -> None:
        while self._leases:
            await self._clock.sleep(RENEW_EVERY_S)
            if self._link.up and self._leases:
                self._put(Renew(dict(self._leases)))
        self._renewing = False

    def _changed(self, up: bool) -> None:
        if not up:
            return
        if self._leases:
            self._orders.appendleft(Renew(dict(self._leases)))
        if self._orders:
            self._put(self._orders.pop())


def _left(order: Order) -> bool:
    """Whether nobody waits for it any more."""
    return isinstance(order, Reserve | Look) and order.result.cancelled()


def _without_answer(orders: Iterable[Order]) -> None:
    """Whoever still waits for one of `orders` decides without Redis."""
    for order in orders:
        if isinstance(order, Reserve | Look) and not order.result.done():
            order.result.set_exception(StoreDown())


async def _run(client: Redis, batch: Batch) -> bytes:
    keys = batch.keys
    try:
        found = await client.evalsha(DIGEST, len(keys), *keys, batch.text)
    except NoScriptError:
        found = await client.eval(ORDERS, len(keys), *keys, batch.text)
    return bytes(found)
