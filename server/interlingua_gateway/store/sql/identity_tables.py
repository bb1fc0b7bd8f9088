"""Tables of API keys and tenants; nothing in them opens a door: secrets are there as digests."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from interlingua_gateway.store.sql.schema import METADATA, ORDERED

REVISIONS: Final = Table(
    "revisions",
    METADATA,
    # One row a subject. Who changes something of it counts up first, and so waits for everybody
    # who does the same: rows become visible in the order of their revisions.
    Column("subject", ORDERED, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

TENANTS: Final = Table(
    "tenants",
    METADATA,
    Column("id", ORDERED, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("tier", Text, nullable=False),
    # A JSON list; empty for all.
    Column("models", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("deleted_at_ms", BigInteger),
    Column("revision", BigInteger, nullable=False),
)
Index("ix_tenants_revision", TENANTS.c.revision)

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("id", ORDERED, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("tenant_id", ORDERED, nullable=False),
    Column("project", Text, nullable=False),
    # JSON lists; an empty one of models is for all of the tenant's.
    Column("scopes", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("previous_sha256", LargeBinary, nullable=False),
    Column("previous_until_ms", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
Index("ix_api_keys_revision", API_KEYS.c.revision)
Index("ix_api_keys_created_at_ms", API_KEYS.c.created_at_ms, API_KEYS.c.id)
Index("ix_api_keys_tenant_id", API_KEYS.c.tenant_id)
