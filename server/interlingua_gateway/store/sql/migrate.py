"""Brings the schema of a database up to date, once, however many gateways start together."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from interlingua_gateway.store.sql.schema import MIGRATIONS, head
from interlingua_gateway.store.sql.tables import METADATA

if TYPE_CHECKING:
    from types import ModuleType

LOCK: Final = 0x696E7465726C
"""The name of the advisory lock in PostgreSQL."""

_VERSION: Final = "alembic_version"


def migrate(connection: Connection) -> tuple[str, str]:
    """The versions before (empty for none) and after; all steps are one transaction.

    An empty database is made at once in its newest form; Alembic is imported only where there are
    steps to go. A database that a newer gateway has brought further is left as it is: steps only
    ever add.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    before, newest = version(connection), head()
    if not before:
        METADATA.create_all(connection)
        connection.execute(
            text(f"CREATE TABLE {_VERSION} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text(f"INSERT INTO {_VERSION} VALUES (:head)"), {"head": newest})
        return before, newest
    if before >= newest:
        return before, before
    upgrade(connection)
    return before, newest


def version(connection: Connection) -> str:
    """The version of the schema that is there; empty for none."""
    if not inspect(connection).has_table(_VERSION):
        return ""
    return str(connection.execute(text(f"SELECT version_num FROM {_VERSION}")).scalar_one())


def upgrade(connection: Connection, to: str = "head") -> None:
    """Go the steps that lead to version `to`, one by one."""
    config = _alembic("config").Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    _alembic("command").upgrade(config, to)


def _alembic(name: str) -> ModuleType:
    return import_module(f"alembic.{name}")
