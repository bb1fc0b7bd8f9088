"""Records get into the database once each, whatever happens to it, to them and to the process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from interlingua_gateway.core.errors import GatewayError, PolicyError
from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ledger import RecordKind
from interlingua_gateway.store.courier import Courier
from interlingua_gateway.store.share import HEADER
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.engines import SqlSettings
from interlingua_gateway.store.sql.flush import BATCH, REFUSED, Flush
from interlingua_gateway.store.sql.operations import store_operations
from tests.support.ledger import counted, ids, operation, spooled
from tests.support.manual_clock import ManualClock
from tests.support.postgres_server import postgres_server
from tests.unit.store.test_spool import Spools, waits

KIND = RecordKind.OPERATION


@pytest.fixture
def spools(tmp_path: Path):
    made = Spools(tmp_path / "spool")
    yield made
    made.close()


def flush_of(spool, database: Database, spools: Spools, **sinks) -> Flush:
    sinks = {KIND: store_operations, **sinks}
    return Flush(spool, database, sinks, spools.watch, ManualClock())


async def test_everything_is_carried_over_in_batches(database: Database, spools: Spools) -> None:
    spool = spools.new()
    many = [operation(n) for n in range(2 * BATCH + 5)]
    for record in spooled(*many):
        spool.append(KIND, record)
    await flush_of(spool, database, spools).own()
    assert spools.watch.flushes == [BATCH, BATCH, 5]
    assert waits(spool) == (0, 0)
    assert await ids(database) == [each.id for each in many]
    assert (await counted(database))["operations"] == len(many)


async def test_a_segment_that_is_carried_over_again_changes_nothing(
    database: Database, spools: Spools
) -> None:
    """The process ends between the commit and the note of it."""
    first, second = spools.new(), spools.new()
    for record in spooled(*(operation(n) for n in range(5))):
        first.append(KIND, record)
    flush = flush_of(first, database, spools)
    first.own.forget = lambda after: None
    reading = await flush._some(first.own, first.written)
    assert len(reading.records) == 5
    spools.die(first)
    await flush_of(second, database, spools).inherited()
    assert spools.watch.flushes == [5, 5]
    assert (await counted(database))["operations"] == len(await ids(database)) == 5


async def test_one_heir_takes_what_many_leave(database: Database, spools: Spools) -> None:
    for n in range(3):
        spool = spools.new()
        spool.append(KIND, spooled(operation(n))[0])
        spools.die(spool)
    heirs = [spools.new() for _ in range(2)]
    await asyncio.gather(*(flush_of(heir, database, spools).inherited() for heir in heirs))
    assert await ids(database) == [operation(n).id for n in range(3)]
    folders = {path for path in spools.directory.iterdir() if path.is_dir()}
    assert folders == {heir.own.directory for heir in heirs}


async def test_a_record_that_cannot_be_taken_is_set_aside(
    database: Database, spools: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spools.new()
    for record in (*spooled(operation(1)), b"nonsense", *spooled(operation(2))):
        spool.append(KIND, record)
    spool.append(RecordKind.FEEDBACK, b"nobody takes it")
    await flush_of(spool, database, spools).own()
    assert await ids(database) == [operation(1).id, operation(2).id]
    aside = (spools.directory / REFUSED).read_bytes()
    assert len(aside) == 2 * HEADER.size + len(b"nonsense" + b"nobody takes it")
    lines = [line for line in caplog.records if line.name == "interlingua.ledger"]
    assert [line.fields["kind"] for line in lines] == [1, 2]
    assert waits(spool) == (0, 0)


async def test_a_value_that_the_database_refuses_takes_no_other_with_it(
    database: Database, spools: Spools
) -> None:
    spool = spools.new()
    mad = [
        operation(2, cost_nano_usd=2**63 - 1),
        operation(3, usage=Usage(input_tokens=2**63 - 1)),
        operation(4, usage=Usage(output_tokens=-1)),
    ]
    for record in spooled(operation(1), *mad, operation(5)):
        spool.append(KIND, record)
    await flush_of(spool, database, spools).own()
    assert spool.waiting_records == 0
    assert await ids(database) == [operation(1).id, operation(5).id]
    assert (spools.directory / REFUSED).stat().st_size > 3 * HEADER.size


class Failing:
    """A sink that fails while it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.taken: list[bytes] = []

    def __call__(self, connection: Connection, records: Sequence[bytes]) -> None:
        if self.error is not None:
            raise self.error
        self.taken.extend(records)


