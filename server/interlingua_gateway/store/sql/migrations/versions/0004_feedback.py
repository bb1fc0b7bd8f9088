"""Feedback on operations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_feedback"
down_revision = "0003_budget"

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    texts = ("text", "said_by", "query", "response", "metadata")
    op.create_table(
        "feedback",
        sa.Column("feedback_id", ORDERED, nullable=False),
        sa.Column("given_at_ms", sa.BigInteger, nullable=False),
        sa.Column("tenant_id", ORDERED, nullable=False),
        sa.Column("operation_id", ORDERED, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rating", sa.Double),
        sa.Column("useful", sa.Boolean),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_feedback"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_feedback_tenant_id", "feedback", ["tenant_id", "feedback_id"])
