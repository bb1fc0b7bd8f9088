"""Every table of the gateway: importing this module completes the metadata."""

from __future__ import annotations

from interlingua_gateway.store.sql import budget_tables as budget_tables
from interlingua_gateway.store.sql import feedback_tables as feedback_tables
from interlingua_gateway.store.sql import identity_tables as identity_tables
from interlingua_gateway.store.sql import ledger_tables as ledger_tables
from interlingua_gateway.store.sql.schema import METADATA as METADATA
