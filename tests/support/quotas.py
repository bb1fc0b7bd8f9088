"""Buckets and charges for tests of limits."""

from __future__ import annotations

from interlingua_gateway.core.quota import Bucket, Charge, Measure


def rate(
    key: str = "r", *, per_minute: int = 60, burst: int = 10, measure: Measure = Measure.REQUESTS
) -> Bucket:
    """A bucket that refills."""
    return Bucket(
        key=key,
        rule="rule",
        measure=measure,
        subject="tenant:a",
        limit=per_minute,
        capacity=burst,
        per_s=per_minute / 60,
    )


def tokens(key: str = "t", *, per_minute: int = 6000, burst: int = 1000) -> Bucket:
    """A bucket of tokens."""
    return rate(key, per_minute=per_minute, burst=burst, measure=Measure.TOKENS)


def places(key: str = "c", *, count: int = 2) -> Bucket:
    """A bucket of calls at once."""
    return Bucket(
        key=key,
        rule="rule",
        measure=Measure.CONCURRENT,
        subject="tenant:a",
        limit=count,
        capacity=count,
    )


def one(bucket: Bucket, amount: float = 1.0) -> list[Charge]:
    """A charge of `amount` alone."""
    return [Charge(bucket, amount)]
