"""What the ground under ledger, keys and budgets promises, on a SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from interlingua_gateway.core.errors import InternalError, PolicyError, Reason
from interlingua_gateway.store.sql.database import MAX_WAITING, READERS, Database
from interlingua_gateway.store.sql.engines import SqlSettings, engines
from interlingua_gateway.store.sql.failures import DatabaseDown
from interlingua_gateway.store.sql.migrate import upgrade, version
from interlingua_gateway.store.sql.schema import MIGRATIONS, head
from interlingua_gateway.store.sql.tables import METADATA
from tests.support.databases import KINDS, settings_of
from tests.support.postgres_server import postgres_server


def sql(statement: str) -> Callable[[Connection], object]:
    """The first value that `statement` gives, if it gives any."""

    def run(connection: Connection) -> object:
        result = connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None

    return run


async def test_what_is_written_can_be_read(database: Database) -> None:
    await database.write(sql("CREATE TABLE t (a INTEGER)"))
    await database.write(sql("INSERT INTO t VALUES (7)"))
    assert await database.read(sql("SELECT a FROM t")) == 7


async def test_an_error_rolls_back_changes_of_the_schema_too(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
        raise PolicyError(Reason.PERMISSION_DENIED, "no")

    with pytest.raises(PolicyError):
        await database.write(half)
    assert not await database.read(lambda connection: inspect(connection).has_table("t"))


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises((InternalError, DatabaseDown)):
        await database.read(sql("CREATE TABLE t (a INTEGER)"))
    assert not await database.read(lambda connection: inspect(connection).has_table("t"))


async def test_a_wrong_statement_is_told_without_its_text(database: Database) -> None:
    with pytest.raises((InternalError, DatabaseDown)) as caught:
        await database.write(sql("SELECT hidden FROM nowhere"))
    assert "hidden" not in str(caught.value)
    assert await database.read(sql("SELECT 1")) == 1


async def test_writes_run_alone_and_reads_beside_them(database: Database) -> None:
    await database.migrate()
    writing, written = threading.Event(), threading.Event()

    def slow(_: Connection) -> str:
        writing.set()
        assert written.wait(10)
        return "slow"

    first = asyncio.ensure_future(database.write(slow))
    second = asyncio.ensure_future(database.write(sql("SELECT 2")))
    await asyncio.to_thread(writing.wait, 10)
    assert await asyncio.gather(*(database.read(sql("SELECT 1")) for _ in range(3 * READERS)))
    assert not second.done()
    written.set()
    assert await asyncio.gather(first, second) == ["slow", 2]


async def test_what_waits_is_bounded(database: Database) -> None:
    await database.migrate()
    held = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: held.wait(10)))
    others = [asyncio.ensure_future(database.write(sql("SELECT 1"))) for _ in range(MAX_WAITING)]
    done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
    (refused,) = done
    assert isinstance(refused.exception(), DatabaseDown)
    held.set()
    others.remove(refused)
    assert await asyncio.gather(first, *others) == [True, *[1] * (MAX_WAITING - 1)]


async def test_the_steps_lead_to_the_schema_of_the_tables(database: Database) -> None:
    def step_by_step(connection: Connection) -> object:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        upgrade(connection)
        assert version(connection) == head()
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    assert await database.write(step_by_step) == []


async def test_an_older_schema_is_brought_up_to_date(database: Database) -> None:
    def back_to_the_first(connection: Connection) -> None:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        upgrade(connection, "0001_ledger")

    await database.write(back_to_the_first)
    assert await database.migrate() == ("0001_ledger", head())
    assert await database.migrate() == (head(), head())


async def test_a_newer_schema_is_left_alone(database: Database) -> None:
    await database.migrate()
    await database.write(sql("UPDATE alembic_version SET version_num = '9999_later'"))
    assert await database.migrate() == ("9999_later", "9999_later")


@pytest.mark.parametrize("settings", KINDS, indirect=True)
async def test_gateways_that_start_together_make_one_schema(settings: SqlSettings) -> None:
    databases = [Database(settings) for _ in range(5)]
    try:
        found = await asyncio.gather(*(database.migrate() for database in databases))
    finally:
        for database in databases:
            await database.aclose()
    assert sorted(found) == sorted([("", head()), *[(head(), head())] * 4])


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> SqlSettings:
    return settings_of(request, tmp_path)


def test_the_files_of_the_steps_are_named_after_their_versions() -> None:
    previous = None
    for file in sorted((MIGRATIONS / "versions").glob("*.py")):
        source = file.read_text("utf-8")
        assert f'revision = "{file.stem}"' in source
        assert f"down_revision = {previous}" in source
        previous = f'"{file.stem}"'


async def test_a_database_that_is_away_and_comes_back(tmp_path: Path) -> None:
    with postgres_server() as server:
        database = Database(SqlSettings(path=tmp_path / "unused", url=server.url()))
        assert await database.read(sql("SELECT 1")) == 1
        server.stop()
        with pytest.raises(DatabaseDown) as caught:
            await database.write(sql("SELECT 1"))
        assert caught.value.retry_after_s
        assert "connection" in caught.value.why
        assert caught.value.why not in caught.value.message, "callers need not know"
        with pytest.raises(DatabaseDown):
            await database.read(sql("SELECT 1"))
        server.start()
        assert await database.write(sql("SELECT 2")) == 2
        assert await database.read(sql("SELECT 3")) == 3
        await database.aclose()


async def test_others_on_the_machine_cannot_read_it(tmp_path: Path) -> None:
    database = Database(SqlSettings(path=tmp_path / "data/db"))
    await database.write(sql("CREATE TABLE t (a INTEGER)"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert modes == dict.fromkeys(["db", "db-wal", "db-shm"], 0o600)
    await database.aclose()


def test_settings_do_not_show_their_password(tmp_path: Path) -> None:
    settings = SqlSettings(path=tmp_path, url="postgresql://u:hunter2@h/d", password="hunter2")
    assert "hunter2" not in f"{settings!r} {settings}"


def test_readers_of_sqlite_keep_nothing_of_the_file_when_they_are_done(tmp_path: Path) -> None:
    writer, readers = engines(SqlSettings(path=tmp_path / "a.sqlite3"), 1)
    with writer.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    ran: list[str] = []
    with readers.begin() as connection:
        connection.connection.driver_connection.set_trace_callback(ran.append)
        connection.execute(text("SELECT a FROM t"))
    assert ran[-1] == "PRAGMA shrink_memory"
    readers.dispose()
    writer.dispose()
