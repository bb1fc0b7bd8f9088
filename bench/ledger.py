"""What ten million operations in a database cost: a report on a month, and carrying over more.

And what recording costs a call.

Run: python -m bench.ledger [--rows N] [--only sqlite]; it writes bench/results/ledger.json and
makes the table of docs/performance.md from that. It takes about half an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from sqlalchemy import ColumnElement, Connection, String, func, insert, select

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.events import AttemptRecord, Finish, FinishReason, Outcome, Usage
from interlingua_gateway.core.ids import first_id_at, operation_id
from interlingua_gateway.core.ledger import Details, Operation, RecordKind
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.reports import Dimension, Interval, Span, UsageQuery
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import GenerateRequest
from interlingua_gateway.policies.ledger import Ledger
from interlingua_gateway.store.spool import Spool
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.engines import SqlSettings
from interlingua_gateway.store.sql.flush import Flush
from interlingua_gateway.store.sql.ledger_tables import OPERATIONS, STEPS_S
from interlingua_gateway.store.sql.operations import Facet, adding, store_operations
from interlingua_gateway.store.sql.usage import UsageReports
from tests.support.postgres_server import postgres_server

RESULTS: Final = Path(__file__).parent / "results" / "ledger.json"
DOCUMENT: Final = RESULTS.parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- bench/ledger.py: begin -->", "<!-- bench/ledger.py: end -->"
DAY_MS: Final = 86_400_000
MONTH_MS: Final = 30 * DAY_MS
START_MS: Final = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1000)
SLICE_ROWS: Final = 20_000
TENANTS, KEYS, MODELS, USERS = 50, 200, 12, 500
FLUSHED_ROWS: Final = 50_000
CALLS: Final = 5000
CLOCK: Final = SystemClock()


class Watch:
    """Nobody looks."""

    def waiting(self, records: int, size_bytes: int) -> None: ...
    def flushed(self, records: int, at_s: float) -> None: ...
    def failed(self) -> None: ...
    def lost(self) -> None: ...


def made(chance: random.Random, at_ms: int) -> Operation:
    """An operation of one of the usual callers; a tenth names an end user, a twentieth fails."""
    key = chance.randrange(KEYS)
    model = chance.randrange(MODELS)
    failed = chance.random() < 0.05
    usage = Usage(
        input_tokens=chance.randint(20, 4000),
        output_tokens=0 if failed else chance.randint(1, 900),
        cached_input_tokens=chance.choice((0, 0, 512)),
    )
    provider = f"provider-{model % 4}"
    return Operation(
        id=f"{first_id_at(at_ms)}{chance.randrange(2**52):013x}",
        accepted_at_ms=at_ms,
        method=chance.choice(("Generate", "StreamGenerate")),
        tenant=f"tenant-{key % TENANTS}",
        project=f"project-{key % 2}",
        key=f"key-{key}",
        user=f"user-{chance.randrange(USERS)}" if chance.random() < 0.1 else "",
        model=f"model-{model}",
        provider=provider,
        deployment=f"{provider}/model-{model}",
        upstream_model=f"model-{model}-2026-08",
        outcome="failed" if failed else "ok",
        reason=chance.choice(("RATE_LIMITED", "ALL_TARGETS_FAILED")) if failed else "",
        usage=usage,
        cost_nano_usd=usage.input_tokens * 150 + usage.output_tokens * 600,
        cost_estimated=False,
        duration_us=int(chance.lognormvariate(14, 1)),
        first_event_us=int(chance.lognormvariate(12, 1)),
        queue_us=0,
        cache_status="miss",
        dedupe_status="",
        trace_id=f"{chance.randrange(2**128):032x}",
        details=Details(
            upstream_id=f"chatcmpl-{chance.randrange(2**64):016x}",
            attempts=(AttemptRecord(provider, provider, f"model-{model}", Outcome.OK, "", 0.5),),
        ),
    )


def records(chance: random.Random, rows: int, start_ms: int, span_ms: int) -> list[bytes]:
    """Operations spread evenly over a time, as they are spooled."""
    steps = (start_ms + number * span_ms // rows for number in range(rows))
    return [msgspec.msgpack.encode(made(chance, at_ms)) for at_ms in steps]


def in_time(column: ColumnElement[str], start_ms: int, end_ms: int) -> ColumnElement[bool]:
    return (column >= first_id_at(start_ms)) & (column < first_id_at(end_ms))


def repeat(connection: Connection, shift_ms: int, span_ms: int) -> None:
    """The first slice once more, `shift_ms` later, and its totals."""
    row = OPERATIONS.c
    later_ms = row.accepted_at_ms + shift_ms
    if connection.dialect.name == "postgresql":
        time_part = func.lpad(func.to_hex(later_ms), 11, "0")
    else:
        time_part = func.printf("%011x", later_ms, type_=String)
    changed = {
        "operation_id": "op_" + time_part + func.substr(row.operation_id, 15),
        "accepted_at_ms": later_ms,
    }
    columns = [changed.get(column.name, column) for column in row]
    first = in_time(row.operation_id, START_MS, START_MS + span_ms)
    connection.execute(
        insert(OPERATIONS).from_select([c.name for c in row], select(*columns).where(first))
    )
    chosen = in_time(row.operation_id, START_MS + shift_ms, START_MS + shift_ms + span_ms)
    for step_s in STEPS_S:
        for facet in (Facet.ALL, Facet.USER):
            connection.execute(adding(connection.dialect.name, facet, step_s, chosen))


async def fill(database: Database, rows: int) -> None:
    """So many operations over a month, oldest first, by slices that are alike."""
    slices = max(1, rows // SLICE_ROWS)
    span_ms = MONTH_MS // slices
    first = records(random.Random(1), SLICE_ROWS, START_MS, span_ms)
    for start in range(0, SLICE_ROWS, 1000):
        batch = first[start : start + 1000]
        await database.write(lambda connection, batch=batch: store_operations(connection, batch))
    for number in range(1, slices):
        await database.write(
            lambda connection, shift_ms=number * span_ms: repeat(connection, shift_ms, span_ms)
        )
        if number % 50 == 0:
            print(f"  {number * SLICE_ROWS:,} rows", flush=True)


async def seconds(work: Callable[[], Awaitable[object]]) -> list[float]:
    """Of five runs, the first one with whatever is in memory after the writing."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        await work()
        found.append(time.perf_counter() - began)
    return found


