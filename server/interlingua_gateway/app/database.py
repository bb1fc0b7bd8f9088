"""Opens the database behind the request path: its libraries are imported in a thread."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast

from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import InternalError

if TYPE_CHECKING:
    from types import ModuleType

    from interlingua_gateway.store.sql.database import Database
    from interlingua_gateway.store.sql.engines import SqlSettings

SQLITE_FILE: Final = "interlingua.sqlite3"


class Databases:
    """The one database of the configuration, opened when it is first asked for."""

    def __init__(self, config: Config) -> None:
        """Raises InternalError where the library of the configured database is missing."""
        if config.database.url is not None and find_spec("psycopg") is None:
            raise InternalError(
                "PostgreSQL is configured, but its library is missing: install "
                "interlingua-gateway[postgres]."
            )
        self._config = config
        self._tasks = Tasks()
        self._opening: asyncio.Task[Database] | None = None

    @property
    def exists(self) -> bool:
        """Whether something may be in it: a PostgreSQL, or a SQLite file that somebody has made."""
        if self._config.database.url is not None:
            return True
        return (self._config.data_dir / SQLITE_FILE).exists()

    async def open(self) -> Database:
        """The database; it need not answer yet. Its libraries are imported at the first call.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        if self._opening is None:
            self._opening = self._tasks.start(self._open(), "open-database")
        return await asyncio.shield(self._opening)

    async def module(self, name: str) -> ModuleType:
        """The module `store.sql.<name>`, imported in a thread."""
        return await asyncio.to_thread(import_module, f"interlingua_gateway.store.sql.{name}")

    async def aclose(self) -> None:
        """Wait for what has begun, and close the connections."""
        if self._opening is not None:
            (opened,) = await asyncio.gather(self._opening, return_exceptions=True)
            if not isinstance(opened, BaseException):
                await opened.aclose()

    async def _open(self) -> Database:
        engines = await self.module("engines")
        database = await self.module("database")
        return cast("Database", database.Database(_settings(self._config, engines)))


async def migrate(config: Config) -> tuple[str, str]:
    """Bring the schema up to date: the versions before (empty for none) and after.

    Raises:
        GatewayError: the database does not answer, or the configuration cannot be used.
    """
    databases = Databases(config)
    try:
        database = await databases.open()
        return await database.migrate()
    finally:
        await databases.aclose()


async def schema_version(config: Config) -> str:
    """The version of the schema as it is; empty for none. Raises as `migrate` does."""
    databases = Databases(config)
    try:
        database = await databases.open()
        return await database.version()
    finally:
        await databases.aclose()


def database_secrets(config: Config) -> tuple[str, ...]:
    """Every secret of the database, for the redactor."""
    values = (config.database.url, config.database.password)
    return tuple(value.reveal() for value in values if isinstance(value, Secret))


def _settings(config: Config, engines: ModuleType) -> SqlSettings:
    url, password = config.database.url, config.database.password
    settings = engines.SqlSettings(
        path=config.data_dir / SQLITE_FILE,
        url=url.reveal() if isinstance(url, Secret) else url,
        password=None if password is None else password.reveal(),
        statement_timeout_s=config.database.statement_timeout_s,
    )
    return cast("SqlSettings", settings)