@contextlib.asynccontextmanager
async def carried(spool, flush: Flush, spools: Spools, clock: ManualClock):
    """A courier that runs."""

    async def opened() -> Flush:
        return flush

    courier = Courier(spool, opened, spools.watch, clock, 1.0)
    task = asyncio.create_task(courier.run())
    yield courier
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_courier_waits_for_records_gathers_them_and_tries_again(
    tmp_path: Path, spools: Spools, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    sink, spool = Failing(), spools.new()
    database = Database(SqlSettings(path=tmp_path / "db"))
    flush = Flush(spool, database, {KIND: sink}, spools.watch, clock)
    async with carried(spool, flush, spools, clock):
        assert clock.waiting == 0
        spool.append(KIND, b"a")
        await clock.until_waiting(1)
        spool.append(KIND, b"b")
        sink.error = RuntimeError("a fault of our own")
        clock.advance(1.0)
        for failures in range(1, 8):
            await clock.until_waiting(1)
            assert spools.watch.failures == failures
            assert sink.taken == []
            sink.error = GatewayError("INTERNAL", "down")
            clock.advance(15.0)
        await clock.until_waiting(1)
        sink.error = None
        spool.append(KIND, b"c")
        clock.advance(15.0)
        while spool.waiting_records:
            await asyncio.to_thread(lambda: None)
        assert sink.taken == [b"a", b"b", b"c"]
    texts = [line.message for line in caplog.records if line.name == "interlingua.ledger"]
    assert texts == ["the database takes no records", "the database takes records again"]
    await database.aclose()


async def test_the_log_says_why_the_database_does_not_answer(
    tmp_path: Path, spools: Spools, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spools.new()
    database = Database(SqlSettings(path=tmp_path / "none", url=f"postgresql:///x?host={tmp_path}"))
    flush = Flush(spool, database, {KIND: Failing()}, spools.watch, clock)
    async with carried(spool, flush, spools, clock):
        spool.append(KIND, b"a")
        await clock.until_waiting(1)
        clock.advance(1.0)
        await clock.until_waiting(1)
    (line,) = (line for line in caplog.records if line.name == "interlingua.ledger")
    assert line.fields["error"] == "DatabaseDown"
    assert "No such file or directory" in line.fields["why"]
    await database.aclose()


async def test_a_disk_that_was_full_is_tried_again_though_nothing_new_comes(
    tmp_path: Path, spools: Spools, clock: ManualClock
) -> None:
    """No call is served until what waits in memory is on the disk, so no record wakes anybody."""
    sink, spool = Failing(), spools.new()
    database = Database(SqlSettings(path=tmp_path / "db"))
    flush = Flush(spool, database, {KIND: sink}, spools.watch, clock)
    write, spool._write = spool._write, lambda data: False
    async with carried(spool, flush, spools, clock):
        spool.append(KIND, b"a")
        for failures in range(3):
            await clock.until_waiting(1)
            assert spools.watch.failures == failures
            clock.advance(15.0)
        await clock.until_waiting(1)
        with pytest.raises(PolicyError):
            spool.check()
        spool._write = write
        clock.advance(15.0)
        while spool.waiting_records:
            await asyncio.to_thread(lambda: None)
        spool.check()
    assert sink.taken == [b"a"]
    await database.aclose()


async def test_it_is_known_when_what_others_left_is_in_the_database(
    tmp_path: Path, spools: Spools, clock: ManualClock
) -> None:
    first, second = spools.new(), spools.new()
    first.append(KIND, b"a")
    spools.die(first)
    sink = Failing()
    sink.error = GatewayError("INTERNAL", "down")
    database = Database(SqlSettings(path=tmp_path / "db"))
    flush = Flush(second, database, {KIND: sink}, spools.watch, clock)
    async with carried(second, flush, spools, clock) as courier:
        inherited = asyncio.create_task(courier.inherited())
        await clock.until_waiting(1)
        assert not inherited.done()
        sink.error = None
        clock.advance(15.0)
        await inherited
        assert sink.taken == [b"a"]
    await database.aclose()


async def test_the_end_flushes_what_still_waits(
    tmp_path: Path, spools: Spools, clock: ManualClock
) -> None:
    sink, spool = Failing(), spools.new()
    database = Database(SqlSettings(path=tmp_path / "db"))
    flush = Flush(spool, database, {KIND: sink}, spools.watch, clock)
    async with carried(spool, flush, spools, clock) as courier:
        await courier.finish(5.0)
        spool.append(KIND, b"a")
        await courier.finish(5.0)
        assert sink.taken == [b"a"]
    await database.aclose()


async def test_an_outage_of_the_database(tmp_path: Path, spools: Spools) -> None:
    """Stopped in the middle of a stream of records, started again: each one is there once."""
    with postgres_server() as server:
        database = Database(SqlSettings(path=tmp_path / "unused", url=server.url()))
        spool = spools.new()
        flush = flush_of(spool, database, spools)
        records = iter(spooled(*(operation(n) for n in range(300))))
        failures = 0
        for turn in range(30):
            if turn == 10:
                server.stop()
            if turn == 20:
                server.start()
            for _ in range(10):
                spool.append(KIND, next(records))
            try:
                await flush.own()
            except GatewayError:
                failures += 1
        assert failures == 10
        assert len(await ids(database)) == 300
        assert (await counted(database))["operations"] == 300
        assert spool.waiting_records == 0
        await database.aclose()
