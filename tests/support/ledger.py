"""Operations as they are spooled, and what a database holds of them."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, select

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ledger import Details, Operation
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.ledger_tables import OPERATIONS, ROLLUPS

AT_MS = 1_800_000_000_000


def operation(number: int = 0, *, at_ms: int = AT_MS, **facts: object) -> Operation:
    """An operation accepted at `at_ms`; `number` tells it from others."""
    usage = Usage(input_tokens=10, output_tokens=5)
    made = {
        "id": f"op_{at_ms:011x}{number:013x}",
        "accepted_at_ms": at_ms,
        "method": "Generate",
        "tenant": "acme",
        "project": "",
        "key": "",
        "user": "",
        "model": "default",
        "provider": "stage",
        "deployment": "stage/echo",
        "upstream_model": "echo",
        "outcome": "ok",
        "reason": "",
        "usage": usage,
        "cost_nano_usd": 7,
        "cost_estimated": False,
        "duration_us": 1500,
        "first_event_us": 700,
        "queue_us": 0,
        "cache_status": "",
        "dedupe_status": "",
        "trace_id": "",
        "details": Details(),
        **facts,
    }
    return Operation(**made)


def spooled(*operations: Operation) -> list[bytes]:
    """As they stand in the journal."""
    return [msgspec.msgpack.encode(operation) for operation in operations]


async def ids(database: Database) -> list[str]:
    """All operations that are there, by time."""
    query = select(OPERATIONS.c.operation_id).order_by(OPERATIONS.c.operation_id)
    return await database.read(lambda connection: list(connection.execute(query).scalars()))


async def counted(database: Database, **where: object) -> dict[str, int]:
    """Sums over the hourly totals with these keys; all of them by default."""
    keys = {"step_s": 3600, "facet": "", **where}
    names = ("operations", "input_tokens", "cost_nano_usd", "unpriced_operations")
    query = select(*(func.coalesce(func.sum(ROLLUPS.c[name]), 0).label(name) for name in names))
    for name, value in keys.items():
        query = query.where(ROLLUPS.c[name] == value)
    found = await database.read(lambda connection: connection.execute(query).one())
    return {name: int(value) for name, value in found._mapping.items()}
