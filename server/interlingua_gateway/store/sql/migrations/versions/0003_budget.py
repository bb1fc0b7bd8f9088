"""Budgets that are put at runtime, and the alerts that were sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_budget"
down_revision = "0002_identity"

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    texts = ("tenant_id", "project", "api_key_id", "end_user", "model", "period")
    op.create_table(
        "budgets",
        sa.Column("budget_id", ORDERED, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("limit_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("hard", sa.Boolean, nullable=False),
        sa.Column("alert_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", name="pk_budgets"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_alerts",
        sa.Column("pot", ORDERED, nullable=False),
        sa.Column("threshold_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("ends_at_s", sa.BigInteger),
        sa.PrimaryKeyConstraint("pot", name="pk_budget_alerts"),
        sqlite_with_rowid=False,
    )
