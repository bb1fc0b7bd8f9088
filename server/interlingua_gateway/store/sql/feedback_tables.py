"""The table of feedback."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table, Text

from interlingua_gateway.store.sql.schema import METADATA, ORDERED

FEEDBACK: Final = Table(
    "feedback",
    METADATA,
    # Ids begin with the time in milliseconds: their order is that of time.
    Column("feedback_id", ORDERED, primary_key=True),
    Column("given_at_ms", BigInteger, nullable=False),
    Column("tenant_id", ORDERED, nullable=False),
    # Empty, or of an operation that may not be there, or be another tenant's.
    Column("operation_id", ORDERED, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rating", Double),
    Column("useful", Boolean),
    Column("text", Text, nullable=False),
    Column("said_by", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("response", Text, nullable=False),
    # JSON.
    Column("metadata", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_feedback_tenant_id", FEEDBACK.c.tenant_id, FEEDBACK.c.feedback_id)
