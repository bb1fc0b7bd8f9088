"""Every table of the gateway: importing this module completes the metadata."""

from __future__ import annotations

from interlingua_gateway.store.sql import ledger_tables as ledger_tables
from interlingua_gateway.store.sql.schema import METADATA as METADATA
