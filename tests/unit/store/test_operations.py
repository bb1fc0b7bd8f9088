"""Each operation is written once, and the totals are those of what was written."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from sqlalchemy import select

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ledger import LONGEST_BYTES, Details, Texts
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.engines import SqlSettings
from interlingua_gateway.store.sql.ledger_tables import (
    LATENCY_BOUNDS_US,
    OPERATION_TAGS,
    OPERATION_TEXTS,
    OPERATIONS,
    ROLLUPS,
)
from interlingua_gateway.store.sql.operations import store_operations
from tests.support.databases import KINDS, settings_of
from tests.support.ledger import AT_MS, counted, ids, operation, spooled

HOUR_MS = 3_600_000


async def store(database: Database, *operations: object) -> None:
    records = spooled(*operations)
    await database.write(lambda connection: store_operations(connection, records))


async def test_what_is_written_twice_counts_once(database: Database) -> None:
    await store(database, operation(1), operation(2), operation(2))
    await store(database, operation(2), operation(3))
    assert await ids(database) == [operation(n).id for n in (1, 2, 3)]
    assert await counted(database) == {
        "operations": 3,
        "input_tokens": 30,
        "cost_nano_usd": 21,
        "unpriced_operations": 0,
    }
    assert (await counted(database, step_s=86400))["operations"] == 3


async def test_a_row_says_everything(database: Database) -> None:
    usage = Usage(
        input_tokens=1,
        output_tokens=2,
        cached_input_tokens=3,
        cache_write_input_tokens=4,
        reasoning_tokens=5,
        audio_input_tokens=6,
        audio_output_tokens=7,
        estimated=True,
    )
    told = operation(
        tenant="t", project="p", key="k", user="u", model="m", provider="q", deployment="d",
        upstream_model="x", outcome="failed", reason="STREAM_BROKEN", usage=usage,
        cost_nano_usd=None, cost_estimated=True, duration_us=8, first_event_us=None, queue_us=9,
        cache_status="miss", dedupe_status="leader", trace_id="0af7", method="StreamGenerate",
        details=Details(tags=("a",), metadata={"b": "c"}, upstream_id="i"),
        texts=Texts("asked\0", "answered"),
    )  # fmt: skip
    await store(database, told)
    row = await database.read(lambda c: dict(c.execute(select(OPERATIONS)).one()._mapping))
    details = msgspec.json.decode(row.pop("details"))
    assert details == {"upstream_id": "i", "tags": ["a"], "metadata": {"b": "c"}}
    assert row == {
        "operation_id": told.id,
        "accepted_at_ms": AT_MS,
        "method": "StreamGenerate",
        "tenant_id": "t",
        "project": "p",
        "api_key_id": "k",
        "end_user": "u",
        "model": "m",
        "provider": "q",
        "deployment": "d",
        "upstream_model": "x",
        "outcome": "failed",
        "reason": "STREAM_BROKEN",
        "input_tokens": 1,
        "output_tokens": 2,
        "cached_input_tokens": 3,
        "cache_write_input_tokens": 4,
        "reasoning_tokens": 5,
        "audio_input_tokens": 6,
        "audio_output_tokens": 7,
        "usage_estimated": True,
        "cost_nano_usd": None,
        "cost_estimated": True,
        "duration_us": 8,
        "first_event_us": None,
        "queue_us": 9,
        "cache_status": "miss",
        "dedupe_status": "leader",
        "trace_id": "0af7",
    }
    texts = await database.read(lambda c: tuple(c.execute(select(OPERATION_TEXTS)).one()))
    assert texts == (told.id, "asked", "answered")
    tags = await database.read(lambda c: tuple(c.execute(select(OPERATION_TAGS)).one()))
    assert tags == ("a", told.id)


async def test_totals_stand_under_hour_day_user_and_tag(database: Database) -> None:
    await store(
        database,
        operation(1, user="ann", details=Details(tags=("x", "y", "x"))),
        operation(2, user="bob", details=Details(tags=("x",))),
        operation(3, at_ms=AT_MS + HOUR_MS, user="ann", cost_nano_usd=None),
    )
    for facet, count in {"": 3, "user:ann": 2, "user:bob": 1, "tag:x": 2, "tag:y": 1}.items():
        assert (await counted(database, facet=facet))["operations"] == count, facet
        assert (await counted(database, facet=facet, step_s=86400))["operations"] == count
    found = await counted(database, start_s=(AT_MS + HOUR_MS) // HOUR_MS * 3600)
    assert found["operations"] == found["unpriced_operations"] == 1
    assert found["cost_nano_usd"] == 0


async def test_names_of_models_that_there_are_not_do_not_swell_the_totals(
    database: Database,
) -> None:
    lost = {"outcome": "failed", "reason": "MODEL_NOT_FOUND", "provider": ""}
    await store(database, *(operation(n, model=f"guess-{n}", **lost) for n in range(5)))
    assert (await counted(database, model=""))["operations"] == 5


async def test_latencies_stand_in_the_bucket_that_bounds_them(database: Database) -> None:
    last = len(LATENCY_BOUNDS_US)
    cases = {0: 0, 1000: 0, 1001: 1, 1_000_000: 20, LATENCY_BOUNDS_US[-1]: last - 1}
    cases |= {LATENCY_BOUNDS_US[-1] + 1: last, 10**12: last}
    for number, duration_us in enumerate(cases):
        await store(database, operation(number, model=f"m{number}", duration_us=duration_us))
    found = await database.read(
        lambda c: [
            row._mapping for row in c.execute(select(ROLLUPS).where(ROLLUPS.c.step_s == 3600))
        ]
    )
    for number, bucket in enumerate(cases.values()):
        (row,) = (row for row in found if row["model"] == f"m{number}")
        filled = [i for i in range(last + 1) if row[f"latency_{i}"]]
        assert filled == [bucket]


@pytest.mark.parametrize("name", ["x" * 5000, "ü" * 5000, "a\0b"])
async def test_long_and_strange_names_are_bounded_and_kept_apart(
    database: Database, name: str
) -> None:
    fields = ("tenant", "project", "key", "user", "model", "provider", "deployment")
    await store(
        database,
        operation(1, **dict.fromkeys(fields, name), details=Details(tags=(name,))),
        operation(2, **dict.fromkeys(fields, name + "!")),
    )
    query = select(OPERATIONS.c.end_user).order_by(OPERATIONS.c.operation_id)
    users = await database.read(lambda c: list(c.execute(query).scalars()))
    assert len(set(users)) == 2
    assert all(len(user.encode()) <= LONGEST_BYTES and "\0" not in user for user in users)


async def test_a_record_of_an_earlier_version_has_fewer_fields(database: Database) -> None:
    whole = msgspec.msgpack.decode(spooled(operation(4))[0])
    assert whole[-1] is None
    earlier = msgspec.msgpack.encode(whole[:-1])
    await database.write(lambda connection: store_operations(connection, [earlier]))
    assert await ids(database) == [operation(4).id]


@pytest.mark.parametrize("settings", KINDS, indirect=True)
async def test_gateways_that_write_the_same_at_once_count_it_once(settings: SqlSettings) -> None:
    databases = [Database(settings) for _ in range(4)]
    many = [operation(n, user=f"u{n % 7}", model=f"m{n % 5}") for n in range(300)]
    try:
        await asyncio.gather(*(store(each, *many) for each in databases))
        assert len(await ids(databases[0])) == 300
        assert (await counted(databases[0]))["operations"] == 300
    finally:
        for each in databases:
            await each.aclose()


@pytest.fixture
def settings(request, tmp_path):
    return settings_of(request, tmp_path)
