"""Orders for the script of budgets, and how a batch of them is written for Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from interlingua_gateway.core.budget import NO_FLOOR, Floor, Hold, Level, Pot, Shortage, left
from interlingua_gateway.store.redis.connection import PREFIX
from interlingua_gateway.store.redis.orders import EPOCH_KEY

LEASE_S: Final = 60.0
"""After this time without renewal a call is taken for lost with its gateway."""
LEASE_US: Final = round(LEASE_S * 1e6)
KEPT_AFTER_END_S: Final = 86_400.0
SOFT: Final = -1


class Known(msgspec.Struct, frozen=True):
    """What an answer of Redis said last of a pot, and in which epoch; 1e-9 USD."""

    epoch: str = ""
    spent_nano_usd: int = 0
    held_nano_usd: int = 0
    alerted_nano_usd: int = 0


class Reserve(msgspec.Struct):
    """Hold `amount_nano_usd` of all of `pots` or of none."""

    pots: Sequence[Pot]
    amount_nano_usd: int
    lease: str
    result: asyncio.Future[Hold | Shortage]


class Settle(msgspec.Struct):
    """The call that holds `hold` is over and has cost so much; it may be sent again."""

    hold: Hold
    cost_nano_usd: int


class Look(msgspec.Struct):
    """What has become of each pot."""

    pots: Sequence[Pot]
    result: asyncio.Future[Sequence[Level]]


class Renew(msgspec.Struct):
    """Keep what open calls hold."""

    holds: Sequence[Hold]


Order: TypeAlias = Reserve | Settle | Look | Renew


class Outcome(msgspec.Struct, array_like=True, frozen=True):
    """What has become of one pot: thresholds up to `alerted_before` were told of before this order,
    up to `alerted` are now."""

    spent: int
    held: int
    alerted_before: int
    alerted: int


class Reply(msgspec.Struct, array_like=True):
    """The epoch, and for each order its flag and the outcomes of its pots."""

    epoch: str
    results: Sequence[tuple[int, Sequence[Outcome]]]


class Batch:
    """Orders as the script takes them: `keys`, and `text` in MessagePack that names keys by
    number."""

    __slots__ = ("_floor_of", "_known_of", "_numbers", "text")

    def __init__(
        self,
        orders: Sequence[Order],
        known_of: Callable[[str], Known],
        floor_of: Callable[[str], Floor],
    ) -> None:
        self._known_of = known_of
        self._floor_of = floor_of
        self._numbers: dict[str, int] = {EPOCH_KEY: 1}
        self.text = msgspec.msgpack.encode([self._written(order) for order in orders])

    @property
    def keys(self) -> Sequence[str]:
        """All keys that the orders name, the epoch's first."""
        return tuple(self._numbers)

    def _written(self, order: Order) -> tuple[object, ...]:
        if isinstance(order, Reserve):
            return "reserve", order.lease, LEASE_US, order.amount_nano_usd, self._raised(order.pots)
        if isinstance(order, Settle):
            hold = order.hold
            done = self._number(f"{PREFIX}budget-done:{hold.lease}")
            pots = self._pots(hold.pots)
            return "settle", hold.origin, hold.lease, done, order.cost_nano_usd, pots
        if isinstance(order, Look):
            return "look", self._raised(order.pots)
        holds = [(h.lease, h.amount_nano_usd, self._pots(h.pots)) for h in order.holds]
        return "renew", LEASE_US, holds

    def _raised(self, pots: Sequence[Pot]) -> list[tuple[object, ...]]:
        return [self._pot(pot, self._floor_of(pot.key)) for pot in pots]

    def _pots(self, pots: Sequence[Pot]) -> list[tuple[object, ...]]:
        """Without floors: a cost that is on its way may be in them, and is not to count twice."""
        return [self._pot(pot, NO_FLOOR) for pot in pots]

    def _pot(self, pot: Pot, floor: Floor) -> tuple[object, ...]:
        key = PREFIX + pot.key
        number = self._numbers.get(key)
        if number is None:
            number = self._number(key)
            self._number(key + ":leases")
        known = self._known_of(pot.key)
        ends_at_s = pot.ends_at_s
        return (
            number,
            pot.limit_nano_usd if pot.hard else SOFT,
            0 if ends_at_s is None else round((ends_at_s + KEPT_AFTER_END_S) * 1000),
            known.epoch,
            known.spent_nano_usd,
            known.alerted_nano_usd,
            floor.spent_nano_usd,
            floor.alerted_nano_usd,
            pot.thresholds,
        )

    def _number(self, key: str) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 1)


def verdict(order: Reserve, epoch: str, flag: int, found: Sequence[Outcome]) -> Hold | Shortage:
    """What the script's answer to `order` means: `flag` is 1 if all was held."""
    levels = tuple(Level(one.spent, one.held) for one in found)
    if flag:
        return Hold(
            pots=tuple(order.pots),
            amount_nano_usd=order.amount_nano_usd,
            levels=levels,
            lease=order.lease,
            origin=epoch,
        )
    rest = [(pot, left(pot, level)) for pot, level in zip(order.pots, levels, strict=True)]
    amount = order.amount_nano_usd
    return Shortage(tuple((pot, room) for pot, room in rest if pot.hard and amount > max(0, room)))
