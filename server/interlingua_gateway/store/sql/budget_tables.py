"""Tables of budgets: those that were put at runtime, and the alerts that were sent."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from interlingua_gateway.store.sql.schema import METADATA, ORDERED

BUDGETS: Final = Table(
    "budgets",
    METADATA,
    Column("budget_id", ORDERED, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("api_key_id", Text, nullable=False),
    Column("end_user", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("limit_nano_usd", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    # JSON: a list of shares of the limit.
    Column("alert_at", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The highest threshold of each pot that was told of.
BUDGET_ALERTS: Final = Table(
    "budget_alerts",
    METADATA,
    Column("pot", ORDERED, primary_key=True),
    Column("threshold_nano_usd", BigInteger, nullable=False),
    Column("ends_at_s", BigInteger),
    sqlite_with_rowid=False,
)
