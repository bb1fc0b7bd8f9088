"""The ledger: operations, their tags and texts, and totals by hour and day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_ledger"
down_revision = None

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    operations()
    op.create_table(
        "operation_tags",
        sa.Column("tag", ORDERED, nullable=False),
        sa.Column("operation_id", ORDERED, nullable=False),
        sa.PrimaryKeyConstraint("tag", "operation_id", name="pk_operation_tags"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_operation_tags_operation_id", "operation_tags", ["operation_id"])
    op.create_table(
        "operation_texts",
        sa.Column("operation_id", ORDERED, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("operation_id", name="pk_operation_texts"),
        sqlite_with_rowid=False,
    )
    rollups()


def operations() -> None:
    texts = (
        "project", "api_key_id", "end_user", "model", "provider", "deployment", "upstream_model",
        "outcome", "reason",
    )  # fmt: skip
    tokens = (
        "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens",
        "reasoning_tokens", "audio_input_tokens", "audio_output_tokens",
    )  # fmt: skip
    op.create_table(
        "operations",
        sa.Column("operation_id", ORDERED, nullable=False),
        sa.Column("accepted_at_ms", sa.BigInteger, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("tenant_id", ORDERED, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in tokens),
        sa.Column("usage_estimated", sa.Boolean, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("cost_estimated", sa.Boolean, nullable=False),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        sa.Column("first_event_us", sa.BigInteger),
        sa.Column("queue_us", sa.BigInteger, nullable=False),
        sa.Column("cache_status", sa.Text, nullable=False),
        sa.Column("dedupe_status", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("operation_id", name="pk_operations"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_operations_tenant_id", "operations", ["tenant_id", "operation_id"])


def rollups() -> None:
    keys = ("tenant_id", "project", "api_key_id", "model", "provider", "outcome", "reason")
    sums = (
        "operations", "input_tokens", "output_tokens", "cached_input_tokens",
        "cache_write_input_tokens", "reasoning_tokens", "audio_input_tokens",
        "audio_output_tokens", "usage_estimated_operations", "cost_nano_usd",
        "cost_estimated_operations", "unpriced_operations", "unpriced_tokens", "cache_hits",
        "duration_us", "first_event_us", "first_event_operations",
        *(f"latency_{i}" for i in range(42)),
    )  # fmt: skip
    op.create_table(
        "usage_rollups",
        sa.Column("step_s", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("facet", ORDERED, nullable=False),
        sa.Column("start_s", sa.BigInteger, nullable=False, autoincrement=False),
        *(sa.Column(name, ORDERED, nullable=False) for name in keys),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in sums),
        sa.PrimaryKeyConstraint("step_s", "facet", "start_s", *keys, name="pk_usage_rollups"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_usage_rollups_start_s", "usage_rollups", ["start_s"])
