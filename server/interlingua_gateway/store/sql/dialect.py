"""What the two databases write differently. The library for one of them takes 2 MB: only the one
that is used is imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    column,
    func,
    literal_column,
    make_url,
    select,
    true,
)
from sqlalchemy import bindparam as parameter

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy.dialects import postgresql, sqlite

POSTGRESQL = "postgresql"


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of `connection`."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The same for a dialect by its name."""
    return cast("postgresql.Insert | sqlite.Insert", _library(dialect).insert(table))


def dialect_of(name: str) -> Dialect:
    """The dialect, with the driver that the gateway uses."""
    driver = "psycopg" if name == POSTGRESQL else "pysqlite"
    return make_url(f"{name}+{driver}://").get_dialect()()


def items(dialect: str, name: str) -> Select[tuple[str]]:
    """The texts of the JSON list that the parameter `name` will be."""
    given: BindParameter[str] = parameter(name, type_=Text)
    if dialect == POSTGRESQL:
        listed = func.jsonb_array_elements_text(given.cast(_library(dialect).JSONB))
        return select(listed.column_valued("item"))
    return select(func.json_each(given).table_valued("value").c.value)


def rows(dialect: str, table: Table, name: str) -> Select[tuple[object, ...]]:
    """Rows of `table` from the JSON list of objects that the parameter `name` will be.

    One parameter, however many rows: the drivers take longer over thousands of them.
    """
    given: BindParameter[str] = parameter(name, type_=Text)
    if dialect == POSTGRESQL:
        form: ColumnClause[object] = literal_column(f"NULL::{table.name}")
        columns = [column(c.name, c.type) for c in table.columns]
        listed = func.json_populate_recordset(form, given.cast(_library(dialect).JSON))
        return select(*listed.table_valued(*columns).c)
    value = func.json_each(given).table_valued("value").c.value
    fields = (func.json_extract(value, literal_column(f"'$.{c.name}'")) for c in table.columns)
    return select(*fields).where(true())


def _library(dialect: str) -> ModuleType:
    return import_module(f"sqlalchemy.dialects.{dialect}")
