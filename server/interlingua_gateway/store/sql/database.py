"""Runs functions on a database: one thread writes, a few read, and nothing touches the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.store.sql.engines import SqlSettings, engines
from interlingua_gateway.store.sql.failures import DatabaseDown
from interlingua_gateway.store.sql.migrate import migrate, version

READERS: Final = 4
MAX_WAITING: Final = 128

T = TypeVar("T")

log = logging.getLogger("interlingua.database")


class Lane:
    """Threads with an engine of their own. At most `MAX_WAITING` functions wait for them."""

    def __init__(self, engine: Engine, threads: int, name: str) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, name)
        self._open = 0

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; its transaction is committed then, and rolled back if it raises.

        A caller that is cancelled does not wait, but what has begun goes on to its end.

        Raises:
            DatabaseDown: the database does not answer, or too much waits for it already.
            InternalError: it refused what it was asked to do.
        """
        if self._open >= MAX_WAITING:
            raise DatabaseDown
        self._open += 1
        future = self._threads.submit(self._transact, work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._left))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what has not begun, wait for the rest, and close the connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()

    def _left(self) -> None:
        self._open -= 1

    def _transact(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise _translated(error) from error


class Database:
    """One SQLite or PostgreSQL, whose schema is brought up to date before anything else.

    Made and used on the event loop's thread; nothing is connected until the first use.
    """

    def __init__(self, settings: SqlSettings) -> None:
        """Raises InternalError where the settings cannot be used."""
        if settings.url is None:
            settings.path.parent.mkdir(parents=True, exist_ok=True)
            # What is in it is nobody else's business; its companions get the same mode.
            settings.path.touch(mode=0o600)
        writer, readers = engines(settings, READERS)
        self._writer = Lane(writer, 1, "sql-write")
        self._readers = Lane(readers, READERS, "sql-read")
        self._migrated = False

    async def migrate(self) -> tuple[str, str]:
        """Bring the schema up to date: the versions before (empty for none) and after.

        Raises as `write` does.
        """
        before, after = await self._writer.run(migrate)
        if before != after:
            log.info("the schema is new", extra={"fields": {"before": before, "after": after}})
        self._migrated = True
        return before, after

    async def version(self) -> str:
        """The version of the schema as it is; empty for none. Raises as `write` does."""
        return await self._readers.run(version)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """What `change` returns, after the transaction in which it ran is committed.

        It runs on the writer's thread, alone; it may raise GatewayErrors, which roll it back.

        Raises:
            DatabaseDown: the database does not answer, or too much waits for it already.
            InternalError: it refused what it was asked to do.
        """
        if not self._migrated:
            await self.migrate()
        return await self._writer.run(change)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` returns, from a transaction that cannot write. Raises as `write` does."""
        if not self._migrated:
            await self.migrate()
        return await self._readers.run(query)

    async def aclose(self) -> None:
        """Wait for what has begun, without holding up the loop, and close the connections."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.close()
        self._writer.close()


def _translated(error: SQLAlchemyError) -> DatabaseDown | InternalError:
    if isinstance(error, PoolTimeout):
        return DatabaseDown("all connections are in use")
    if isinstance(error, DBAPIError) and _is_away(error):
        return DatabaseDown(" ".join(str(error.orig).split()))
    kind = type(error.orig).__name__ if isinstance(error, DBAPIError) else type(error).__name__
    return InternalError(f"The database refused a statement: {kind}.")


def _is_away(error: DBAPIError) -> bool:
    """The connection broke or could not be made, a lock was not free, or there was no room."""
    names = {kind.__name__ for kind in type(error.orig).__mro__}
    return error.connection_invalidated or bool(names & {"OperationalError", "InterfaceError"})
