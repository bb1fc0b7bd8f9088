"""Bounds how many attempts are under way at one deployment, and counts them."""

from __future__ import annotations


class Bulkhead:
    """`limit` attempts at once, or any number for None; `in_flight` is how many there are."""

    __slots__ = ("in_flight", "limit")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.in_flight = 0

    @property
    def full(self) -> bool:
        return self.limit is not None and self.in_flight >= self.limit

    def enter(self) -> None:
        """An attempt begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """It has ended."""
        self.in_flight -= 1