async def queries(database: Database) -> dict[str, dict[str, float]]:
    reports = UsageReports(database, CLOCK)
    month = Span(START_MS, START_MS + MONTH_MS)
    ragged = Span(START_MS + 1_234_567, START_MS + MONTH_MS - 7_654_321)
    both = (Dimension.TENANT, Dimension.MODEL)
    asked = {
        "month by tenant and model": UsageQuery(span=month, group_by=both),
        "month that begins and ends inside of an hour, by tenant and model": UsageQuery(
            span=ragged, group_by=both
        ),
        "month by model, a day a step": UsageQuery(
            span=month, group_by=(Dimension.MODEL,), interval=Interval.DAY
        ),
        "month by user": UsageQuery(span=month, group_by=(Dimension.USER,)),
    }
    found = {}
    for name, query in asked.items():
        times = await seconds(lambda query=query: reports.usage(query))
        found[name] = {"first_s": times[0], "median_s": statistics.median(times)}
        print(f"  {name}: {found[name]}", flush=True)
    return found


async def write_rate(database: Database, directory: Path) -> dict[str, float]:
    """Records a second from the spool into the tables that are full already."""
    with spool_in(directory) as spool:
        chance = random.Random(2)
        for record in records(chance, FLUSHED_ROWS, START_MS + MONTH_MS, 25_000):
            spool.append(RecordKind.OPERATION, record)
        flush = Flush(spool, database, {RecordKind.OPERATION: store_operations}, Watch(), CLOCK)
        began, cpu = time.perf_counter(), time.process_time()
        await flush.own()
        took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {"rows_per_s": FLUSHED_ROWS / took_s, "cpu_us_per_row": cpu_s / FLUSHED_ROWS * 1e6}


