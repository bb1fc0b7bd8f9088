"""Tables of the ledger: one row an operation, and totals by hour and day for reports."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from interlingua_gateway.store.sql.schema import METADATA, ORDERED

STEPS_S: Final = (3600, 86400)
LATENCY_BOUNDS_US: Final = tuple(round(1000 * 2 ** (i / 2)) for i in range(41))
"""`latency_i` counts operations that took at most bound i and more than the one before: from 1 ms
to 17 minutes, each bound 1.41 times the one before. The last column counts what took longer."""

OPERATIONS: Final = Table(
    "operations",
    METADATA,
    # Ids begin with the time of acceptance in milliseconds: their order is that of time.
    Column("operation_id", ORDERED, primary_key=True),
    Column("accepted_at_ms", BigInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("tenant_id", ORDERED, nullable=False),
    Column("project", Text, nullable=False),
    Column("api_key_id", Text, nullable=False),
    Column("end_user", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_input_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("audio_input_tokens", BigInteger, nullable=False),
    Column("audio_output_tokens", BigInteger, nullable=False),
    Column("usage_estimated", Boolean, nullable=False),
    # NULL: the price of the model is not known.
    Column("cost_nano_usd", BigInteger),
    Column("cost_estimated", Boolean, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("first_event_us", BigInteger),
    Column("queue_us", BigInteger, nullable=False),
    Column("cache_status", Text, nullable=False),
    Column("dedupe_status", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    # JSON: attempts, warnings, tags, metadata, upstream_id (core/ledger.py: Details).
    Column("details", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_operations_tenant_id", OPERATIONS.c.tenant_id, OPERATIONS.c.operation_id)

OPERATION_TAGS: Final = Table(
    "operation_tags",
    METADATA,
    Column("tag", ORDERED, primary_key=True),
    Column("operation_id", ORDERED, primary_key=True),
    sqlite_with_rowid=False,
)
Index("ix_operation_tags_operation_id", OPERATION_TAGS.c.operation_id)

OPERATION_TEXTS: Final = Table(
    "operation_texts",
    METADATA,
    Column("operation_id", ORDERED, primary_key=True),
    Column("request", Text, nullable=False),
    Column("answer", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What totals are kept by. `facet` is empty for the totals of all operations; beside them each
# operation counts in `user:<end_user>` and in `tag:<tag>` for each of its tags.
ROLLUP_KEYS: Final = (
    "step_s",
    "facet",
    "start_s",
    "tenant_id",
    "project",
    "api_key_id",
    "model",
    "provider",
    "outcome",
    "reason",
)
ROLLUP_SUMS: Final = (
    "operations",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "usage_estimated_operations",
    "cost_nano_usd",
    "cost_estimated_operations",
    "unpriced_operations",
    "unpriced_tokens",
    "cache_hits",
    "duration_us",
    "first_event_us",
    "first_event_operations",
    *(f"latency_{i}" for i in range(len(LATENCY_BOUNDS_US) + 1)),
)

ROLLUPS: Final = Table(
    "usage_rollups",
    METADATA,
    # 3600 or 86400; `start_s` is a multiple of it, in seconds since the epoch (UTC).
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("facet", ORDERED, primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, ORDERED, primary_key=True) for name in ROLLUP_KEYS[3:]),
    *(Column(name, BigInteger, nullable=False) for name in ROLLUP_SUMS),
    sqlite_with_rowid=False,
)
Index("ix_usage_rollups_start_s", ROLLUPS.c.start_s)
