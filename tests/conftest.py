"""Fixtures that several rooms of tests share."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlingua_gateway.store.sql.database import Database
from tests.support.databases import KINDS, settings_of
from tests.support.manual_clock import ManualClock
from tests.support.postgres_server import PostgresServer, postgres_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def pytest_collection_finish() -> None:
    """What is imported by now lives until the end: no collection of garbage needs to visit it.

    What is imported later, litellm above all, is visited seldom: a sixth of the time went there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests that do not stop it; each takes a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=KINDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty SQLite and an empty PostgreSQL, one after the other."""
    opened = Database(settings_of(request, tmp_path))
    yield opened
    await opened.aclose()
