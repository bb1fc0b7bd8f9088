"""Connections to SQLite and PostgreSQL: one engine that writes, one that only reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from interlingua_gateway.core.errors import InternalError

CONNECT_TIMEOUT_S: Final = 5
POOL_TIMEOUT_S: Final = 5
READER_CACHE_KIB: Final = 16 * 1024
WRITER_CACHE_KIB: Final = 4 * 1024
"""What SQLite keeps of the file; the writer adds at its end, reports go through all of it."""

OnConnect: TypeAlias = Callable[[DBAPIConnection, ConnectionPoolEntry], None]


class SqlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the database is: a PostgreSQL at `url` (libpq's form), or else a SQLite file.

    `statement_timeout_s` bounds each statement in PostgreSQL, and the wait for a lock in SQLite.
    """

    path: Path
    url: str | None = None
    password: str | None = None
    statement_timeout_s: float = 30.0

    def __repr__(self) -> str:
        return "SqlSettings(...)"


def engines(settings: SqlSettings, readers: int) -> tuple[Engine, Engine]:
    """The engine of the one writer and that of `readers` readers; nothing is connected yet.

    Raises:
        InternalError: `url` cannot be used.
    """
    make = _sqlite if settings.url is None else _postgresql
    return make(settings, 1, writes=True), make(settings, readers, writes=False)


def _sqlite(settings: SqlSettings, connections: int, *, writes: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(settings.path)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"timeout": settings.statement_timeout_s},
    )
    event.listen(engine, "connect", _prepare_writer if writes else _prepare_reader)
    if not writes:
        event.listen(engine, "checkin", _forget)
    # The driver's own way of opening transactions would leave changes of the schema out of them.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine, "begin", lambda connection: _execute(connection, begin))
    return engine


def _prepare_writer(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # FULL: what is committed also survives a power failure, as in PostgreSQL.
    cache = _cache(WRITER_CACHE_KIB)
    _pragmas(raw, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", cache)


def _prepare_reader(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _pragmas(raw, "query_only=ON", _cache(READER_CACHE_KIB))


def _forget(raw: DBAPIConnection | None, _: ConnectionPoolEntry) -> None:
    """A report is over: what was kept of the file for it goes back to the system."""
    if raw is not None:
        _run(raw, "shrink_memory")


def _cache(size_kib: int) -> str:
    return f"cache_size=-{size_kib}"


def _pragmas(raw: DBAPIConnection, *pragmas: str) -> None:
    raw.isolation_level = None
    _run(raw, *pragmas)


def _run(raw: DBAPIConnection, *pragmas: str) -> None:
    cursor = raw.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _postgresql(settings: SqlSettings, connections: int, *, writes: bool) -> Engine:
    try:
        url = make_url(settings.url or "").set(drivername="postgresql+psycopg")
    except ArgumentError:
        raise InternalError("database.url is not an address of a PostgreSQL.") from None
    if settings.password is not None:
        url = url.set(password=settings.password)
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "interlingua",
            # A server that vanished without a word is noticed in this time (milliseconds).
            "tcp_user_timeout": int(settings.statement_timeout_s * 1000),
            # Poolers between the gateway and PostgreSQL do not know prepared statements.
            "prepare_threshold": None,
        },
    )
    timeout = f"SET LOCAL statement_timeout = {int(settings.statement_timeout_s * 1000)}"
    # Whatever the server's own setting: the spool forgets what is committed.
    begin = f"{timeout}; SET LOCAL synchronous_commit = on"
    if not writes:
        begin = f"{timeout}; SET TRANSACTION READ ONLY"
    event.listen(engine, "begin", lambda connection: _execute(connection, begin))
    return engine


def _execute(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