def vacuum(url: str) -> None:
    """What autovacuum does all along while such rows come over a month, and not over minutes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


@contextmanager
def spool_in(directory: Path) -> Iterator[Spool]:
    spool = Spool(directory / "spool", 2**40, Watch(), lossy=False)
    spool.open()
    try:
        yield spool
    finally:
        spool.close()


async def bare(call: Call) -> Reply:
    call.usage, call.cost = Usage(100, 100), Cost(1234)
    call.attempts.append(AttemptRecord("d", "p", "m", Outcome.OK))
    return Reply(Start("d", "p", "m"), (Finish(0, FinishReason.STOP),))


async def cost_per_call(directory: Path) -> float:
    """CPU microseconds that recording adds to a call on the loop, best of five."""

    async def sweep(handler: object) -> float:
        began = time.process_time()
        for _ in range(CALLS):
            call = Call(
                GenerateRequest(model="m", messages=()),
                call_id=operation_id(CLOCK),
                method="Generate",
                started=CLOCK.monotonic(),
            )
            await run(call, handler, Reply.collect, CLOCK)
        return (time.process_time() - began) / CALLS * 1e6

    with spool_in(directory) as spool:
        recorded = stack((Ledger(spool),), bare)
        pairs = [(await sweep(recorded), await sweep(bare)) for _ in range(5)]
    return min(with_ledger for with_ledger, _ in pairs) - min(without for _, without in pairs)


@asynccontextmanager
async def databases(kind: str, directory: Path) -> AsyncIterator[tuple[Database, str | None]]:
    """A new database, and its URL where it is a PostgreSQL."""
    path = directory / "ledger.sqlite3"
    if kind == "sqlite":
        database = Database(SqlSettings(path=path, statement_timeout_s=600))
        yield database, None
        await database.aclose()
        return
    with postgres_server(durable=True) as server:
        url = server.new_database()
        database = Database(SqlSettings(path=path, url=url, statement_timeout_s=600))
        yield database, url
        await database.aclose()


async def measure(rows: int, kinds: list[str]) -> dict[str, object]:
    found: dict[str, object] = {"rows": rows, "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as name:
        found["recording_cpu_us_per_call"] = await cost_per_call(Path(name))
        print(found, flush=True)
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            async with databases(kind, Path(name)) as (database, url):
                print(kind, flush=True)
                await fill(database, rows)
                if url is not None:
                    vacuum(url)
                reports = await queries(database)
                writing = await write_rate(database, Path(name))
                print(f"  {writing}", flush=True)
                found[kind] = {"reports": reports, "writing": writing}
    return found


def table(found: dict[str, object]) -> str:
    """The results in Markdown."""
    kinds = [kind for kind in ("sqlite", "postgresql") if kind in found]
    lines = [
        (
            f"With {found['rows']:,} operations over a month. Recording costs a call "
            f"{found['recording_cpu_us_per_call']:.1f} us of CPU before its answer ends."
        ),
        "",
        "| | "
        + " | ".join({"sqlite": "SQLite", "postgresql": "PostgreSQL"}[k] for k in kinds)
        + " |",
        "| --- |" + " ---: |" * len(kinds),
    ]
    for name in found[kinds[0]]["reports"]:
        times = [found[kind]["reports"][name] for kind in kinds]
        cells = (f"{each['median_s']:.2f} ({each['first_s']:.2f} at first)" for each in times)
        lines.append(f"| {name}, s | " + " | ".join(cells) + " |")
    for name, title in (
        ("rows_per_s", "carried over from the spool, operations a second"),
        ("cpu_us_per_row", "of that, us of the gateway's CPU each (with SQLite inside)"),
    ):
        values = (f"{found[kind]['writing'][name]:,.0f}" for kind in kinds)
        lines.append(f"| {title} | " + " | ".join(values) + " |")
    if "note" in found:
        lines += ["", str(found["note"])]
    return "\n".join(lines)


def publish(found: dict[str, object]) -> None:
    """Put the table between its marks."""
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    chosen = [options.only] if options.only else ["sqlite", "postgresql"]
    measured = asyncio.run(measure(options.rows, chosen))
    if RESULTS.exists():
        measured = json.loads(RESULTS.read_text("utf-8")) | measured
    RESULTS.write_text(json.dumps(measured, indent=2) + "\n")
    publish(measured)
