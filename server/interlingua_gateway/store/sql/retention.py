"""Removes what is older than the configuration keeps, a little at a time."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, select, tuple_

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ids import first_feedback_id_at, first_id_at
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.feedback_tables import FEEDBACK
from interlingua_gateway.store.sql.ledger_tables import (
    OPERATION_TAGS,
    OPERATION_TEXTS,
    OPERATIONS,
    ROLLUPS,
)

BATCH: Final = 1000
PAUSE_S: Final = 0.05
"""Between two batches, in which others get at the database."""

_DAY_S: Final = 86_400


class Retention:
    """`days` to keep operations and totals by hour, `totals_days` to keep totals by day; None keeps
    them for ever."""

    def __init__(
        self, database: Database, clock: Clock, *, days: int | None, totals_days: int | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._days = days
        self._totals_days = totals_days

    async def sweep(self) -> int:
        """Remove all that is too old: how many rows that were.

        Each batch is a transaction of its own, of some milliseconds; nothing else is locked.

        Raises:
            GatewayError: the database does not answer.
        """
        removed = 0
        if self._days is not None:
            before_ms = int((self._clock.time() - self._days * _DAY_S) * 1000)
            for table in (OPERATION_TAGS, OPERATION_TEXTS, OPERATIONS):
                key = table.c.operation_id
                removed += await self._sweep(table, key, key < first_id_at(before_ms))
            key = FEEDBACK.c.feedback_id
            removed += await self._sweep(FEEDBACK, key, key < first_feedback_id_at(before_ms))
            removed += await self._sweep_totals(3600, self._days)
        if self._totals_days is not None:
            removed += await self._sweep_totals(_DAY_S, self._totals_days)
        return removed

    async def _sweep_totals(self, step_s: int, days: int) -> int:
        """Remove totals by `step_s` of days that are gone as a whole."""
        day = int(self._clock.time() - days * _DAY_S) // _DAY_S * _DAY_S
        old = (ROLLUPS.c.start_s < day) & (ROLLUPS.c.step_s == step_s)
        return await self._sweep(ROLLUPS, ROLLUPS.c.start_s, old)

    async def _sweep(
        self, table: Table, column: Column[object], condition: ColumnElement[bool]
    ) -> int:
        """Remove rows of `table` that meet `condition`, from the least `column` on."""
        keys = tuple_(*table.primary_key.columns)
        found = select(*table.primary_key.columns).where(condition)
        statement = delete(table).where(keys.in_(found.order_by(column).limit(BATCH)))

        def batch(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        removed = 0
        while True:
            count = await self._database.write(batch)
            removed += count
            if count < BATCH:
                return removed
            await self._clock.sleep(PAUSE_S)
