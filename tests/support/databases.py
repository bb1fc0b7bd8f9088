"""The two databases that the same tests run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua_gateway.store.sql.engines import SqlSettings
from tests.support.postgres_server import PostgresServer

KINDS = ("sqlite", "postgresql")


def settings_of(request: pytest.FixtureRequest, directory: Path) -> SqlSettings:
    """Settings of an empty database of the kind that `request.param` says."""
    path = directory / "interlingua.sqlite3"
    if request.param == "sqlite":
        return SqlSettings(path=path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return SqlSettings(path=path, url=server.new_database())
