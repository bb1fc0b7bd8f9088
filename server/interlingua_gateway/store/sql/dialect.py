"""What the two databases write differently."""

from __future__ import annotations

from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    func,
    make_url,
    select,
)
from sqlalchemy import bindparam as parameter
from sqlalchemy.dialects import postgresql, sqlite

POSTGRESQL = "postgresql"


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of `connection`."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The same for a dialect by its name."""
    return postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)


def dialect_of(name: str) -> Dialect:
    """The dialect, with the driver that the gateway uses."""
    driver = "psycopg" if name == POSTGRESQL else "pysqlite"
    return make_url(f"{name}+{driver}://").get_dialect()()


def items(dialect: str, name: str) -> Select[tuple[str]]:
    """The texts of the JSON list that the parameter `name` will be."""
    given: BindParameter[str] = parameter(name, type_=Text)
    if dialect == POSTGRESQL:
        listed = func.jsonb_array_elements_text(given.cast(postgresql.JSONB))
        return select(listed.column_valued("item"))
    return select(func.json_each(given).table_valued("value").c.value)
