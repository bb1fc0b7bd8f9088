"""Orders for the script of limits, and how a batch of them is written for Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from interlingua_gateway.core.quota import Bucket, Charge, Grant, Measure, Refusal
from interlingua_gateway.store.redis.connection import PREFIX

LEASE_S: Final = 60.0
"""After this time without renewal the places of a process that is gone are free."""
LEASE_US: Final = round(LEASE_S * 1e6)
EPOCH_KEY: Final = PREFIX + "epoch"
US: Final = 1e6


class Reserve(msgspec.Struct):
    """Take all of `charges` or nothing."""

    charges: Sequence[Charge]
    lease: str
    result: asyncio.Future[Grant | Refusal]


class Settle(msgspec.Struct):
    """Give back and correct what `grant` holds.

    `again`: it may have been carried out already; then tokens are not given back, so that too much
    stays reserved rather than too little.
    """

    grant: Grant
    tokens: float | None
    again: bool = False


class Look(msgspec.Struct):
    """What is taken of each bucket."""

    buckets: Sequence[Bucket]
    result: asyncio.Future[Sequence[float]]


class Renew(msgspec.Struct):
    """Keep the places of open calls: keys by lease."""

    leases: Mapping[str, Sequence[str]]


Order: TypeAlias = Reserve | Settle | Look | Renew


class Reply(msgspec.Struct, array_like=True):
    """What the script gives: the epoch, and a list of numbers for each order."""

    epoch: str
    results: Sequence[Sequence[float]]


class Batch:
    """Orders as the script takes them: `keys`, and `text` in MessagePack that names keys by
    number."""

    __slots__ = ("_numbers", "text")

    def __init__(self, orders: Sequence[Order]) -> None:
        self._numbers = {EPOCH_KEY: 1}
        self.text = msgspec.msgpack.encode([self._written(order) for order in orders])

    @property
    def keys(self) -> Sequence[str]:
        """All keys that the orders name, the epoch's first."""
        return tuple(self._numbers)

    def _written(self, order: Order) -> tuple[object, ...]:
        if isinstance(order, Reserve):
            charges = [
                (self._number(c.bucket.key), c.amount, c.bucket.capacity, c.bucket.per_s / US)
                for c in order.charges
            ]
            return "reserve", order.lease, LEASE_US, charges
        if isinstance(order, Settle):
            return self._settlement(order)
        if isinstance(order, Look):
            return "look", [(self._number(b.key), b.per_s / US) for b in order.buckets]
        leases = [
            (lease, [self._number(key) for key in keys]) for lease, keys in order.leases.items()
        ]
        return "renew", LEASE_US, leases

    def _settlement(self, order: Settle) -> tuple[object, ...]:
        grant, tokens = order.grant, order.tokens
        corrections = [
            (self._number(c.bucket.key), tokens - c.amount, c.bucket.per_s / US)
            for c in grant.charges
            if tokens is not None
            and c.bucket.measure is Measure.TOKENS
            and not (order.again and tokens < c.amount)
        ]
        held = [self._number(key) for key in places(grant.charges)]
        return "settle", grant.origin, grant.lease, corrections, held

    def _number(self, key: str) -> int:
        return self._numbers.setdefault(PREFIX + key, len(self._numbers) + 1)


def places(charges: Sequence[Charge]) -> list[str]:
    """Keys of the CONCURRENT buckets among `charges`."""
    return [c.bucket.key for c in charges if c.bucket.measure is Measure.CONCURRENT]


def verdict(order: Reserve, epoch: str, missing: Sequence[float]) -> Grant | Refusal:
    """What the script's answer to `order` means: `missing` is empty if all was taken."""
    if not missing:
        return Grant(charges=tuple(order.charges), lease=order.lease, origin=epoch)
    blocked = [
        (charge, units / charge.bucket.per_s if charge.bucket.per_s else None)
        for charge, units in zip(order.charges, missing, strict=True)
        if units > 0
    ]
    return Refusal(tuple(blocked))
