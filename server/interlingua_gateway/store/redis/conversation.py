"""One ordered conversation with a script in Redis, shared by all who have something to say."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.store.redis.connection import RedisLink, StoreDown

BATCH_ORDERS: Final = 256

Order = TypeVar("Order")
Said_contra = TypeVar("Said_contra", contravariant=True)


class Speaker(Protocol[Said_contra]):
    """Whose orders they are."""

    def wanted(self, order: Said_contra) -> bool:
        """Whether anybody still waits for it."""
        ...

    def written(self, orders: Sequence[Said_contra]) -> tuple[Sequence[str], bytes]:
        """Keys and argument of the script for `orders`."""
        ...

    def answered(self, orders: Sequence[Said_contra], answer: bytes) -> None:
        """Redis has carried them out."""
        ...

    def failed(self, orders: Sequence[Said_contra], *, sent: bool) -> None:
        """Redis has not, or where they were `sent`, nobody knows."""
        ...


class Conversation(Generic[Order]):
    """One exchange at a time is under way; what is said meanwhile goes together in the next one.

    So each order is one atomic round trip, shared with others under load, and orders are carried
    out as they were given. No order waits longer than two of the link's timeouts.
    """

    def __init__(self, link: RedisLink, script: str, speaker: Speaker[Order]) -> None:
        self._link = link
        self._script = script
        self._digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._speaker = speaker
        self._exchanges = Tasks()
        self._orders: deque[Order] = deque()
        self._exchanging = False

    def say(self, order: Order) -> None:
        """Let `order` be carried out after all that were said before."""
        self._orders.append(order)
        if not self._exchanging:
            self._exchanging = True
            self._exchanges.start(self._exchange_all(), "redis-orders")

    async def aclose(self) -> None:
        """Wait until all that was said is carried out or has failed."""
        await self._exchanges.joined()

    async def _exchange_all(self) -> None:
        try:
            while self._orders and self._link.up:
                count = min(BATCH_ORDERS, len(self._orders))
                await self._exchange([self._orders.popleft() for _ in range(count)])
        finally:
            self._exchanging = False
            unsaid, self._orders = tuple(self._orders), deque()
            if unsaid:
                self._speaker.failed(unsaid, sent=False)

    async def _exchange(self, orders: Sequence[Order]) -> None:
        orders = [order for order in orders if self._speaker.wanted(order)]
        if not orders:
            return
        keys, argument = self._speaker.written(orders)
        answer: bytes | None = None
        try:
            answer = await self._link.do(lambda client: self._run(client, keys, argument))
        except StoreDown:
            return
        finally:
            if answer is None:
                self._speaker.failed(orders, sent=True)
        self._speaker.answered(orders, answer)

    async def _run(self, client: Redis, keys: Sequence[str], argument: bytes) -> bytes:
        try:
            found = await client.evalsha(self._digest, len(keys), *keys, argument)
        except NoScriptError:
            found = await client.eval(self._script, len(keys), *keys, argument)
        return bytes(found)
