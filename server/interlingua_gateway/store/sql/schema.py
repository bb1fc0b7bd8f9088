"""The one schema of both databases: the metadata that every table belongs to, and its version."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import MetaData, Text

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the gateway. Modules named *_tables hold them; `tables` imports all of those."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

ORDERED: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases compare byte by byte; for keys and for what pages are ordered by."""


def head() -> str:
    """The newest version of the schema: the last file of migrations/versions, without `.py`."""
    return max(file.stem for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
