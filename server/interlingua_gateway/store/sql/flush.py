"""Carries records from the journal into the database, in batches, however long that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.ledger import JournalWatch
from interlingua_gateway.store.share import Position, Reading, Record, Share, framed
from interlingua_gateway.store.spool import Spool
from interlingua_gateway.store.sql.database import Database

BATCH: Final = 250
"""Four times as many are carried over no faster, and take four times the memory meanwhile."""
REFUSED: Final = "refused.records"

Sink: TypeAlias = Callable[[Connection, Sequence[bytes]], None]
"""Writes records of one kind in the transaction of `connection`; those that are there already are
passed over. A record that it cannot read is a ValueError (msgspec's errors are)."""

log = logging.getLogger("interlingua.ledger")


class Flush:
    """`sinks` by the kind of their records.

    A batch that the database refuses for what is in it is tried record by record, and what is
    refused then is set aside in a file; anything else is tried again.
    """

    def __init__(
        self,
        spool: Spool,
        database: Database,
        sinks: Mapping[int, Sink],
        watch: JournalWatch,
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._database = database
        self._sinks = sinks
        self._watch = watch
        self._clock = clock
        self._turn = asyncio.Lock()

    async def own(self) -> None:
        """Carry over all that this process has appended up to now.

        Raises:
            GatewayError: the database does not take it, or the disk what waits in memory.
        """
        async with self._turn:
            whole = self._spool.catch_up()
            until = self._spool.written
            while self._spool.own.position < until:
                reading = await self._some(self._spool.own, until)
                self._spool.forgotten(reading)
            if not whole:
                raise DiskFull

    async def inherited(self) -> None:
        """Carry over what processes left behind that have ended. Raises as `own` does."""
        async with self._turn:
            for share in self._spool.inheritance():
                try:
                    while await asyncio.to_thread(share.rest_bytes):
                        await self._some(share, None)
                except BaseException:
                    share.close()
                    raise
                await asyncio.to_thread(share.remove)

    async def _some(self, share: Share, until: Position | None) -> Reading:
        reading = await asyncio.to_thread(share.read, BATCH, until)
        await self._carry(reading.records, share.directory.parent)
        await asyncio.to_thread(share.forget, reading.after)
        self._watch.flushed(len(reading.records), self._clock.time())
        return reading

    async def _carry(self, records: Sequence[Record], directory: Path) -> None:
        try:
            await self._database.write(lambda connection: self._store(connection, records))
        except Refused as refusal:
            if len(records) == 1:
                await asyncio.to_thread(_set_aside, directory / REFUSED, records[0], refusal)
                return
            for record in records:
                await self._carry((record,), directory)

    def _store(self, connection: Connection, records: Sequence[Record]) -> None:
        by_kind: dict[int, list[bytes]] = {}
        for kind, record in records:
            by_kind.setdefault(kind, []).append(record)
        for kind, found in by_kind.items():
            sink = self._sinks.get(kind)
            if sink is None:
                raise Refused(f"nothing takes records of kind {kind}")
            try:
                sink(connection, found)
            except (DataError, IntegrityError, ValueError) as error:
                raise Refused(type(error).__name__) from error


class DiskFull(InternalError):
    """Records wait in memory, and no call is served until the disk takes them."""

    def __init__(self) -> None:
        super().__init__("The disk takes no records.")


class Refused(InternalError):
    """The database will never take a record of the batch as it is."""


def _set_aside(file: Path, record: Record, refusal: Refused) -> None:
    with file.open("ab") as output:
        output.write(framed(*record))
    fields = {"error": refusal.message, "file": str(file), "kind": record[0]}
    log.error("a record was refused and set aside", extra={"fields": fields})
