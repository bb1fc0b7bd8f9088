"""API keys and tenants, and the revisions under which changes of them are seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_identity"
down_revision = "0001_ledger"

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "revisions",
        sa.Column("subject", ORDERED, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_revisions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tenants",
        sa.Column("id", ORDERED, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("display_name", "tier", "models")),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_index("ix_tenants_revision", "tenants", ["revision"])
    api_keys()


def api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ORDERED, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("tenant_id", ORDERED, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("project", "scopes", "models")),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger),
        sa.Column("revoked_at_ms", sa.BigInteger),
        sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
        sa.Column("previous_sha256", sa.LargeBinary, nullable=False),
        sa.Column("previous_until_ms", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_revision", "api_keys", ["revision"])
    op.create_index("ix_api_keys_created_at_ms", "api_keys", ["created_at_ms", "id"])
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"])
