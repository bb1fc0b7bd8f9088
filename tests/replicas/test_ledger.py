"""Gateways that are killed: what a caller has got an answer to is in the ledger, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.engines import SqlSettings
from tests.support.databases import KINDS, settings_of
from tests.support.gateway import scripted
from tests.support.gateway_process import GatewayProcess
from tests.support.ledger import counted, ids
from tests.support.requests import ask

CALLERS = 12
ANSWERS = 150

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> SqlSettings:
    """Where the gateway keeps its ledger."""
    (tmp_path / "gateway").mkdir()
    return settings_of(request, tmp_path / "gateway/data")


async def until_killed(gateway: GatewayProcess) -> list[str]:
    """Ids of the operations whose answers came whole, until it was killed in the midst of them."""
    answered: list[str] = []

    async def caller(number: int) -> None:
        try:
            while True:
                if number % 2:
                    answered.append((await gateway.calls.Generate(ask())).operation_id)
                else:
                    events = [event async for event in gateway.calls.StreamGenerate(ask())]
                    answered.append(events[0].start.operation_id)
                if len(answered) >= ANSWERS:
                    gateway.kill()
        except grpc.aio.AioRpcError:
            assert len(answered) >= ANSWERS

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return answered


async def test_a_kill_loses_nothing_that_a_caller_knows_of(
    settings: SqlSettings, tmp_path: Path
) -> None:
    (tmp_path / "gateway").rmdir()
    database = {} if settings.url is None else {"database": {"url": settings.url}}
    tree = {**scripted(), "ledger": {"flush_interval_s": 0.02}, **database}
    gateway = GatewayProcess(tree, tmp_path / "gateway")
    gateway.start()
    await gateway.serving()
    answered = await until_killed(gateway)
    gateway.start()
    await gateway.serving()
    reading = Database(settings)
    while not set(answered) <= set(await ids(reading)):
        assert await gateway.calls.Generate(ask())
    await gateway.aclose()
    spool = tmp_path / "gateway/data/spool"
    assert list(spool.iterdir()) == []
    there = await ids(reading)
    assert len(there) == len(set(there))
    for step_s in (3600, 86400):
        assert (await counted(reading, step_s=step_s))["operations"] == len(there)
    await reading.aclose()
